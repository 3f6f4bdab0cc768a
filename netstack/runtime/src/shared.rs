//! What the loop thread and the handles share.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use drivers::DeviceCounters;
use netstack_core::{IfaceId, Instant};
use parking_lot::{Mutex, MutexGuard};
use txbuf::{Ledger, Pool};

use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::destructors::Destructors;
use crate::driven::{Afterwards, Driven};
use crate::hosted::Hosted;

/// The meeting point of the loop thread and the handles.
pub(crate) struct Shared<D = Hosted> {
    /// `None` once the loop has ended.
    state: Mutex<Option<State<D>>>,
    pub(crate) alarm: Arc<Alarm>,
    /// Where the segments come from that a send fills outside the lock.
    pub(crate) send_pool: Pool,
    pub(crate) ledger: Ledger,
    /// Destructors of buffers that panicked.
    panics: AtomicU64,
}

/// The lock, taken. What applications are to hear of the last drop of their buffers (destructors,
/// completions) they hear after it is given back: they may use handles of the stack.
pub(crate) struct Locked<'a, D> {
    // The order is that in which they go.
    state: MutexGuard<'a, Option<State<D>>>,
    _destructors: Destructors<'a>,
}

/// What the lock protects.
pub(crate) struct State<D = Hosted> {
    pub(crate) clock: Clock,
    /// The stack and its users.
    pub(crate) driven: D,
    pub(crate) interfaces: Vec<InterfaceStatus>,
    pub(crate) stop: Option<Stop>,
    /// When the loop wakes up by itself, if it sleeps.
    pub(crate) wakes_at: Option<Instant>,
}

/// A request to end the loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// When to end even if connections still have something to deliver.
    pub(crate) deadline: Instant,
    /// When to end even if peers are yet to close, once everything is delivered.
    pub(crate) parting: Option<Instant>,
}

impl Stop {
    /// When to end at the latest, as things are.
    pub(crate) fn at(&self) -> Instant {
        self.parting
            .map_or(self.deadline, |parting| parting.min(self.deadline))
    }
}

/// What is known of one interface, refreshed by the loop thread.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InterfaceStatus {
    /// The name it was given.
    pub name: String,
    /// Its number in the stack.
    pub id: IfaceId,
    /// The shard that has this queue of it.
    pub shard: usize,
    /// What the device counted.
    pub device: DeviceCounters,
    /// Why the device is not used at present: it failed, and is tried again every now and then.
    pub error: Option<Arc<io::Error>>,
    /// Failed receive calls.
    pub receive_errors: u64,
    /// Failed transmit calls.
    pub transmit_errors: u64,
}

impl<D: Driven> Shared<D> {
    pub(crate) fn new(state: State<D>, alarm: Arc<Alarm>) -> Self {
        let send_pool = state.driven.stack().pools().send.clone();
        let ledger = state.driven.stack().ledger().clone();
        Shared {
            state: Mutex::new(Some(state)),
            alarm,
            send_pool,
            ledger,
            panics: AtomicU64::new(0),
        }
    }

    /// The lock itself; `None` inside means that the loop has ended.
    pub(crate) fn lock(&self) -> Locked<'_, D> {
        let destructors = self.defer();
        Locked {
            state: self.state.lock(),
            _destructors: destructors,
        }
    }

    /// Has destructors of applications wait until what is returned is dropped: for whatever drops packets on the
    /// loop's thread without the lock.
    pub(crate) fn defer(&self) -> Destructors<'_> {
        Destructors::defer(&self.panics)
    }

    /// How many destructors of buffers panicked so far.
    pub(crate) fn destructor_panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Runs `f` under the lock, then wakes the loop if it sleeps and has something to do.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down, else what `f` returns.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut State<D>) -> io::Result<T>) -> io::Result<T> {
        let (result, work) = match self.lock().as_mut() {
            Some(state) => {
                let result = f(state);
                (result, state.has_work())
            }
            None => return Err(stopped()),
        };
        if work {
            self.alarm.ring();
        }
        result
    }

    /// Runs `f` under the lock, for what gives the loop nothing to do.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub(crate) fn with_quietly<T>(&self, f: impl FnOnce(&mut State<D>) -> T) -> io::Result<T> {
        self.lock().as_mut().map(f).ok_or_else(stopped)
    }

    /// Asks the loop to end in `patience` at the latest; an earlier end wins over a later one.
    pub(crate) fn stop(&self, patience: Duration) {
        // Already stopped is what was asked for.
        let _ = self.with(|state| {
            let deadline = state.clock.now() + patience;
            let stop = state.stop.get_or_insert(Stop {
                deadline,
                parting: None,
            });
            stop.deadline = stop.deadline.min(deadline);
            Ok(())
        });
        self.alarm.ring();
    }

    /// Takes the state away for good, and wakes everybody who waits to tell them.
    pub(crate) fn take_state(&self) -> Option<State<D>> {
        let mut after = Afterwards::default();
        let mut state = self.lock().take();
        if let Some(state) = state.as_mut() {
            state.driven.over(&mut after);
        }
        after.run();
        state
    }
}

impl<D> Deref for Locked<'_, D> {
    type Target = Option<State<D>>;

    fn deref(&self) -> &Option<State<D>> {
        &self.state
    }
}

impl<D> DerefMut for Locked<'_, D> {
    fn deref_mut(&mut self) -> &mut Option<State<D>> {
        &mut self.state
    }
}

impl<D: Driven> State<D> {
    /// Whether a loop that sleeps would be late.
    fn has_work(&self) -> bool {
        let earlier = |due| self.wakes_at.is_none_or(|at| due < at);
        let stack = self.driven.stack();
        stack.has_output() || stack.poll_timeout().is_some_and(earlier)
    }
}

fn stopped() -> io::Error {
    io::Error::new(
        io::ErrorKind::NetworkDown,
        "the network stack was shut down",
    )
}
