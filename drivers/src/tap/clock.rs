//! What a capture stamps packets with.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a tap has the time from: the machine, or whoever lets time pass for the devices it taps.
///
/// A simulation in virtual time runs many times faster than the machine's clock. Stamped with the latter its capture
/// would say that a packet crossed a slow link in microseconds, and nothing about timers could be read from it.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<Now>>);

type Now = dyn Fn() -> u64 + Send + Sync;

impl Clock {
    /// The machine's clock.
    pub fn machine() -> Clock {
        Clock(None)
    }

    /// A clock that is read by calling `now`, which gives nanoseconds since 1970 or since whatever the capture is to
    /// count from. It is called on the device's thread once for each burst of packets, and on the writer's once at the
    /// end; it must not block.
    pub fn of(now: impl Fn() -> u64 + Send + Sync + 'static) -> Clock {
        Clock(Some(Arc::new(now)))
    }

    pub(super) fn now(&self) -> u64 {
        match &self.0 {
            Some(now) => now(),
            None => unix_time(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Clock::of(..)",
            None => "Clock::machine()",
        })
    }
}

/// Nanoseconds since 1970.
fn unix_time() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
