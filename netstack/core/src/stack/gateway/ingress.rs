//! What comes in for others: the first packet of a flow asks for a decision, the rest finds its socket.

use super::book::{Asked, UdpFlow};
use super::{Admission, Flow, NewFlow, Transport};
use crate::Instant;
use crate::datagram::{DatagramLimits, DatagramSocket, Kind};
use crate::ip::output::Marks;
use crate::ip::{IfaceId, forward, quote};
use crate::socket::SocketId;
use crate::stack::Stack;
use crate::stack::tcp_ingress::behind;
use crate::tcp::connection::Connection;
use crate::tcp::flow::FlowKey;
use crate::tcp::reset;
use crate::tcp::segment::{Flags, Segment};
use crate::tcp::seq::Seq;
use crate::udp::input::UdpHeader;
use txbuf::Packet;

/// What the socket of a UDP flow may hold: there may be very many.
const UDP_LIMITS: DatagramLimits = DatagramLimits {
    receive: 128 << 10,
    send: 128 << 10,
};
/// What is kept of a UDP flow that waits for its decision, one datagram more at most.
const UNDECIDED_KEEPS: usize = 4 << 10;

/// What was decided on a flow when it began.
enum Decision {
    /// By this gateway.
    By(SocketId, Admission),
    /// There is no gateway any more.
    Closed,
    /// There is no room for a flow that waits.
    NoRoom,
}

impl Stack {
    /// A segment for another host that belongs to no connection, nor to one that is half open.
    pub(in crate::stack) fn segment_for_others(
        &mut self,
        now: Instant,
        iface: IfaceId,
        key: FlowKey,
        segment: Segment,
    ) {
        if self.repeats_syn(&key, &segment) {
            return;
        }
        let has = |flag| segment.flags.has(flag);
        if has(Flags::SYN) && !has(Flags::ACK) {
            return self.syn_for_others(now, iface, key, segment, None);
        }
        self.counters.tcp.in_no_connection += 1;
        if let Some(reset) = reset::answer(&segment) {
            self.send_reset(iface, &key, Marks::default(), &reset);
        }
    }

    /// A SYN for another host. The connection must begin behind `beyond`, if it follows one of the same name.
    pub(in crate::stack) fn syn_for_others(
        &mut self,
        now: Instant,
        iface: IfaceId,
        key: FlowKey,
        syn: Segment,
        beyond: Option<Seq>,
    ) {
        if syn.flags.has(Flags::RST) || syn.flags.has(Flags::FIN) {
            self.counters.tcp.in_bad_flags += 1;
            return;
        }
        if self.is_crowded() {
            self.counters.tcp.syn_overflows += 1;
            return;
        }
        let flow = self.flow(iface, Transport::Tcp, &key);
        match self.decide(now, &flow) {
            Decision::By(gateway, Admission::Accept) => {
                self.counters.gateway.accepted_tcp += 1;
                let socket = self.answer_flow(now, iface, key, syn, beyond);
                self.arrives(gateway, NewFlow::Accepted(socket, flow));
            }
            Decision::By(gateway, Admission::Later) => {
                let asked = Asked::Tcp { syn, beyond };
                self.put_off(now, gateway, key, flow, asked);
            }
            Decision::By(_, Admission::Reject) | Decision::Closed => {
                self.counters.gateway.rejected += 1;
                if let Some(reset) = reset::answer(&syn) {
                    self.send_reset(iface, &key, Marks::default(), &reset);
                }
            }
            Decision::By(_, Admission::Drop) => self.counters.gateway.dropped += 1,
            Decision::NoRoom => self.counters.gateway.backlog_full += 1,
        }
    }

    /// Answers the SYN of an accepted flow, or will when the device asks.
    pub(super) fn answer_flow(
        &mut self,
        now: Instant,
        iface: IfaceId,
        key: FlowKey,
        syn: Segment,
        beyond: Option<Seq>,
    ) -> SocketId {
        let mut origin = self.origin(now, iface, key);
        origin.iss = behind(origin.iss, beyond);
        let connection = Connection::connect(origin, &tcp_context!(self, now));
        let id = self.add_connection(connection, iface, None);
        self.counters.tcp.passive_opens += 1;
        // To a connection that was about to send its SYN, the peer's comes as that of a simultaneous open (RFC 9293,
        // 3.5): the answer is the same, and there is a socket from the beginning.
        self.connection_input(now, id, syn, None);
        id
    }

    /// The socket for a datagram to another host; `None` when it goes no further, which was counted and answered.
    pub(in crate::stack) fn flow_of_datagram(
        &mut self,
        now: Instant,
        iface: IfaceId,
        datagram: &UdpHeader,
        packet: &Packet,
    ) -> Option<SocketId> {
        let key = FlowKey::new(datagram.dst, datagram.src);
        if let Some(flow) = self.gateways.udp(&key) {
            let udp = self.table.datagram_mut(flow.socket).ok()?;
            if !flow.decided && udp.socket.charged() >= UNDECIDED_KEEPS {
                self.counters.gateway.undecided_full += 1;
                return None;
            }
            return Some(flow.socket);
        }
        // Port 0 asks for no answer: there is no flow to speak of.
        if datagram.src.port() == 0 || datagram.dst.port() == 0 {
            self.counters.udp.in_no_port += 1;
            return None;
        }
        let flow = self.flow(iface, Transport::Udp, &key);
        match self.decide(now, &flow) {
            Decision::By(gateway, Admission::Accept) => {
                if self.has_no_room_for_udp(gateway) {
                    self.counters.gateway.udp_flows_full += 1;
                    return None;
                }
                self.counters.gateway.accepted_udp += 1;
                let socket = self.begin_udp_flow(iface, key, packet, true);
                self.arrives(gateway, NewFlow::Accepted(socket, flow));
                Some(socket)
            }
            Decision::By(gateway, Admission::Later) => {
                let refusal = self.refusal(packet);
                let socket = self.begin_udp_flow(iface, key, packet, false);
                self.put_off(now, gateway, key, flow, Asked::Udp { socket, refusal });
                Some(socket)
            }
            Decision::By(_, Admission::Reject) | Decision::Closed => {
                self.counters.gateway.rejected += 1;
                let refusal = self.refusal(packet);
                self.send_refusal(now, iface, datagram.src.ip(), refusal);
                None
            }
            Decision::By(_, Admission::Drop) => {
                self.counters.gateway.dropped += 1;
                None
            }
            Decision::NoRoom => {
                self.counters.gateway.backlog_full += 1;
                None
            }
        }
    }

    /// Makes the socket of a flow that `first` begins.
    fn begin_udp_flow(
        &mut self,
        iface: IfaceId,
        key: FlowKey,
        first: &Packet,
        decided: bool,
    ) -> SocketId {
        let mut socket = DatagramSocket::new(Kind::Udp, key.local(), UDP_LIMITS);
        socket.connect(key.local().ip(), Some(key.remote()));
        let socket = self.add_datagram(socket);
        let flow = UdpFlow {
            socket,
            iface,
            opening: quote::opening(&forward::first_on_wire(first)),
            decided,
        };
        self.gateways.add_udp(key, flow);
        socket
    }

    fn flow(&self, iface: IfaceId, transport: Transport, key: &FlowKey) -> Flow {
        Flow {
            iface,
            transport,
            source: key.remote(),
            destination: key.local(),
        }
    }

    fn decide(&mut self, now: Instant, flow: &Flow) -> Decision {
        let Some(id) = self.gateways.of(flow.iface) else {
            return Decision::Closed;
        };
        match self.table.gateway_mut(id) {
            Ok(gateway) if gateway.is_full() => Decision::NoRoom,
            Ok(gateway) => Decision::By(id, gateway.admit.admit(now, flow)),
            Err(_) => Decision::Closed,
        }
    }

    fn put_off(&mut self, now: Instant, gateway: SocketId, key: FlowKey, flow: Flow, asked: Asked) {
        let Ok(entry) = self.table.gateway_mut(gateway) else {
            return;
        };
        let deadline = now + entry.config.patience;
        let id = self
            .gateways
            .put_off(gateway, flow.iface, key, deadline, asked);
        self.counters.gateway.put_off += 1;
        self.arrives(gateway, NewFlow::Undecided(id, flow));
    }

    /// Whether the segment is of a flow that waits for its decision: its SYN again, another one of a sender that has
    /// begun anew, or its end.
    fn repeats_syn(&mut self, key: &FlowKey, segment: &Segment) -> bool {
        let Some((id, syn)) = self.gateways.syn_mut(key) else {
            return false;
        };
        let has = |flag| segment.flags.has(flag);
        if has(Flags::RST) {
            if segment.seq == syn.seq || segment.seq == syn.seq + 1 {
                self.take_undecided(id);
                self.counters.gateway.given_up += 1;
            } else {
                self.counters.tcp.in_out_of_window += 1;
            }
            return true;
        }
        if has(Flags::SYN) && !has(Flags::ACK) && !has(Flags::FIN) {
            *syn = segment.clone();
            self.counters.gateway.asked_again += 1;
            return true;
        }
        false
    }
}
