//! Pacing: packets leave no faster than a rate, one after the other instead of a window at once.

use crate::Instant;
use core::time::Duration;

/// A paced packet holds at most what leaves in this time, so that the path never gets much at once. One segment it
/// always holds.
const QUANTUM: Duration = Duration::from_millis(1);
/// No limit.
const UNLIMITED: u64 = u64::MAX;

/// When the next packet of a connection may leave. Rates are in bytes of payload a second.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// What the application allows.
    limit: u64,
    /// Before this, nothing that can wait leaves.
    next: Instant,
}

impl Default for Pacer {
    fn default() -> Self {
        Pacer {
            limit: UNLIMITED,
            next: Instant::ZERO,
        }
    }
}

impl Pacer {
    /// What the application allows from now on; `None` for anything.
    pub(crate) fn set_limit(&mut self, limit: Option<u64>) {
        self.limit = limit.unwrap_or(UNLIMITED);
        self.next = Instant::ZERO;
    }

    /// The rate that the application has set, if any.
    pub(crate) fn limit(&self) -> Option<u64> {
        (self.limit != UNLIMITED).then_some(self.limit)
    }

    /// The rate in force where congestion control wants `wanted`.
    #[inline]
    pub(crate) fn rate(&self, wanted: Option<u64>) -> Option<u64> {
        let rate = wanted.unwrap_or(UNLIMITED).min(self.limit);
        (rate != UNLIMITED).then_some(rate)
    }

    /// Until when nothing leaves that can wait.
    #[inline]
    pub(crate) fn holds_until(&self, now: Instant) -> Option<Instant> {
        (now < self.next).then_some(self.next)
    }

    /// `len` bytes leave at `rate`. What left late, because a timer did, is made up for, but with no more than twice
    /// the rate.
    pub(crate) fn on_send(&mut self, now: Instant, len: usize, rate: u64) {
        let takes = time_for(len, rate);
        let late = now.since(self.next).min(takes / 2);
        self.next = self.next.max(now) + (takes - late);
    }
}

/// The most bytes in one packet at `rate`, in whole segments.
pub(crate) fn quantum(rate: u64, mss: usize) -> usize {
    let bytes = u128::from(rate) * QUANTUM.as_nanos() / 1_000_000_000;
    let segments = usize::try_from(bytes).unwrap_or(usize::MAX) / mss;
    segments.max(1).saturating_mul(mss)
}

fn time_for(len: usize, rate: u64) -> Duration {
    let nanos = len as u128 * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
