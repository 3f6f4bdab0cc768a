//! Packets come in, and time passes.

use super::Stack;
use super::hooks::Passage;
use super::icmp_errors::Notice;
use super::schedule::Owner;
use crate::Instant;
use crate::ip::icmp::{self, IcmpError, IcmpIn, Problem, Unreachable};
use crate::ip::input::parse;
use crate::ip::reassembly::Outcome;
use crate::ip::{IfaceId, IpHeader};
use smoltcp::wire::IpProtocol;
use txbuf::{Packet, Span};

/// Where a packet comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A device received it.
    Wire,
    /// This host sent it to itself.
    Loop,
}

impl Stack {
    /// Takes in a packet that the device of `iface` received: an IP packet without a link header.
    ///
    /// The stack owns the packet from here on. What is wrong with it is counted, answered where the
    /// standards say so, and otherwise silent. Packets for unknown interfaces are dropped.
    pub fn handle_packet(&mut self, now: Instant, iface: IfaceId, packet: Packet) {
        self.tell_time(now);
        match self.interface(iface) {
            Some(_) => self.take_in(now, iface, packet, Origin::Wire),
            None => self.counters.ip.in_unknown_interface += 1,
        }
        self.relieve(now);
    }

    /// Takes in a packet of this host to itself.
    pub(super) fn loop_back(&mut self, now: Instant, iface: IfaceId, packet: Packet) {
        self.counters.ip.looped_back += 1;
        self.take_in(now, iface, packet, Origin::Loop);
    }

    fn take_in(&mut self, now: Instant, iface: IfaceId, mut packet: Packet, origin: Origin) {
        self.counters.ip.in_received += 1;
        packet.meta.iface = iface.index();
        if origin == Origin::Wire {
            self.tapped(now, iface, &packet, false);
            if self.hooked(now, Passage::In { iface }, &mut packet) {
                return;
            }
            if !self.gateways.captures(iface) && self.is_to_be_forwarded(&mut packet) {
                return self.forward(now, iface, packet);
            }
        }
        let header = match parse(&mut packet) {
            Ok(header) => header,
            Err(drop) => {
                drop.count(&mut self.counters.ip);
                if let Some(error) = drop.error() {
                    self.send_icmp_error(now, iface, error, &packet);
                }
                return;
            }
        };
        // A neighbour that speaks as this host, or as a whole subnet, lies: to answer would be to talk to
        // oneself, or to all (RFC 1122, 3.2.1.3; RFC 6274, 4.3.3).
        let own = origin == Origin::Wire && self.addresses.owns(header.src);
        if own || self.addresses.is_broadcast(header.src) {
            self.counters.ip.in_bad_source += 1;
            return;
        }
        if !self.is_for_us(iface, &header) {
            match header.dst.is_multicast() {
                true => self.counters.ip.in_other_group += 1,
                false => self.counters.ip.in_not_ours += 1,
            }
            return;
        }
        // Nobody here may sit on what its sender has only lent, be it looped back or from a device that
        // passes spans on.
        if packet.span().is_some_and(Span::is_lent) && packet.orphan(&mut self.small).is_err() {
            self.counters.ip.in_no_memory += 1;
            return;
        }
        self.take_out_of_arena(&mut packet);
        if header.fragment.is_none() {
            return self.deliver(now, iface, header, packet);
        }
        match self
            .reassembly
            .insert(now, &header, packet, &mut self.counters.ip)
        {
            Outcome::Complete(header, packet) => self.deliver(now, iface, header, packet),
            Outcome::Pending | Outcome::Dropped => {}
        }
    }

    /// Does what is due at `now`: retransmissions, probes, delayed acknowledgements, the end of
    /// TIME-WAIT and of incomplete datagrams.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tell_time(now);
        self.relieve(now);
        while let Some(owner) = self.schedule.pop(now) {
            match owner {
                Owner::Connection(index) => self.connection_timeout(now, index),
                Owner::Request(number) => self.request_timeout(now, number),
            }
        }
        self.end_time_waits(now);
        if self.groups.next().is_some_and(|at| at <= now) {
            self.tell_groups(now);
        }
        self.end_undecided(now);
        while let Some(expired) = self.reassembly.expire(now, &mut self.counters.ip) {
            if let Some(first) = expired.first {
                let iface = IfaceId::new(first.meta.iface);
                let error = IcmpError::TimeExceeded(icmp::TimeExceeded::Reassembly);
                self.send_icmp_error(now, iface, error, &first);
            }
        }
    }

    /// Whether a packet is addressed to this host: to one of its addresses, to a broadcast address of
    /// `iface`, or to the all-nodes groups; or to anybody, if this host takes in what is for others by `iface`.
    fn is_for_us(&self, iface: IfaceId, header: &IpHeader) -> bool {
        if self.addresses.owns(header.dst) || self.addresses.is_broadcast(header.dst) {
            return true;
        }
        let of_flow = matches!(
            header.protocol,
            IpProtocol::Tcp | IpProtocol::Udp | IpProtocol::Icmp | IpProtocol::Icmpv6
        );
        if self.takes_for_others(iface, header.dst) {
            return of_flow || header.fragment.is_some();
        }
        self.is_in_group(iface, header.dst)
    }

    /// Hands a whole datagram to its transport.
    pub(super) fn hand_to_transport(
        &mut self,
        now: Instant,
        iface: IfaceId,
        header: IpHeader,
        packet: Packet,
    ) {
        let observed = self.raw_input(now, iface, &header, &packet);
        match header.protocol {
            IpProtocol::Tcp => self.tcp_input(now, iface, &header, packet),
            IpProtocol::Udp => self.udp_input(now, iface, &header, packet),
            IpProtocol::Icmp | IpProtocol::Icmpv6 => self.icmp_input(now, iface, &header, packet),
            IpProtocol::Igmp if header.is_v4() => self.igmp_input(now, iface, &header, &packet),
            _ if observed => {}
            _ => {
                self.counters.ip.in_unknown_protocol += 1;
                let error = if header.is_v4() {
                    IcmpError::Unreachable(Unreachable::Protocol)
                } else {
                    let pointer = u32::from(header.protocol_offset);
                    IcmpError::ParameterProblem {
                        problem: Problem::NextHeader,
                        pointer,
                    }
                };
                self.send_icmp_error(now, iface, error, &packet);
                return;
            }
        }
        self.counters.ip.in_delivered += 1;
    }

    fn icmp_input(&mut self, now: Instant, iface: IfaceId, header: &IpHeader, mut packet: Packet) {
        match icmp::input(header, &mut packet) {
            IcmpIn::EchoRequest => self.answer_echo(now, iface, header, packet),
            IcmpIn::EchoReply => self.ping_input(now, iface, header, packet),
            IcmpIn::Error(error, quoted) => {
                let notice = Notice::new((now, iface), header, error, quoted, packet);
                self.icmp_error_input(now, notice);
            }
            IcmpIn::GroupQuery => self.group_query(now, iface, header, &packet),
            IcmpIn::Dropped(reason) => reason.count(&mut self.counters.ip),
        }
    }
}
