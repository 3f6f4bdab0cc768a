//! What becomes of urgent data.

/// What reading does with urgent data, of which the last byte is what older programs mean
/// ([`SocketOption::Urgent`](super::SocketOption::Urgent)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UrgentData {
    /// It is read like any other, and a read may pass its end (RFC 6093, 5).
    #[default]
    InStream,
    /// It is read like any other, but a read ends before the last urgent byte, unless it begins there (`SO_OOBINLINE`).
    Marked,
    /// A read ends before the last urgent byte, and one that begins there leaves it out:
    /// [`Stack::tcp_urgent_byte`](crate::Stack::tcp_urgent_byte) has it, until it is passed. One that a later one
    /// overtakes stays in the stream, unless it was next to be read: then it is gone.
    OutOfBand,
}

/// The last byte of urgent data, where that is out of band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrgentByte {
    /// There is none, or it was taken or passed.
    None,
    /// The peer said that there is one, and it has not come.
    Awaited,
    /// This one.
    Here(u8),
}
