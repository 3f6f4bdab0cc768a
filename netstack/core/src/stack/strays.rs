//! Packets that came to the wrong shard: to a stack that shares its addresses with others, of which another has the
//! socket.

use super::Stack;
use crate::Instant;
use crate::ip::icmp::{self, IcmpIn};
use crate::ip::{IfaceId, IpHeader};
use crate::tcp::cookie;
use crate::tcp::flow::FlowKey;
use crate::tcp::segment::{self, Flags, Segment};
use smoltcp::wire::IpProtocol;
use std::collections::VecDeque;
use std::net::SocketAddr;
use txbuf::Packet;

/// Strays that may wait for the next shard.
const LIMIT: usize = 1024;

/// Which one of several stacks a stack is that share addresses and nothing else: each has a queue of every device. By
/// default it is the only one.
///
/// Connections that a shard opens, and ports that it chooses, have numbers that leave its index when divided by the
/// count: no two shards make the same connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u16,
    count: u16,
}

impl Shard {
    /// The shard with the number `index` of `count`. `None` when there is no such one, or there are more than 256.
    pub fn new(index: u16, count: u16) -> Option<Shard> {
        (index < count && count <= 256).then_some(Shard { index, count })
    }

    /// Its number.
    pub fn index(self) -> u16 {
        self.index
    }

    /// How many there are.
    pub fn count(self) -> u16 {
        self.count
    }

    /// Whether a port is one that this shard may choose.
    pub(super) fn may_choose(self, port: u16) -> bool {
        port % self.count == self.index
    }
}

impl Default for Shard {
    fn default() -> Self {
        Shard { index: 0, count: 1 }
    }
}

/// A packet that no socket of a shard wants: the next shard may have one that does.
///
/// It is a whole datagram whose IP header is checked. What it holds of the storage of the device that received it is
/// copied by whoever keeps it.
pub struct Stray {
    iface: IfaceId,
    header: IpHeader,
    packet: Packet,
    /// How many shards have seen it.
    seen: u16,
}

/// The strays that wait to be passed on.
#[derive(Default)]
pub(super) struct Strays {
    waiting: VecDeque<Stray>,
}

impl Stack {
    /// Takes the next packet that another shard is to be asked about, with [`handle_stray`](Self::handle_stray). Each
    /// shard passes on to the one behind it, the last to the first; the last that is asked answers the sender. Always
    /// `None` in a stack that is the [only one](Shard).
    pub fn poll_stray(&mut self) -> Option<Stray> {
        self.strays.waiting.pop_front()
    }

    /// Whether [`poll_stray`](Self::poll_stray) has something.
    pub fn has_strays(&self) -> bool {
        !self.strays.waiting.is_empty()
    }

    /// Takes in a packet that came to another shard, or passes it on.
    pub fn handle_stray(&mut self, now: Instant, mut stray: Stray) {
        self.tell_time(now);
        stray.seen += 1;
        let wanted = self.wants(now, stray.iface, &stray.header, &mut stray.packet);
        if !wanted && stray.seen < self.shard.count {
            return self.pass_on(stray);
        }
        self.counters.ip.in_other_shard += u64::from(wanted);
        // The arena of another shard is nothing that this one could clear.
        self.copy_out_of_arena(&mut stray.packet);
        self.hand_to_transport(now, stray.iface, stray.header, stray.packet);
        self.relieve(now);
    }

    /// Hands a whole datagram that came to this shard to its transport, or to the next shard if none of its sockets
    /// wants it.
    pub(super) fn deliver(
        &mut self,
        now: Instant,
        iface: IfaceId,
        header: IpHeader,
        mut packet: Packet,
    ) {
        if self.shard.count == 1 || self.wants(now, iface, &header, &mut packet) {
            return self.hand_to_transport(now, iface, header, packet);
        }
        self.pass_on(Stray {
            iface,
            header,
            packet,
            seen: 1,
        });
    }

    fn pass_on(&mut self, stray: Stray) {
        if self.strays.waiting.len() >= LIMIT {
            self.counters.ip.stray_queue_full += 1;
            return;
        }
        self.counters.ip.strays += 1;
        self.strays.waiting.push_back(stray);
    }

    /// Whether the datagram is for a socket of this shard, or for none of any. What is malformed is for none.
    fn wants(
        &mut self,
        now: Instant,
        iface: IfaceId,
        header: &IpHeader,
        packet: &mut Packet,
    ) -> bool {
        match header.protocol {
            IpProtocol::Tcp => self.wants_segment(now, iface, header, packet),
            IpProtocol::Udp => local_port(header, packet).is_none_or(|port| {
                let local = SocketAddr::new(header.dst, port);
                self.ports.udp.is_held(local)
            }),
            IpProtocol::Icmp | IpProtocol::Icmpv6 => self.wants_error(header, packet),
            _ => true,
        }
    }

    fn wants_segment(
        &mut self,
        now: Instant,
        iface: IfaceId,
        header: &IpHeader,
        packet: &mut Packet,
    ) -> bool {
        let Some([source, port]) = ports(header, packet) else {
            return true;
        };
        let local = SocketAddr::new(header.dst, port);
        let key = FlowKey::new(local, SocketAddr::new(header.src, source));
        if self.table.flow(&key).is_some() {
            return true;
        }
        let Ok((segment, _)) = segment::parse(packet, header) else {
            return true;
        };
        let Some(listener) = self.listener_for(&key, iface) else {
            return false;
        };
        let is_syn = segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK);
        is_syn || (self.expects_cookies(now, listener) && self.is_cookie(now, &key, &segment))
    }

    fn is_cookie(&self, now: Instant, key: &FlowKey, segment: &Segment) -> bool {
        cookie::open(&self.secret, now, key, segment, &self.tcp_config).is_some()
    }

    /// Whether an ICMP message is an error about a packet of another shard, or anything else.
    fn wants_error(&mut self, header: &IpHeader, packet: &mut Packet) -> bool {
        let IcmpIn::Error(_, quoted) = icmp::input(header, packet) else {
            return true;
        };
        match quoted.protocol {
            IpProtocol::Tcp => {
                let key = FlowKey::new(quoted.src, quoted.dst);
                self.table.flow(&key).is_some()
            }
            // Every shard may have a socket on the port; the one that sent is meant.
            IpProtocol::Udp => {
                let mut holders = self.ports.udp.all(quoted.src, quoted.dst, None);
                holders.any(|id| {
                    let socket = self.table.datagram(id);
                    socket.is_ok_and(|socket| socket.speaks_to(quoted.dst))
                })
            }
            _ => true,
        }
    }
}

/// Source and destination port of a segment or datagram, if it is long enough.
fn ports(header: &IpHeader, packet: &mut Packet) -> Option<[u16; 2]> {
    packet.pull(header.header_len + 4).ok()?;
    let bytes = packet.headers().get(header.header_len..)?.first_chunk()?;
    let [a, b, c, d]: [u8; 4] = *bytes;
    Some([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])])
}

fn local_port(header: &IpHeader, packet: &mut Packet) -> Option<u16> {
    ports(header, packet).map(|[_, port]| port)
}
