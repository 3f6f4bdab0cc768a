//! UDP: datagrams in and out, and what applications ask of it.

use super::Stack;
use super::events::News;
use super::ports::bindable;
use super::table::{Socket, UdpEntry};
use super::turns::{Ready, Turn};
use crate::Instant;
use crate::ip::classify::{may_be_destination, names_one_host};
use crate::ip::icmp::{IcmpError, Unreachable};
use crate::ip::output::{OutHeader, push_header};
use crate::ip::quote::Quoted;
use crate::ip::{HOP_LIMIT, IfaceId, IpHeader, forward};
use crate::socket::{BindError, ConnectError, Readiness, SendControl, SendError, SocketId};
use crate::tcp::flow::FlowKey;
use crate::udp::input::UdpDrop;
use crate::udp::socket::{Outgoing, UdpLimits};
use crate::udp::{UdpSocket, input, output};
use smoltcp::wire::IpProtocol;
use std::net::SocketAddr;
use txbuf::{IovIter, Packet, Span};

/// How datagrams from one address reach another.
struct Way {
    iface: IfaceId,
    /// The longest packet that the path takes whole.
    mtu: usize,
    from: SocketAddr,
    to: SocketAddr,
}

impl Stack {
    /// Binds a datagram socket to `local`: an unspecified address means every address of its family,
    /// port 0 an ephemeral port.
    ///
    /// # Errors
    ///
    /// The port is taken, the address is not this stack's, or no ephemeral port is free.
    pub fn udp_bind(&mut self, local: SocketAddr) -> Result<SocketId, BindError> {
        if !local.ip().is_unspecified() && !self.addresses.owns(local.ip()) {
            return Err(BindError::NotAvailable);
        }
        let mut local = local;
        if local.port() == 0 {
            let start = self.random.next_u32();
            let free = |port: &u16| self.shard.may_choose(*port) && !self.ports.udp.is_used(*port);
            let port = bindable(start).find(free);
            local.set_port(port.ok_or(BindError::NoPorts)?);
        } else if !self.ports.udp.is_free(local) {
            return Err(BindError::InUse);
        }
        let socket = UdpSocket::new(local, UdpLimits::default());
        let id = self.table.insert(Socket::Udp(Box::new(UdpEntry {
            socket,
            ready: false,
        })));
        self.ports.udp.bind(local, id);
        Ok(id)
    }

    /// Connects a datagram socket: it sends to `remote` unless told otherwise, receives from nobody
    /// else, and is told of errors.
    ///
    /// # Errors
    ///
    /// The address is not one host's or of the other family, the handle is not a datagram socket's, or it is that of a
    /// gateway's flow, which has its peer for good ([`ConnectError::InvalidAddress`]); no route leads there.
    pub fn udp_connect(
        &mut self,
        socket: SocketId,
        remote: SocketAddr,
    ) -> Result<(), ConnectError> {
        self.routes
            .lookup(remote.ip())
            .ok_or(ConnectError::NoRoute)?;
        let udp = self
            .table
            .udp_mut(socket)
            .map_err(|_| ConnectError::InvalidAddress)?;
        let same_family = udp.socket.local().is_ipv4() == remote.is_ipv4();
        if !same_family || !names_one_host(remote.ip()) || remote.port() == 0 {
            return Err(ConnectError::InvalidAddress);
        }
        let (local, peer) = (udp.socket.local(), udp.socket.peer());
        if peer.is_some_and(|peer| peer != remote && self.is_flow(socket, local, peer)) {
            return Err(ConnectError::InvalidAddress);
        }
        let udp = self
            .table
            .udp_mut(socket)
            .map_err(|_| ConnectError::InvalidAddress)?;
        udp.socket.connect(Some(remote));
        Ok(())
    }

    pub(super) fn udp_input(
        &mut self,
        now: Instant,
        iface: IfaceId,
        header: &IpHeader,
        mut packet: Packet,
    ) {
        let datagram = match input::parse(header, &mut packet) {
            Ok(datagram) => datagram,
            Err(reason) => return reason.count(&mut self.counters.udp),
        };
        let holder = if self.takes_for_others(iface, header.dst) {
            let Some(id) = self.flow_of_datagram(now, iface, &datagram, &packet) else {
                return;
            };
            Some(id)
        } else {
            self.ports.udp.holder(datagram.dst)
        };
        let Some(id) = holder else {
            self.counters.udp.in_no_port += 1;
            let error = IcmpError::Unreachable(Unreachable::Port);
            return self.send_icmp_error(now, iface, error, &forward::first_on_wire(&packet));
        };
        let Ok(udp) = self.table.udp_mut(id) else {
            return;
        };
        let short = self.pressure.is_on() && self.pools.account.is_pressed();
        if short && udp.socket.lags() {
            return UdpDrop::QueueFull.count(&mut self.counters.udp);
        }
        match udp.socket.deliver(&datagram, packet, &mut self.small) {
            Ok(count) => self.counters.udp.in_datagrams += count as u64,
            Err(reason) => return reason.count(&mut self.counters.udp),
        }
        self.udp_news(id, News::READABLE);
    }

    pub(super) fn udp_send(
        &mut self,
        id: SocketId,
        from: &mut IovIter<'_>,
        control: &SendControl<'_>,
    ) -> Result<usize, SendError> {
        let sent = self.udp_queue(id, from, control);
        if sent
            .as_ref()
            .is_err_and(|error| *error != SendError::WouldBlock)
        {
            self.counters.udp.out_refused += 1;
        }
        sent
    }

    fn udp_queue(
        &mut self,
        id: SocketId,
        from: &mut IovIter<'_>,
        control: &SendControl<'_>,
    ) -> Result<usize, SendError> {
        let udp = self.table.udp_mut(id)?;
        let to = control
            .to
            .or(udp.socket.peer())
            .ok_or(SendError::NoDestination)?;
        if !may_be_destination(to.ip()) {
            return Err(SendError::InvalidAddress);
        }
        let route = self.routes.lookup(to.ip()).ok_or(SendError::NoRoute)?;
        let iface = route.iface;
        let interface = self.interfaces.get(iface.index() as usize);
        let mtu = interface.map_or(0, |interface| interface.mtu());
        let segment = output::segment(control.segment, from.remaining(), to, mtu)?;
        let len = udp
            .socket
            .send(control, segment, from, &mut self.small, &self.pools.send)?;
        self.udp_ready(id, iface);
        Ok(len)
    }

    /// Has the socket asked for its datagrams.
    fn udp_ready(&mut self, id: SocketId, iface: IfaceId) {
        let Ok(udp) = self.table.udp_mut(id) else {
            return;
        };
        if !core::mem::replace(&mut udp.ready, true)
            && let Some(interface) = self.interfaces.get_mut(iface.index() as usize)
        {
            interface.turns.join(Ready::Socket(id));
        }
    }

    /// Hands the socket's next datagram to the interface that it leaves by.
    pub(super) fn udp_transmit(&mut self, now: Instant, iface: IfaceId, id: SocketId, turn: Turn) {
        let Ok(udp) = self.table.udp_mut(id) else {
            return;
        };
        udp.ready = false;
        let was_full = !udp.socket.is_writable();
        let Some(outgoing) = udp.socket.pop_outgoing() else {
            return;
        };
        let local = udp.socket.local();
        let is_room_told = udp.socket.has_news_of_room();
        if is_room_told || was_full && udp.socket.is_writable() {
            self.udp_news(id, News::WRITABLE);
        }
        if let Ok(udp) = self.table.udp_mut(id) {
            udp.ready = true;
            self.asked_again(iface, turn, outgoing.wire_len());
        }
        self.udp_hand_over(now, local, outgoing);
    }

    /// Which way datagrams to `to` take, and from what address. `None`: there is none, which was counted.
    fn udp_way(&mut self, now: Instant, local: SocketAddr, to: SocketAddr) -> Option<Way> {
        let route = self.routes.lookup(to.ip());
        let way = route.and_then(|route| Some((route, self.interface(route.iface)?.mtu())));
        let Some((route, interface_mtu)) = way else {
            self.counters.ip.out_no_route += 1;
            return None;
        };
        let source = match local.ip() {
            address if address.is_unspecified() => {
                let selected = self
                    .addresses
                    .select_source(route.iface, to.ip(), route.via);
                let Some(selected) = selected else {
                    self.counters.ip.out_no_source += 1;
                    return None;
                };
                selected
            }
            address => address,
        };
        Some(Way {
            iface: route.iface,
            mtu: self.pmtu.lookup(now, to.ip(), interface_mtu).mtu,
            from: SocketAddr::new(source, local.port()),
            to,
        })
    }

    /// Makes the packet of a datagram, or of several of `segment` bytes, and queues it with the interface that it leaves by.
    fn udp_output(&mut self, way: &Way, payload: Option<Span>, segment: Option<u16>) {
        let len = payload.as_ref().map_or(0, Span::len);
        let datagrams = segment.map_or(1, |size| len.div_ceil(usize::from(size.max(1))));
        let (src, dst) = (way.from.ip(), way.to.ip());
        let ident = self.idents.run(src, dst, IpProtocol::Udp, datagrams as u32);
        let header = OutHeader {
            src,
            dst,
            protocol: IpProtocol::Udp,
            hop_limit: if dst.is_multicast() { 1 } else { HOP_LIMIT },
            traffic_class: 0,
            ident: ident as u16,
            dont_fragment: false,
            flow_label: 0,
        };
        let made = output::build(way.from, way.to, payload, segment).and_then(|mut packet| {
            push_header(&mut packet, &header)?;
            Ok(packet)
        });
        let Ok(packet) = made else {
            self.counters.ip.out_no_room += 1;
            return;
        };
        if self.send_control(way.iface, packet, way.mtu) {
            self.counters.udp.out_datagrams += datagrams as u64;
        }
    }

    pub(super) fn udp_icmp_error(&mut self, now: Instant, error: IcmpError, quoted: &Quoted) {
        let Some(id) = self.udp_sender(quoted.src, quoted.dst) else {
            self.counters.ip.icmp_in_not_ours += 1;
            return;
        };
        // In IPv4 routers cut these datagrams themselves: a report about one is forged.
        if let IcmpError::TooBig { mtu } = error
            && quoted.dst.is_ipv6()
            && self
                .table
                .udp_mut(id)
                .is_ok_and(|udp| udp.socket.speaks_to(quoted.dst))
            && let Some(route) = self.routes.lookup(quoted.dst.ip())
            && let Some(interface) = self.interface(route.iface)
        {
            let interface_mtu = interface.mtu();
            let sent = quoted.total_len.min(interface_mtu);
            self.pmtu
                .reduce(now, quoted.dst.ip(), mtu, sent, interface_mtu);
        }
        let Ok(udp) = self.table.udp_mut(id) else {
            return;
        };
        if udp.socket.report(quoted.dst, &error) {
            self.udp_news(id, News::READABLE);
        }
    }

    /// Removes a socket. What it was given to send is handed to the interfaces before.
    pub(super) fn close_udp(&mut self, now: Instant, id: SocketId) {
        let Ok(udp) = self.table.udp_mut(id) else {
            return;
        };
        let local = udp.socket.local();
        if let Some(peer) = udp.socket.peer() {
            self.gateways.remove_udp(&FlowKey::new(local, peer), id);
        }
        while let Ok(udp) = self.table.udp_mut(id)
            && let Some(outgoing) = udp.socket.pop_outgoing()
        {
            self.udp_hand_over(now, local, outgoing);
        }
        self.ports.udp.release(local, id);
        self.table.remove(id);
    }

    /// Queues a message with the interface that it leaves by: as one packet, unless its segments have become too long
    /// for their path meanwhile. Then they are datagrams of their own, which can be fragmented.
    fn udp_hand_over(&mut self, now: Instant, local: SocketAddr, outgoing: Outgoing) {
        // From here on only what was lent or given for the message holds its completion up.
        drop(outgoing.token);
        let Some(way) = self.udp_way(now, local, outgoing.to) else {
            return;
        };
        match (outgoing.segment.map(usize::from), outgoing.payload) {
            (Some(size), Some(payload)) if output::headers(way.to) + size > way.mtu => {
                for datagram in payload.into_segments(size) {
                    self.udp_output(&way, Some(datagram), None);
                }
            }
            (_, payload) => self.udp_output(&way, payload, outgoing.segment),
        }
    }

    fn udp_news(&mut self, id: SocketId, news: News) {
        if let Some(pending) = self.table.pending_mut(id) {
            self.events.push(id, pending, news);
        }
    }
}

/// What can be done with a datagram socket right now.
pub(super) fn readiness(udp: &UdpSocket) -> Readiness {
    Readiness {
        readable: udp.is_readable(),
        writable: udp.is_writable(),
        error: udp.has_error(),
        ..Readiness::default()
    }
}
