//! Which of what was sent is lost, by time (RACK, RFC 8985, 6): something sent later has arrived, and what reordering
//! could explain has been waited for.

use super::scoreboard::{Scoreboard, Sent};
use crate::Instant;
use crate::tcp::seq::Seq;
use crate::time::Lapse;
use core::time::Duration;

/// Recoveries without a report of a duplicate after which the reordering window is small again.
const PERSISTENCE: u8 = 16;

/// The state of RACK for one connection. Names are those of RFC 8985, 5.
#[derive(Debug)]
pub(crate) struct Rack {
    /// RACK.xmit_ts and RACK.end_seq: the most recently sent of what was delivered.
    newest: Option<(Instant, Seq)>,
    rtt: Option<Lapse>,
    /// Behind the highest number that was delivered.
    fack: Seq,
    reordering_seen: bool,
    /// Until this is acknowledged, further reports of duplicates belong to the same round.
    dsack_round: Seq,
    multiplier: u32,
    persist: u8,
}

/// What [`Rack::detect`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// When the most recently sent of what was found lost left, and whether that was not the first time.
    pub(crate) lost: Option<(Instant, bool)>,
    /// How long until the rest of what is suspected is lost as well.
    pub(crate) wait: Option<Duration>,
}

/// What [`Rack::window`] depends on beside RACK's own state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) in_recovery: bool,
    /// Whether three segments, or as much data, were delivered beyond a hole.
    pub(crate) threshold_reached: bool,
    pub(crate) min_rtt: Duration,
    pub(crate) srtt: Duration,
}

impl Rack {
    pub(crate) fn new(iss: Seq) -> Self {
        Rack {
            newest: None,
            rtt: None,
            fack: iss,
            reordering_seen: false,
            dsack_round: iss,
            multiplier: 1,
            persist: PERSISTENCE,
        }
    }

    /// Whether segments were seen to overtake each other.
    pub(crate) fn reordering_seen(&self) -> bool {
        self.reordering_seen
    }

    /// RACK.reo_wnd_mult.
    #[cfg(test)]
    pub(crate) fn multiplier(&self) -> u32 {
        self.multiplier
    }

    /// RACK.rtt: zero before the first.
    fn rtt(&self) -> Duration {
        self.rtt.map(Duration::from).unwrap_or_default()
    }

    /// `sent` was delivered. `echoed` is when the segment that the acknowledgement answers left, in whole
    /// milliseconds, where timestamps say so.
    pub(crate) fn on_delivered(
        &mut self,
        now: Instant,
        sent: &Sent,
        echoed: Option<Instant>,
        min_rtt: Duration,
    ) {
        // req: RFC8985-10
        if sent.end.after(self.fack) {
            self.fack = sent.end;
        } else if sent.end.before(self.fack) && !sent.resent {
            self.reordering_seen = true;
        }
        let rtt = now.since(sent.at);
        // req: RFC8985-09
        if sent.resent {
            let of_an_earlier_one =
                echoed.is_some_and(|echoed| echoed.as_millis() < sent.at.as_millis());
            if of_an_earlier_one || rtt < min_rtt {
                return;
            }
        }
        self.rtt = Some(rtt.into());
        if self
            .newest
            .is_none_or(|(at, end)| is_after((sent.at, sent.end), (at, end)))
        {
            self.newest = Some((sent.at, sent.end));
        }
    }

    /// The peer reports that it received something twice while `nxt` is SND.NXT: the reordering window is too small
    /// (RFC 8985, 6.2, step 4).
    // req: RFC8985-06
    pub(crate) fn on_duplicate_report(&mut self, una: Seq, nxt: Seq) {
        if una.at_or_after(self.dsack_round) {
            self.dsack_round = nxt;
            self.multiplier = self.multiplier.saturating_add(1);
            self.persist = PERSISTENCE;
        }
    }

    /// Everything before `una` is acknowledged: a round that is over follows it.
    #[inline]
    pub(crate) fn carry(&mut self, una: Seq) {
        self.dsack_round = self.dsack_round.later(una);
    }

    /// What seemed lost was only overtaken.
    pub(crate) fn on_spurious(&mut self) {
        self.reordering_seen = true;
    }

    /// A recovery is over.
    pub(crate) fn on_recovered(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.multiplier = 1;
        }
    }

    /// RACK.reo_wnd: how long what seems lost may just be late.
    // req: RFC8985-03, RFC8985-04, RFC8985-07
    pub(crate) fn window(&self, now: &Circumstances) -> Duration {
        if !self.reordering_seen && (now.in_recovery || now.threshold_reached) {
            return Duration::ZERO;
        }
        (now.min_rtt / 4)
            .saturating_mul(self.multiplier)
            .min(now.srtt)
    }

    /// Takes for lost what was sent before something that was delivered and is not explained by reordering of
    /// `window` any more.
    // req: RFC8985-05
    pub(crate) fn detect(&self, board: &mut Scoreboard, now: Instant, window: Duration) -> Found {
        let mut found = Found::default();
        let Some(newest) = self.newest.filter(|_| board.is_marked()) else {
            return found;
        };
        board.mark_lost(|sent| {
            if !is_after(newest, (sent.at, sent.end)) {
                return false;
            }
            let remaining = (sent.at + self.rtt() + window).since(now);
            if !remaining.is_zero() {
                found.wait = found.wait.max(Some(remaining));
                return false;
            }
            let this = (sent.at, sent.resent);
            found.lost = found.lost.max(Some(this));
            true
        });
        found
    }

    /// The retransmission timer went off: the first range is lost, and whatever is as old as can be
    /// (RFC 8985, 6.3).
    // req: RFC8985-12
    pub(crate) fn mark_on_timeout(
        &self,
        board: &mut Scoreboard,
        now: Instant,
        window: Duration,
        mss: usize,
    ) {
        let rtt = self.rtt();
        board.mark_first_lost(mss);
        board.mark_lost(|sent| (sent.at + rtt + window).since(now).is_zero());
    }
}

/// RACK_sent_after: by time, and by position among what left at one time.
fn is_after(this: (Instant, Seq), other: (Instant, Seq)) -> bool {
    this.0 > other.0 || this.0 == other.0 && this.1.after(other.1)
}

#[cfg(test)]
mod tests;
