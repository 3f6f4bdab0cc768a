//! Two hosts, one link, one clock.

use super::host::Host;
use super::impair::{Arrival, Direction, Impairment};
use super::observer::{Observer, Seen};
use crate::wire::Icmp;
use core::hash::{Hash, Hasher};
use core::time::Duration;
use netstack_core::{Instant, TcpConfig};
use std::collections::{BTreeMap, hash_map::DefaultHasher};
use std::net::{IpAddr, SocketAddr};
use txbuf::{Checksum, Ledger, Offloads, Packet, Span};

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
    /// From when on, and what, the path between the devices takes that is less than they do; who sends more hears of it
    /// (RFC 1191, RFC 8201).
    pub squeeze: Option<(Duration, usize)>,
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
            squeeze: None,
            tcp: TcpConfig::default(),
        }
    }
}

/// Says of a packet whether it is lost.
type Filter = Box<dyn FnMut(Instant, &Packet) -> bool>;

/// A packet on its way.
struct Flying {
    to: usize,
    packet: Packet,
    /// The segment that it was when it left.
    seen: Option<Seen>,
    intact: bool,
}

/// Two hosts on a link. The first has 10.0.0.1 and fd00::1, the second 10.0.0.2 and fd00::2.
pub struct World {
    /// The virtual time.
    pub now: Instant,
    /// The hosts.
    pub hosts: [Host; 2],
    directions: [Direction; 2],
    filters: [Option<Filter>; 2],
    /// Packets on their way, by arrival time and a running number that keeps their order.
    flying: BTreeMap<(Instant, u64), Flying>,
    observer: Observer,
    squeeze: Option<(Instant, usize)>,
    /// What an answer from the way takes.
    delay: Duration,
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
            observer: Observer::new(config.seed),
            squeeze: config.squeeze.map(|(at, mtu)| (Instant::ZERO + at, mtu)),
            delay: config.impairment.delay,
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
            let arrived = entry.remove();
            if let Some(seen) = &arrived.seen {
                self.observer
                    .on_arrive(self.now, arrived.to, seen, arrived.intact);
            }
            self.hosts[arrived.to].receive(self.now, arrived.packet);
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
            let bytes = packet.to_vec().expect("readable");
            bytes.hash(&mut self.trace);
            self.now.as_nanos().hash(&mut self.trace);
            let seen = self.observer.on_send(self.now, from, &bytes);
            if self.is_too_big(from, &bytes) {
                continue;
            }
            if self.filters[from]
                .as_mut()
                .is_some_and(|lost| lost(self.now, &packet))
            {
                continue;
            }
            for Arrival {
                after,
                packet,
                intact,
            } in self.directions[from].carry(self.now, packet)
            {
                let seen = seen.clone();
                self.fly(
                    after,
                    Flying {
                        to: 1 - from,
                        packet,
                        seen,
                        intact,
                    },
                );
            }
        }
    }

    fn fly(&mut self, after: Duration, flying: Flying) {
        self.sent += 1;
        self.flying.insert((self.now + after, self.sent), flying);
    }

    /// Whether a packet does not fit the path; then its sender will hear of that.
    fn is_too_big(&mut self, from: usize, packet: &[u8]) -> bool {
        let v6 = packet[0] >> 4 == 6;
        let whole = v6 || packet[6] & 0x40 != 0;
        let takes = match self.squeeze {
            Some((at, mtu)) if self.now >= at && whole && packet.len() > mtu => mtu,
            _ => return false,
        };
        let error = Icmp {
            src: World::address(1 - from, v6, 0).ip(),
            dst: World::address(from, v6, 0).ip(),
            kind: if v6 { (2, 0) } else { (3, 4) },
            word: takes as u32,
            payload: packet[..packet.len().min(500)].to_vec(),
        };
        let span = Span::from_bytes(&Ledger::new(), error.to_packet().into());
        let mut packet = Packet::from_span(span.expect("a packet is short"));
        packet.meta.checksum = Checksum::Complete;
        let flying = Flying {
            to: from,
            packet,
            seen: None,
            intact: true,
        };
        self.fly(2 * self.delay, flying);
        true
    }
}
