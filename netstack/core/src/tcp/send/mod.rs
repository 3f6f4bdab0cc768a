//! The sending half of a connection.

pub(crate) mod queue;
pub(crate) mod recovery;
pub(crate) mod rtt;

use super::congestion::CongestionControl;
use super::segment::Segment;
use super::seq::Seq;
use crate::Instant;
use core::time::Duration;
use queue::SendQueue;
use recovery::{Recovery, Verdict};
use rtt::RttEstimator;

/// The longest payload of a super-packet before it is rounded to whole segments: with the longest
/// headers it stays below the 65,535 bytes that an IP length can say.
pub(crate) const MAX_SUPER: usize = 65_535 - 120;

/// The variables of RFC 9293, 3.3.1 for sending, the data, and what is known of the path.
pub(crate) struct Sender {
    /// ISS.
    pub(crate) iss: Seq,
    /// SND.UNA.
    pub(crate) una: Seq,
    /// What to send next. A timeout takes it back to `una`; RFC 9293's SND.NXT is `max`.
    pub(crate) nxt: Seq,
    /// Behind the highest sequence number ever sent.
    pub(crate) max: Seq,
    /// SND.WND, in bytes.
    pub(crate) wnd: usize,
    /// The largest window the peer ever offered.
    pub(crate) max_wnd: usize,
    wl1: Seq,
    wl2: Seq,
    /// The shift of the peer's window field.
    pub(crate) scale: u8,
    /// Bytes of payload in a full segment, options taken off.
    pub(crate) mss: usize,
    pub(crate) queue: SendQueue,
    pub(crate) rtt: RttEstimator,
    pub(crate) recovery: Recovery,
    pub(crate) congestion: Box<dyn CongestionControl>,
    /// The segment at `una` is to be sent again at once.
    pub(crate) retransmit: bool,
    /// The segment whose round trip is timed: its end and when it left. Never one sent twice.
    timed: Option<(Seq, Instant)>,
    /// When something was sent last, for the restart after idleness.
    pub(crate) last_sent: Instant,
    /// Timeouts in a row without progress.
    pub(crate) timeouts: u32,
    /// Segments sent more than once.
    pub(crate) retransmits: u64,
}

impl Sender {
    pub(crate) fn new(
        iss: Seq,
        mss: usize,
        queue: SendQueue,
        congestion: Box<dyn CongestionControl>,
        now: Instant,
    ) -> Self {
        Sender {
            iss,
            una: iss,
            nxt: iss,
            max: iss,
            wnd: 0,
            max_wnd: 0,
            wl1: Seq(0),
            wl2: Seq(0),
            scale: 0,
            mss,
            queue,
            rtt: RttEstimator::default(),
            recovery: Recovery::new(iss),
            congestion,
            retransmit: false,
            timed: None,
            last_sent: now,
            timeouts: 0,
            retransmits: 0,
        }
    }

    /// Whether anything sent is not acknowledged.
    pub(crate) fn outstanding(&self) -> bool {
        self.max != self.una
    }

    /// Whether `seq` was sent and is not acknowledged.
    pub(crate) fn is_outstanding(&self, seq: Seq) -> bool {
        seq.at_or_after(self.una) && seq.before(self.max)
    }

    /// Where our FIN stands, once the application has finished.
    pub(crate) fn fin_seq(&self) -> Option<Seq> {
        self.queue.finished().then(|| self.queue.end())
    }

    /// Whether our FIN was sent and acknowledged.
    pub(crate) fn fin_acknowledged(&self) -> bool {
        self.fin_seq().is_some_and(|fin| self.una.after(fin))
    }

    /// Bytes of data that were written and not sent, or are to be sent again after a timeout.
    pub(crate) fn unsent(&self) -> usize {
        self.queue.end().since(self.nxt)
    }

    /// Bytes that may leave now: what the peer's window and the congestion window leave open.
    pub(crate) fn usable(&self) -> usize {
        let allowance = self.recovery.allowance(self.congestion.window(), self.mss);
        self.wnd
            .min(allowance)
            .saturating_sub(self.nxt.since(self.una))
    }

    /// Takes the first window that counts, its field shifted by `scale`.
    pub(crate) fn open_window(&mut self, segment: &Segment, scale: u8) {
        self.wnd = usize::from(segment.window) << scale;
        self.max_wnd = self.max_wnd.max(self.wnd);
        self.wl1 = segment.seq;
        self.wl2 = segment.ack;
    }

    /// The peer's window opened again: what it would not take is sent anew, at once.
    pub(crate) fn reopen(&mut self) {
        self.nxt = self.una;
        self.timed = None;
        self.rtt.end_backoff();
    }

    /// Takes the window of an acceptable segment if it is the newest (RFC 9293, 3.10.7.4).
    /// Returns whether it changed.
    pub(crate) fn update_window(&mut self, segment: &Segment) -> bool {
        let newer = self.wl1.before(segment.seq)
            || (self.wl1 == segment.seq && self.wl2.at_or_before(segment.ack));
        if !newer {
            return false;
        }
        let wnd = usize::from(segment.window) << self.scale;
        let changed = wnd != self.wnd;
        self.wnd = wnd;
        self.max_wnd = self.max_wnd.max(wnd);
        self.wl1 = segment.seq;
        self.wl2 = segment.ack;
        changed
    }

    /// `ack` acknowledges new data: it is in (`una`, `max`]. `echoed` is the age of the timestamp it
    /// echoes, where there is one.
    pub(crate) fn on_ack(&mut self, now: Instant, ack: Seq, echoed: Option<Duration>) {
        // The SYN and the FIN have sequence numbers but are no data.
        let acked = ack
            .earlier(self.queue.end())
            .since(self.una.later(self.iss + 1));
        let flight = self.max.since(self.una);
        match self.timed {
            Some((end, sent)) if ack.at_or_after(end) => {
                self.rtt.measure(now.since(sent));
                self.timed = None;
            }
            None => {
                if let Some(rtt) = echoed {
                    self.rtt.measure(rtt);
                }
            }
            Some(_) => {}
        }
        self.timeouts = 0;
        self.una = ack;
        self.nxt = self.nxt.later(ack);
        self.queue.acknowledge(ack.earlier(self.queue.end()));
        match self.recovery.on_advance(ack, acked, self.mss) {
            Verdict::StillMissing => self.retransmit = true,
            Verdict::Recovered => self.congestion.on_recovered(self.max.since(self.una)),
            _ if acked > 0 => self.congestion.on_ack(acked, flight),
            _ => {}
        }
    }

    /// A SYN of the handshake had to be sent again: what is known of the path is that it loses packets.
    pub(crate) fn on_handshake_loss(&mut self) {
        self.rtt.distrust();
        self.congestion.on_handshake_loss();
    }

    /// A duplicate acknowledgement arrived (RFC 5681, 2).
    pub(crate) fn on_duplicate(&mut self) {
        if self.recovery.on_duplicate(self.una, self.max, self.mss) == Verdict::Lost {
            let flight = self.recovery.lost_at().since(self.una);
            self.congestion.on_loss(flight);
            self.retransmit = true;
        }
    }

    /// The retransmission timer went off: the segment at `una` leaves at once, whatever the windows
    /// say, and everything behind it as they open.
    pub(crate) fn on_timeout(&mut self) {
        let again = self.timeouts > 0;
        self.timeouts += 1;
        self.rtt.back_off();
        self.retransmit = true;
        self.timed = None;
        self.nxt = self.una;
        // A shut window is not a congested network: the segment is a probe then.
        if self.wnd > 0 {
            self.congestion.on_timeout(self.max.since(self.una), again);
            self.recovery.on_timeout(self.max);
        }
    }

    /// `len` sequence numbers from `seq` on are about to leave.
    pub(crate) fn on_send(&mut self, now: Instant, seq: Seq, len: usize) {
        let end = seq + len;
        if seq.before(self.max) {
            self.retransmits += 1;
            self.timed = None;
        } else if self.timed.is_none() {
            self.timed = Some((end, now));
        }
        self.max = self.max.later(end);
        self.last_sent = now;
    }

    /// Restarts from a small window when nothing was sent for a retransmission timeout
    /// (RFC 5681, 4.1).
    pub(crate) fn restart_after_idle(&mut self, now: Instant) {
        if !self.outstanding() && now.since(self.last_sent) > self.rtt.rto() {
            self.congestion.on_idle();
        }
    }

    /// The path takes segments of `mss` bytes. What is outstanding in larger ones is sent again.
    pub(crate) fn reduce_mss(&mut self, mss: usize) {
        if mss < self.mss {
            self.mss = mss;
            self.congestion.set_mss(mss);
            self.nxt = self.una;
            self.timed = None;
        }
    }
}
