//! Congestion control: how much may be in flight. A file per algorithm, behind one trait.
//!
//! Loss recovery decides *what* is sent again and tells the algorithm *that* something was lost; an
//! algorithm never sees a sequence number.

mod reno;

pub(crate) use reno::Reno;

/// An algorithm that bounds the data in flight. All sizes are in bytes.
pub(crate) trait CongestionControl: Send {
    /// The congestion window.
    fn window(&self) -> usize;
    /// The slow start threshold.
    fn threshold(&self) -> usize;
    /// `acked` bytes of new data were acknowledged outside recovery, with `flight` outstanding before.
    fn on_ack(&mut self, acked: usize, flight: usize);
    /// A loss was inferred from duplicate acknowledgements, with `flight` outstanding.
    fn on_loss(&mut self, flight: usize);
    /// Recovery ended with `flight` outstanding.
    fn on_recovered(&mut self, flight: usize);
    /// The retransmission timer went off, with `flight` outstanding; `again` when it did so before
    /// for the same data.
    fn on_timeout(&mut self, flight: usize, again: bool);
    /// Nothing was sent for longer than a retransmission timeout (RFC 5681, 4.1).
    fn on_idle(&mut self);
    /// A SYN had to be sent again (RFC 5681, 3.1): the first window is one segment.
    fn on_handshake_loss(&mut self);
    /// The sender's maximum segment size changed.
    fn set_mss(&mut self, mss: usize);
}
