//! Two hosts, one link, one clock.

use super::impair::{Direction, Impairment};
use core::hash::{Hash, Hasher};
use core::time::Duration;
use drivers::memory::{MemoryConfig, MemoryEnd, raw_pair};
use drivers::{Device, Edge};
use netstack_core::{Config, IfaceId, Instant, InterfaceConfig, Stack, TcpConfig};
use std::collections::{BTreeMap, VecDeque, hash_map::DefaultHasher};
use std::net::{IpAddr, SocketAddr};
use txbuf::{Offloads, Packet};

/// A stack, its device, and the far end of that device, which the world carries packets from.
pub struct Host {
    /// The stack.
    pub stack: Stack,
    /// Its one interface.
    pub iface: IfaceId,
    device: Edge<MemoryEnd>,
    wire: MemoryEnd,
    waiting: VecDeque<Packet>,
}

/// How to build a world.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Everything random follows from it.
    pub seed: u64,
    /// The MTU of both devices.
    pub mtu: usize,
    /// What the devices do themselves.
    pub offloads: Offloads,
    /// What the link does, in both directions.
    pub impairment: Impairment,
    /// What both stacks' connections start with.
    pub tcp: TcpConfig,
}

impl Default for WorldConfig {
    fn default() -> Self {
        let impairment = Impairment {
            delay: Duration::from_millis(5),
            ..Impairment::default()
        };
        WorldConfig {
            seed: 0,
            mtu: 1500,
            offloads: Offloads::default(),
            impairment,
            tcp: TcpConfig::default(),
        }
    }
}

/// Two hosts on a link. The first has 10.0.0.1 and fd00::1, the second 10.0.0.2 and fd00::2.
pub struct World {
    /// The virtual time.
    pub now: Instant,
    /// The hosts.
    pub hosts: [Host; 2],
    directions: [Direction; 2],
    /// Packets on their way, by arrival time and a running number that keeps their order.
    flying: BTreeMap<(Instant, u64), (usize, Packet)>,
    sent: u64,
    trace: DefaultHasher,
}

impl World {
    /// A world at time zero.
    pub fn new(config: &WorldConfig) -> World {
        let host = |number: u8| {
            let (near, wire) = raw_pair(MemoryConfig::symmetric(config.mtu, config.offloads))
                .expect("no descriptor");
            let mut seed = [number; 32];
            seed[..8].copy_from_slice(&config.seed.to_le_bytes());
            let mut stack_config = Config::new(seed);
            stack_config.tcp = config.tcp.clone();
            let mut stack = Stack::new(stack_config);
            let interface = InterfaceConfig {
                name: format!("sim{number}"),
                mtu: config.mtu,
                offloads: config.offloads,
            };
            let iface = stack.add_interface(interface).expect("a possible MTU");
            for address in [format!("10.0.0.{number}/24"), format!("fd00::{number}/64")] {
                if config.mtu >= 1280 || address.contains('.') {
                    stack
                        .add_address(iface, address.parse().expect("literal"))
                        .expect("a new address");
                }
            }
            Host {
                stack,
                iface,
                device: Edge::new(near),
                wire,
                waiting: VecDeque::new(),
            }
        };
        let direction = |number: u64| Direction::new(config.impairment, config.seed ^ number << 56);
        World {
            now: Instant::ZERO,
            hosts: [host(1), host(2)],
            directions: [direction(1), direction(2)],
            flying: BTreeMap::new(),
            sent: 0,
            trace: DefaultHasher::new(),
        }
    }

    /// An address of host 0 or 1.
    pub fn address(host: usize, v6: bool, port: u16) -> SocketAddr {
        let ip: IpAddr = if v6 {
            format!("fd00::{}", host + 1)
        } else {
            format!("10.0.0.{}", host + 1)
        }
        .parse()
        .expect("literal");
        SocketAddr::new(ip, port)
    }

    /// Sends what the hosts have to send, then lets time pass until the next packet arrives or the next
    /// timer goes off, and handles that. Returns false when nothing will ever happen again.
    pub fn step(&mut self) -> bool {
        for from in 0..2 {
            self.transmit(from);
        }
        let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
        let timers = self
            .hosts
            .iter()
            .filter_map(|host| host.stack.poll_timeout());
        let Some(next) = timers.chain(arrival).min() else {
            return false;
        };
        self.now = self.now.max(next);
        while let Some(entry) = self.flying.first_entry()
            && entry.key().0 <= self.now
        {
            let (to, packet) = entry.remove();
            let host = &mut self.hosts[to];
            host.stack.handle_packet(self.now, host.iface, packet);
        }
        for host in &mut self.hosts {
            if host.stack.poll_timeout().is_some_and(|at| at <= self.now) {
                host.stack.handle_timeout(self.now);
            }
            while host.stack.poll_event().is_some() {}
        }
        true
    }

    /// A number that depends on every packet sent so far and on when it was sent.
    pub fn fingerprint(&self) -> u64 {
        self.trace.finish()
    }

    /// Packets sent so far by both hosts.
    pub fn packets(&self) -> u64 {
        self.sent
    }

    /// Nodes of storage that are alive in either stack.
    pub fn live_nodes(&mut self) -> usize {
        let live = |host: &mut Host| {
            host.stack.shrink();
            host.stack.ledger().live_nodes()
        };
        self.hosts.iter_mut().map(live).sum()
    }

    fn transmit(&mut self, from: usize) {
        let host = &mut self.hosts[from];
        loop {
            while host.waiting.len() < 64
                && let Some(packet) = host.stack.poll_transmit(self.now, host.iface)
            {
                host.waiting.push_back(packet);
            }
            if host.waiting.is_empty() {
                return;
            }
            host.device
                .transmit(&mut host.waiting)
                .expect("a link does not fail");
            let mut carried = Vec::new();
            host.wire
                .receive(&mut carried, usize::MAX)
                .expect("a link does not fail");
            for packet in carried {
                self.sent += 1;
                packet.to_vec().expect("readable").hash(&mut self.trace);
                self.now.as_nanos().hash(&mut self.trace);
                for (delay, packet) in self.directions[from].carry(packet) {
                    self.sent += 1;
                    self.flying
                        .insert((self.now + delay, self.sent), (1 - from, packet));
                }
            }
        }
    }
}
