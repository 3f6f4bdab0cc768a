//! What a connection knows about itself (`TCP_INFO`).

use super::connection::Connection;
use super::send::Phase;
use super::state::State;
use super::traffic::SegmentCounts;
use crate::Instant;
use crate::socket::Congestion;
use crate::socket::ConnectionError;
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
    /// Bytes that may wait to be sent and acknowledged.
    pub send_buffer: usize,
    /// Bytes that may wait to be read.
    pub receive_buffer: usize,
    /// Sent and not acknowledged.
    pub outstanding: usize,
    /// Written and not sent.
    pub unsent: usize,
    /// Bytes of storage that the send queue keeps alive: segments of its own, and what it took over of others'. The
    /// latter is at most four times the send buffer, or one buffer of any size, and what is lent.
    pub send_storage: usize,
    /// Received and not read.
    pub unread: usize,
    /// Received beyond a hole.
    pub out_of_order: usize,
    /// Whether acknowledgements are selective.
    pub sack: bool,
    /// Of what is outstanding, what the peer has beyond a hole.
    pub sacked: usize,
    /// Of what is outstanding, what is taken to be lost and was not sent again.
    pub lost: usize,
    /// Sent, not acknowledged in any way, and not lost.
    pub in_network: usize,
    /// The smallest round-trip time of late; zero before the first.
    pub min_rtt: Duration,
    /// The algorithm that bounds what is in the network.
    pub congestion: Congestion,
    /// Whether packets may be marked instead of dropped.
    pub ecn: bool,
    /// Segments so far.
    pub segments: SegmentCounts,
    /// Segments sent again.
    pub retransmits: u64,
    /// Bytes outstanding that were sent again, and neither sacked nor taken to be lost since.
    pub resent: usize,
    /// Keep-alive probes since something was heard.
    pub probes: u32,
    /// The rate that packets leave no faster than, in bytes a second, if one is set.
    pub pacing_rate: Option<u64>,
    /// Of that, what the application has set.
    pub pacing_limit: Option<u64>,
    /// What arrived in the latest whole round trip, in bytes a second.
    pub delivery_rate: u64,
    /// Bytes sent again.
    pub bytes_retransmitted: u64,
    /// Bytes of data sent, the first time or again.
    pub bytes_sent: u64,
    /// Bytes of data acknowledged cumulatively.
    pub bytes_acked: u64,
    /// Bytes of data received in order; counted up to 256 TiB, and from zero again.
    pub bytes_received: u64,
    /// How long there was something to send or outstanding, up to the latest change of that.
    pub busy: Duration,
    /// Of that, how long the peer's window held it back.
    pub window_limited: Duration,
    /// Of that, how long the send buffer did.
    pub buffer_limited: Duration,
    /// The round-trip time as the receiving side sees it; zero before it is known, and where the buffer is not tuned.
    pub receive_rtt: Duration,
    /// The most that was read in such a time.
    pub receive_space: usize,
    /// Fast recoveries so far.
    pub recoveries: u64,
    /// Tail loss probes so far.
    pub loss_probes: u64,
    /// Responses to losses that were taken back, because nothing was lost.
    pub undone: u64,
    /// Reports of the peer that data arrived twice.
    pub duplicate_reports: u64,
    /// Times that the peer threw away what it had selectively acknowledged.
    pub reneged: u64,
    /// Whether segments were seen to overtake each other.
    pub reordering_seen: bool,
    /// What the network says of the data that is outstanding: a report that does not end the connection (RFC 9293,
    /// 3.9.1.8), from when it comes until something is acknowledged. Nobody is told of it who does not ask. Where the
    /// retransmissions end without an answer, it is why the connection failed.
    pub soft_error: Option<ConnectionError>,
    /// Whether fast recovery is under way.
    pub in_recovery: bool,
    /// Whether the connection is still making up for a retransmission timeout.
    pub after_timeout: bool,
    /// Timeouts in a row that nothing was heard after.
    pub backoff: u32,
    /// Window scales of the peer and of this side, if both scale.
    pub scales: Option<(u8, u8)>,
    /// Whether segments have timestamps.
    pub timestamps: bool,
    /// The largest payload without options that the path takes.
    pub path_mss: usize,
    /// The maximum segment size that this side announced.
    pub advertised_mss: usize,
}

impl TcpInfo {
    /// The state as Linux numbers it: `tcpi_state`.
    pub fn tcpi_state(&self) -> u8 {
        match self.state {
            State::Established => 1,
            State::SynSent => 2,
            State::SynReceived => 3,
            State::FinWait1 => 4,
            State::FinWait2 => 5,
            State::TimeWait => 6,
            State::Closed => 7,
            State::CloseWait => 8,
            State::LastAck => 9,
            State::Closing => 11,
        }
    }

    /// Open, recovery or loss, as Linux numbers them: `tcpi_ca_state`.
    pub fn tcpi_ca_state(&self) -> u8 {
        match (self.after_timeout, self.in_recovery) {
            (true, _) => 4,
            (false, true) => 3,
            (false, false) => 0,
        }
    }

    /// All that is left to say of a connection in TIME-WAIT that nobody holds.
    pub(crate) fn in_time_wait() -> TcpInfo {
        TcpInfo {
            state: State::TimeWait,
            rtt: None,
            rtt_variation: Duration::ZERO,
            rto: Duration::ZERO,
            send_mss: 0,
            receive_mss: 0,
            congestion_window: 0,
            threshold: usize::MAX,
            send_window: 0,
            receive_window: 0,
            send_buffer: 0,
            receive_buffer: 0,
            outstanding: 0,
            unsent: 0,
            send_storage: 0,
            unread: 0,
            out_of_order: 0,
            sack: false,
            sacked: 0,
            lost: 0,
            in_network: 0,
            min_rtt: Duration::ZERO,
            congestion: Congestion::default(),
            ecn: false,
            segments: SegmentCounts::default(),
            retransmits: 0,
            resent: 0,
            probes: 0,
            pacing_rate: None,
            pacing_limit: None,
            delivery_rate: 0,
            bytes_retransmitted: 0,
            bytes_sent: 0,
            bytes_acked: 0,
            bytes_received: 0,
            busy: Duration::ZERO,
            window_limited: Duration::ZERO,
            buffer_limited: Duration::ZERO,
            receive_rtt: Duration::ZERO,
            receive_space: 0,
            recoveries: 0,
            loss_probes: 0,
            undone: 0,
            duplicate_reports: 0,
            reneged: 0,
            reordering_seen: false,
            soft_error: None,
            in_recovery: false,
            after_timeout: false,
            backoff: 0,
            scales: None,
            timestamps: false,
            path_mss: 0,
            advertised_mss: 0,
        }
    }
}

impl Connection {
    /// A snapshot for the application.
    pub(crate) fn info(&self, now: Instant) -> TcpInfo {
        let (totals, tally) = (self.snd.totals(), self.snd.tally());
        let (held, (receive_rtt, receive_space)) = (self.snd.held(), self.rcv.measured());
        TcpInfo {
            state: self.state,
            rtt: self.snd.rtt.smoothed(),
            rtt_variation: self.snd.rtt.variation(),
            rto: self.snd.rtt.rto(),
            send_mss: self.snd.mss,
            receive_mss: self.rcv.mss(),
            congestion_window: self.snd.congestion.window(),
            threshold: self.snd.congestion.threshold(),
            send_window: self.snd.wnd(),
            receive_window: self.rcv.window.size(self.rcv.nxt),
            send_buffer: self.snd.queue.limit(),
            receive_buffer: self.rcv.limit().0,
            outstanding: self.snd.nxt.since(self.snd.una),
            unsent: self.snd.unsent(),
            send_storage: self.snd.queue.storage(),
            unread: self.rcv.queued(),
            out_of_order: self.rcv.assembler.bytes(),
            sack: self.snd.sack,
            sacked: totals.sacked,
            lost: totals.lost,
            in_network: self.snd.pipe(),
            min_rtt: self.snd.rtt.least(),
            congestion: self.snd.congestion.algorithm(),
            ecn: self.snd.may_be_marked(),
            segments: self.traffic.counts(now, self.snd.last_sent()),
            retransmits: tally.retransmits,
            resent: totals.resent,
            probes: self.extras.as_ref().map_or(0, |extras| extras.probes),
            pacing_rate: self.snd.pacing_rate(),
            pacing_limit: self.snd.pacing_limit(),
            delivery_rate: self.snd.delivery_rate(),
            bytes_retransmitted: tally.retransmitted,
            bytes_sent: self.snd.bytes_sent(),
            bytes_acked: self.snd.acked(),
            bytes_received: self.rcv.received(),
            busy: held.busy,
            window_limited: held.by_window,
            buffer_limited: held.by_buffer,
            receive_rtt,
            receive_space,
            recoveries: tally.recoveries,
            loss_probes: tally.probes,
            undone: tally.undone,
            duplicate_reports: tally.duplicate_reports,
            reneged: tally.reneged,
            reordering_seen: self.snd.reordering_seen(),
            soft_error: self.soft_error(),
            in_recovery: self.snd.phase() == Phase::Fast,
            after_timeout: self.snd.phase() == Phase::Timeout,
            backoff: u32::from(self.snd.timeouts),
            scales: (!self.unscaled).then_some((self.snd.scale, self.our_scale)),
            timestamps: self.timestamps.is_some(),
            path_mss: usize::from(self.path_mss),
            advertised_mss: usize::from(self.receive_mss),
        }
    }
}
