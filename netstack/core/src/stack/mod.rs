//! The only module that sees the others: it joins IP, TCP and UDP into a stack.
//!
//! A packet comes in through [`ingress`], goes out through [`egress`], from one to the other through
//! [`forward`], and [`hooks`] may see it on all these ways; what applications do comes in
//! through [`tcp_calls`], [`udp_calls`] and [`messages`].

/// What a connection borrows from the stack, as disjoint fields, so that the tables stay free.
macro_rules! tcp_context {
    ($stack:ident, $now:expr) => {
        $crate::tcp::Context {
            now: $now,
            config: &$stack.tcp_config,
            small: &mut $stack.small,
            pools: &$stack.pools,
            arena_pressed: $stack.pressure.is_on(),
            counters: &mut $stack.counters.tcp,
            challenges: &mut $stack.challenges,
        }
    };
}

mod binding;
mod completions;
mod config;
mod datagrams;
mod devices;
mod echo;
mod egress;
mod events;
mod fast_open;
mod flows;
mod forward;
mod gateway;
mod groups;
mod holdings;
mod hooks;
mod icmp_errors;
mod ingress;
mod interface;
mod messages;
mod pages;
mod ping_calls;
mod ports;
mod pressure;
mod raw_calls;
mod schedule;
mod shortage;
mod socket_calls;
mod splice;
mod stamps;
mod strays;
mod syn_cookies;
mod table;
mod tcp_bind;
mod tcp_calls;
mod tcp_ingress;
mod time_waits;
mod turns;
mod udp_calls;
mod urgent_calls;
mod waiting;

pub use config::{Config, ConfigError, InterfaceConfig};
pub use forward::Cut;
pub use gateway::{Admission, Admit, Flow, FlowError, FlowId, GatewayConfig, NewFlow, Transport};
pub use holdings::SocketHoldings;
pub use hooks::{Hook, Injector, Passage, Verdict};
pub use splice::SpliceError;
pub use strays::{Shard, Stray};

use crate::Pools;
use crate::counters::Counters;
use crate::ip::IfaceId;
use crate::ip::address::Addresses;
use crate::ip::ident::Idents;
use crate::ip::limit::{ErrorLimiter, LimitConfig};
use crate::ip::pmtu::{PmtuCache, PmtuConfig};
use crate::ip::reassembly::Reassembly;
use crate::ip::route::{Route, Routes};
use crate::random::Random;
use crate::socket::Event;
use crate::tcp::TcpConfig;
use crate::tcp::challenge::Challenges;
use crate::tcp::fast_open::cache::Cookies;

use crate::doorbell::Doorbell;
use crate::tcp::isn::Secret;
use crate::time::Instant;
use echo::Echoes;
use events::{Events, Pending};
use forward::Forwarding;
use gateway::book::Gateways;
use groups::Groups;
use hooks::Hooks;
use interface::Interface;
use ports::{Ports, Searches};
use pressure::Pressure;
use raw_calls::Observers;
use schedule::Schedule;
use shortage::Shortage;
use smoltcp::wire::{IpCidr, IpProtocol};
use std::net::IpAddr;
use strays::Strays;
use table::Table;
use txbuf::{Chain, Ledger};

/// A TCP/IP stack without a clock, a thread or a system call.
///
/// The methods come in classes:
///
/// - *Configuration*: [`add_interface`](Self::add_interface), [`add_address`](Self::add_address),
///   [`add_route`](Self::add_route).
/// - *Input*: [`handle_packet`](Self::handle_packet) with what a device received, and
///   [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says so.
/// - *Shards*: stacks that share addresses pass packets on to each other: [`poll_stray`](Self::poll_stray) and
///   [`handle_stray`](Self::handle_stray).
/// - *Packets without sockets*: a stack that [forwards](Config::forward) sends on what is for others;
///   [`add_hook`](Self::add_hook) and [`inject`](Self::inject).
/// - *Flows to others*: [`gateway_open`](Self::gateway_open) takes them in, [`gateway_next`](Self::gateway_next) hands
///   them out, `flow_accept`, `flow_reject` and `flow_drop` decide.
/// - *Commands* of applications: `tcp_listen`, `tcp_connect`, `udp_bind`, `ping_open`, `raw_open`, `packet_open`,
///   `join_group`, `send_message`, `receive_message` and so on. They only change state; nothing is sent inside them.
/// - *Output*: after any input or command, call [`poll_transmit`](Self::poll_transmit) for each
///   interface whose device has room, until `None`; [`poll_event`](Self::poll_event) until `None`; and
///   then [`poll_timeout`](Self::poll_timeout) to know how long to wait.
///
/// `now` must never go backwards. The same seed and the same calls give the same packets, bit for bit.
pub struct Stack {
    pools: Pools,
    /// Where small data that would pin too much is copied together.
    small: Chain,
    random: Random,
    secret: Secret,
    tcp_config: TcpConfig,
    /// What servers gave for Fast Open.
    cookies: Cookies,
    interfaces: Vec<Interface>,
    addresses: Addresses,
    routes: Routes,
    pmtu: PmtuCache,
    reassembly: Reassembly,
    limiter: ErrorLimiter,
    challenges: Challenges,
    table: Table,
    ports: Ports,
    searches: Searches,
    schedule: Schedule,
    events: Events,
    counters: Counters,
    idents: Idents,
    doorbell: Doorbell,
    pressure: Pressure,
    shortage: Shortage,
    /// The most that one reader may keep in copies.
    reader_keeps: usize,
    forwarding: Forwarding,
    hooks: Hooks,
    gateways: Gateways,
    shard: Shard,
    strays: Strays,
    echoes: Echoes,
    observers: Observers,
    groups: Groups,
    /// The latest time that was told.
    now: Instant,
}

impl Stack {
    /// A stack without interfaces. Everything random about it follows from the seed.
    pub fn new(config: Config) -> Stack {
        let mut random = Random::new(config.seed);
        let pools = config.pools;
        let doorbell = Doorbell::new(config.waker);
        Stack {
            small: Chain::arena(&pools.small),
            secret: Secret::new(&mut random),
            limiter: ErrorLimiter::new(LimitConfig::default(), &mut random),
            challenges: Challenges::new(config.seed),
            table: Table::new(&mut random),
            idents: Idents::new(&mut random),
            ports: Ports::new(),
            searches: Searches::new(&mut random),
            reassembly: Reassembly::new(config.reassembly, &pools.small),
            pmtu: PmtuCache::new(PmtuConfig::default()),
            shortage: Shortage::new(&pools.account, &doorbell),
            pools,
            random,
            tcp_config: config.tcp,
            cookies: Cookies::default(),
            interfaces: Vec::new(),
            addresses: Addresses::new(),
            routes: Routes::new(),
            schedule: Schedule::default(),
            events: Events::default(),
            counters: Counters::default(),
            doorbell,
            pressure: Pressure::default(),
            reader_keeps: config.reader_keeps,
            forwarding: Forwarding {
                enabled: config.forward,
                cut: config.cut,
            },
            hooks: Hooks::default(),
            gateways: Gateways::default(),
            shard: config.shard,
            strays: Strays::default(),
            echoes: Echoes::default(),
            observers: Observers::default(),
            groups: Groups::default(),
            now: Instant::ZERO,
        }
    }

    /// The ledger of live storage: zero nodes once every socket is closed and every packet is gone.
    ///
    /// If the stack was made with one that is tracking, its [`dump`](Ledger::dump) lists them by kind, age and owner:
    /// "send queues", "small data", "kept by readers", and "applications" for what was handed over through this one.
    /// The age is of the stack's time. [`holdings`](Self::holdings) says which socket holds how much.
    pub fn ledger(&self) -> &Ledger {
        &self.pools.ledger
    }

    /// The pools that sockets store data in. A front end fills their segments outside the stack.
    pub fn pools(&self) -> &Pools {
        &self.pools
    }

    /// Every drop and notable event so far, by name.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Gives storage that is kept for speed, though nothing is in it, back to the pools. For a stack that
    /// will be idle for long, and before the ledger is asked whether anything is left.
    pub fn shrink(&mut self) {
        self.small = Chain::arena(&self.pools.small);
        self.reassembly.shrink();
    }

    /// Adds an interface; interfaces are numbered from 0.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Mtu`] when the MTU is below 68 bytes or above 65,535.
    pub fn add_interface(&mut self, config: InterfaceConfig) -> Result<IfaceId, ConfigError> {
        if !(68..=65_535).contains(&config.mtu) {
            return Err(ConfigError::Mtu(config.mtu));
        }
        self.interfaces.push(Interface::new(config));
        Ok(IfaceId::new(self.interfaces.len() as u32 - 1))
    }

    /// Gives an interface an address, and routes its prefix there.
    ///
    /// # Errors
    ///
    /// No such interface; an address that no host can have, or that the stack has already; IPv6 on an
    /// interface whose MTU is below 1280 bytes (RFC 8200, 5).
    pub fn add_address(&mut self, iface: IfaceId, cidr: IpCidr) -> Result<(), ConfigError> {
        let interface = self.interface(iface).ok_or(ConfigError::Interface(iface))?;
        let address = IpAddr::from(cidr.address());
        if address.is_ipv6() && interface.mtu() < 1280 {
            return Err(ConfigError::MtuTooSmallForIpv6(interface.mtu()));
        }
        self.addresses
            .add(iface, cidr)
            .map_err(|_| ConfigError::Address(address))?;
        self.routes.add(
            cidr,
            Route {
                iface,
                via: None,
                source: Some(address),
            },
        );
        Ok(())
    }

    /// Sends what matches `cidr`, and no longer prefix, to `iface`. On a TUN device there is nobody
    /// to resolve, so that `via` only documents the next hop.
    ///
    /// # Errors
    ///
    /// No such interface.
    pub fn add_route(
        &mut self,
        cidr: IpCidr,
        iface: IfaceId,
        via: Option<IpAddr>,
    ) -> Result<(), ConfigError> {
        self.interface(iface).ok_or(ConfigError::Interface(iface))?;
        self.routes.add(
            cidr,
            Route {
                iface,
                via,
                source: None,
            },
        );
        Ok(())
    }

    /// The next thing that applications should know, or `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.doorbell.is_rung() {
            self.doorbell.answer();
            self.tell_completed();
            self.tell_relieved();
        }
        self.events
            .pop(|id| self.table.pending_mut(id).map(Pending::take))
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` when nothing waits for time
    /// to pass. It may be called earlier or find nothing to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let sockets = self.schedule.next();
        let fragments = self.reassembly.poll_timeout();
        let relief = self.pressure.poll_timeout();
        let time_waits = self.table.time_waits.next();
        let undecided = self.gateways.next();
        let groups = self.groups.next();
        [sockets, fragments, relief, time_waits, groups, undecided]
            .into_iter()
            .flatten()
            .min()
    }

    fn interface(&self, iface: IfaceId) -> Option<&Interface> {
        self.interfaces.get(iface.index() as usize)
    }

    /// The next identification of a packet that routers may fragment.
    fn ident(&mut self, src: IpAddr, dst: IpAddr, protocol: IpProtocol) -> u32 {
        self.idents.next(src, dst, protocol)
    }
}
