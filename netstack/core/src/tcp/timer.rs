//! The timers of one connection: one enum, one table.

use crate::Instant;

/// What a connection may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Something outstanding was not acknowledged (RFC 6298).
    Retransmit,
    /// What seems lost has not arrived (RFC 8985, 6).
    Reorder,
    /// The end of a flight was not acknowledged (RFC 8985, 7).
    LossProbe,
    /// The peer's window is shut (RFC 9293, 3.8.6.1).
    Persist,
    /// The next packet leaves no earlier.
    Pace,
    /// An acknowledgement waits for data to ride on.
    DelayedAck,
    /// Nothing was heard for long (RFC 9293, 3.8.4).
    KeepAlive,
    /// TIME-WAIT, or FIN-WAIT-2 with nobody there to read, ends.
    Close,
}

impl Timer {
    const ALL: [Timer; 8] = [
        Timer::Retransmit,
        Timer::Reorder,
        Timer::LossProbe,
        Timer::Persist,
        Timer::Pace,
        Timer::DelayedAck,
        Timer::KeepAlive,
        Timer::Close,
    ];
}

/// When each timer goes off.
#[derive(Debug)]
pub(crate) struct Timers([Instant; Timer::ALL.len()]);

impl Default for Timers {
    fn default() -> Self {
        Timers([Instant::FAR_FUTURE; Timer::ALL.len()])
    }
}

impl Timers {
    /// Arms `timer` for `at`, in place of what it was armed for.
    #[inline]
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer as usize] = at;
    }

    /// Disarms `timer`.
    #[inline]
    pub(crate) fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = Instant::FAR_FUTURE;
    }

    /// Disarms all.
    pub(crate) fn stop_all(&mut self) {
        *self = Timers::default();
    }

    /// Whether `timer` is armed.
    #[inline]
    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize] != Instant::FAR_FUTURE
    }

    /// When the first timer goes off.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0
            .iter()
            .copied()
            .min()
            .filter(|at| *at != Instant::FAR_FUTURE)
    }

    /// Disarms and returns a timer that is due.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let timer = Timer::ALL
            .into_iter()
            .find(|timer| self.0[*timer as usize] <= now)?;
        self.stop(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests;
