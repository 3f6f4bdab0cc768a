//! The table of connections: finds the one a segment belongs to, shows it to the rules, and lets go of old ones.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use etherparse::ip_number;

use crate::Options;
use crate::out::{Claims, Out};
use crate::parse::ip::Sum;
use crate::parse::tcp::Segment;
use crate::parse::{Packet, SEC, u16_at};
use crate::rules::{self, Connection, Hosts};
use crate::track::{Budget, Facts, Track, View};

/// So many conversations are told apart when they are counted.
const COUNTED: usize = 1 << 20;
/// So many connections are followed at a time.
const FOLLOWED: usize = 16_384;
/// A SYN on ports that were silent for so long begins something new.
const FORGOTTEN: u64 = 240 * SEC;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    /// The same packets on two interfaces are two conversations.
    interface: u32,
    protocol: u8,
    low: SocketAddr,
    high: SocketAddr,
}

impl Key {
    fn new(packet: &Packet<'_>, ports: (u16, u16)) -> Key {
        let ip = &packet.ip;
        let (source, destination) = ((ip.source, ports.0), (ip.destination, ports.1));
        let (a, b) = (SocketAddr::from(source), SocketAddr::from(destination));
        Key {
            interface: packet.interface,
            protocol: ip.protocol.0,
            low: a.min(b),
            high: a.max(b),
        }
    }
}

struct Flow {
    track: Track,
    rules: Connection,
    claims: Claims,
}

/// All conversations.
#[derive(Default)]
pub(crate) struct Flows {
    counted: HashSet<Key>,
    followed: HashMap<Key, Box<Flow>>,
    hosts: Hosts,
    budget: Budget,
    limits: Limits,
}

/// What could not be followed as it should be.
#[derive(Default)]
struct Limits {
    late: u64,
    far: u64,
    before_offload: u64,
    lacking: u64,
    lenient: u64,
    evicted: u64,
}

impl Flows {
    pub(crate) fn judge(&mut self, packet: &Packet<'_>, options: &Options, out: &mut Out) {
        let ip = &packet.ip;
        let ports = match ip.protocol {
            ip_number::TCP | ip_number::UDP => (u16_at(ip.payload, 0), u16_at(ip.payload, 2)),
            _ => (0, 0),
        };
        let key = Key::new(packet, ports);
        if self.counted.len() < COUNTED {
            self.counted.insert(key);
        }
        // Whom it is from, and to, may be what is wrong.
        if ip.protocol == ip_number::TCP && !packet.is_damaged() {
            self.judge_tcp(packet, key, options, out);
        }
    }

    fn judge_tcp(&mut self, packet: &Packet<'_>, key: Key, options: &Options, out: &mut Out) {
        let ip = &packet.ip;
        let tcp = match Segment::parse(ip.payload, ip.payload_len) {
            Ok(tcp) => tcp,
            Err(error) => {
                if !ip.is_cut() {
                    rules::unreadable_tcp(packet, &error.to_string(), out);
                }
                return;
            }
        };
        let sum = ip.transport_checksum(ip.payload, 16);
        let source = SocketAddr::from((ip.source, tcp.ports.0));
        let destination = SocketAddr::from((ip.destination, tcp.ports.1));
        if self.followed.len() >= FOLLOWED && !self.followed.contains_key(&key) {
            self.evict(packet.now, out);
        }
        let flow = self.followed.entry(key).or_insert_with(|| {
            Box::new(Flow {
                track: Track::new([source, destination], packet, options),
                rules: Connection::default(),
                claims: Claims::default(),
            })
        });
        if flow.is_succeeded_by(&tcp, packet.now, source) {
            let previous = flow.track.remains();
            flow.end(packet.now, &mut self.budget, &mut self.limits, out);
            flow.track = Track::new([source, destination], packet, options);
            flow.track.previous = Some(previous.seen_from(previous.ends[0] == source));
            flow.rules = Connection::default();
        }
        let me = usize::from(flow.track.ends[0] != source);
        let is_copy = flow.track.is_copy(me, packet, &tcp);
        if is_copy && flow.track.near(me) {
            // Nobody sends a packet twice: the capture has seen it in two places.
            return;
        }
        let facts = Facts::of(&flow.track, me, packet, &tcp, sum, options);
        // What hardware is still to cut, or has joined, has any checksum.
        let sum = if facts.is_super { Sum::Unknown } else { sum };
        let view = View {
            packet,
            tcp: &tcp,
            flow: &flow.track,
            facts,
            agreed: flow.track.agreed(),
            options,
        };
        out.is_copy = is_copy;
        std::mem::swap(&mut out.claims, &mut flow.claims);
        self.hosts.judge(&view, out);
        flow.rules.judge(&view, sum, out);
        std::mem::swap(&mut out.claims, &mut flow.claims);
        out.is_copy = false;
        // What a damaged segment says is not believed: its receiver does not either.
        if sum != Sum::Wrong {
            flow.track.update(packet, &tcp, &facts, &mut self.budget);
        }
    }

    /// Lets the quarter go that has been silent for longest.
    fn evict(&mut self, now: u64, out: &mut Out) {
        let mut ages: Vec<(u64, u64, Key)> = self
            .followed
            .iter()
            .map(|(key, flow)| (flow.track.last_time, flow.track.first, *key))
            .collect();
        ages.sort_unstable();
        for (_, _, key) in ages.into_iter().take(FOLLOWED / 4) {
            if let Some(mut flow) = self.followed.remove(&key) {
                self.limits.evicted += u64::from(!flow.track.is_over());
                flow.end(now, &mut self.budget, &mut self.limits, out);
            }
        }
    }

    /// Judges what is left at the end of the capture.
    pub(crate) fn end(&mut self, now: u64, out: &mut Out) {
        let mut rest: Vec<Box<Flow>> = self.followed.drain().map(|(_, flow)| flow).collect();
        rest.sort_unstable_by_key(|flow| flow.track.first);
        for mut flow in rest {
            flow.end(now, &mut self.budget, &mut self.limits, out);
        }
        out.report.flows = self.counted.len() as u64;
        self.limits.tell(out);
    }
}

impl Flow {
    /// Whether a SYN begins another connection on the same ports.
    fn is_succeeded_by(&self, tcp: &Segment<'_>, now: u64, source: SocketAddr) -> bool {
        let side = usize::from(self.track.ends[0] != source);
        let is_other = self.track.halves[side]
            .syn
            .as_ref()
            .is_none_or(|syn| syn.seq != tcp.seq);
        let is_over = self.track.is_over() || now.saturating_sub(self.track.last_time) > FORGOTTEN;
        tcp.flags.syn
            && !tcp.flags.ack
            && !tcp.flags.rst
            && is_other
            && is_over
            && self.track.halves[side].packets + self.track.halves[1 - side].packets > 0
    }

    fn end(&mut self, now: u64, budget: &mut Budget, limits: &mut Limits, out: &mut Out) {
        out.claims = std::mem::take(&mut self.claims);
        self.rules.end(&self.track, now, out);
        let track = &mut self.track;
        out.withdraw(track.first, track.turned_out());
        limits.late += u64::from(!track.from_start);
        limits.far += u64::from(!track.near(0) && !track.near(1));
        limits.before_offload += u64::from(track.super_packets);
        limits.lacking += u64::from(track.lacks);
        limits.lenient += u64::from(track.gaps && !track.lacks);
        for half in &mut track.halves {
            half.sent.clear(budget);
        }
    }
}

impl Limits {
    fn tell(&self, out: &mut Out) {
        let mut tell = |count: u64, what: &str| {
            if count > 0 {
                out.report
                    .limits
                    .push(format!("{count} connections {what}"));
            }
        };
        tell(
            self.late,
            "began before the capture: what their handshakes agreed is not known",
        );
        tell(
            self.far,
            "were captured beside neither end: when and why their hosts acted is not judged",
        );
        tell(
            self.before_offload,
            "were captured before segmentation or checksums: lengths and checksums on the wire are not known",
        );
        tell(
            self.lacking,
            "acknowledge what the capture has not, or what no window in it let through: it lacks packets, so order and conduct are not judged",
        );
        tell(
            self.lenient,
            "take what should have been dropped: order and conduct are not judged from there on",
        );
        tell(
            self.evicted,
            "were let go of before their end, to keep memory bounded",
        );
    }
}
