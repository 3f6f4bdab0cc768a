//! The states of RFC 9293, 3.3.2, but LISTEN, which is a listener's and not a connection's.

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// A SYN was sent, none was received.
    SynSent,
    /// SYNs crossed, and ours is not acknowledged yet. (A listener's half-open connections are in its
    /// SYN queue and not connections yet.)
    SynReceived,
    /// Data flows both ways.
    Established,
    /// Our side is closed, its FIN not acknowledged.
    FinWait1,
    /// Our side is closed and the peer knows.
    FinWait2,
    /// The peer's side is closed, ours is not.
    CloseWait,
    /// Both closed at the same time; our FIN is not acknowledged.
    Closing,
    /// Both closed, the peer first; our FIN is not acknowledged.
    LastAck,
    /// Both closed; old segments are left time to die.
    TimeWait,
    /// Nothing is left.
    Closed,
}

impl State {
    /// Whether both SYNs are exchanged and acknowledged.
    pub fn is_synchronized(self) -> bool {
        !matches!(self, State::SynSent | State::SynReceived | State::Closed)
    }

    /// Whether the peer may still send data.
    pub fn may_receive(self) -> bool {
        matches!(self, State::Established | State::FinWait1 | State::FinWait2)
    }

    /// Whether data may be sent, new or again, or a FIN.
    pub(crate) fn sends_data(self) -> bool {
        matches!(
            self,
            State::Established
                | State::FinWait1
                | State::CloseWait
                | State::Closing
                | State::LastAck
        )
    }

    /// Whether our side was closed.
    pub(crate) fn send_closed(self) -> bool {
        !matches!(
            self,
            State::SynSent | State::SynReceived | State::Established | State::CloseWait
        )
    }
}
