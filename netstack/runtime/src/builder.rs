//! Making a stack: its interfaces, addresses and routes, limits and services.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drivers::{Capabilities, Device, Edge};
use netstack_core::{Config, ConfigError, IfaceId, Instant, InterfaceConfig, IpCidr, Shard, Stack};
use rustix::rand::{GetRandomFlags, getrandom};
use thiserror::Error;
use txbuf::{Account, Offloads};

use crate::Netstack;
use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::driven::Driven;
use crate::event_loop::{EventLoop, Port};
use crate::hosted::Hosted;
use crate::mailbox::{Mail, Mailbox};
use crate::running::{Remains, RunningShard};
use crate::service::{Service, ServiceHost, copies};
use crate::shared::{Shared, State};

/// How long a stack without handles goes on for connections that still deliver.
const LINGER: Duration = Duration::from_secs(5);

/// The loop thread's name; the kernel shows fifteen bytes of it.
const THREAD_NAME: &str = "netstack-loop";

/// As many shards as the core numbers.
const MOST_SHARDS: usize = 256;

/// A network interface: a device with a name, addresses and routes.
pub struct Interface {
    name: String,
    /// There is one at least.
    queues: Vec<Queue>,
    addresses: Vec<IpCidr>,
    routes: Vec<(IpCidr, Option<IpAddr>)>,
}

/// One queue of a device, which is a device to whoever drives it.
struct Queue {
    device: Box<dyn Device>,
    arena: Option<Account>,
}

impl Interface {
    /// An interface on `device`, which the stack owns from now on. A device that lacks offloads is given a software
    /// [`Edge`].
    pub fn new(name: impl Into<String>, device: impl Device + 'static) -> Self {
        Interface {
            name: name.into(),
            queues: vec![Queue::new(device)],
            addresses: Vec::new(),
            routes: Vec::new(),
        }
    }

    /// Adds another queue of the same device, such as [`Tun::open_queues`](drivers::Tun::open_queues) opens. The stack
    /// then has another shard, on a thread of its own, to which this queue belongs. All interfaces of a stack must have
    /// the same number of queues.
    ///
    /// The other side of the queues should give a flow always to the queue that it came by last, as the kernel does; what
    /// comes by another one is passed on to the shard that has its socket, and counted (`in_other_shard`).
    #[must_use]
    pub fn queue(mut self, device: impl Device + 'static) -> Self {
        self.queues.push(Queue::new(device));
        self
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

    /// Says what the storage is charged to that the device (of several queues, the last that was added) receives into,
    /// if it was given a pool for that ([`Pool::charged_to`](txbuf::Pool::charged_to)). When that is near its limit, data that nobody reads is copied
    /// out of it, so that one slow reader does not keep the others from receiving.
    #[must_use]
    pub fn arena(mut self, account: &Account) -> Self {
        if let Some(queue) = self.queues.last_mut() {
            queue.arena = Some(account.clone());
        }
        self
    }
}

impl Queue {
    fn new(device: impl Device + 'static) -> Queue {
        Queue {
            device: Box::new(device),
            arena: None,
        }
    }
}

/// A change to the core's configuration.
type Change = Box<dyn Fn(&mut Config)>;

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
    /// An interface has another number of queues than the first, or more than there can be shards.
    #[error(
        "interface {interface} cannot have {queues} queues: all of a stack have the same number, of 256 at most"
    )]
    Queues {
        /// The interface's name.
        interface: String,
        /// How many it has.
        queues: usize,
    },
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

impl Netstack {
    /// What a stack is made with.
    pub fn builder() -> Builder {
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

    /// Changes the core's limits and defaults before the stack is made: those of each shard, by a call for each. Which
    /// shard it is ([`Config::shard`]) is told then and cannot be changed.
    #[must_use]
    pub fn configure(mut self, change: impl Fn(&mut Config) + 'static) -> Self {
        self.configure.push(Box::new(change));
        self
    }

    /// Adds an interface.
    #[must_use]
    pub fn interface(mut self, interface: Interface) -> Self {
        self.interfaces.push(interface);
        self
    }

    /// Adds a service that runs inside the loop: on every shard, if it can [be copied](Service::for_shard), else on the
    /// first.
    #[must_use]
    pub fn service(mut self, service: impl Service + 'static) -> Self {
        self.services.push(Box::new(service));
        self
    }

    /// How long the loop goes on after the last handle is gone while closed connections still have something to
    /// deliver; 5 s if not said. For peers that have everything, and are yet to close, it goes on for a second of these.
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
        let linger = self.linger;
        let shards = self.launch(&|mut stack, now, own| {
            let mut services = ServiceHost::default();
            for mut service in own {
                let name = service.as_ref().map(|service| service.name().to_owned());
                services
                    .start(&mut stack, now, &mut service)
                    .map_err(|source| StartError::Service {
                        service: name.unwrap_or_default(),
                        source,
                    })?;
            }
            Ok(Hosted::new(stack, services))
        })?;
        Ok(Netstack::new(shards, linger))
    }

    pub(crate) fn linger_time(&self) -> Duration {
        self.linger
    }

    /// As [`start`](Self::start), for one stack that `wrap` makes part of something else.
    pub(crate) fn launch_one<D: Driven>(
        self,
        wrap: impl Fn(Stack) -> D,
    ) -> Result<RunningShard<D>, StartError> {
        if let Some(service) = self.services.first() {
            return Err(StartError::Service {
                service: service.name().to_owned(),
                source: io::ErrorKind::Unsupported.into(),
            });
        }
        for interface in &self.interfaces {
            interface.check_only()?;
        }
        let mut shards = self.launch(&|stack, _, _| Ok(wrap(stack)))?;
        shards
            .pop()
            .ok_or_else(|| StartError::Loop(io::ErrorKind::Other.into()))
    }

    /// Makes the stack of each shard, whatever `wrap` makes it part of, and starts the threads.
    fn launch<D: Driven>(self, wrap: &Wrap<'_, D>) -> Result<Vec<RunningShard<D>>, StartError> {
        let seed = self.seed.map_or_else(random_seed, Ok)?;
        check_names(&self.interfaces)?;
        let count = check_queues(&self.interfaces)?;
        let services = self.services.into_iter();
        let mut services: Vec<_> = services
            .map(|service| copies(service, usize::from(count)).into_iter())
            .collect();
        let mut interfaces: Vec<_> = self.interfaces.into_iter().map(Interface::split).collect();
        let clock = Clock::start();
        let alarms = (0..count).map(|_| Alarm::new().map(Arc::new));
        let alarms: Vec<_> = alarms
            .collect::<io::Result<_>>()
            .map_err(StartError::Loop)?;
        let mailboxes: Vec<_> = alarms.iter().map(Mailbox::new).collect();
        let mut loops = Vec::new();
        for shard in (0..count).filter_map(|index| Shard::new(index, count)) {
            let index = usize::from(shard.index());
            let mut config = Config::new(seed_of(seed, shard));
            self.configure.iter().for_each(|change| change(&mut config));
            config.shard = shard;
            config.waker = Some(Waker::from(Arc::clone(&alarms[index])));
            let queues = interfaces.iter_mut().filter_map(Iterator::next).collect();
            let own = services.iter_mut().filter_map(Iterator::next).collect();
            let (stack, ports) = make(stack(config), index, queues)?;
            let state = State {
                clock,
                driven: wrap(stack, clock.now(), own)?,
                interfaces: ports.iter().map(Port::status).collect(),
                stop: None,
                wakes_at: None,
            };
            let shared = Arc::new(Shared::new(state, Arc::clone(&alarms[index])));
            let mail = (count > 1).then(|| Mail {
                own: Arc::clone(&mailboxes[index]),
                next: Arc::clone(&mailboxes[(index + 1) % mailboxes.len()]),
            });
            let event_loop =
                EventLoop::new(Arc::clone(&shared), clock, ports, mail, self.busy_poll);
            loops.push((shared, event_loop));
        }
        // Should a thread not start, the others end.
        let mut shards = Vec::new();
        for (number, (shared, event_loop)) in loops.into_iter().enumerate() {
            match spawn(number, event_loop) {
                Ok(thread) => shards.push(RunningShard::new(shared, thread)),
                Err(error) => {
                    let stop = |shard: &RunningShard<D>| shard.shared().stop(Duration::ZERO);
                    shards.iter().for_each(stop);
                    return Err(StartError::Loop(error));
                }
            }
        }
        Ok(shards)
    }
}

impl Interface {
    /// Its queues, each as an interface of a shard.
    fn split(self) -> impl Iterator<Item = Interface> {
        let Interface {
            name,
            queues,
            addresses,
            routes,
        } = self;
        queues.into_iter().map(move |queue| Interface {
            name: name.clone(),
            queues: vec![queue],
            addresses: addresses.clone(),
            routes: routes.clone(),
        })
    }

    /// As one whose packets are carried on and never joined, for which payloads would have to lie side by side.
    fn received_whole(mut self) -> Interface {
        for queue in &mut self.queues {
            queue.device.receive_whole();
        }
        self
    }

    /// Its only queue.
    fn only(&mut self) -> Result<Queue, StartError> {
        self.check_only()?;
        self.queues.pop().ok_or_else(|| self.too_many(0))
    }

    /// Whether it has one queue.
    fn check_only(&self) -> Result<(), StartError> {
        match self.queues.len() {
            1 => Ok(()),
            queues => Err(self.too_many(queues)),
        }
    }

    fn too_many(&self, queues: usize) -> StartError {
        StartError::Queues {
            interface: self.name.clone(),
            queues,
        }
    }
}

/// The random numbers of each shard are its own.
fn seed_of(mut seed: [u8; 32], shard: Shard) -> [u8; 32] {
    for (byte, more) in seed.iter_mut().zip(shard.index().to_le_bytes()) {
        *byte ^= more;
    }
    seed
}

/// Makes a stack part of what uses it, at this time, with these services of the shard.
type Wrap<'a, D> =
    dyn Fn(Stack, Instant, Vec<Option<Box<dyn Service>>>) -> Result<D, StartError> + 'a;

/// Puts the stack of a shard together with its interfaces.
fn make(
    mut stack: Stack,
    shard: usize,
    interfaces: Vec<Interface>,
) -> Result<(Stack, Vec<Port>), StartError> {
    let ports = interfaces
        .into_iter()
        .map(|interface| attach(&mut stack, shard, interface))
        .collect::<Result<Vec<Port>, StartError>>()?;
    Ok((stack, ports))
}

fn spawn<D: Driven>(number: usize, event_loop: EventLoop<D>) -> io::Result<JoinHandle<Remains>> {
    let name = match number {
        0 => THREAD_NAME.to_owned(),
        number => format!("{THREAD_NAME}-{number}"),
    };
    thread::Builder::new()
        .name(name)
        .spawn(move || event_loop.run())
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
    Ok([attach(stack, 0, left)?, attach(stack, 0, right)?])
}

/// The devices of a bridge that does not look at packets: what one of them leaves to be done, and the other cannot
/// do, is done at its edge, and nothing else.
pub(crate) fn attach_wire(sides: [Interface; 2]) -> Result<[Port; 2], StartError> {
    check_names(&sides)?;
    let [mut left, mut right] = sides.map(Interface::received_whole);
    let devices = [left.only()?.device, right.only()?.device];
    let offloads = devices
        .each_ref()
        .map(|device| device.capabilities().offloads);
    let is_plain = offloads.iter().all(|offloads| !offloads.rx_checksum);
    let port = |number: u32, name: String, device: Box<dyn Device>, offloads| {
        if device.poll_fd().is_none() {
            return Err(StartError::NotPollable(name));
        }
        let device = if is_plain || takes_all(offloads) {
            device
        } else {
            Box::new(Edge::without_joining(device))
        };
        Ok(Port::new(name, IfaceId::new(number), 0, device))
    };
    let [first, second] = devices;
    Ok([
        port(0, left.name, first, offloads[0])?,
        port(1, right.name, second, offloads[1])?,
    ])
}

/// How many queues the interfaces have, each of them.
fn check_queues(interfaces: &[Interface]) -> Result<u16, StartError> {
    let count = interfaces.first().map_or(1, |first| first.queues.len());
    let misfit = |interface: &&Interface| {
        let queues = interface.queues.len();
        queues != count || queues > MOST_SHARDS
    };
    let other = interfaces.iter().find(misfit);
    other.map_or(Ok(count as u16), |other| {
        Err(StartError::Queues {
            interface: other.name.clone(),
            queues: other.queues.len(),
        })
    })
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

/// Adds an interface of one queue to the stack of a shard, with its addresses and routes.
fn attach(stack: &mut Stack, shard: usize, mut interface: Interface) -> Result<Port, StartError> {
    let Queue { device, arena } = interface.only()?;
    let Interface {
        name,
        addresses,
        routes,
        ..
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
    Ok(Port::new(name, id, shard, device))
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
