//! Datagrams of every kind of socket: queued, handed to the interface that they leave by, delivered, and what was reported
//! about them.

use super::Stack;
use super::icmp_errors::Notice;
use super::raw_calls;
use super::turns::{Ready, Turn};
use crate::Instant;
use crate::datagram::{DatagramDrop, DatagramSocket, Delivery, Kind, Marking, Outgoing, Reported};
use crate::ip::classify::{may_be_destination, names_one_host};
use crate::ip::output::{self as ip_output, OutHeader, push_header};
use crate::ip::{IfaceId, icmp};
use crate::news::News;
use crate::socket::{
    ErrorOrigin, ErrorReport, Readiness, ReceivedError, RecvError, RecvFlags, SendControl,
    SendError, SocketError, SocketId, StampRequest, Stamps,
};
use crate::tcp::flow::FlowKey;
use crate::udp::output;
use smoltcp::wire::IpProtocol;
use std::net::{IpAddr, SocketAddr};
use txbuf::{IovIter, NoRoom, Packet, Span};

/// How datagrams from one address reach another.
struct Way {
    iface: IfaceId,
    /// The longest packet that the path takes whole.
    mtu: usize,
    from: SocketAddr,
    to: SocketAddr,
    marking: Marking,
}

/// Whose message it is, and what is to be told of it once it has left; `given` is when it was sent.
struct Stamped {
    id: SocketId,
    request: Option<(StampRequest, Instant)>,
}

impl Stamped {
    fn of(id: SocketId, request: Option<(StampRequest, Instant)>) -> Stamped {
        Stamped { id, request }
    }

    fn wants_packet(&self) -> bool {
        let request = self.request.as_ref();
        request.is_some_and(|(request, _)| request.wanted.has(Stamps::WITH_PACKET))
    }
}

impl Stack {
    pub(super) fn datagram_send(
        &mut self,
        id: SocketId,
        from: &mut IovIter<'_>,
        control: &SendControl<'_>,
    ) -> Result<usize, SendError> {
        let sent = self.datagram_queue(id, from, control);
        if sent
            .as_ref()
            .is_err_and(|error| *error != SendError::WouldBlock)
        {
            match self.table.datagram(id).map(|socket| socket.kind) {
                Ok(Kind::Udp) | Err(_) => self.counters.udp.out_refused += 1,
                Ok(_) => self.counters.raw.out_refused += 1,
            }
        }
        sent
    }

    fn datagram_queue(
        &mut self,
        id: SocketId,
        from: &mut IovIter<'_>,
        control: &SendControl<'_>,
    ) -> Result<usize, SendError> {
        let socket = self.table.datagram(id)?;
        if let Kind::Packet { .. } = socket.kind {
            let iface = control.iface.or(socket.device).ok_or(SendError::NoRoute)?;
            return self.packet_queue(id, iface, from, control);
        }
        if socket.kind == Kind::Udp && socket.local().port() == 0 {
            return Err(SocketError::NotConnected.into());
        }
        let (kind, local) = (socket.kind, socket.local().ip());
        // A socket of UDP that is connected was asked when that was done.
        let asked = kind == Kind::Udp && control.to.is_none();
        let may_broadcast = asked || socket.may_broadcast();
        let (to, mut marking) = socket.addressed(control)?;
        if !may_be_destination(to.ip()) {
            return Err(SendError::InvalidAddress);
        }
        let source = marking.source;
        if source.is_some_and(|source| !self.addresses.owns(source)) {
            return Err(SendError::InvalidAddress);
        }
        marking.iface = marking
            .iface
            .or_else(|| self.link_for(to.ip(), source.unwrap_or(local)));
        let (iface, via) = self
            .way_to(to.ip(), marking.iface)
            .ok_or(SendError::NoRoute)?;
        if !may_broadcast && self.addresses.is_broadcast(to.ip()) {
            return Err(SendError::NotPermitted);
        }
        let mtu = self.interface(iface).map_or(0, |interface| interface.mtu());
        let segment = match kind {
            Kind::Udp => output::segment(control.segment, from.remaining(), to, mtu)?,
            _ => None,
        };
        let len = segment.map_or(from.remaining(), usize::from);
        if marking.dont_fragment {
            let path = self.pmtu.lookup(self.now, to.ip(), mtu).mtu;
            if kind.headers(to) + len > path {
                let source = source.or(Some(local).filter(|local| !local.is_unspecified()));
                let offender = source.or_else(|| self.addresses.select_source(iface, to.ip(), via));
                self.report_too_long(id, to, path, offender);
                return Err(SendError::TooLong);
            }
        }
        let entry = self.table.datagram_mut(id)?;
        let len = entry.socket.send(
            (to, marking),
            (segment, control.token),
            from,
            &mut self.small,
            &self.pools.send,
        )?;
        if let Some(request) = control.stamp {
            entry.socket.stamp_latest(request, self.now);
        }
        self.datagram_ready(id, iface);
        Ok(len)
    }

    /// Queues the report of this host that a datagram is longer than its path takes.
    // req: RFC1122-56, RFC8085-02
    fn report_too_long(
        &mut self,
        id: SocketId,
        to: SocketAddr,
        path: usize,
        offender: Option<IpAddr>,
    ) {
        let (kind, code) = if to.is_ipv4() { (3, 4) } else { (2, 0) };
        let report = ErrorReport {
            to,
            origin: ErrorOrigin::Local,
            kind,
            code,
            info: u32::try_from(path).unwrap_or(u32::MAX),
            offender,
            arrival: None,
            time: self.now,
        };
        let Ok(entry) = self.table.datagram_mut(id) else {
            return;
        };
        if entry.socket.queues_errors() {
            let reported = entry.socket.queue_error(report, None);
            self.note_reported(id, reported);
        }
    }

    /// Has the socket asked for its datagrams.
    pub(super) fn datagram_ready(&mut self, id: SocketId, iface: IfaceId) {
        let Ok(entry) = self.table.datagram_mut(id) else {
            return;
        };
        if !core::mem::replace(&mut entry.ready, true)
            && let Some(interface) = self.interfaces.get_mut(iface.index() as usize)
        {
            interface.turns.join(Ready::Socket(id));
        }
    }

    /// Hands the socket's next datagram to the interface that it leaves by.
    pub(super) fn datagram_transmit(
        &mut self,
        now: Instant,
        iface: IfaceId,
        id: SocketId,
        turn: Turn,
    ) {
        let Ok(entry) = self.table.datagram_mut(id) else {
            return;
        };
        entry.ready = false;
        let was_full = !entry.socket.is_writable();
        let Some(outgoing) = entry.socket.pop_outgoing() else {
            return;
        };
        let (kind, local) = (entry.socket.kind, entry.socket.local());
        let loops = entry.socket.loops_multicast();
        let is_room_told = entry.socket.has_news_of_room();
        if is_room_told || was_full && entry.socket.is_writable() {
            self.datagram_news(id, News::WRITABLE);
        }
        if let Ok(entry) = self.table.datagram_mut(id) {
            entry.ready = true;
            self.asked_again(iface, turn, outgoing.wire_len(kind.headers(outgoing.to)));
        }
        self.hand_over(now, id, (kind, local), outgoing, loops);
    }

    /// The interface by which packets to `to` leave, which is `iface` if that is said, and the router behind it.
    pub(super) fn way_to(
        &self,
        to: IpAddr,
        iface: Option<IfaceId>,
    ) -> Option<(IfaceId, Option<IpAddr>)> {
        let route = self.routes.lookup(to);
        match (iface, route) {
            (Some(iface), Some(route)) if route.iface == iface => Some((iface, route.via)),
            // What is said to be behind an interface is taken to be on its link.
            (Some(iface), _) => self.interface(iface).map(|_| (iface, None)),
            (None, route) => route.map(|route| (route.iface, route.via)),
        }
    }

    /// The interface that has the address `source`, if `to` is one of IPv4 that is on every link: it is the one that is meant,
    /// whatever routes there are.
    pub(super) fn link_for(&self, to: IpAddr, source: IpAddr) -> Option<IfaceId> {
        let everywhere = matches!(to, IpAddr::V4(to) if to.is_multicast() || to.is_broadcast());
        self.addresses.owner(source).filter(|_| everywhere)
    }

    /// Which way datagrams to `to` take, and from what address. `None`: there is none, which was counted.
    fn datagram_way(
        &mut self,
        now: Instant,
        local: SocketAddr,
        to: SocketAddr,
        marking: Marking,
    ) -> Option<Way> {
        let way = self.way_to(to.ip(), marking.iface);
        let way = way.and_then(|(iface, via)| Some((iface, via, self.interface(iface)?.mtu())));
        let Some((iface, via, interface_mtu)) = way else {
            self.counters.ip.out_no_route += 1;
            return None;
        };
        // A socket of a group or a broadcast address does not send from that; one of a gateway's flow sends from
        // another host's.
        let sends_from =
            |address: &IpAddr| names_one_host(*address) && !self.addresses.is_broadcast(*address);
        let bound = Some(local.ip()).filter(sends_from);
        let selected = || self.addresses.select_source(iface, to.ip(), via);
        let Some(source) = marking.source.or(bound).or_else(selected) else {
            self.counters.ip.out_no_source += 1;
            return None;
        };
        Some(Way {
            iface,
            mtu: self.pmtu.lookup(now, to.ip(), interface_mtu).mtu,
            from: SocketAddr::new(source, local.port()),
            to,
            marking,
        })
    }

    /// Makes the packet of a datagram, or of several of `segment` bytes, and queues it with the interface that it leaves by.
    fn datagram_output(
        &mut self,
        kind: Kind,
        way: &Way,
        (payload, segment): (Option<Span>, Option<u16>),
        loops: bool,
        stamped: &mut Stamped,
    ) {
        let len = payload.as_ref().map_or(0, Span::len);
        let datagrams = segment.map_or(1, |size| len.div_ceil(usize::from(size.max(1))));
        let Ok(packet) = self.datagram_packet(kind, way, payload, segment) else {
            match kind {
                Kind::Udp => self.counters.ip.out_no_room += 1,
                _ => self.counters.raw.out_malformed += 1,
            }
            return;
        };
        let to_group = way.to.ip().is_multicast();
        if to_group && loops && self.is_in_group(way.iface, way.to.ip()) {
            self.loop_back(self.now, way.iface, packet.clone());
        }
        if to_group && way.marking.hop_limit == 0 {
            return;
        }
        let kept = stamped.wants_packet().then(|| packet.clone());
        let sent = self.send_control(way.iface, packet, way.mtu);
        // Of several datagrams the first one tells.
        if sent && let Some(request) = stamped.request.take() {
            self.datagram_stamp(stamped.id, request, way.iface, kept.as_ref());
        }
        match kind {
            Kind::Udp if sent => self.counters.udp.out_datagrams += datagrams as u64,
            Kind::Udp => {}
            _ => self.counters.raw.out_packets += u64::from(sent),
        }
    }

    fn datagram_packet(
        &mut self,
        kind: Kind,
        way: &Way,
        payload: Option<Span>,
        segment: Option<u16>,
    ) -> Result<Packet, NoRoom> {
        let (src, dst) = (way.from.ip(), way.to.ip());
        let (mut packet, protocol) = match kind {
            Kind::Udp => (
                output::build(way.from, way.to, payload, segment)?,
                IpProtocol::Udp,
            ),
            Kind::Ping => {
                let protocol = icmp::protocol(dst.is_ipv4());
                let len = payload.as_ref().map_or(0, Span::len);
                let pseudo = icmp::pseudo_sum(src, dst, len);
                let ident = way.from.port();
                let request = payload.and_then(|message| icmp::seal(message, Some(ident), pseudo));
                (request.ok_or(NoRoom)?, protocol)
            }
            Kind::Raw {
                protocol,
                with_header: false,
            } => {
                let len = payload.as_ref().map_or(0, Span::len);
                let pseudo = icmp::pseudo_sum(src, dst, len);
                (raw_calls::message(protocol, payload, pseudo)?, protocol)
            }
            Kind::Raw { .. } => {
                let ident = self.ident(src, dst, IpProtocol::Icmp) as u16;
                return ip_output::complete(payload.ok_or(NoRoom)?, src, ident);
            }
            // Those go out as they are, past all this.
            Kind::Packet { .. } => return Err(NoRoom),
        };
        let count = packet.meta.gso.map_or(1, |gso| {
            let len = packet.len().saturating_sub(gso.headers.into());
            len.div_ceil(usize::from(gso.size.max(1)))
        });
        let flow = FlowKey::new(way.from, way.to);
        let header = OutHeader {
            src,
            dst,
            protocol,
            hop_limit: way.marking.hop_limit,
            traffic_class: way.marking.traffic_class,
            ident: self.idents.run(src, dst, protocol, count as u32) as u16,
            dont_fragment: way.marking.dont_fragment,
            flow_label: self.secret.flow_label(&flow, protocol),
        };
        push_header(&mut packet, &header)?;
        Ok(packet)
    }

    /// Queues a message with the interface that it leaves by: as one packet, unless its segments have become too long
    /// for their path meanwhile. Then they are datagrams of their own, which can be fragmented.
    fn hand_over(
        &mut self,
        now: Instant,
        id: SocketId,
        (kind, local): (Kind, SocketAddr),
        outgoing: Outgoing,
        loops: bool,
    ) {
        // From here on only what was lent or given for the message holds its completion up.
        drop(outgoing.token);
        if let (Kind::Packet { .. }, Some(iface)) = (kind, outgoing.marking.iface) {
            return self.packet_output(iface, outgoing.payload);
        }
        let Some(way) = self.datagram_way(now, local, outgoing.to, outgoing.marking) else {
            return;
        };
        let mut stamped = Stamped::of(id, outgoing.stamp);
        match (outgoing.segment.map(usize::from), outgoing.payload) {
            (Some(size), Some(payload)) if output::headers(way.to) + size > way.mtu => {
                for datagram in payload.into_segments(size) {
                    self.datagram_output(kind, &way, (Some(datagram), None), loops, &mut stamped);
                }
            }
            (_, payload) => {
                let message = (payload, outgoing.segment);
                self.datagram_output(kind, &way, message, loops, &mut stamped);
            }
        }
    }

    /// Removes a socket. What it was given to send is handed to the interfaces before.
    pub(super) fn close_datagram(&mut self, now: Instant, id: SocketId) {
        let Ok(entry) = self.table.datagram_mut(id) else {
            return;
        };
        let (kind, local) = (entry.socket.kind, entry.socket.local());
        if let Some(peer) = entry.socket.peer() {
            self.gateways.remove_udp(&FlowKey::new(local, peer), id);
        }
        self.leave_groups(now, id);
        self.flush_datagrams(now, id);
        match kind {
            Kind::Udp => self.ports.udp.release(local.port(), id),
            Kind::Ping => self.ports.ping.release(local.port(), id),
            Kind::Raw { .. } | Kind::Packet { .. } => self.stop_observing(id),
        }
        self.table.remove(id);
    }

    /// Hands what a socket was given to send to the interfaces.
    pub(super) fn flush_datagrams(&mut self, now: Instant, id: SocketId) {
        while let Ok(entry) = self.table.datagram_mut(id)
            && let Some(outgoing) = entry.socket.pop_outgoing()
        {
            let (kind, local) = (entry.socket.kind, entry.socket.local());
            let loops = entry.socket.loops_multicast();
            self.hand_over(now, id, (kind, local), outgoing, loops);
        }
    }

    /// Queues a datagram for a socket. Returns how many it were.
    pub(super) fn deliver_datagram(
        &mut self,
        id: SocketId,
        delivery: &Delivery,
        packet: Packet,
    ) -> Result<usize, DatagramDrop> {
        let Ok(entry) = self.table.datagram_mut(id) else {
            return Ok(0);
        };
        let short = self.pressure.is_on() && self.pools.account.is_pressed();
        if short && entry.socket.lags() {
            return Err(DatagramDrop::QueueFull);
        }
        let count = entry.socket.deliver(delivery, packet, &mut self.small)?;
        self.datagram_news(id, News::READABLE);
        Ok(count)
    }

    /// Tells a socket of what the network says about a datagram of its.
    // req: RFC1122-33, RFC1122-38, RFC1122udp-03, RFC4443-04, RFC4443-14
    pub(super) fn report_datagram(&mut self, id: SocketId, notice: &Notice) {
        let Ok(entry) = self.table.datagram_mut(id) else {
            return;
        };
        if !entry.socket.hears_of(notice.report.to, &notice.error) {
            return;
        }
        let (error, report) = (notice.error, notice.report);
        let start = match entry.socket.queues_errors() {
            true => notice.payload(entry.socket.kind.header(), &mut self.small),
            false => None,
        };
        let reported = entry.socket.report(&error, report, start);
        self.note_reported(id, reported);
    }

    fn note_reported(&mut self, id: SocketId, reported: Reported) {
        let counter = match reported {
            Reported::Ignored => return,
            Reported::Told => None,
            Reported::Queued => Some(&mut self.counters.udp.errors_queued),
            Reported::Dropped => Some(&mut self.counters.udp.errors_queue_full),
        };
        counter.into_iter().for_each(|counter| *counter += 1);
        self.datagram_news(id, News::READABLE);
    }

    /// Takes the oldest error that was queued for a socket that [asked for that](crate::SocketOption::QueueErrors); the start
    /// of the datagram's payload, as much as the message quotes, goes into `into` (`MSG_ERRQUEUE`).
    ///
    /// # Errors
    ///
    /// [`RecvError::WouldBlock`] when there is none; those of [`receive_message`](Self::receive_message), and then the
    /// report stays queued.
    pub fn receive_error(
        &mut self,
        socket: SocketId,
        into: &mut IovIter<'_>,
        flags: RecvFlags,
    ) -> Result<ReceivedError, RecvError> {
        if into.is_source() {
            return Err(RecvError::NotASink);
        }
        let mut waits = false;
        let (reader, mut taking) = self.reader(socket, flags, &mut waits)?;
        let read = match reader {
            super::table::Socket::Datagram(entry) => entry.socket.recv_error(into, &mut taking),
            _ => Err(SocketError::WrongKind.into()),
        };
        if read == Err(RecvError::NoMemory) {
            self.short_of_storage(socket, News::READABLE, waits);
        }
        read
    }

    pub(super) fn datagram_news(&mut self, id: SocketId, news: News) {
        if let Some(pending) = self.table.pending_mut(id) {
            self.events.push(id, pending, news);
        }
    }
}

/// What can be done with a datagram socket right now.
pub(super) fn readiness(socket: &DatagramSocket) -> Readiness {
    Readiness {
        readable: socket.is_readable(),
        writable: socket.is_writable(),
        error: socket.has_error(),
        stamped: !socket.stamps.is_empty(),
        ..Readiness::default()
    }
}
