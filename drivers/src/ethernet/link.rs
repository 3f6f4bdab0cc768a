//! The Ethernet side of an interface: which frames are for it, and to whom packets go.
//!
//! Sans-IO: frames and the time are passed in; what is to be sent of its own accord is [`ready`](Link::ready).

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use txbuf::{Chain, Packet};

use super::arp::{Arp, Operation};
use super::config::Ethernet;
use super::frame::{self, Frame, IpBrief, LinkHeader};
use super::mac::Mac;
use super::ndp::{self, Body, Ndp, is_neighbour};
use super::neighbours::{Answer, Neighbours, Question};
use super::network::Networks;
use crate::DeviceCounters;
use crate::tun::ETHERNET;

/// The most frames of its own that wait to be sent. They are small, but for what waited for a neighbour, which is bounded
/// there.
const READY: usize = 1024;

/// All nodes of a link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// An interface that has an Ethernet address.
pub(super) struct Link {
    mac: Mac,
    networks: Networks,
    neighbours: Neighbours,
    ready: VecDeque<Frame>,
    counters: DeviceCounters,
}

/// Where a packet is to go.
enum Hop {
    Group(Mac),
    Neighbour(IpAddr),
}

impl Link {
    /// An interface as `config` has it, which tells its neighbours of itself. `mac`: its address.
    pub(super) fn new(config: &Ethernet, mac: Mac, seed: u64) -> Link {
        let mut link = Link {
            mac,
            networks: Networks::new(&config.addresses, &config.gateways),
            neighbours: Neighbours::new(&config.neighbours, seed),
            ready: VecDeque::new(),
            counters: DeviceCounters::default(),
        };
        link.announce();
        link
    }

    /// What has come in a frame, if it is for the stack: an IP packet. What the link itself needs is answered.
    pub(super) fn input(
        &mut self,
        now: Duration,
        header: &[u8; ETHERNET],
        packet: Packet,
    ) -> Option<Packet> {
        let header = LinkHeader::parse(header);
        if header.destination != self.mac && !header.destination.is_group() {
            self.counters.rx_not_for_us += 1;
            return None;
        }
        let passed = match header.protocol {
            frame::ARP => {
                self.take_arp(now, &header, &packet);
                None
            }
            frame::IPV4 | frame::IPV6 => self.take_ip(now, &header, packet),
            _ => {
                self.counters.rx_unknown_protocol += 1;
                None
            }
        };
        self.collect();
        passed
    }

    /// The frame in which `packet` is to leave now. `None`: it waits for its neighbour, and if it is lent by an
    /// application, as a copy in `arena`; or it was dropped.
    pub(super) fn output(
        &mut self,
        now: Duration,
        mut packet: Packet,
        arena: &mut Chain,
    ) -> Option<Frame> {
        let Some(brief) = IpBrief::of(&packet) else {
            self.counters.tx_malformed += 1;
            return None;
        };
        let neighbour = match self.hop(brief.destination) {
            Hop::Group(mac) => return Some(self.frame(mac, brief.protocol(), packet)),
            Hop::Neighbour(neighbour) => neighbour,
        };
        if let Some(mac) = self.neighbours.address_of(now, neighbour) {
            return Some(self.frame(mac, brief.protocol(), packet));
        }
        // Nobody is asked by somebody without an address.
        if !is_neighbour(neighbour) || self.networks.own_towards(neighbour).is_none() {
            self.counters.tx_unresolved += 1;
        } else if packet.orphan(arena).is_err() {
            self.counters.tx_no_memory += 1;
        } else {
            self.neighbours.keep(now, neighbour, packet);
            self.collect();
        }
        None
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Duration) {
        self.neighbours.handle_timeout(now);
        self.collect();
    }

    /// When something is due.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.neighbours.poll_timeout()
    }

    /// What is to be sent before all else. The caller takes from the front what leaves.
    pub(super) fn ready(&mut self) -> &mut VecDeque<Frame> {
        &mut self.ready
    }

    pub(super) fn mac(&self) -> Mac {
        self.mac
    }

    /// What happened here, and what was dropped.
    pub(super) fn counters(&self) -> DeviceCounters {
        DeviceCounters {
            tx_unresolved: self.counters.tx_unresolved + self.neighbours.unresolved,
            tx_neighbour_full: self.counters.tx_neighbour_full + self.neighbours.no_room,
            ..self.counters
        }
    }

    fn frame(&self, to: Mac, protocol: u16, packet: Packet) -> Frame {
        Frame::new(self.mac, to, protocol, packet)
    }

    fn hop(&self, destination: IpAddr) -> Hop {
        match destination {
            _ if self.networks.is_broadcast(destination) => Hop::Group(Mac::BROADCAST),
            IpAddr::V4(v4) if v4.is_multicast() => Hop::Group(Mac::of_group_v4(v4)),
            IpAddr::V6(v6) if v6.is_multicast() => Hop::Group(Mac::of_group_v6(v6)),
            _ => Hop::Neighbour(self.networks.next_hop(destination)),
        }
    }

    fn take_ip(
        &mut self,
        now: Duration,
        header: &LinkHeader,
        mut packet: Packet,
    ) -> Option<Packet> {
        let brief = IpBrief::of(&packet).filter(|brief| brief.protocol() == header.protocol);
        let Some(brief) = brief else {
            self.counters.rx_malformed += 1;
            return None;
        };
        // What is for one host and was sent to all is for nobody (RFC 1122, 3.3.6).
        if header.destination.is_group()
            && let Hop::Neighbour(_) = self.hop(brief.destination)
        {
            self.counters.rx_not_for_us += 1;
            return None;
        }
        if let Some(length) = brief.length
            && packet.meta.gso.is_none()
            && length < packet.len()
        {
            // Padding of a short frame; longer by the check above, so that it cannot fail.
            packet.trim(length).ok()?;
        }
        match Ndp::parse(&packet) {
            None => return Some(packet),
            Some(Ok(message)) => self.take_ndp(now, header, &message),
            Some(Err(_)) => self.counters.rx_malformed += 1,
        }
        None
    }

    fn take_arp(&mut self, now: Duration, header: &LinkHeader, packet: &Packet) {
        let Some(message) = Arp::parse(packet.headers()) else {
            self.counters.rx_malformed += 1;
            return;
        };
        self.counters.neighbour_messages += 1;
        let sender = IpAddr::from(message.sender);
        if self.is_mine(sender, message.sender_mac) {
            return;
        }
        let for_us = self.networks.owns(message.target.into());
        // Who only asks whether an address is free has none yet (RFC 5227).
        if is_neighbour(sender) {
            match message.operation {
                Operation::Request => {
                    let worth_knowing = for_us && self.networks.is_on_link(sender);
                    let mac = message.sender_mac;
                    self.neighbours.heard(now, sender, mac, worth_knowing);
                }
                Operation::Reply => {
                    let answer = Answer {
                        mac: Some(message.sender_mac),
                        solicited: for_us && header.destination == self.mac,
                        replace: true,
                    };
                    self.neighbours.answered(now, sender, answer);
                }
            }
        }
        if for_us && message.operation == Operation::Request {
            let reply = Arp {
                operation: Operation::Reply,
                sender: message.target,
                sender_mac: self.mac,
                target: message.sender,
                target_mac: message.sender_mac,
            };
            self.answer(message.sender_mac, frame::ARP, reply.packet());
        }
    }

    fn take_ndp(&mut self, now: Duration, header: &LinkHeader, message: &Ndp) {
        self.counters.neighbour_messages += 1;
        let (source, target) = (message.source.into(), message.target.into());
        match message.body {
            Body::Solicitation => {
                if self.is_mine(source, header.source) {
                    return;
                }
                let for_us = self.networks.owns(target);
                if let Some(mac) = message.mac {
                    let worth_knowing = for_us && self.networks.is_on_link(source);
                    self.neighbours.heard(now, source, mac, worth_knowing);
                }
                if for_us {
                    let mac = message.mac.unwrap_or(header.source);
                    self.advertise(message.target, message.source, mac);
                }
            }
            Body::Advertisement { solicited, replace } => {
                if self.is_mine(target, message.mac.unwrap_or(header.source)) {
                    return;
                }
                let answer = Answer {
                    mac: message.mac,
                    solicited,
                    replace,
                };
                self.neighbours.answered(now, target, answer);
            }
        }
    }

    /// Whether somebody with the address `mac` speaks as this host. If it is somebody else, that is counted.
    fn is_mine(&mut self, address: IpAddr, mac: Mac) -> bool {
        let is_mine = self.networks.owns(address);
        if is_mine && mac != self.mac {
            self.counters.address_conflicts += 1;
        }
        is_mine
    }

    /// Tells `to`, or if that has no address yet all nodes, who has `target`.
    fn advertise(&mut self, target: Ipv6Addr, to: Ipv6Addr, mac: Mac) {
        let solicited = !to.is_unspecified();
        let (destination, mac) = match solicited {
            true => (to, mac),
            false => (ALL_NODES, Mac::of_group_v6(ALL_NODES)),
        };
        let body = Body::Advertisement {
            solicited,
            replace: true,
        };
        let message = Ndp {
            source: target,
            destination,
            body,
            target,
            mac: Some(self.mac),
        };
        self.answer(mac, frame::IPV6, message.packet());
    }

    /// Tells all neighbours who has the addresses of this interface: another may have had them before.
    fn announce(&mut self) {
        let own: Vec<IpAddr> = self.networks.own().collect();
        for address in own {
            match address {
                IpAddr::V4(v4) => self.ask_v4(v4, v4, None),
                IpAddr::V6(v6) => {
                    self.advertise(v6, Ipv6Addr::UNSPECIFIED, self.mac);
                }
            }
        }
    }

    /// Takes out what the table wants to be sent.
    fn collect(&mut self) {
        let questions = std::mem::take(&mut self.neighbours.questions);
        for Question { about, to } in questions {
            match (self.networks.own_towards(about), about) {
                (Some(IpAddr::V4(own)), IpAddr::V4(about)) => self.ask_v4(own, about, to),
                (Some(IpAddr::V6(own)), IpAddr::V6(about)) => self.ask_v6(own, about, to),
                _ => {}
            }
        }
        for (mac, packet) in std::mem::take(&mut self.neighbours.released) {
            let protocol = match packet.headers().first() {
                Some(byte) if byte >> 4 == 6 => frame::IPV6,
                _ => frame::IPV4,
            };
            let frame = self.frame(mac, protocol, packet);
            self.ready.push_back(frame);
        }
    }

    fn ask_v4(&mut self, own: Ipv4Addr, about: Ipv4Addr, to: Option<Mac>) {
        let question = Arp {
            operation: Operation::Request,
            sender: own,
            sender_mac: self.mac,
            target: about,
            target_mac: Mac([0; 6]),
        };
        self.answer(to.unwrap_or(Mac::BROADCAST), frame::ARP, question.packet());
    }

    fn ask_v6(&mut self, own: Ipv6Addr, about: Ipv6Addr, to: Option<Mac>) {
        let group = ndp::solicited_node(about);
        let question = Ndp {
            source: own,
            destination: if to.is_some() { about } else { group },
            body: Body::Solicitation,
            target: about,
            mac: Some(self.mac),
        };
        let mac = to.unwrap_or(Mac::of_group_v6(group));
        self.answer(mac, frame::IPV6, question.packet());
    }

    /// Sends a message of the link's own, if there is room.
    fn answer(&mut self, to: Mac, protocol: u16, packet: Packet) {
        if self.ready.len() >= READY {
            self.counters.tx_neighbour_full += 1;
            return;
        }
        let frame = self.frame(to, protocol, packet);
        self.ready.push_back(frame);
    }
}

#[cfg(test)]
mod tests;
