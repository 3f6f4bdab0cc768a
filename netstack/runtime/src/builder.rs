//! Making a stack: its interfaces, addresses and routes, limits and services.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Waker;
use std::thread;
use std::time::Duration;

use drivers::{Capabilities, Device, Edge};
use netstack_core::{Config, ConfigError, IfaceId, InterfaceConfig, IpCidr, Stack};
use rustix::rand::{GetRandomFlags, getrandom};
use thiserror::Error;
use txbuf::{Account, Offloads};

use crate::Netstack;
use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::event_loop::{EventLoop, Port};
use crate::service::{Service, ServiceHost};
use crate::shared::{Shared, State};
use crate::waiters::Waiters;

/// How long a stack without handles goes on for connections that still deliver.
const LINGER: Duration = Duration::from_secs(5);

/// The loop thread's name; the kernel shows fifteen bytes of it.
const THREAD_NAME: &str = "netstack-loop";

/// A network interface: a device with a name, addresses and routes.
pub struct Interface {
    name: String,
    device: Box<dyn Device>,
    addresses: Vec<IpCidr>,
    routes: Vec<(IpCidr, Option<IpAddr>)>,
    arena: Option<Account>,
}

impl Interface {
    /// An interface on `device`, which the stack owns from now on. A device that lacks offloads is given a software
    /// [`Edge`].
    pub fn new(name: impl Into<String>, device: impl Device + 'static) -> Self {
        Interface {
            name: name.into(),
            device: Box::new(device),
            addresses: Vec::new(),
            routes: Vec::new(),
            arena: None,
        }
    }

    /// Adds an address; its prefix is reached through this interface.
    #[must_use]
    pub fn address(mut self, address: impl Into<IpCidr>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// Adds a route: `destination` is reached through this interface, by way of `gateway` if there is one.
    #[must_use]
    pub fn route(mut self, destination: impl Into<IpCidr>, gateway: Option<IpAddr>) -> Self {
        self.routes.push((destination.into(), gateway));
        self
    }

    /// Says what the storage is charged to that the device receives into, if it was given a pool for that
    /// ([`Pool::charged_to`](txbuf::Pool::charged_to)). When that is near its limit, data that nobody reads is copied
    /// out of it, so that one slow reader does not keep the others from receiving.
    #[must_use]
    pub fn arena(mut self, account: &Account) -> Self {
        self.arena = Some(account.clone());
        self
    }
}

/// A change to the core's configuration.
type Change = Box<dyn FnOnce(&mut Config)>;

/// What a stack is made with; [`start`](Builder::start) makes it.
pub struct Builder {
    seed: Option<[u8; 32]>,
    configure: Vec<Change>,
    interfaces: Vec<Interface>,
    services: Vec<Box<dyn Service>>,
    linger: Duration,
    busy_poll: Duration,
}

/// Why a stack could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The operating system gave no random numbers. Nothing to do but to [give a seed](Builder::seed).
    #[error("no random numbers from the operating system")]
    Random(#[source] io::Error),
    /// No descriptor or no thread could be had: raise the process's limits.
    #[error("the event loop could not be started")]
    Loop(#[source] io::Error),
    /// Two interfaces have the same name.
    #[error("there are two interfaces named {0}")]
    DuplicateInterface(String),
    /// The device was made without a descriptor to wait on, so that the loop could not sleep.
    #[error("the device of interface {0} cannot be waited for: make it with a poll descriptor")]
    NotPollable(String),
    /// The device's MTU, an address or a route of the interface does not fit.
    #[error("interface {interface} cannot have {what}")]
    Interface {
        /// The interface's name.
        interface: String,
        /// The MTU, address or route.
        what: String,
        /// What is wrong with it.
        #[source]
        source: ConfigError,
    },
    /// A service could not open its sockets.
    #[error("service {service} could not be started")]
    Service {
        /// The service's name.
        service: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Default for Builder {
    fn default() -> Self {
        Builder::new()
    }
}

impl Builder {
    /// A stack without interfaces, seeded by the operating system, with the core's default limits.
    pub fn new() -> Self {
        Builder {
            seed: None,
            configure: Vec::new(),
            interfaces: Vec::new(),
            services: Vec::new(),
            linger: LINGER,
            busy_poll: Duration::ZERO,
        }
    }

    /// Seeds the stack's random numbers (initial sequence numbers, ports, identifiers), for tests that are to be
    /// repeated. Whoever knows the seed can guess the numbers.
    #[must_use]
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Changes the core's limits and defaults before the stack is made.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config) + 'static) -> Self {
        self.configure.push(Box::new(change));
        self
    }

    /// Adds an interface.
    #[must_use]
    pub fn interface(mut self, interface: Interface) -> Self {
        self.interfaces.push(interface);
        self
    }

    /// Adds a service that runs inside the loop.
    #[must_use]
    pub fn service(mut self, service: impl Service + 'static) -> Self {
        self.services.push(Box::new(service));
        self
    }

    /// How long the loop goes on after the last handle is gone while closed connections still have something to
    /// deliver; 5 s if not said.
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Has the loop watch its devices for this long before it sleeps: it then answers without the delay of a
    /// wake-up, and takes a processor for that long after each packet. Zero, the default, is not to watch.
    #[must_use]
    pub fn busy_poll(mut self, budget: Duration) -> Self {
        self.busy_poll = budget;
        self
    }

    /// Makes the stack and starts its thread.
    ///
    /// # Errors
    ///
    /// See [`StartError`]; nothing is left running then, and the devices are closed.
    pub fn start(self) -> Result<Netstack, StartError> {
        let seed = self.seed.map_or_else(random_seed, Ok)?;
        let mut config = Config::new(seed);
        self.configure
            .into_iter()
            .for_each(|change| change(&mut config));
        let alarm = Arc::new(Alarm::new().map_err(StartError::Loop)?);
        config.waker = Some(Waker::from(Arc::clone(&alarm)));
        let mut stack = stack(config);
        check_names(&self.interfaces)?;
        let interfaces = self.interfaces.into_iter();
        let ports = interfaces
            .map(|interface| attach(&mut stack, interface))
            .collect::<Result<Vec<Port>, StartError>>()?;

        let clock = Clock::start();
        let mut services = ServiceHost::default();
        for service in self.services {
            let name = service.name().to_owned();
            services
                .start(&mut stack, clock.now(), &mut Some(service))
                .map_err(|source| StartError::Service {
                    service: name,
                    source,
                })?;
        }
        let state = State {
            clock,
            stack,
            waiters: Waiters::default(),
            services,
            open: HashSet::new(),
            interfaces: ports.iter().map(Port::status).collect(),
            stop: None,
            wakes_at: None,
        };
        let shared = Arc::new(Shared::new(state, alarm));
        let event_loop = EventLoop::new(Arc::clone(&shared), clock, ports, self.busy_poll);
        let thread = thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .spawn(move || event_loop.run())
            .map_err(StartError::Loop)?;
        Ok(Netstack::new(shared, self.linger, thread))
    }
}

/// A stack that knows how super-packets are cut.
pub(crate) fn stack(mut config: Config) -> Stack {
    config.cut = Some(|packet, out| drivers::cut(packet, out).is_ok());
    Stack::new(config)
}

pub(crate) fn random_seed() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    let mut filled = 0;
    while filled < seed.len() {
        match getrandom(&mut seed[filled..], GetRandomFlags::empty()) {
            Ok(more) => filled += more,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(StartError::Random(error.into())),
        }
    }
    Ok(seed)
}

/// The devices of a bridge that routes: the interfaces 0 and 1 of `stack`.
pub(crate) fn attach_both(
    stack: &mut Stack,
    sides: [Interface; 2],
) -> Result<[Port; 2], StartError> {
    check_names(&sides)?;
    let [left, right] = sides;
    Ok([attach(stack, left)?, attach(stack, right)?])
}

/// The devices of a bridge that does not look at packets: what one of them leaves to be done, and the other cannot
/// do, is done at its edge, and nothing else.
pub(crate) fn attach_wire(sides: [Interface; 2]) -> Result<[Port; 2], StartError> {
    check_names(&sides)?;
    let offloads = |side: &Interface| side.device.capabilities().offloads;
    let is_plain = sides.iter().all(|side| !offloads(side).rx_checksum);
    let port = |number: u32, side: Interface| {
        if side.device.poll_fd().is_none() {
            return Err(StartError::NotPollable(side.name));
        }
        let device = if is_plain || takes_all(offloads(&side)) {
            side.device
        } else {
            Box::new(Edge::without_joining(side.device))
        };
        Ok(Port::new(side.name, IfaceId::new(number), device))
    };
    let [left, right] = sides;
    Ok([port(0, left)?, port(1, right)?])
}

fn check_names(interfaces: &[Interface]) -> Result<(), StartError> {
    let mut names = HashSet::new();
    match interfaces
        .iter()
        .find(|interface| !names.insert(&interface.name))
    {
        Some(twice) => Err(StartError::DuplicateInterface(twice.name.clone())),
        None => Ok(()),
    }
}

/// Adds an interface to the stack, with its addresses and routes.
fn attach(stack: &mut Stack, interface: Interface) -> Result<Port, StartError> {
    let Interface {
        name,
        device,
        addresses,
        routes,
        arena,
    } = interface;
    if device.poll_fd().is_none() {
        return Err(StartError::NotPollable(name));
    }
    let device = with_edge(device);
    let misfit = |what: String, source| StartError::Interface {
        interface: name.clone(),
        what,
        source,
    };
    let Capabilities { mtu, offloads, .. } = device.capabilities();
    let config = InterfaceConfig {
        name: name.clone(),
        mtu,
        offloads,
    };
    let id = stack
        .add_interface(config)
        .map_err(|source| misfit(format!("MTU {mtu}"), source))?;
    for address in addresses {
        stack
            .add_address(id, address)
            .map_err(|source| misfit(format!("address {address}"), source))?;
    }
    for (destination, gateway) in routes {
        stack
            .add_route(destination, id, gateway)
            .map_err(|source| misfit(format!("a route to {destination}"), source))?;
    }
    if let Some(account) = arena {
        stack
            .set_arena(id, account)
            .map_err(|source| misfit("an arena".to_owned(), source))?;
    }
    Ok(Port::new(name, id, device))
}

/// The core sends super-packets with partial checksums: a device that cannot finish them gets help.
fn with_edge(device: Box<dyn Device>) -> Box<dyn Device> {
    if takes_all(device.capabilities().offloads) {
        device
    } else {
        Box::new(Edge::new(device))
    }
}

fn takes_all(offloads: Offloads) -> bool {
    offloads.tx_checksum && offloads.tso && offloads.uso
}

#[cfg(test)]
mod tests;
