//! Two hosts, one link, one clock.

use super::host::Host;
use super::impair::{Direction, Impairment};
use core::hash::{Hash, Hasher};
use core::time::Duration;
use netstack_core::{Instant, TcpConfig};
use std::collections::{BTreeMap, hash_map::DefaultHasher};
use std::net::{IpAddr, SocketAddr};
use txbuf::{Offloads, Packet};

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

impl WorldConfig {
    /// The default, with devices that cut and sum themselves.
    pub fn offloading() -> Self {
        WorldConfig {
            offloads: Offloads {
                tx_checksum: true,
                rx_checksum: true,
                tso: true,
                uso: true,
            },
            ..WorldConfig::default()
        }
    }
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

/// Says of a packet whether it is lost.
type Filter = Box<dyn FnMut(Instant, &Packet) -> bool>;

/// Two hosts on a link. The first has 10.0.0.1 and fd00::1, the second 10.0.0.2 and fd00::2.
pub struct World {
    /// The virtual time.
    pub now: Instant,
    /// The hosts.
    pub hosts: [Host; 2],
    directions: [Direction; 2],
    filters: [Option<Filter>; 2],
    /// Packets on their way, by arrival time and a running number that keeps their order.
    flying: BTreeMap<(Instant, u64), (usize, Packet)>,
    sent: u64,
    /// What everything random here follows from.
    pub(super) seed: u64,
    trace: DefaultHasher,
}

impl World {
    /// A world at time zero.
    pub fn new(config: &WorldConfig) -> World {
        World::of([Host::new(1, config), Host::new(2, config)], config)
    }

    /// A world of two hosts that were made otherwise, numbered 1 and 2.
    pub fn of(hosts: [Host; 2], config: &WorldConfig) -> World {
        let direction = |number: u64| Direction::new(config.impairment, config.seed ^ number << 56);
        World {
            now: Instant::ZERO,
            hosts,
            directions: [direction(1), direction(2)],
            filters: [None, None],
            flying: BTreeMap::new(),
            sent: 0,
            seed: config.seed,
            trace: DefaultHasher::new(),
        }
    }

    /// An address of host 0 or 1.
    ///
    /// # Panics
    ///
    /// Never: the addresses are well-formed.
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

    /// Loses, beside what the impairment loses, the packets from host `from` that `filter` says.
    pub fn lose(&mut self, from: usize, filter: impl FnMut(Instant, &Packet) -> bool + 'static) {
        self.filters[from] = Some(Box::new(filter));
    }

    /// Sends what the hosts have to send, then lets time pass until the next packet arrives or the next
    /// timer goes off, and handles that. Returns false when nothing will ever happen again.
    pub fn step(&mut self) -> bool {
        self.step_until(Instant::FAR_FUTURE)
    }

    /// As [`step`](Self::step), but lets no more time pass than until `limit`.
    pub fn step_until(&mut self, limit: Instant) -> bool {
        for from in 0..2 {
            self.transmit(from);
        }
        let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
        let timers = self
            .hosts
            .iter()
            .filter_map(|host| host.stack.poll_timeout());
        let next = timers.chain(arrival).min();
        let ends = next.is_none() && limit == Instant::FAR_FUTURE;
        if ends {
            return false;
        }
        self.now = self.now.max(next.unwrap_or(limit).min(limit));
        while let Some(entry) = self.flying.first_entry()
            && entry.key().0 <= self.now
        {
            let (to, packet) = entry.remove();
            self.hosts[to].receive(self.now, packet);
        }
        for host in &mut self.hosts {
            host.pass_time(self.now);
        }
        true
    }

    /// Lets everything happen that happens within `time`.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step_until(end);
        }
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
        self.hosts.iter_mut().map(Host::live_nodes).sum()
    }

    fn transmit(&mut self, from: usize) {
        for packet in self.hosts[from].sent(self.now) {
            self.sent += 1;
            packet.to_vec().expect("readable").hash(&mut self.trace);
            self.now.as_nanos().hash(&mut self.trace);
            if self.filters[from]
                .as_mut()
                .is_some_and(|lost| lost(self.now, &packet))
            {
                continue;
            }
            for (delay, packet) in self.directions[from].carry(self.now, packet) {
                self.sent += 1;
                self.flying
                    .insert((self.now + delay, self.sent), (1 - from, packet));
            }
        }
    }
}
