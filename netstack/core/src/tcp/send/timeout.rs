//! What the sender does when its timers go off.

use super::probe::Probe;
use super::recovery::Phase;
use super::{Sender, rack};
use crate::Instant;
use crate::tcp::seq::Seq;
use core::time::Duration;

impl Sender {
    /// The retransmission timer went off: the segment at `una` leaves at once, whatever the windows
    /// say, and what else is lost as they open.
    // req: RFC6298-14, RFC6298-15, RFC8961-06, RFC5682-06
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        let again = self.timeouts > 0;
        self.timeouts = self.timeouts.saturating_add(1);
        self.rtt.back_off();
        self.probe.cancel();
        self.ecn.on_timeout();
        self.force = true;
        // A shut window is not a congested network: the segment is a probe then.
        if self.wnd() == 0 {
            return;
        }
        let flight = self.flight();
        // req: RFC5682-07
        let fresh = self.recovery.phase() == Phase::Open;
        if !again {
            self.undo.begin(self.nxt);
            if fresh {
                self.congestion.checkpoint();
                self.rounds.checkpoint();
            } else {
                self.undo.forget();
            }
        }
        self.congestion.on_timeout(flight, again);
        self.give_up_flight(now);
        self.recovery.on_timeout(now, self.nxt);
        self.newreno.end();
        self.frto.stop();
        if fresh {
            self.frto
                .start(self.nxt, (self.una + self.mss).earlier(self.nxt));
        }
    }

    /// Takes for lost what the timeout says is.
    fn give_up_flight(&mut self, now: Instant) {
        // req: RFC2018-11, RFC2018-12
        if self.board.is_reneged() {
            self.board.clear_sacked();
            self.tally_mut().reneged += 1;
        }
        if self.sack {
            let window = self.rack.window(&self.circumstances(true));
            self.rack
                .mark_on_timeout(&mut self.board, now, window, self.mss);
        } else {
            self.board.mark_lost(|_| true);
        }
        self.reorder_at = Instant::FAR_FUTURE;
    }

    /// What seemed lost has not arrived in time.
    // req: RFC8985-11
    pub(crate) fn on_reorder_timeout(&mut self, now: Instant) {
        let flight = self.flight();
        let lost = self.detect(now);
        if let Some((left, resent)) = lost
            && !self.is_probe_lost(now)
        {
            self.on_lost(now, left, resent, flight);
        }
        if self.recovery.phase() == Phase::Fast {
            self.pace_recovery(0, false);
        }
    }

    /// Nothing was heard of the end of the flight. Returns whether a probe leaves.
    pub(crate) fn on_probe_timeout(&mut self) -> bool {
        self.probe.on_timeout()
    }

    /// How long after now a tail loss probe would ask about what is outstanding, if one may.
    ///
    /// In fast recovery too, of which RFC 8985, 7.2 does not ask it: that a repetition is lost only the acknowledgement
    /// of something sent later says. Where a window is small that may be lost as well, and the timer alone is left.
    // req: RFC8985-13
    pub(crate) fn probe_interval(&self) -> Option<Duration> {
        let quiet = match self.recovery.phase() {
            Phase::Open => !self.board.is_marked(),
            Phase::Fast => true,
            Phase::Timeout => false,
        };
        let single = self.nxt.since(self.una) <= self.mss;
        // Waiting for a probe that will not leave would put the timeout off.
        let may = self.sack && quiet && self.wnd() > 0 && self.probe.may_leave();
        let may = may && self.probe_segment().is_some();
        may.then(|| Probe::interval(self.rtt.smoothed(), single))
    }

    /// What a probe would be: from where, and how many sequence numbers. New data if there is any, else the last segment
    /// that was sent; in recovery first what is known to be lost (RFC 6675, 4: NextSeg), and nothing that the peer may
    /// have.
    // req: RFC8985-17
    pub(crate) fn probe_segment(&self) -> Option<(Seq, usize)> {
        let flight = self.nxt.since(self.una);
        let recovers = self.recovery.phase() != Phase::Open;
        if let Some((seq, len)) = self.board.next_lost(self.mss).filter(|_| recovers) {
            let window = self.wnd().saturating_sub(seq.since(self.una));
            let len = len.min(self.mss).min(window);
            return (len > 0).then_some((seq, len));
        }
        let window = self.wnd().saturating_sub(flight);
        let new = self.unsent().min(self.mss).min(window);
        let last = flight.min(self.mss);
        match new {
            0 if recovers => None,
            0 => Some((self.nxt - last, last)),
            new => Some((self.nxt, new)),
        }
    }

    /// When what seems lost is to be looked at again.
    pub(crate) fn reorder_at(&self) -> Instant {
        self.reorder_at
    }

    pub(super) fn circumstances(&self, in_recovery: bool) -> rack::Circumstances {
        let totals = self.board.totals();
        // req: RFC6675-02
        let threshold_reached = totals.sacked > 2 * self.mss
            || totals.sacked_ranges >= 3
            || self.newreno.threshold_reached();
        rack::Circumstances {
            in_recovery,
            threshold_reached,
            min_rtt: self.rtt.least(),
            // A selective acknowledgement may come before any measurement, and says how long the path is all the same.
            srtt: self.rtt.smoothed().unwrap_or(self.rtt.least()),
        }
    }
}
