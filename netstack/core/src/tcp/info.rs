//! What a connection knows about itself (`TCP_INFO`).

use super::connection::Connection;
use super::state::State;
use core::time::Duration;

/// A snapshot of one connection. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpInfo {
    /// The state of RFC 9293.
    pub state: State,
    /// The smoothed round-trip time, once measured.
    pub rtt: Option<Duration>,
    /// Its mean deviation.
    pub rtt_variation: Duration,
    /// The retransmission timeout in force.
    pub rto: Duration,
    /// The largest payload of a segment sent.
    pub send_mss: usize,
    /// The largest payload of a segment received so far.
    pub receive_mss: usize,
    /// The congestion window.
    pub congestion_window: usize,
    /// The slow start threshold; `usize::MAX` before the first loss.
    pub threshold: usize,
    /// The peer's receive window.
    pub send_window: usize,
    /// Our receive window, as the peer knows it.
    pub receive_window: usize,
    /// Sent and not acknowledged.
    pub outstanding: usize,
    /// Written and not sent.
    pub unsent: usize,
    /// Received and not read.
    pub unread: usize,
    /// Received beyond a hole.
    pub out_of_order: usize,
    /// Segments sent again.
    pub retransmits: u64,
    /// Whether loss recovery is under way.
    pub in_recovery: bool,
}

impl Connection {
    /// A snapshot for the application.
    pub(crate) fn info(&self) -> TcpInfo {
        TcpInfo {
            state: self.state,
            rtt: self.snd.rtt.smoothed(),
            rtt_variation: self.snd.rtt.variation(),
            rto: self.snd.rtt.rto(),
            send_mss: self.snd.mss,
            receive_mss: self.rcv.mss,
            congestion_window: self.snd.congestion.window(),
            threshold: self.snd.congestion.threshold(),
            send_window: self.snd.wnd,
            receive_window: self.rcv.window.size(self.rcv.nxt),
            outstanding: self.snd.max.since(self.snd.una),
            unsent: self.snd.unsent(),
            unread: self.rcv.queued(),
            out_of_order: self.rcv.assembler.bytes(),
            retransmits: self.snd.retransmits,
            in_recovery: self.snd.recovery.is_fast(),
        }
    }
}
