//! What an acknowledgement means to the sender.

use super::frto::{Heard, Judgement};
use super::probe::Outcome;
use super::prr::Prr;
use super::recovery::Phase;
use super::scoreboard::Sent;
use super::{Flight, Sender};
use crate::Instant;
use crate::tcp::congestion::{Acked, Sample, Sign};
use crate::tcp::options::{MAX_SACK_BLOCKS, SackBlock};
use crate::tcp::seq::Seq;
use arrayvec::ArrayVec;
use core::time::Duration;

/// An acknowledgement, apart from the segment that carries it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack<'a> {
    /// SEG.ACK, at most SND.NXT.
    pub(crate) ack: Seq,
    pub(crate) blocks: &'a [SackBlock],
    /// Whether the segment carries nothing else: no data, no FIN, no other window. Only then may it count as a
    /// duplicate (RFC 5681, 2).
    pub(crate) bare: bool,
    /// When the segment whose timestamp it echoes left, in whole milliseconds.
    pub(crate) echoed: Option<Instant>,
    /// Whether it says that a packet arrived marked.
    pub(crate) marked: bool,
}

/// What one acknowledgement delivered.
#[derive(Clone, Copy, Debug, Default)]
struct Delivery {
    advanced: bool,
    /// Bytes of data acknowledged cumulatively.
    acked: usize,
    /// Sequence numbers acknowledged in any way for the first time.
    delivered: usize,
    /// Those of them that are selectively.
    sacked: usize,
    /// When the first, and when the most recently sent of what was delivered left, if it never left again.
    first: Option<Instant>,
    latest: Option<Instant>,
    /// When the most recently sent of it left, if it did so again too.
    newest: Option<Instant>,
    /// Whether anything of it was sent only once and before the latest recovery.
    original: bool,
    /// Whether anything of it was sent more than once.
    resent: bool,
}

/// What timestamps are exact to.
const TICK: Duration = Duration::from_millis(1);

impl Delivery {
    #[inline]
    fn add(&mut self, sent: &Sent) {
        self.newest = self.newest.max(Some(sent.at));
        self.resent |= sent.resent;
        if !sent.resent {
            self.first = self.first.or(Some(sent.at));
            self.latest = self.latest.max(Some(sent.at));
            self.original = true;
        }
    }
}

impl Sender {
    /// An acceptable acknowledgement arrived. Returns whether it acknowledges new data, or our SYN or FIN.
    ///
    /// Without a loss this takes the same time however much is in flight.
    // req: RFC6675-08
    pub(crate) fn on_ack(&mut self, now: Instant, ack: &Ack<'_>) -> bool {
        let flight = self.flight();
        let report = self.duplicate_report(ack);
        let delivery = self.take_delivery(now, ack, report);
        let duplicate = self.outstanding()
            && !delivery.advanced
            && ack.ack == self.una
            && (ack.bare && !self.sack || delivery.sacked > 0);
        let validated = self.rounds.validates(self.congestion.window());
        let new_round =
            delivery.advanced && self.rounds.on_ack(now, self.una, self.nxt, delivery.acked);
        self.measure(now, ack, &delivery, report.is_some());
        let bare = ack.bare && ack.blocks.is_empty() && !delivery.advanced;
        let reported = self.note_reports(now, ack.ack, bare, report, flight);
        let echoed = delivery.advanced && self.undo.on_advance(ack.echoed);
        if reported || echoed {
            self.take_back();
        }
        let judged = self.ask_frto(ack, &delivery, duplicate);
        // What was taken for lost was under way: a loss that this tells of as well is one of all that. Nor was it this window
        // that was used.
        let (flight, validated) = if reported || echoed || judged {
            let pipe = self.pipe() + delivery.delivered;
            let validated = self.rounds.validates(self.congestion.window());
            (Flight { pipe, ..flight }, validated)
        } else {
            (flight, validated)
        };
        let phase = self.recovery.phase();
        if delivery.advanced {
            self.forget_urgent();
            self.timeouts = 0;
            self.progress_at = now;
            self.on_progress(&delivery);
            self.judge_path_probe(now);
        }
        let suspected = self.suspects_loss();
        let tells = delivery.advanced && phase == Phase::Open;
        self.reserved = tells || suspected && self.reserved;
        let lost = self.find_losses(now, duplicate, flight);
        // req: RFC3168-14
        let marked = ack.marked && self.ecn.is_enabled();
        if marked {
            self.on_echo(now, flight);
        }
        // A SYN could not be marked.
        if delivery.original && delivery.acked + delivery.sacked > 0 {
            self.ecn.on_delivered();
        }
        match self.recovery.phase() {
            Phase::Fast => self.pace_recovery(delivery.delivered, delivery.advanced && !lost),
            _ if phase == Phase::Fast || delivery.acked == 0 || marked => {}
            _ => self.grow(now, &delivery, new_round, validated),
        }
        self.sample(now, &delivery, flight.pipe);
        delivery.advanced
    }

    /// The block by which the peer reports that it received something twice (RFC 2883, 4).
    // req: RFC2883-06, RFC2883-07
    fn duplicate_report(&self, ack: &Ack<'_>) -> Option<SackBlock> {
        let [first, rest @ ..] = ack.blocks else {
            return None;
        };
        let inside = |outer: &SackBlock| {
            first.left.at_or_after(outer.left) && first.right.at_or_before(outer.right)
        };
        // What is older than a window cannot have been under way twice. Bounds on the circle move along.
        let acked = usize::try_from(self.acked()).unwrap_or(usize::MAX);
        let oldest = self.first_data() - self.max_wnd().min(acked);
        let sent = first.left.at_or_after(oldest) && first.right.at_or_before(self.nxt);
        let valid = self.sack && first.left.before(first.right) && sent;
        let repeats = first.right.at_or_before(ack.ack) || rest.first().is_some_and(inside);
        (valid && repeats).then_some(*first)
    }

    /// Takes what is acknowledged off the board and shows it to RACK.
    // req: RFC6937-04, RFC2018-17, RFC6675-01
    fn take_delivery(
        &mut self,
        now: Instant,
        ack: &Ack<'_>,
        report: Option<SackBlock>,
    ) -> Delivery {
        let mut delivery = Delivery::default();
        let least = self.rtt.least();
        if ack.ack.after(self.una) {
            // The SYN and the FIN have sequence numbers but are no data.
            let data = ack.ack.earlier(self.queue.end());
            delivery.acked = data.since(self.first_data());
            let lap = self.una.0.wrapping_sub(self.iss.0) > ack.ack.0.wrapping_sub(self.iss.0);
            self.laps = self.laps.wrapping_add(lap.into());
            delivery.advanced = true;
            self.una = ack.ack;
            self.carry_along();
            self.queue.acknowledge(data);
            let (board, rack) = (&mut self.board, &mut self.rack);
            delivery.delivered = board.acknowledge(ack.ack, |sent| {
                rack.on_delivered(now, sent, ack.echoed, least);
                delivery.add(sent);
            });
        }
        for block in self.news(ack, report) {
            let (board, rack) = (&mut self.board, &mut self.rack);
            delivery.sacked += board.sack(block.left, block.right, |sent| {
                rack.on_delivered(now, sent, ack.echoed, least);
                delivery.add(sent);
            });
        }
        delivery.delivered += delivery.sacked;
        // req: RFC2018-16
        if delivery.advanced && self.board.is_reneged() {
            self.board.clear_sacked();
            self.tally_mut().reneged += 1;
        }
        delivery
    }

    /// The first data that is not acknowledged: a SYN is none.
    fn first_data(&self) -> Seq {
        // Numbers come again after 4 GiB, the SYN does not.
        match self.numbers() {
            0 => self.iss + 1,
            _ => self.una,
        }
    }

    /// Sequence numbers acknowledged cumulatively, that of the SYN the first.
    fn numbers(&self) -> u64 {
        u64::from(self.laps) << 32 | u64::from(self.una.0.wrapping_sub(self.iss.0))
    }

    /// Bytes of data acknowledged cumulatively so far.
    pub(crate) fn acked(&self) -> u64 {
        let fin = u64::from(self.fin_acknowledged());
        self.numbers().saturating_sub(1 + fin)
    }

    /// Bytes of data sent so far, the first time or again.
    pub(crate) fn bytes_sent(&self) -> u64 {
        let sent = self.nxt.earlier(self.queue.end());
        let outstanding = sent.since(self.first_data()) as u64;
        self.acked() + outstanding + self.tally().retransmitted
    }

    /// Has what is remembered of numbers follow SND.UNA or end: half a circle later they would seem to lie ahead.
    fn carry_along(&mut self) {
        self.small = self.small.later(self.una - 1);
        self.recovery.carry(self.una);
        self.undo.carry(self.una);
        self.ecn.carry(self.una);
        self.rack.carry(self.una);
    }

    /// The blocks that may be about something outstanding, in the order of their numbers: what one acknowledgement
    /// reports in another order was not reordered.
    fn news(
        &self,
        ack: &Ack<'_>,
        report: Option<SackBlock>,
    ) -> ArrayVec<SackBlock, MAX_SACK_BLOCKS> {
        let blocks = if self.sack { ack.blocks } else { &[] };
        let possible = |block: &&SackBlock| {
            block.left.at_or_after(self.una)
                && block.right.at_or_before(self.nxt)
                && block.left.before(block.right)
        };
        let mut news: ArrayVec<SackBlock, MAX_SACK_BLOCKS> = blocks
            .iter()
            .skip(usize::from(report.is_some()))
            .filter(possible)
            .copied()
            .collect();
        news.sort_unstable_by_key(|block| block.left.since(self.una));
        news
    }

    /// Takes round-trip times. Where something of it was sent twice only a timestamp tells (Karn's rule): what left once
    /// may have waited for the rest. Nor does an acknowledgement that reports a duplicate: it answers a repetition that
    /// was not needed, and the one that got lost before it would have been the measurement.
    // req: RFC6298-07, RFC6298-08, RFC7323-27, MUST-18, RFC8961-03, RFC8961-05, RFC7323-28
    fn measure(&mut self, now: Instant, ack: &Ack<'_>, delivery: &Delivery, repeated: bool) {
        if let Some(latest) = delivery.latest {
            self.rtt.note_least(now, now.since(latest));
        }
        let wanted = !self.rounds.measured || self.rtt.is_backed_off();
        if !delivery.advanced || !wanted || repeated {
            return;
        }
        let start = match delivery.resent {
            false => delivery.first.or(ack.echoed),
            // A SYN-ACK that had to be sent again may echo the first SYN, and tell how long the peer has waited.
            true if delivery.acked == 0 => {
                let last = self.last_sent;
                ack.echoed.filter(|echoed| *echoed + TICK > last)
            }
            true => ack.echoed,
        };
        let Some(rtt) = start.map(|start| now.since(start)) else {
            return;
        };
        self.rounds.measured = true;
        self.rtt.measure(rtt);
        self.probe.on_measured();
    }

    /// What a report of duplicates means, and what the acknowledgement says of a probe. True: nothing was lost that was
    /// answered as a loss.
    // req: RFC8985-20
    fn note_reports(
        &mut self,
        now: Instant,
        ack: Seq,
        bare: bool,
        report: Option<SackBlock>,
        flight: Flight,
    ) -> bool {
        let end = report.map(|block| block.right);
        let of_a_probe = self.probe.is_about(end);
        if self.probe.on_ack(ack, end, bare) == Outcome::Repaired {
            self.congestion.on_congestion(now, flight, Sign::Loss);
            self.recovery.on_response(now);
            self.undo.forget();
        }
        let Some(block) = report else { return false };
        self.tally_mut().duplicate_reports += 1;
        if of_a_probe {
            return false;
        }
        self.rack.on_duplicate_report(self.una, self.nxt);
        self.undo.on_duplicate_report(block.left, block.right)
    }

    /// Whether a timeout was for nothing, which is taken back then (RFC 5682).
    fn ask_frto(&mut self, ack: &Ack<'_>, delivery: &Delivery, duplicate: bool) -> bool {
        if self.recovery.phase() != Phase::Timeout {
            return false;
        }
        let sacked_to = ack.blocks.iter().map(|block| block.right);
        let heard = Heard {
            una: self.una,
            advanced: delivery.advanced,
            duplicate,
            original: delivery.original,
            highest: sacked_to.fold(self.una, Seq::later),
            sack: self.sack,
        };
        let judgement = self.frto.on_ack(&heard, self.nxt);
        match judgement {
            Judgement::Open => {}
            Judgement::Ask => {
                // req: RFC5682-02
                if self.unsent() > 0 && self.wnd() > self.nxt.since(self.una) {
                    self.frto.grant(2 * self.mss);
                } else {
                    self.frto.stop();
                }
            }
            Judgement::Spurious => self.take_back(),
            Judgement::Lost => self.congestion.resume_at(3 * self.mss),
        }
        judgement == Judgement::Spurious
    }

    /// New data was acknowledged: recovery may be over, or one hole further.
    // req: RFC9937-09, RFC6582-06, RFC5681-27, RFC6675-15, RFC6675-10
    fn on_progress(&mut self, delivery: &Delivery) {
        self.newreno.on_advance();
        match self.recovery.on_advance(self.una) {
            Some(Phase::Fast) => {
                let limit = if self.sack {
                    usize::MAX
                } else {
                    self.nxt.since(self.una).max(self.mss) + self.mss
                };
                self.congestion.on_recovered(limit);
                self.newreno.end();
                self.rack.on_recovered();
            }
            Some(_) => {
                self.frto.stop();
                self.rack.on_recovered();
            }
            None if self.recovery.phase() == Phase::Fast && !self.sack => {
                // req: RFC6582-03
                self.newreno.on_partial(delivery.acked, self.mss);
                self.board.mark_first_lost(self.mss);
                self.force = true;
            }
            None => {}
        }
    }

    /// Looks for losses and responds to them. Returns whether any was found.
    fn find_losses(&mut self, now: Instant, duplicate: bool, flight: Flight) -> bool {
        if self.sack {
            if duplicate {
                self.newreno.on_duplicate(self.nxt);
            }
            let Some((left, resent)) = self.detect(now) else {
                return false;
            };
            if self.is_probe_lost(now) {
                return false;
            }
            self.on_lost(now, left, resent, flight);
            return true;
        }
        if !duplicate {
            return false;
        }
        if self.recovery.phase() == Phase::Fast {
            let most = self.recovery.flight(self.una);
            self.newreno.inflate(self.mss, most);
            return false;
        }
        // req: RFC5681-18, RFC5681-22
        let third = self.newreno.on_duplicate(self.nxt);
        if !third || self.recovery.phase() != Phase::Open || !self.recovery.is_past(self.una) {
            return false;
        }
        // What limited transmit let out does not count.
        let flight = Flight {
            pipe: self.newreno.lost_at().since(self.una),
            ..flight
        };
        self.board.mark_first_lost(self.mss);
        self.force = true;
        self.begin_recovery(now, flight);
        self.newreno.begin(self.mss);
        true
    }

    /// Looks for losses by time. Returns when the most recent of them left, and whether that was not its first time.
    pub(super) fn detect(&mut self, now: Instant) -> Option<(Instant, bool)> {
        self.reorder_at = Instant::FAR_FUTURE;
        if !self.board.is_marked() {
            return None;
        }
        let in_recovery = self.recovery.phase() != Phase::Open;
        let window = self.rack.window(&self.circumstances(in_recovery));
        let found = self.rack.detect(&mut self.board, now, window);
        self.reorder_at = found.wait.map_or(Instant::FAR_FUTURE, |wait| now + wait);
        found.lost
    }

    /// Something that left at `left` was lost while `flight` was under way: congestion control hears of it once
    /// per window, and again when what was sent in response is lost too.
    // req: RFC8985-25, RFC2018-13
    pub(super) fn on_lost(&mut self, now: Instant, left: Instant, resent: bool, flight: Flight) {
        let news = self.recovery.is_news(left, resent);
        match self.recovery.phase() {
            Phase::Open => self.begin_recovery(now, flight),
            Phase::Fast if news => self.begin_recovery(now, flight),
            Phase::Timeout if news => {
                self.congestion.on_congestion(now, flight, Sign::Loss);
                self.recovery.on_response(now);
                self.undo.forget();
            }
            _ => {}
        }
    }

    /// The peer says that a packet arrived marked: that is as good as lost, but needs no repetition.
    fn on_echo(&mut self, now: Instant, flight: Flight) {
        if self.ecn.on_echo(self.una, self.nxt) && self.recovery.phase() == Phase::Open {
            if self.congestion.window() <= self.mss {
                self.ecn.hold();
            }
            self.congestion.on_congestion(now, flight, Sign::Mark);
            self.recovery.on_response(now);
            self.undo.forget();
        }
    }

    fn begin_recovery(&mut self, now: Instant, flight: Flight) {
        let mut unused = 0;
        if self.recovery.phase() == Phase::Open {
            self.undo.begin(self.nxt);
            self.congestion.checkpoint();
            self.rounds.checkpoint();
            self.tally_mut().recoveries += 1;
            if flight.full {
                unused = self.congestion.window().saturating_sub(flight.pipe);
            }
        } else {
            // What was sent again is lost as well: that is no mistake.
            self.undo.forget();
        }
        self.congestion.on_congestion(now, flight, Sign::Loss);
        // What was lost counts: it will be sent again in this recovery (RFC 9937, 6.1).
        let unreported = self
            .nxt
            .since(self.una)
            .saturating_sub(self.board.totals().sacked);
        let prr = Prr::new(flight.pipe.max(unreported), unused);
        self.recovery.begin(now, self.nxt, prr);
        self.probe.cancel();
    }

    /// Lets as much out in fast recovery as was delivered and the new window allows.
    // req: RFC8985-24, RFC5681-33
    pub(super) fn pace_recovery(&mut self, delivered: usize, safe: bool) {
        let (pipe, threshold) = (self.pipe(), self.congestion.threshold());
        self.recovery
            .prr
            .on_ack(delivered, pipe, threshold, self.mss, safe);
    }

    fn grow(&mut self, now: Instant, delivery: &Delivery, new_round: bool, validated: bool) {
        let acked = Acked {
            now,
            bytes: delivery.acked,
            validated,
            new_round,
            rtt: delivery.latest.map(|latest| now.since(latest)),
            srtt: self.rtt.smoothed().unwrap_or(Duration::ZERO),
        };
        self.congestion.on_ack(&acked);
    }

    /// Tells congestion control that is model-based what was delivered, while `before` bytes had been in the network.
    fn sample(&mut self, now: Instant, delivery: &Delivery, before: usize) {
        let (Some(deliveries), Some(newest)) = (&mut self.deliveries, delivery.newest) else {
            return;
        };
        let (bytes, least) = (delivery.delivered, self.rtt.least());
        let Some(measured) = deliveries.on_delivered(now, bytes, newest, self.una, least) else {
            return;
        };
        let in_flight = self.pipe();
        let sample = Sample {
            now,
            delivered: measured.delivered,
            prior: measured.prior,
            rate: measured.rate,
            app_limited: measured.app_limited,
            rtt: delivery.latest.map(|latest| now.since(latest)),
            srtt: self.rtt.smoothed().unwrap_or_default(),
            acked: bytes,
            lost: before.saturating_sub(bytes + in_flight),
            in_flight_before: before,
            in_flight,
            packet: self.largest(),
            in_recovery: self.recovery.phase() != Phase::Open,
        };
        self.congestion.on_sample(&sample);
    }

    /// Nothing was lost: the response is taken back (RFC 4015).
    // req: RFC4015-01, RFC4015-02, RFC9438-15
    fn take_back(&mut self) {
        self.congestion.undo();
        self.rounds.take_back();
        self.tally_mut().undone += 1;
        self.undo.forget();
        self.rtt.end_backoff();
        self.frto.stop();
        match self.recovery.phase() {
            Phase::Open => return,
            Phase::Fast => self.rack.on_spurious(),
            Phase::Timeout => {}
        }
        self.recovery.take_back(self.una);
        self.newreno.end();
        self.board.clear_lost();
        self.force = false;
    }
}
