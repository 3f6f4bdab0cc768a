//! Two devices joined: by a wire, or by a router.
//!
//! A [`Bridge`] owns two devices and carries packets between them on a thread of its own, which sleeps when there is
//! nothing to do. As a *wire* it passes everything as it is. As a *router* it is a stack without sockets that forwards
//! (see [`Config::forward`](crate::Config::forward)): hop limits, routes, ICMP errors, fragmentation. In either
//! direction packets may go through a pipeline of impairments ([`drivers::impair`]).
//!
//! A device that is behind for a moment is waited for: the other side is not read meanwhile. What has waited for a second
//! is dropped and counted, and the other side is read on, by a router at once: it answers for itself too.
//!
//! Super-packets cross whole where both devices take them; else they are cut at the edge of the one that does not, or
//! in front of the first impairment that counts packets.
//!
//! ```
//! use std::time::Duration;
//! use netstack::{Bridge, Interface};
//! use netstack::drivers::{impair::{Chance, Impairments}, memory::{MemoryConfig, pair}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let link = MemoryConfig { wakeup: true, ..MemoryConfig::default() };
//! let ((_one, left), (right, _other)) = (pair(link)?, pair(link)?);
//! let bad = Impairments { loss: Chance::per_mille(10), delay: Duration::from_millis(5), ..Impairments::default() };
//! let bridge = Bridge::wire(Interface::new("left", left), Interface::new("right", right))
//!     .left_to_right(bad.pipeline(7, 0))
//!     .start()?;
//! let end = bridge.stop()?;
//! assert_eq!(end.report.interfaces[0].device.rx_packets, 0);
//! # Ok(())
//! # }
//! ```

mod carrier;
mod control;
mod lane;
mod report;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use drivers::impair::Pipeline;
use netstack_core::{Config, Stack};

use crate::builder::{self, Interface, StartError};
use crate::clock::Clock;
use carrier::Carrier;
use control::{Closing, Control};
use lane::Lane;
pub use report::{BridgeEnd, BridgeReport, DirectionReport};

/// The loop thread's name; the kernel shows fifteen bytes of it.
const THREAD_NAME: &str = "netstack-bridge";

/// A running bridge. Dropping it ends it as [`stop`](Bridge::stop) does, without a result.
#[derive(Debug)]
pub struct Bridge {
    control: Arc<Control>,
    thread: Option<JoinHandle<BridgeEnd>>,
}

/// A change to the router.
type Change = Box<dyn FnOnce(&mut Stack)>;

/// What a bridge is made with; [`start`](BridgeBuilder::start) makes it.
pub struct BridgeBuilder {
    sides: [Interface; 2],
    routes: bool,
    seed: Option<[u8; 32]>,
    /// Towards the left and towards the right.
    pipelines: [Option<Pipeline>; 2],
    set_up: Vec<Change>,
}

impl Bridge {
    /// A bridge that passes every packet as it is. Addresses and routes of the interfaces are of no use to it.
    pub fn wire(left: Interface, right: Interface) -> BridgeBuilder {
        BridgeBuilder::new(left, right, false)
    }

    /// A bridge that is a router. The addresses of the interfaces are its own; their prefixes and routes say which
    /// packets leave on which side.
    pub fn route(left: Interface, right: Interface) -> BridgeBuilder {
        BridgeBuilder::new(left, right, true)
    }

    /// What has been counted so far.
    ///
    /// # Errors
    ///
    /// `NetworkDown` if the loop has died of a panic.
    pub fn report(&self) -> io::Result<BridgeReport> {
        let (sender, receiver) = mpsc::channel();
        self.control.ask(sender);
        receiver
            .recv()
            .map_err(|_| io::ErrorKind::NetworkDown.into())
    }

    /// Ends the bridge. Packets that are on their way are dropped.
    ///
    /// # Errors
    ///
    /// The loop has died of a panic.
    pub fn stop(mut self) -> io::Result<BridgeEnd> {
        self.end()
            .unwrap_or_else(|| Err(io::ErrorKind::NetworkDown.into()))
    }

    fn end(&mut self) -> Option<io::Result<BridgeEnd>> {
        let thread = self.thread.take()?;
        self.control.stop.store(true, Ordering::SeqCst);
        self.control.alarm.ring();
        let panicked = |_| io::Error::other("the loop of the bridge ended with a panic");
        Some(thread.join().map_err(panicked))
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.end();
    }
}

impl BridgeBuilder {
    fn new(left: Interface, right: Interface, routes: bool) -> BridgeBuilder {
        BridgeBuilder {
            sides: [left, right],
            routes,
            seed: None,
            pipelines: [None, None],
            set_up: Vec::new(),
        }
    }

    /// What packets meet from left to right; the answers of a router on the left leave through the other one.
    #[must_use]
    pub fn left_to_right(mut self, pipeline: Pipeline) -> Self {
        self.pipelines[1] = Some(pipeline);
        self
    }

    /// What packets meet from right to left.
    #[must_use]
    pub fn right_to_left(mut self, pipeline: Pipeline) -> Self {
        self.pipelines[0] = Some(pipeline);
        self
    }

    /// Seeds the router's random numbers, for runs that are to be repeated.
    #[must_use]
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Changes the router before it starts: adds hooks or further routes. A wire has none, and does not call it. The
    /// left interface has the number 0, the right one 1.
    #[must_use]
    pub fn router(mut self, change: impl FnOnce(&mut Stack) + 'static) -> Self {
        self.set_up.push(Box::new(change));
        self
    }

    /// Makes the bridge and starts its thread.
    ///
    /// # Errors
    ///
    /// See [`StartError`]; nothing is left running then, and the devices are closed.
    pub fn start(self) -> Result<Bridge, StartError> {
        let (ports, router) = if self.routes {
            let seed = self.seed.map_or_else(builder::random_seed, Ok)?;
            let mut config = Config::new(seed);
            config.forward = true;
            let mut stack = builder::stack(config);
            let ports = builder::attach_both(&mut stack, self.sides)?;
            self.set_up
                .into_iter()
                .for_each(|change| change(&mut stack));
            (ports, Some(stack))
        } else {
            (builder::attach_wire(self.sides)?, None)
        };
        let control = Arc::new(Control::new().map_err(StartError::Loop)?);
        let lanes = self.pipelines.map(Lane::new);
        let carrier = Carrier::new(Arc::clone(&control), Clock::start(), ports, lanes, router);
        let thread = thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .spawn(move || {
                let _closing = Closing(Arc::clone(&carrier.control));
                carrier.run()
            })
            .map_err(StartError::Loop)?;
        Ok(Bridge {
            control,
            thread: Some(thread),
        })
    }
}
