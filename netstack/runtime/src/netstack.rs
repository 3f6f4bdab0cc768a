//! The handle of a running stack, and of its shards.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use netstack_core::{Counters, Stack};
use txbuf::Ledger;

use crate::holders::Memory;
use crate::hosted::Hosted;
use crate::running::{RunningShard, Shutdown, shut_down};
use crate::service::{Service, copies};
use crate::shared::{InterfaceStatus, Shared};

/// A running network stack.
///
/// A clone is another handle of the same stack; every socket holds one too. When the last of them is gone, the loop
/// delivers what closed connections still have to send, for at most the [linger](crate::Builder::linger) time, and ends.
///
/// It has as many [shards](Netstack::shards) as its interfaces have [queues](crate::Interface::queue), which is one
/// mostly. A shard is a stack with a thread and storage of its own; it shares the addresses with the others, and nothing
/// else. A connection is on one shard. A listener or a datagram socket is on all of them, and its calls take what comes to
/// any. What comes to a shard that has no socket for it is passed on to the next.
#[derive(Clone)]
pub struct Netstack {
    running: Arc<Running>,
}

/// What exists once for each stack and goes with the last handle.
struct Running {
    /// There is one at least.
    shards: Vec<RunningShard>,
    linger: Duration,
    /// Counts what goes to shards by turns.
    turn: AtomicUsize,
}

impl Netstack {
    pub(crate) fn new(shards: Vec<RunningShard>, linger: Duration) -> Self {
        Netstack {
            running: Arc::new(Running {
                shards,
                linger,
                turn: AtomicUsize::new(0),
            }),
        }
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.running.shards.len()
    }

    pub(crate) fn shared(&self, shard: usize) -> &Shared {
        self.running.shards[shard].shared()
    }

    /// A shard, each by turns.
    pub(crate) fn next_shard(&self) -> usize {
        self.running.turn.fetch_add(1, Ordering::Relaxed) % self.shards()
    }

    fn each(&self) -> impl Iterator<Item = &Shared> {
        self.running.shards.iter().map(RunningShard::shared)
    }

    /// What all shards count, added up. [`inspect`](Netstack::inspect) tells it of each.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn counters(&self) -> io::Result<Counters> {
        let mut sum = Counters::default();
        for counters in self.inspect(|stack| stack.counters().clone())? {
            sum.add(&counters);
        }
        Ok(sum)
    }

    /// How many destructors of buffers that were handed over have panicked. They run on whatever thread let go of the
    /// buffer last, mostly the loop's, never under a lock of the stack; a panic is logged and counted, and that is all.
    pub fn destructor_panics(&self) -> u64 {
        self.each().map(Shared::destructor_panics).sum()
    }

    /// What is known of the interfaces, in the order in which they were added, of each shard; while a shard is at work it
    /// may be ten milliseconds old.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn interfaces(&self) -> io::Result<Vec<InterfaceStatus>> {
        let mut all = Vec::new();
        for shard in self.each() {
            all.extend(shard.with_quietly(|state| state.interfaces.clone())?);
        }
        Ok(all)
    }

    /// The ledger for buffers that the application hands over, which is that of the first shard's memory. It outlives
    /// the stack.
    pub fn ledger(&self) -> &Ledger {
        &self.shared(0).ledger
    }

    /// Who holds the memory of each shard at the moment; for people, and for finding leaks.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn memory(&self) -> io::Result<Vec<Memory>> {
        let of_shard = |shard: &Shared| {
            let (sockets, now) =
                shard.with_quietly(|state| (state.driven.stack.holdings(), state.clock.now()))?;
            Ok(Memory {
                total: shard.ledger.report(),
                sockets,
                nodes: shard.ledger.dump(now.as_nanos()),
            })
        };
        self.each().map(of_shard).collect()
    }

    /// Starts a service inside the loop: on every shard, if it can [be copied](Service::for_shard), else on the first.
    ///
    /// # Errors
    ///
    /// What the service's [`on_start`](Service::on_start) says, for example `AddrInUse`; `NetworkDown` when the stack
    /// was shut down. It runs nowhere then.
    pub fn serve(&self, service: impl Service + 'static) -> io::Result<()> {
        // Outside the closure, so that a service that could not start is dropped after the lock.
        let mut copies = copies(Box::new(service), self.shards());
        let mut started = Vec::new();
        for (shard, slot) in self.each().zip(&mut copies) {
            let start = shard.with(|state| {
                let now = state.clock.now();
                let Hosted {
                    services, stack, ..
                } = &mut state.driven;
                services.start(stack, now, slot)
            });
            match start {
                Ok(number) => started.push((shard, number)),
                Err(error) => {
                    for (shard, number) in started {
                        let ended = shard.with(|state| {
                            let now = state.clock.now();
                            let Hosted {
                                services, stack, ..
                            } = &mut state.driven;
                            Ok(services.end(stack, now, number))
                        });
                        drop(ended);
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Runs `f` with the stack of each shard locked in turn, to look at what this library has no function for.
    ///
    /// `f` must not block and must not use sockets of this stack: their calls take the same lock.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn inspect<T>(&self, mut f: impl FnMut(&Stack) -> T) -> io::Result<Vec<T>> {
        self.each()
            .map(|shard| shard.with_quietly(|state| f(&state.driven.stack)))
            .collect()
    }

    /// Ends the stack: waits until closed connections have delivered what they had to, for at most `patience`, and
    /// then until their peers have closed, too, for a second of that at most; resets the connections that are still
    /// open, and stops the loop. Calls that wait on other threads, and all later calls, fail with `NetworkDown`.
    ///
    /// # Errors
    ///
    /// `NetworkDown` if it was shut down before; `Deadlock` when called on a loop's own thread, by a service;
    /// `Other` if a loop had died of a panic.
    pub fn shutdown(&self, patience: Duration) -> io::Result<Shutdown> {
        shut_down(&self.running.shards, patience)
    }
}

impl fmt::Debug for Netstack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Netstack")
            .field("shards", &self.shards())
            .finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for shard in &self.shards {
            shard.shared().stop(self.linger);
        }
    }
}
