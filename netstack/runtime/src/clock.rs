//! The one place that reads the clock.

use std::time;

use netstack_core::Instant;

/// Turns the operating system's monotonic clock into the core's instants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: time::Instant,
}

impl Clock {
    /// A clock that begins one second after [`Instant::ZERO`].
    pub(crate) fn start() -> Self {
        Clock {
            origin: time::Instant::now(),
        }
    }

    /// The time for the core.
    pub(crate) fn now(&self) -> Instant {
        // Not from zero: a stack may use the zero instant as "never".
        let nanos = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(nanos.saturating_add(1_000_000_000))
    }
}
