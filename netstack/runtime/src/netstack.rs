//! The handle of a running stack.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drivers::Device;
use netstack_core::{Counters, Stack};
use parking_lot::Mutex;
use txbuf::Ledger;

use crate::builder::Builder;
use crate::holders::Memory;
use crate::service::Service;
use crate::shared::{InterfaceStatus, Shared};

/// A running network stack.
///
/// A clone is another handle of the same stack; every socket holds one too. When the last of them is gone, the loop
/// delivers what closed connections still have to send, for at most the [linger](Builder::linger) time, and ends.
#[derive(Clone)]
pub struct Netstack {
    running: Arc<Running>,
}

/// What exists once for each loop and goes with the last handle.
struct Running {
    shared: Arc<Shared>,
    linger: Duration,
    thread: Mutex<Option<JoinHandle<Shutdown>>>,
}

/// What a stack leaves behind.
#[non_exhaustive]
pub struct Shutdown {
    /// Whether every closed connection had delivered what it had to; if not, the time was up first.
    pub finished: bool,
    /// What the stack counted.
    pub counters: Counters,
    /// Destructors of buffers that panicked. Each was logged, and no harm came of it to others.
    pub destructor_panics: u64,
    /// What the interfaces counted.
    pub interfaces: Vec<InterfaceStatus>,
    /// The memory that is still alive. Once the spans that the application holds are dropped,
    /// [`live_nodes`](Ledger::live_nodes) is 0.
    pub ledger: Ledger,
    /// The devices by name; they now belong to the caller.
    pub devices: Vec<(String, Box<dyn Device>)>,
}

impl Netstack {
    /// What a stack is made with.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(shared: Arc<Shared>, linger: Duration, thread: JoinHandle<Shutdown>) -> Self {
        Netstack {
            running: Arc::new(Running {
                shared,
                linger,
                thread: Mutex::new(Some(thread)),
            }),
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.running.shared
    }

    /// A copy of the stack's counters.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn counters(&self) -> io::Result<Counters> {
        self.shared()
            .with_quietly(|state| state.stack.counters().clone())
    }

    /// How many destructors of buffers that were handed over have panicked. They run on whatever thread let go of the
    /// buffer last, mostly the loop's, never under a lock of the stack; a panic is logged and counted, and that is all.
    pub fn destructor_panics(&self) -> u64 {
        self.shared().destructor_panics()
    }

    /// What is known of the interfaces, in the order in which they were added.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn interfaces(&self) -> io::Result<Vec<InterfaceStatus>> {
        self.shared().with_quietly(|state| state.interfaces.clone())
    }

    /// The ledger of the stack's memory. It outlives the stack.
    pub fn ledger(&self) -> &Ledger {
        &self.shared().ledger
    }

    /// Who holds the stack's memory at the moment; for people, and for finding leaks.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn memory(&self) -> io::Result<Memory> {
        let (sockets, now) = self
            .shared()
            .with_quietly(|state| (state.stack.holdings(), state.clock.now()))?;
        let ledger = self.ledger();
        Ok(Memory {
            total: ledger.report(),
            sockets,
            nodes: ledger.dump(now.as_nanos()),
        })
    }

    /// Starts a service inside the loop.
    ///
    /// # Errors
    ///
    /// What the service's [`on_start`](Service::on_start) says, for example `AddrInUse`; `NetworkDown` when the stack
    /// was shut down.
    pub fn serve(&self, service: impl Service + 'static) -> io::Result<()> {
        // Outside the closure, so that a service that could not start is dropped after the lock.
        let mut slot: Option<Box<dyn Service>> = Some(Box::new(service));
        self.shared().with(|state| {
            state
                .services
                .start(&mut state.stack, state.clock.now(), &mut slot)
        })
    }

    /// Runs `f` with the stack locked, to look at what this library has no function for.
    ///
    /// `f` must not block and must not use sockets of this stack: their calls take the same lock.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn inspect<T>(&self, f: impl FnOnce(&Stack) -> T) -> io::Result<T> {
        self.shared().with_quietly(|state| f(&state.stack))
    }

    /// Ends the stack: waits until closed connections have delivered what they had to, for at most `patience`, resets
    /// the connections that are still open, and stops the loop. Calls that wait on other threads, and all later calls,
    /// fail with `NetworkDown`.
    ///
    /// # Errors
    ///
    /// `NetworkDown` if it was shut down before; `Deadlock` when called on the loop's own thread, by a service;
    /// `Other` if the loop had died of a panic.
    pub fn shutdown(&self, patience: Duration) -> io::Result<Shutdown> {
        let mut slot = self.running.thread.lock();
        if slot
            .as_ref()
            .is_some_and(|thread| thread.thread().id() == thread::current().id())
        {
            return Err(io::Error::new(
                io::ErrorKind::Deadlock,
                "the event loop cannot wait for its own end",
            ));
        }
        let thread = slot.take().ok_or(io::ErrorKind::NetworkDown)?;
        drop(slot);
        self.shared().stop(patience);
        thread
            .join()
            .map_err(|_| io::Error::other("the event loop ended with a panic"))
    }
}

impl fmt::Debug for Netstack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Netstack").finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.stop(self.linger);
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("finished", &self.finished)
            .field("interfaces", &self.interfaces)
            .field("live_nodes", &self.ledger.live_nodes())
            .finish_non_exhaustive()
    }
}
