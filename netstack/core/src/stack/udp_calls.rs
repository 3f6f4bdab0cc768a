//! UDP: datagrams in, and what applications ask of it.

use super::Stack;
use super::icmp_errors::Notice;
use super::table::{DatagramEntry, Socket};
use crate::Instant;
use crate::datagram::{DatagramLimits, DatagramSocket, Delivery, Kind};
use crate::ip::classify::may_be_destination;
use crate::ip::icmp::{IcmpError, Unreachable};
use crate::ip::{IfaceId, IpHeader, forward};
use crate::socket::{BindError, BindOptions, ConnectError, SocketError, SocketId};
use crate::udp::input;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use txbuf::Packet;

impl Stack {
    /// Binds a datagram socket to `local`: an unspecified address means every address of its family,
    /// port 0 an ephemeral port. It shares neither with anybody.
    ///
    /// # Errors
    ///
    /// The port is taken, the address is not this stack's, or no ephemeral port is free.
    pub fn udp_bind(&mut self, local: SocketAddr) -> Result<SocketId, BindError> {
        self.udp_bind_with(local, &BindOptions::default())
    }

    /// The same with options. A group or a broadcast address can be bound too: then nothing else is received.
    ///
    /// # Errors
    ///
    /// As for [`udp_bind`](Self::udp_bind); [`BindError::NotAvailable`] also where there is no such interface.
    pub fn udp_bind_with(
        &mut self,
        local: SocketAddr,
        options: &BindOptions,
    ) -> Result<SocketId, BindError> {
        let socket = self.udp_open();
        match self.udp_bind_on(socket, local, options) {
            Ok(()) => Ok(socket),
            Err(error) => {
                self.table.remove(socket);
                Err(error)
            }
        }
    }

    /// Opens a datagram socket that has no port: it can join groups and be [bound](Self::udp_bind_on), and nothing else.
    pub fn udp_open(&mut self) -> SocketId {
        let unbound = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        let limits = DatagramLimits::default();
        self.add_datagram(DatagramSocket::new(Kind::Udp, unbound, limits))
    }

    /// Binds a datagram socket that has no port; otherwise as [`udp_bind_with`](Self::udp_bind_with).
    ///
    /// # Errors
    ///
    /// As for [`udp_bind_with`](Self::udp_bind_with), and the socket is as it was; [`BindError::NotAvailable`] also when the
    /// handle is not that of such a socket.
    pub fn udp_bind_on(
        &mut self,
        socket: SocketId,
        local: SocketAddr,
        options: &BindOptions,
    ) -> Result<(), BindError> {
        let unbound = |udp: &DatagramSocket| udp.kind == Kind::Udp && udp.local().port() == 0;
        if !self.table.datagram(socket).is_ok_and(unbound) {
            return Err(BindError::NotAvailable);
        }
        let (port, mut holder) = self.claim(|ports| &ports.udp, local, options, true)?;
        holder.id = socket;
        if let Ok(entry) = self.table.datagram_mut(socket) {
            let bound = SocketAddr::new(holder.address, port);
            let dual = options.dual && local.is_ipv6();
            entry.socket.bind(bound, dual, options.device);
        }
        self.ports.udp.bind(port, holder);
        Ok(())
    }

    /// Takes the port of a datagram socket back, and the peer, if it has one. What was to be sent is handed to the
    /// interfaces before; what was received stays, and so do groups.
    ///
    /// # Errors
    ///
    /// The handle is not that of such a socket, or it is that of a gateway's flow, which has its peer for good.
    pub fn udp_unbind(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError> {
        self.udp_disconnect(socket)?;
        self.flush_datagrams(now, socket);
        let udp = &mut self.table.datagram_mut(socket)?.socket;
        if udp.kind != Kind::Udp {
            return Err(SocketError::WrongKind);
        }
        let (local, device) = (udp.local(), udp.device);
        udp.bind(SocketAddr::new(local.ip(), 0), false, device);
        self.ports.udp.release(local.port(), socket);
        Ok(())
    }

    /// Puts a datagram socket into the table.
    pub(super) fn add_datagram(&mut self, socket: DatagramSocket) -> SocketId {
        let entry = DatagramEntry {
            socket,
            ready: false,
        };
        self.table.insert(Socket::Datagram(Box::new(entry)))
    }

    /// Connects a datagram socket, a ping or a raw socket, for which the port means nothing: it sends to `remote` unless told
    /// otherwise, receives from nobody else, and is told of errors. Port 0 means that it receives from every port there. One
    /// that was bound to any address has the one from now on that its datagrams come from.
    ///
    /// # Errors
    ///
    /// The address is none that datagrams go to or of the other family, or the handle is not a datagram socket's, or it is
    /// that of a gateway's flow, which has its peer for good ([`ConnectError::InvalidAddress`]); no route leads there; it is a
    /// broadcast address, and the socket may not send there ([`ConnectError::NotPermitted`]).
    // req: RFC1122udp-09
    pub fn udp_connect(
        &mut self,
        socket: SocketId,
        remote: SocketAddr,
    ) -> Result<(), ConnectError> {
        let invalid = ConnectError::InvalidAddress;
        let udp = self.table.datagram(socket).map_err(|_| invalid)?;
        let mut remote = udp.unconnected_reach(remote).ok_or(invalid)?;
        match udp.kind {
            Kind::Udp => {}
            Kind::Ping | Kind::Raw { .. } => remote.set_port(0),
            Kind::Packet { .. } => return Err(invalid),
        }
        if !may_be_destination(remote.ip()) {
            return Err(invalid);
        }
        let (kind, local, iface) = (udp.kind, udp.bound(), udp.iface_for(remote.ip()));
        let (may_broadcast, current) = (udp.may_broadcast(), udp.local().ip());
        if kind == Kind::Udp && local.port() == 0 {
            return Err(ConnectError::NotAvailable);
        }
        if udp.peer() != Some(remote) && self.is_udp_flow(socket) {
            return Err(invalid);
        }
        let (iface, via) = self
            .way_to(
                remote.ip(),
                iface.or_else(|| self.link_for(remote.ip(), current)),
            )
            .ok_or(ConnectError::NoRoute)?;
        if !may_broadcast && self.addresses.is_broadcast(remote.ip()) {
            return Err(ConnectError::NotPermitted);
        }
        let source = match local.ip() {
            address if !address.is_unspecified() => address,
            _ => self
                .addresses
                .select_source(iface, remote.ip(), via)
                .ok_or(ConnectError::NotAvailable)?,
        };
        self.set_peer(socket, source, Some(remote));
        Ok(())
    }

    /// Dissolves what [`udp_connect`](Self::udp_connect) made: the socket is as it was bound.
    ///
    /// # Errors
    ///
    /// The handle is not that of such a socket, or it is that of a gateway's flow, which has its peer for good.
    pub fn udp_disconnect(&mut self, socket: SocketId) -> Result<(), SocketError> {
        if self.is_udp_flow(socket) {
            return Err(SocketError::WrongKind);
        }
        let local = self.table.datagram(socket)?.bound().ip();
        self.set_peer(socket, local, None);
        Ok(())
    }

    fn set_peer(&mut self, id: SocketId, local: IpAddr, peer: Option<SocketAddr>) {
        let Ok(udp) = self.table.datagram_mut(id) else {
            return;
        };
        udp.socket.connect(local, peer);
        let port = udp.socket.local().port();
        let space = match udp.socket.kind {
            Kind::Udp => &mut self.ports.udp,
            Kind::Ping => &mut self.ports.ping,
            Kind::Raw { .. } | Kind::Packet { .. } => return,
        };
        if let Some(holder) = space.holder_mut(port, id) {
            (holder.address, holder.peer) = (local, peer);
        }
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
        let delivery = Delivery::of_udp(&datagram, iface, now);
        let (local, remote) = (datagram.dst, datagram.src);
        if self.takes_for_others(iface, header.dst) {
            if let Some(id) = self.flow_of_datagram(now, iface, &datagram, &packet) {
                self.udp_deliver(id, &delivery, packet);
            }
            return;
        }
        if !self.is_for_one(local.ip()) {
            return self.udp_to_many(local, remote, &delivery, &packet);
        }
        match self.receiver_for(|ports| &ports.udp, local, remote, Some(iface)) {
            Some(id) => self.udp_deliver(id, &delivery, packet),
            None if self.ports.udp.is_held(local) => self.counters.udp.in_not_peer += 1,
            None => {
                self.counters.udp.in_no_port += 1;
                let error = IcmpError::Unreachable(Unreachable::Port);
                self.send_icmp_error(now, iface, error, &forward::first_on_wire(&packet));
            }
        }
    }

    /// A datagram to a group or a broadcast address: a clone for everybody who wants it. Nobody is told of errors.
    fn udp_to_many(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        delivery: &Delivery,
        packet: &Packet,
    ) {
        let iface = delivery.arrival.iface;
        let all = self.ports.udp.all(local, remote, Some(iface));
        let receivers: Vec<SocketId> = all
            .filter(|id| self.is_among(*id, iface, local.ip()))
            .collect();
        if receivers.is_empty() {
            self.counters.udp.in_no_port += 1;
        }
        for id in receivers {
            self.udp_deliver(id, delivery, packet.clone());
        }
    }

    fn udp_deliver(&mut self, id: SocketId, delivery: &Delivery, packet: Packet) {
        match self.deliver_datagram(id, delivery, packet) {
            Ok(count) => self.counters.udp.in_datagrams += count as u64,
            Err(reason) => reason.count(&mut self.counters.udp),
        }
    }

    pub(super) fn udp_icmp_error(&mut self, now: Instant, notice: Notice) {
        let (local, remote) = (notice.quoted.src, notice.quoted.dst);
        let speaks = |id: &SocketId| {
            let socket = self.table.datagram(*id);
            socket.is_ok_and(|socket| socket.speaks_to(remote))
        };
        // Of several sockets on the port the one that sent is meant.
        let sender = self
            .udp_flow(local, remote)
            .or_else(|| self.ports.udp.all(local, remote, None).find(speaks));
        let id = sender.or_else(|| self.receiver_for(|ports| &ports.udp, local, remote, None));
        let Some(id) = id else {
            self.counters.ip.icmp_in_not_ours += 1;
            return;
        };
        // In IPv4 routers cut these datagrams themselves, unless they must not.
        if let IcmpError::TooBig { mtu } = notice.error
            && self.table.datagram(id).is_ok_and(|socket| {
                (remote.is_ipv6() || socket.forbids_fragments()) && socket.speaks_to(remote)
            })
        {
            self.reduce_path(now, remote.ip(), mtu, notice.quoted.total_len);
        }
        self.report_datagram(id, &notice);
    }
}
