//! Where loss recovery stands: open, mending what acknowledgements showed to be lost, or starting over after a timeout.

use super::prr::Prr;
use crate::Instant;
use crate::tcp::seq::Seq;

/// What the sender is doing about losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing is known to be lost that was not answered.
    Open,
    /// Fast recovery.
    Fast,
    /// Slow start after the retransmission timer went off.
    Timeout,
}

/// The recovery state of one connection.
#[derive(Debug)]
pub(crate) struct Recovery {
    phase: Phase,
    /// RecoveryPoint of RFC 6675, `recover` of RFC 6582: SND.NXT when the latest recovery began.
    point: Seq,
    /// When congestion control was told last.
    since: Instant,
    pub(crate) prr: Prr,
}

impl Recovery {
    // req: RFC6582-01
    pub(crate) fn new(iss: Seq) -> Self {
        Recovery {
            phase: Phase::Open,
            point: iss,
            since: Instant::ZERO,
            prr: Prr::default(),
        }
    }

    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether an acknowledgement up to `una` is past everything that was out when the latest recovery began.
    // req: RFC6582-02
    pub(crate) fn is_past(&self, una: Seq) -> bool {
        una.after(self.point)
    }

    /// Everything before `una` is acknowledged: a point that lies behind follows it.
    #[inline]
    pub(crate) fn carry(&mut self, una: Seq) {
        self.point = self.point.later(una - 1);
    }

    /// Sequence numbers from `una` on that were out when the latest recovery began.
    // req: RFC9937-08
    pub(crate) fn flight(&self, una: Seq) -> usize {
        self.point.since(una)
    }

    /// Whether something that was lost had left after congestion control was told last: then that is news. `resent`
    /// when it had not left for the first time.
    // req: RFC5681-34
    pub(crate) fn is_news(&self, left: Instant, resent: bool) -> bool {
        left > self.since || left == self.since && resent
    }

    /// Fast recovery begins, or begins anew.
    // req: RFC6675-11
    pub(crate) fn begin(&mut self, now: Instant, nxt: Seq, prr: Prr) {
        self.phase = Phase::Fast;
        self.point = nxt;
        self.prr = prr;
        self.since = now;
    }

    /// The retransmission timer went off.
    // req: RFC6582-07, RFC6675-17
    pub(crate) fn on_timeout(&mut self, now: Instant, nxt: Seq) {
        self.phase = Phase::Timeout;
        self.point = nxt;
        self.since = now;
    }

    /// Congestion control was told without a recovery, or again in one.
    pub(crate) fn on_response(&mut self, now: Instant) {
        self.since = now;
    }

    /// Everything before `una` is acknowledged. Returns the phase that this ends.
    // req: RFC6675-14
    #[inline]
    pub(crate) fn on_advance(&mut self, una: Seq) -> Option<Phase> {
        if self.phase == Phase::Open || una.before(self.point) {
            return None;
        }
        Some(core::mem::replace(&mut self.phase, Phase::Open))
    }

    /// Nothing was lost: as if recovery had not begun. Duplicates of `una` count again.
    pub(crate) fn take_back(&mut self, una: Seq) {
        self.phase = Phase::Open;
        self.point = una - 1;
    }
}
