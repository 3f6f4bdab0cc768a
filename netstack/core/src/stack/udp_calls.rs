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
use crate::ip::{HOP_LIMIT, IfaceId, IpHeader};
use crate::socket::{BindError, ConnectError, Readiness, SendControl, SendError, SocketId};
use crate::udp::input::UdpDrop;
use crate::udp::socket::{Outgoing, UdpLimits};
use crate::udp::{UdpSocket, input, output};
use smoltcp::wire::IpProtocol;
use std::net::SocketAddr;
use txbuf::{IovIter, Packet};

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
    /// The address is not one host's or of the other family, or the handle is not a datagram socket's
    /// ([`ConnectError::InvalidAddress`]); no route leads there.
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
        let Some(id) = self.ports.udp.holder(datagram.dst) else {
            self.counters.udp.in_no_port += 1;
            let error = IcmpError::Unreachable(Unreachable::Port);
            return self.send_icmp_error(now, iface, error, &packet);
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
        let len = udp
            .socket
            .send(control, from, &mut self.small, &self.pools.send)?;
        self.udp_ready(id, route.iface);
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
        if was_full && udp.socket.is_writable() {
            self.udp_news(id, News::WRITABLE);
        }
        if let Ok(udp) = self.table.udp_mut(id) {
            udp.ready = true;
            self.asked_again(iface, turn, outgoing.wire_len());
        }
        self.udp_hand_over(now, local, outgoing);
    }

    /// Makes the packet of a datagram, and says by which interface of what MTU it leaves. `None`: it was dropped, and
    /// counted.
    fn udp_packet(
        &mut self,
        local: SocketAddr,
        outgoing: Outgoing,
    ) -> Option<(IfaceId, usize, Packet)> {
        let to = outgoing.to;
        let way = self.routes.lookup(to.ip()).and_then(|route| {
            let mtu = self.interface(route.iface)?.mtu();
            Some((route, mtu))
        });
        let Some((route, mtu)) = way else {
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
        let from = SocketAddr::new(source, local.port());
        let Ok(mut packet) = output::build(from, to, outgoing.payload) else {
            self.counters.ip.out_no_room += 1;
            return None;
        };
        let header = OutHeader {
            src: source,
            dst: to.ip(),
            protocol: IpProtocol::Udp,
            hop_limit: if to.ip().is_multicast() { 1 } else { HOP_LIMIT },
            traffic_class: 0,
            ident: self.ident(source, to.ip(), IpProtocol::Udp) as u16,
            dont_fragment: false,
            flow_label: 0,
        };
        if push_header(&mut packet, &header).is_err() {
            self.counters.ip.out_no_room += 1;
            return None;
        }
        Some((route.iface, mtu, packet))
    }

    pub(super) fn udp_icmp_error(&mut self, now: Instant, error: IcmpError, quoted: &Quoted) {
        let Some(id) = self.ports.udp.holder(quoted.src) else {
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
        while let Ok(udp) = self.table.udp_mut(id)
            && let Some(outgoing) = udp.socket.pop_outgoing()
        {
            self.udp_hand_over(now, local, outgoing);
        }
        self.ports.udp.release(local, id);
        self.table.remove(id);
    }

    /// Queues a datagram with the interface that it leaves by.
    fn udp_hand_over(&mut self, now: Instant, local: SocketAddr, mut outgoing: Outgoing) {
        // From here on only what was lent or given for the message holds its completion up.
        let _token = outgoing.token.take();
        let to = outgoing.to.ip();
        let Some((iface, interface_mtu, packet)) = self.udp_packet(local, outgoing) else {
            return;
        };
        let mtu = self.pmtu.lookup(now, to, interface_mtu).mtu;
        if self.send_control(iface, packet, mtu) {
            self.counters.udp.out_datagrams += 1;
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
