//! Packets go out: devices pull them, one at a time.

use super::Stack;
use super::hooks::Passage;
use super::schedule::Owner;
use super::table::Socket;
use super::turns::{Ready, Turn};
use crate::Instant;
use crate::ip::icmp::{self, IcmpError};
use crate::ip::output::{Marks, OutHeader};
use crate::ip::{IfaceId, forward, fragment, quote};
use crate::socket::SocketId;
use crate::tcp::flow::FlowKey;
use crate::tcp::segment::{self, Segment};
use crate::tcp::stamps::Data;
use smoltcp::wire::IpProtocol;
use std::net::IpAddr;
use txbuf::Packet;

impl Stack {
    /// The next packet to send by `iface`, or `None` when there is none now.
    ///
    /// The caller owns the packet. Call only when the device has room: a packet that is never asked
    /// for costs nothing. It may be a super-packet (`meta.gso`), longer than the interface's MTU, and
    /// its transport checksum may be partial; the device or its edge finishes both.
    pub fn poll_transmit(&mut self, now: Instant, iface: IfaceId) -> Option<Packet> {
        self.tell_time(now);
        loop {
            let interface = self.interfaces.get_mut(iface.index() as usize)?;
            if let Some(packet) = interface.injected.pop_front() {
                self.counters.ip.out_sent += 1;
                return Some(packet);
            }
            let late = &mut self.counters.ip.out_queue_late;
            let packet = match interface.control.pop(now, late) {
                Some(packet) => Some(packet),
                None => {
                    let turn = interface.turns.next()?;
                    match turn.who {
                        Ready::Socket(id) => self.socket_transmit(now, iface, id, turn),
                        Ready::Request(number) => self.request_transmit(now, number),
                        Ready::Transit => {
                            let late = &mut self.counters.ip.forward_queue_late;
                            interface.pop_transit(now, turn, late)
                        }
                    }
                }
            };
            let Some(mut packet) = packet else { continue };
            if destination(&packet).is_some_and(|to| self.addresses.owns(to)) {
                self.loop_back(now, iface, packet);
                continue;
            }
            if self.hooked(now, Passage::Out { iface }, &mut packet) {
                continue;
            }
            self.tapped(now, iface, &packet, true);
            self.counters.ip.out_sent += 1;
            return Some(packet);
        }
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) or [`poll_event`](Self::poll_event) may have
    /// something.
    pub fn has_output(&self) -> bool {
        !self.events.is_empty()
            || self.doorbell.is_rung()
            || self
                .interfaces
                .iter()
                .any(|interface| interface.has_output())
    }

    fn socket_transmit(
        &mut self,
        now: Instant,
        iface: IfaceId,
        id: SocketId,
        turn: Turn,
    ) -> Option<Packet> {
        match self.table.get_mut(id).ok()? {
            Socket::Tcp(_) => self.tcp_transmit(now, iface, id, turn),
            Socket::Datagram(_) => {
                self.datagram_transmit(now, iface, id, turn);
                None
            }
            Socket::Bound(_) | Socket::Listener(_) | Socket::Gateway(_) => None,
        }
    }

    /// Has a socket asked again that may have more to send, when it is its turn.
    pub(super) fn asked_again(&mut self, iface: IfaceId, turn: Turn, bytes: usize) {
        if let Some(interface) = self.interfaces.get_mut(iface.index() as usize) {
            interface.turns.go_on(turn, bytes);
        }
    }

    fn tcp_transmit(
        &mut self,
        now: Instant,
        iface: IfaceId,
        id: SocketId,
        turn: Turn,
    ) -> Option<Packet> {
        if self.table.tcp_mut(id).ok()?.connection.doubts_path(now) {
            self.look_at_path(now, id);
        }
        let tcp = self.table.tcp_mut(id).ok()?;
        tcp.ready = false;
        let outgoing = tcp.connection.poll_transmit(&mut tcp_context!(self, now));
        let deadline = tcp.connection.poll_timeout();
        self.schedule
            .arm(Owner::Connection(id.index), &mut tcp.scheduled, deadline);
        let outgoing = outgoing?;
        let has_more = tcp.connection.has_more();
        let mss = match outgoing.whole {
            true => usize::MAX,
            false => tcp.connection.snd.mss,
        };
        let flow = tcp.connection.flow;
        let fragile = tcp.connection.dont_fragment;
        let packets = outgoing.segment.len.div_ceil(mss.max(1)).max(1);
        let marks = tcp.marks;
        let data = Data::of(&outgoing.segment);
        let stamps = tcp.connection.stamps_wanted(data);
        let mut header = self.tcp_header(&flow, marks, fragile, packets);
        header.traffic_class |= outgoing.segment.ecn;
        let packet = segment::build(&outgoing.segment, outgoing.payload, mss, &header);
        let bytes = packet.as_ref().map_or(0, Packet::len);
        if has_more || !turn.covers(bytes) {
            self.table.tcp_mut(id).ok()?.ready = true;
            self.asked_again(iface, turn, bytes);
        }
        if let (Some(wanted), Ok(packet)) = (stamps, &packet) {
            self.tcp_stamp(now, (id, iface), (data, wanted), packet);
        }
        packet.map_err(|_| self.counters.ip.out_no_room += 1).ok()
    }

    fn request_transmit(&mut self, now: Instant, number: u32) -> Option<Packet> {
        let half_open = self.table.request_mut(number)?;
        half_open.ready = false;
        if !half_open.request.due {
            return None;
        }
        let segment = half_open.request.syn_ack(now);
        let (origin, listener) = (half_open.request.origin, half_open.listener);
        let marks = self.listener_marks(listener);
        self.counters.tcp.out_segments += 1;
        let header = self.tcp_header(&origin.flow, marks, origin.dont_fragment, 1);
        let packet = segment::build(&segment, None, usize::MAX, &header);
        packet.map_err(|_| self.counters.ip.out_no_room += 1).ok()
    }

    /// Queues a reset for the peer of `flow`.
    pub(super) fn send_reset(
        &mut self,
        iface: IfaceId,
        flow: &FlowKey,
        marks: Marks,
        reset: &Segment,
    ) {
        self.counters.tcp.out_resets += u64::from(self.send_alone(iface, flow, marks, reset));
    }

    /// Queues a segment of a handshake or a connection that is not in the table of sockets.
    pub(super) fn send_counted(
        &mut self,
        iface: IfaceId,
        flow: &FlowKey,
        marks: Marks,
        segment: &Segment,
    ) {
        self.counters.tcp.out_segments += u64::from(self.send_alone(iface, flow, marks, segment));
    }

    /// Queues a segment without payload. Returns whether it could be made.
    fn send_alone(
        &mut self,
        iface: IfaceId,
        flow: &FlowKey,
        marks: Marks,
        segment: &Segment,
    ) -> bool {
        let header = self.tcp_header(flow, marks, true, 1);
        match segment::build(segment, None, usize::MAX, &header) {
            Ok(packet) => {
                self.send_answer(iface, packet);
                true
            }
            Err(_) => {
                self.counters.ip.out_no_room += 1;
                false
            }
        }
    }

    /// Tells the sender of `original`, as it was received, of an error, if the rules and the rate allow.
    pub(super) fn send_icmp_error(
        &mut self,
        now: Instant,
        iface: IfaceId,
        error: IcmpError,
        original: &Packet,
    ) {
        let Some(to) = icmp::recipient(error, original, &self.addresses) else {
            self.counters.ip.icmp_out_suppressed += 1;
            return;
        };
        if !self.limiter.allow(now, to, &mut self.random) {
            self.counters.ip.icmp_out_rate_limited += 1;
            return;
        }
        let ident = self.random.next_u32() as u16;
        let packet = icmp::error(
            error,
            original,
            to,
            iface,
            &self.addresses,
            ident,
            &mut self.small,
        );
        if let Some(packet) = packet {
            self.counters.ip.icmp_out_errors += 1;
            self.send_answer(iface, packet);
        } else {
            self.counters.ip.icmp_out_not_made += 1;
        }
    }

    /// Queues a packet that belongs to no socket, in fragments if it, or a segment of it, is longer than `mtu`. False: it, or some fragment,
    /// was dropped and counted.
    pub(super) fn send_control(&mut self, iface: IfaceId, packet: Packet, mtu: usize) -> bool {
        if forward::wire_len(&packet) <= mtu {
            return self.push_control(iface, packet);
        }
        let Some(sent) = quote::read(&packet, 0) else {
            self.counters.ip.out_fragment_failed += 1;
            return false;
        };
        let ident = self.ident(sent.src.ip(), sent.dst.ip(), sent.protocol);
        match fragment::fragment(packet, mtu, ident) {
            Ok(fragments) => {
                let mut all = true;
                for fragment in fragments {
                    self.counters.ip.out_fragments += 1;
                    all &= self.push_control(iface, fragment);
                }
                all
            }
            Err(_) => {
                self.counters.ip.out_fragment_failed += 1;
                false
            }
        }
    }

    /// Queues an answer to a packet that came in by `iface`.
    pub(super) fn send_answer(&mut self, iface: IfaceId, packet: Packet) {
        if let Some(mtu) = self.interface(iface).map(|interface| interface.mtu()) {
            self.send_control(iface, packet, mtu);
        }
    }

    /// The IP header of a packet that the edge cuts into `packets`.
    // req: MUST-48, MUST-49, SHLD-22
    fn tcp_header(
        &mut self,
        flow: &FlowKey,
        marks: Marks,
        dont_fragment: bool,
        packets: usize,
    ) -> OutHeader {
        let (src, dst) = (flow.local().ip(), flow.remote().ip());
        // Whole packets need no identification (RFC 6864, 4.1); others one each, which the edge counts up.
        // req: RFC6864-04
        let ident = if dont_fragment {
            0
        } else {
            self.idents.run(src, dst, IpProtocol::Tcp, packets as u32) as u16
        };
        OutHeader {
            src,
            dst,
            protocol: IpProtocol::Tcp,
            hop_limit: marks.hop_limit,
            traffic_class: marks.traffic_class,
            ident,
            dont_fragment,
            flow_label: self.secret.flow_label(flow, IpProtocol::Tcp),
        }
    }

    pub(super) fn push_control(&mut self, iface: IfaceId, packet: Packet) -> bool {
        let Some(interface) = self.interfaces.get_mut(iface.index() as usize) else {
            self.counters.ip.out_no_route += 1;
            return false;
        };
        let queued = interface.control.push(self.now, packet);
        if !queued {
            self.counters.ip.out_queue_full += 1;
        }
        queued
    }
}

/// Whom a packet that this stack made is for.
fn destination(packet: &Packet) -> Option<IpAddr> {
    let head = packet.headers();
    match head.first()? >> 4 {
        4 => head
            .get(16..)?
            .first_chunk::<4>()
            .map(|bytes| IpAddr::from(*bytes)),
        _ => head
            .get(24..)?
            .first_chunk::<16>()
            .map(|bytes| IpAddr::from(*bytes)),
    }
}
