//! The sending half of a connection.

mod acknowledge;
mod delivery;
mod ecn;
mod frto;
mod limits;
mod newreno;
mod pacer;
mod path;
mod probe;
mod prr;
pub(crate) mod queue;
mod rack;
mod recovery;
mod rounds;
pub(crate) mod rtt;
mod scoreboard;
mod timeout;
mod undo;
mod urgent;

pub(crate) use acknowledge::Ack;
pub(crate) use path::{MtuOutcome, Turn};
pub(crate) use recovery::Phase;
pub(crate) use scoreboard::Totals;

use super::congestion::{self, CongestionControl, Flight};
use super::segment::Segment;
use super::seq::Seq;
use crate::Instant;
use crate::socket::Congestion;
use delivery::Deliveries;
use ecn::EcnResponse;
use frto::Frto;
use limits::Limits;
use newreno::NewReno;
use pacer::{Pacer, quantum};
use path::Search;
use probe::Probe;
use queue::SendQueue;
use rack::Rack;
use recovery::Recovery;
use rounds::Rounds;
use rtt::RttEstimator;
use scoreboard::Scoreboard;
use undo::Undo;

/// The longest payload of a super-packet before it is rounded to whole segments: with the longest
/// headers it stays below the 65,535 bytes that an IP length can say.
pub(crate) const MAX_SUPER: usize = 65_535 - 120;

/// The packets that a congestion window is sent in, at least.
const SHARES: usize = 3;

/// How often the sender did what only measurements show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Segments sent more than once, and their bytes.
    pub(crate) retransmits: u64,
    pub(crate) retransmitted: u64,
    /// Fast recoveries.
    pub(crate) recoveries: u64,
    /// Tail loss probes.
    pub(crate) probes: u64,
    /// Responses taken back because nothing was lost.
    pub(crate) undone: u64,
    /// Reports of data that arrived twice.
    pub(crate) duplicate_reports: u64,
    /// Times that the peer threw away what it had selectively acknowledged.
    pub(crate) reneged: u64,
}

/// What a connection that loses nothing does without.
#[derive(Debug, Default)]
struct Rare {
    tally: Tally,
    /// What segments the path takes is being found out.
    search: Option<Search>,
    outcome: Option<MtuOutcome>,
    /// When the peer's window opened again and the flight was sent anew.
    reopened: Option<Instant>,
    /// SND.UP, while what is before it is not acknowledged.
    urgent: Option<Seq>,
}

/// The variables of RFC 9293, 3.3.1 for sending, the data, and what is known of the path.
pub(crate) struct Sender {
    /// ISS.
    pub(crate) iss: Seq,
    /// SND.UNA.
    pub(crate) una: Seq,
    /// SND.NXT: behind the highest sequence number ever sent.
    pub(crate) nxt: Seq,
    /// How often SND.UNA has gone round the circle.
    laps: u32,
    /// SND.WND, in bytes.
    wnd: u32,
    /// The largest window the peer ever offered.
    max_wnd: u32,
    wl1: Seq,
    wl2: Seq,
    /// The last octet of the last segment that was not full; a SYN is none.
    small: Seq,
    /// The shift of the peer's window field.
    pub(crate) scale: u8,
    /// Bytes of payload in a full segment, options taken off.
    pub(crate) mss: usize,
    /// Whether the peer acknowledges selectively: then RACK finds losses, else duplicates do.
    pub(crate) sack: bool,
    pub(crate) queue: SendQueue,
    pub(crate) rtt: RttEstimator,
    pub(crate) congestion: Box<dyn CongestionControl>,
    pub(crate) ecn: EcnResponse,
    board: Scoreboard,
    rack: Rack,
    newreno: NewReno,
    recovery: Recovery,
    probe: Probe,
    frto: Frto,
    undo: Undo,
    rounds: Rounds,
    /// For congestion control that is model-based.
    deliveries: Option<Box<Deliveries>>,
    /// Once there is a rate.
    pacer: Option<Box<Pacer>>,
    /// The segment at `una` is to be sent again at once, whatever the windows say.
    force: bool,
    /// When what seems lost will be lost.
    reorder_at: Instant,
    /// Whether an acknowledgement of new data told of that: it is no duplicate, for which something new is to leave
    /// (RFC 3042).
    reserved: bool,
    /// When the retransmission timer goes off if nothing is acknowledged before.
    pub(crate) rto_at: Instant,
    /// When something was sent last, for the restart after idleness.
    last_sent: Instant,
    /// When something was acknowledged last, or the first of what is outstanding left.
    pub(crate) progress_at: Instant,
    /// Bytes that may wait to be sent for the first time.
    pub(crate) not_sent_most: u32,
    limits: Limits,
    /// Timeouts in a row without progress.
    pub(crate) timeouts: u8,
    /// Made with the first loss.
    rare: Option<Box<Rare>>,
}

impl Sender {
    pub(crate) fn new(
        iss: Seq,
        mss: usize,
        queue: SendQueue,
        congestion: Box<dyn CongestionControl>,
        now: Instant,
    ) -> Self {
        let deliveries = Deliveries::wanted_by(congestion.algorithm(), now);
        Sender {
            iss,
            una: iss,
            nxt: iss,
            laps: 0,
            wnd: 0,
            max_wnd: 0,
            wl1: Seq(0),
            wl2: Seq(0),
            small: iss - 1,
            scale: 0,
            mss,
            sack: false,
            queue,
            rtt: RttEstimator::default(),
            congestion,
            ecn: EcnResponse::default(),
            board: Scoreboard::default(),
            rack: Rack::new(iss),
            newreno: NewReno::default(),
            recovery: Recovery::new(iss),
            probe: Probe::default(),
            frto: Frto::default(),
            undo: Undo::default(),
            rounds: Rounds::new(iss),
            deliveries,
            pacer: None,
            force: false,
            reorder_at: Instant::FAR_FUTURE,
            reserved: false,
            rto_at: Instant::FAR_FUTURE,
            last_sent: now,
            progress_at: now,
            not_sent_most: u32::MAX,
            limits: Limits::default(),
            timeouts: 0,
            rare: None,
        }
    }

    /// When anything that has sequence numbers was sent last.
    pub(crate) fn last_sent(&self) -> Instant {
        self.last_sent
    }

    /// Whether anything sent is not acknowledged.
    #[inline]
    pub(crate) fn outstanding(&self) -> bool {
        self.nxt != self.una
    }

    /// Whether `seq` was sent and is not acknowledged.
    pub(crate) fn is_outstanding(&self, seq: Seq) -> bool {
        seq.at_or_after(self.una) && seq.before(self.nxt)
    }

    /// Remembers that the new data before `nxt` was `len` bytes of which the last segment may not have been full.
    pub(crate) fn note_small(&mut self, len: usize) {
        if !len.is_multiple_of(self.mss) {
            self.small = self.nxt - 1;
        }
    }

    /// Whether a segment that was not full is not acknowledged (Minshall's condition for Nagle's algorithm).
    pub(crate) fn small_outstanding(&self) -> bool {
        self.is_outstanding(self.small)
    }

    /// Where our FIN stands, once the application has finished.
    pub(crate) fn fin_seq(&self) -> Option<Seq> {
        self.queue.finished().then(|| self.queue.end())
    }

    /// Whether our FIN was sent and acknowledged.
    pub(crate) fn fin_acknowledged(&self) -> bool {
        self.fin_seq().is_some_and(|fin| self.una.after(fin))
    }

    /// Bytes of data that were written and never sent.
    pub(crate) fn unsent(&self) -> usize {
        self.queue.end().since(self.nxt)
    }

    /// Puts `algorithm` in charge of the congestion window, which stays as it is.
    pub(crate) fn set_congestion(&mut self, now: Instant, algorithm: Congestion) {
        if algorithm != self.congestion.algorithm() {
            let recovering = self.recovery.phase() == Phase::Fast;
            let old = &*self.congestion;
            self.congestion = congestion::replace(old, algorithm, self.mss, recovering);
            self.deliveries = Deliveries::wanted_by(algorithm, now);
        }
    }

    /// What only measurements show, so far.
    pub(crate) fn tally(&self) -> Tally {
        self.rare
            .as_ref()
            .map(|rare| rare.tally)
            .unwrap_or_default()
    }

    fn tally_mut(&mut self) -> &mut Tally {
        &mut self.rare_mut().tally
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// What loss recovery is doing.
    pub(crate) fn phase(&self) -> Phase {
        self.recovery.phase()
    }

    /// What the peer has beyond a hole, and what is taken to be lost.
    pub(crate) fn totals(&self) -> Totals {
        self.board.totals()
    }

    /// Whether segments were seen to overtake each other.
    pub(crate) fn reordering_seen(&self) -> bool {
        self.rack.reordering_seen()
    }

    /// Sequence numbers in the network: sent, not acknowledged in any way, and not lost.
    // req: RFC6675-03, RFC9937-07
    pub(crate) fn pipe(&self) -> usize {
        let totals = self.board.totals();
        self.nxt
            .since(self.una)
            .saturating_sub(totals.sacked + totals.lost)
    }

    /// What is under way, for a response to congestion.
    #[inline]
    pub(crate) fn flight(&self) -> Flight {
        Flight {
            pipe: self.pipe(),
            full: self.rounds.is_full(),
        }
    }

    /// Whether congestion control follows samples of the delivery rate.
    #[inline]
    fn is_model_based(&self) -> bool {
        self.deliveries.is_some()
    }

    /// Whether packets of this connection may be marked instead of dropped: somebody must answer.
    pub(crate) fn may_be_marked(&self) -> bool {
        self.ecn.is_enabled() && !self.is_model_based()
    }

    /// What may be in the network.
    // req: RFC9937-02, RFC6675-13, RFC5681-21, RFC9937-01, RFC8985-22
    fn allowance(&self) -> usize {
        let window = self.congestion.window();
        match (self.recovery.phase(), self.sack) {
            (Phase::Fast, true) if !self.is_model_based() => self.recovery.prr.limit(),
            (Phase::Fast, false) => self.newreno.allowance(window, self.mss),
            (Phase::Open, false) => window + self.newreno.limited_transmit(self.mss),
            _ => window,
        }
    }

    /// Bytes of new data that may leave now: what the peer's window and congestion control leave open.
    // req: RFC5681-01, RFC7323-15, MUST-34, SHLD-15, RFC6675-05, RFC5681-02, RFC5681-26
    pub(crate) fn usable(&self) -> usize {
        if self.ecn.is_held() || self.board.is_full() {
            return 0;
        }
        let window = self.wnd().saturating_sub(self.nxt.since(self.una));
        let room = match self.frto.allowance() {
            Some(allowance) => allowance,
            None => self
                .allowance()
                .saturating_sub(self.pipe() + self.reserve()),
        };
        window.min(room)
    }

    /// What is kept free for the repetition of what seems lost, so that it does not find the queue full that lost it. Where
    /// duplicates tell of the loss, the one that proves it makes room for the repetition.
    fn reserve(&self) -> usize {
        let open = self.recovery.phase() == Phase::Open;
        if open && self.suspects_loss() && self.reserved {
            self.mss
        } else {
            0
        }
    }

    /// Whether something is overdue that may only be out of order.
    fn suspects_loss(&self) -> bool {
        self.reorder_at != Instant::FAR_FUTURE
    }

    /// The rate at which packets leave, in bytes a second, where congestion control or the application sets one.
    #[inline]
    pub(crate) fn pacing_rate(&self) -> Option<u64> {
        let wanted = self.congestion.pacing_rate();
        self.pacer
            .as_ref()
            .map_or(wanted, |pacer| pacer.rate(wanted))
    }

    /// The most bytes of one packet: whole segments. Where there were losses, not more than a share of the congestion window:
    /// a packet is acknowledged as one, and where that is lost too, others are to say that the data arrived.
    /// Where something is urgent, each segment says for itself how far.
    pub(crate) fn largest(&self) -> usize {
        if self.urgent().is_some() {
            return self.mss;
        }
        let share = match self.congestion.threshold() {
            usize::MAX => usize::MAX,
            _ => (self.congestion.window() / SHARES / self.mss).max(2),
        };
        let most = (MAX_SUPER / self.mss).clamp(1, share) * self.mss;
        match self.pacing_rate() {
            Some(rate) => most.min(quantum(rate, self.mss)),
            None => most,
        }
    }

    /// What is to be sent again whatever the windows and the pace say: from where, and how many sequence numbers.
    /// Asked once.
    // req: MAY-7, SHLD-16, RFC7323-16, RFC6675-12
    pub(crate) fn take_forced(&mut self) -> Option<(Seq, usize)> {
        if !core::mem::take(&mut self.force) || !self.outstanding() {
            return None;
        }
        let len = self.nxt.since(self.una).min(self.mss);
        let window = self.wnd().max(1);
        Some((self.una, self.filled(self.una, len).min(window)))
    }

    /// What else is to be sent again now: from where, and how many sequence numbers.
    // req: RFC6675-04, RFC8985-23, SHLD-16, RFC6675-16, RFC6675-18
    pub(crate) fn next_retransmission(&self) -> Option<(Seq, usize)> {
        if self.frto.allowance().is_some() {
            return None;
        }
        let largest = self.largest();
        let (seq, len) = self.board.next_lost(largest)?;
        let window = self.wnd().saturating_sub(seq.since(self.una));
        let room = self.allowance().saturating_sub(self.pipe());
        let len = self.filled(seq, len).min(largest).min(window);
        if len <= room {
            return (len > 0).then_some((seq, len));
        }
        let whole = room - room % self.mss;
        (whole > 0).then_some((seq, whole))
    }

    /// `len` sequence numbers from `seq` on, or a whole segment where unsent data follows them: small writes, and the
    /// byte that probed a shut window, leave together the second time.
    fn filled(&self, seq: Seq, len: usize) -> usize {
        if seq + len != self.nxt || len >= self.mss {
            return len;
        }
        len + self.unsent().min(self.mss - len)
    }

    /// Whether anything waits to be sent, for the first time or again.
    pub(crate) fn has_more(&self) -> bool {
        let fin_waits = self.fin_seq() == Some(self.nxt);
        self.unsent() > 0
            || fin_waits
            || self.force && self.outstanding()
            || self.probe.is_due()
            || self.board.totals().lost > 0
    }

    /// Whether a tail loss probe is to leave now; asked once.
    pub(crate) fn take_probe(&mut self) -> bool {
        self.probe.take_due() && self.outstanding()
    }

    /// The probe has left; `resent` when it had done so before.
    pub(crate) fn on_probe(&mut self, resent: bool) {
        // In recovery congestion control has heard of what it repairs.
        let alone = self.recovery.phase() == Phase::Open;
        self.probe.on_send(self.nxt, resent && alone);
        self.tally_mut().probes += 1;
    }

    /// `len` sequence numbers from `seq` on are about to leave.
    // req: RFC8985-02
    pub(crate) fn on_send(&mut self, now: Instant, seq: Seq, len: usize) {
        let end = seq + len;
        let idle = !self.outstanding();
        if idle {
            self.progress_at = now;
        }
        if let Some(deliveries) = &mut self.deliveries {
            deliveries.on_send(now, end, idle);
        }
        if seq.before(self.nxt) {
            let until = end.earlier(self.nxt);
            let again = until.since(seq);
            let mss = self.mss;
            let tally = self.tally_mut();
            tally.retransmits += again.div_ceil(mss) as u64;
            tally.retransmitted += again as u64;
            self.forget_path_probe(seq, until);
            self.board.on_resend(now, seq, until, mss);
            self.undo.on_resend(now, seq, until);
        }
        if end.after(self.nxt) {
            self.board.on_send(now, self.nxt, end, self.mss);
            self.frto.on_send(end.since(self.nxt));
            self.nxt = end;
            if self.nxt.since(self.una) + self.mss > self.congestion.window() {
                self.rounds.on_filled();
            }
        }
        if self.recovery.phase() == Phase::Fast {
            self.recovery.prr.on_send(len);
        }
        if let Some(rate) = self.pacing_rate() {
            self.pacer_mut().on_send(now, len, rate);
        }
        self.last_sent = now;
    }

    /// Takes the first window that counts, its field shifted by `scale`.
    pub(crate) fn open_window(&mut self, segment: &Segment, scale: u8) {
        self.wnd = u32::from(segment.window) << scale;
        self.max_wnd = self.max_wnd.max(self.wnd);
        self.wl1 = segment.seq;
        self.wl2 = segment.ack;
    }

    /// The handshake is through: what went with the SYN and was not taken leaves again at once. That is no congestion.
    // req: RFC7413-12
    pub(crate) fn resend_refused(&mut self) {
        if self.outstanding() {
            self.board.mark_lost(|_| true);
        }
    }

    /// The peer's window opened again: what it would not take is sent anew, at once. A peer that opens and shuts its window
    /// all the time gets nothing again before what left the time before can have arrived.
    pub(crate) fn reopen(&mut self, now: Instant) {
        self.rtt.end_backoff();
        let rtt = self.rtt.smoothed().unwrap_or_default();
        let reopened = &mut self.rare_mut().reopened;
        if reopened.is_none_or(|at| at + rtt <= now) {
            *reopened = Some(now);
            self.board.mark_lost(|_| true);
        }
    }

    /// Takes the window of an acceptable segment if it is the newest (RFC 9293, 3.10.7.4).
    /// Returns whether it changed.
    // req: MUST-1, U-22, MUST-34, SHLD-15, RFC7323-07, RFC7323-12
    pub(crate) fn update_window(&mut self, segment: &Segment) -> bool {
        // Nobody takes an acknowledgement back: one that says more left later, whatever number it has.
        let newer = segment.ack.after(self.una)
            || self.wl1.before(segment.seq)
            || (self.wl1 == segment.seq && self.wl2.at_or_before(segment.ack));
        if !newer {
            return false;
        }
        let wnd = usize::from(segment.window) << self.scale;
        let changed = wnd != self.wnd();
        self.wnd = wnd as u32;
        self.max_wnd = self.max_wnd.max(self.wnd);
        self.wl1 = segment.seq;
        self.wl2 = segment.ack;
        changed
    }

    /// A SYN of the handshake had to be sent again: what is known of the path is that it loses packets.
    pub(crate) fn on_handshake_loss(&mut self) {
        self.rtt.distrust();
        self.congestion.on_handshake_loss();
    }

    /// Restarts from a small window when nothing was sent for a retransmission timeout
    /// (RFC 5681, 4.1).
    pub(crate) fn restart_after_idle(&mut self, now: Instant) {
        if !self.outstanding() && now.since(self.last_sent) > self.rtt.rto() {
            self.congestion.on_idle();
        }
    }

    /// SND.WND, in bytes.
    #[inline]
    pub(crate) fn wnd(&self) -> usize {
        self.wnd as usize
    }

    /// The largest window that the peer ever offered.
    #[inline]
    pub(crate) fn max_wnd(&self) -> usize {
        self.max_wnd as usize
    }

    /// What paces packets, from now on.
    pub(crate) fn pacer_mut(&mut self) -> &mut Pacer {
        self.pacer.get_or_insert_default()
    }

    /// The rate that the application has set, if any.
    pub(crate) fn pacing_limit(&self) -> Option<u64> {
        self.pacer.as_ref()?.limit()
    }

    /// Until when nothing leaves that can wait.
    #[inline]
    pub(crate) fn paced_until(&self, now: Instant) -> Option<Instant> {
        self.pacer.as_ref()?.holds_until(now)
    }

    /// Bytes that the application may write now.
    pub(crate) fn room(&self) -> usize {
        let unsent = match self.not_sent_most {
            u32::MAX => 0,
            _ => self.unsent(),
        };
        self.queue
            .room()
            .min((self.not_sent_most as usize).saturating_sub(unsent))
    }

    /// What arrived in the latest whole round trip, in bytes a second.
    pub(crate) fn delivery_rate(&self) -> u64 {
        self.rounds.rate()
    }
}

#[cfg(test)]
mod tests;
