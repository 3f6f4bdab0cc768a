//! The threads of a running stack, a shard each, and how they end.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drivers::Device;
use netstack_core::Counters;
use parking_lot::Mutex;
use txbuf::Ledger;

use crate::driven::Driven;
use crate::hosted::Hosted;
use crate::shared::{InterfaceStatus, Shared};

/// A shard and its loop.
pub(crate) struct RunningShard<D = Hosted> {
    shared: Arc<Shared<D>>,
    thread: Mutex<Option<JoinHandle<Remains>>>,
}

/// What the loop of a shard leaves behind.
pub(crate) struct Remains {
    pub(crate) finished: bool,
    pub(crate) counters: Counters,
    pub(crate) interfaces: Vec<InterfaceStatus>,
    pub(crate) devices: Vec<(String, Box<dyn Device>)>,
}

/// What a stack leaves behind. What there is of each shard comes in their order.
#[non_exhaustive]
pub struct Shutdown {
    /// Whether every closed connection had delivered what it had to; if not, the time was up first.
    pub finished: bool,
    /// What all shards counted, added up.
    pub counters: Counters,
    /// What each shard counted.
    pub shard_counters: Vec<Counters>,
    /// Destructors of buffers that panicked. Each was logged, and no harm came of it to others.
    pub destructor_panics: u64,
    /// What the interfaces counted.
    pub interfaces: Vec<InterfaceStatus>,
    /// The memory of each shard that is still alive. Once the spans that the application holds are dropped,
    /// [`live_nodes`](Ledger::live_nodes) is 0.
    pub ledgers: Vec<Ledger>,
    /// The devices by name; they now belong to the caller.
    pub devices: Vec<(String, Box<dyn Device>)>,
}

impl<D: Driven> RunningShard<D> {
    pub(crate) fn new(shared: Arc<Shared<D>>, thread: JoinHandle<Remains>) -> RunningShard<D> {
        RunningShard {
            shared,
            thread: Mutex::new(Some(thread)),
        }
    }

    pub(crate) fn shared(&self) -> &Shared<D> {
        &self.shared
    }
}

/// Ends all shards of a stack, see [`Netstack::shutdown`](crate::Netstack::shutdown).
pub(crate) fn shut_down<D: Driven>(
    shards: &[RunningShard<D>],
    patience: Duration,
) -> io::Result<Shutdown> {
    // All at once: of two that shut it down one comes too late.
    let mut slots: Vec<_> = shards.iter().map(|shard| shard.thread.lock()).collect();
    let own = thread::current().id();
    let is_own = |thread: &JoinHandle<Remains>| thread.thread().id() == own;
    if slots.iter().any(|slot| slot.as_ref().is_some_and(is_own)) {
        return Err(io::Error::new(
            io::ErrorKind::Deadlock,
            "the event loop cannot wait for its own end",
        ));
    }
    let threads: Vec<_> = slots.iter_mut().filter_map(|slot| slot.take()).collect();
    drop(slots);
    if threads.is_empty() {
        return Err(io::ErrorKind::NetworkDown.into());
    }
    shards.iter().for_each(|shard| shard.shared.stop(patience));
    let ended: Vec<_> = threads.into_iter().map(JoinHandle::join).collect();
    let mut whole = Shutdown {
        finished: true,
        counters: Counters::default(),
        shard_counters: Vec::new(),
        destructor_panics: shards
            .iter()
            .map(|shard| shard.shared.destructor_panics())
            .sum(),
        interfaces: Vec::new(),
        ledgers: shards
            .iter()
            .map(|shard| shard.shared.ledger.clone())
            .collect(),
        devices: Vec::new(),
    };
    for remains in ended {
        let remains = remains.map_err(|_| io::Error::other("the event loop ended with a panic"))?;
        whole.finished &= remains.finished;
        whole.counters.add(&remains.counters);
        whole.shard_counters.push(remains.counters);
        whole.interfaces.extend(remains.interfaces);
        whole.devices.extend(remains.devices);
    }
    Ok(whole)
}

impl Shutdown {
    /// Nodes of all ledgers that are still alive.
    pub fn live_nodes(&self) -> usize {
        self.ledgers.iter().map(Ledger::live_nodes).sum()
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("finished", &self.finished)
            .field("interfaces", &self.interfaces)
            .field("live_nodes", &self.live_nodes())
            .finish_non_exhaustive()
    }
}
