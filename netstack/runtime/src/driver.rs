//! Driving a stack that is part of something else, by the loop that drives a [`Netstack`](crate::Netstack).

use std::fmt;
use std::io;
use std::time::Duration;

use netstack_core::{Instant, Stack};

use crate::builder::{Builder, StartError};
use crate::driven::Driven;
use crate::running::{RunningShard, Shutdown, shut_down};

/// The thread that drives something with a stack in it, on the devices of a [`Builder`]. When this goes, the thread ends
/// as that of a [`Netstack`](crate::Netstack) does whose last handle is gone.
pub struct Driver<D: Driven> {
    shard: RunningShard<D>,
    linger: Duration,
}

impl<D: Driven> Driver<D> {
    /// Makes the stack that `builder` describes, has `wrap` make it part of something, and starts the thread.
    ///
    /// # Errors
    ///
    /// See [`StartError`]: also for interfaces of several queues, and for services, which are run by a
    /// [`Netstack`](crate::Netstack) only.
    pub fn start(builder: Builder, wrap: impl Fn(Stack) -> D) -> Result<Driver<D>, StartError> {
        let linger = builder.linger_time();
        let shard = builder.launch_one(wrap)?;
        Ok(Driver { shard, linger })
    }

    /// Works on what is driven, under the loop's lock, at the present time; wakes the loop if there is something to do for
    /// it. `work` must not wait for anything.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when it was shut down.
    pub fn with<T>(&self, work: impl FnOnce(&mut D, Instant) -> T) -> io::Result<T> {
        self.shard.shared().with(|state| {
            let now = state.clock.now();
            Ok(work(&mut state.driven, now))
        })
    }

    /// Ends it, as [`Netstack::shutdown`](crate::Netstack::shutdown) does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn shutdown(&self, patience: Duration) -> io::Result<Shutdown> {
        shut_down(std::slice::from_ref(&self.shard), patience)
    }
}

impl<D: Driven> Drop for Driver<D> {
    fn drop(&mut self) {
        self.shard.shared().stop(self.linger);
    }
}

impl<D: Driven> fmt::Debug for Driver<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}
