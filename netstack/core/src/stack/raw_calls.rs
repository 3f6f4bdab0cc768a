//! Sockets below the transports: raw sockets, which see one IP protocol, and packet sockets, which see an interface.
//!
//! Each gets a clone of a packet, which is a reference to its payload.

use super::Stack;
use super::icmp_errors::Notice;
use crate::Instant;
use crate::datagram::{DatagramLimits, DatagramSocket, Delivery, Kind, Marking};
use crate::ip::icmp;
use crate::ip::input::RawHeader;
use crate::ip::pseudo::{self, Trust};
use crate::ip::{IfaceId, IpHeader};
use crate::socket::{Arrival, BindError, BindOptions, Sees, SendControl, SendError, SocketId};
use smoltcp::wire::IpProtocol;
use std::net::{IpAddr, SocketAddr};
use txbuf::{IovIter, NoRoom, Packet, Span};

/// The protocol of raw sockets that only send, whatever protocol (`IPPROTO_RAW`).
const ANY_PROTOCOL: u8 = 255;

/// The sockets that see packets beside the transports.
#[derive(Debug, Default)]
pub(super) struct Observers {
    raws: Vec<SocketId>,
    taps: Vec<SocketId>,
}

impl Stack {
    /// Opens a raw socket (`SOCK_RAW`) for the IP protocol with the number `protocol`: it receives every whole datagram of
    /// that protocol for this host, which transports receive all the same. `local` is the address that it sends from
    /// and receives for, or an unspecified one of its version.
    ///
    /// Over IPv4 a received message begins with the IP header, over IPv6 behind all headers. What is sent gets an IP
    /// header, unless it [begins with one](crate::SocketOption::WithHeader); then total length and checksum are filled in,
    /// and source and identification where they are 0. Of ICMPv6 the checksum is filled in and checked.
    /// With protocol 255 it only sends, over IPv4, and what it sends begins with a header.
    ///
    /// # Errors
    ///
    /// [`BindError::NotAvailable`] when the address is not this stack's, or there is no such interface.
    pub fn raw_open(
        &mut self,
        protocol: u8,
        local: IpAddr,
        options: &BindOptions,
    ) -> Result<SocketId, BindError> {
        let is_ours = local.is_unspecified() || self.addresses.owns(local);
        let has_device = options.device.is_none_or(|at| self.interface(at).is_some());
        if !is_ours || !has_device {
            return Err(BindError::NotAvailable);
        }
        let kind = Kind::Raw {
            protocol: IpProtocol::from(protocol),
            with_header: protocol == ANY_PROTOCOL && local.is_ipv4(),
        };
        let local = SocketAddr::new(local, 0);
        let socket =
            DatagramSocket::new(kind, local, DatagramLimits::default()).of(false, options.device);
        let id = self.add_datagram(socket);
        self.observers.raws.push(id);
        Ok(id)
    }

    /// Gives a raw socket another address that it sends from and receives for.
    ///
    /// # Errors
    ///
    /// [`BindError::NotAvailable`] when the address is not this stack's or of the other version, or the handle is not that
    /// of a raw socket.
    pub fn raw_bind(&mut self, socket: SocketId, local: IpAddr) -> Result<(), BindError> {
        let is_ours = local.is_unspecified() || self.addresses.owns(local);
        let entry = self.table.datagram_mut(socket);
        match entry.map(|entry| &mut entry.socket) {
            Ok(raw)
                if is_ours
                    && matches!(raw.kind, Kind::Raw { .. })
                    && raw.local().is_ipv4() == local.is_ipv4() =>
            {
                raw.bind(SocketAddr::new(local, 0), false, raw.device);
                Ok(())
            }
            _ => Err(BindError::NotAvailable),
        }
    }

    /// Opens a packet socket (`AF_PACKET`) on `iface`, or on all interfaces: it receives what it `sees` of the packets that
    /// its device delivers, before anything else sees them, and of those that leave by it, last of all, its own among them
    /// ([`Arrival::outgoing`]). Messages are IP packets without link header; they may be super-packets, whose checksum the
    /// device has not made yet. What is sent leaves as it is, of a socket on all interfaces by the one that
    /// [`SendControl::iface`] names.
    ///
    /// # Errors
    ///
    /// [`BindError::NotAvailable`] when there is no such interface.
    pub fn packet_open(
        &mut self,
        iface: Option<IfaceId>,
        sees: Sees,
    ) -> Result<SocketId, BindError> {
        if iface.is_some_and(|iface| self.interface(iface).is_none()) {
            return Err(BindError::NotAvailable);
        }
        let any = SocketAddr::new(IpAddr::from([0; 4]), 0);
        let kind = Kind::Packet { sees };
        let socket = DatagramSocket::new(kind, any, DatagramLimits::default()).of(false, iface);
        let id = self.add_datagram(socket);
        self.observers.taps.push(id);
        Ok(id)
    }

    /// Moves a packet socket to another interface, or to all, and has it see other packets. What it received stays.
    ///
    /// # Errors
    ///
    /// [`BindError::NotAvailable`] when there is no such interface, or the handle is not that of a packet socket.
    pub fn packet_bind(
        &mut self,
        socket: SocketId,
        iface: Option<IfaceId>,
        sees: Sees,
    ) -> Result<(), BindError> {
        let exists = iface.is_none_or(|iface| self.interface(iface).is_some());
        let entry = self.table.datagram_mut(socket);
        match entry.map(|entry| &mut entry.socket) {
            Ok(tap) if exists && matches!(tap.kind, Kind::Packet { .. }) => {
                tap.kind = Kind::Packet { sees };
                tap.device = iface;
                Ok(())
            }
            _ => Err(BindError::NotAvailable),
        }
    }

    /// Forgets a socket that is closed.
    pub(super) fn stop_observing(&mut self, id: SocketId) {
        self.observers.raws.retain(|one| *one != id);
        self.observers.taps.retain(|one| *one != id);
    }

    /// Gives a whole datagram to the raw sockets that want it. Says whether there is one.
    pub(super) fn raw_input(
        &mut self,
        now: Instant,
        iface: IfaceId,
        header: &IpHeader,
        packet: &Packet,
    ) -> bool {
        if self.observers.raws.is_empty() {
            return false;
        }
        let wants = |id: &SocketId| {
            let socket = self.table.datagram(*id);
            socket.is_ok_and(|socket| wants(socket, iface, header))
        };
        let receivers: Vec<SocketId> = self.observers.raws.iter().copied().filter(wants).collect();
        if receivers.is_empty() || !is_sound(header, packet) {
            return !receivers.is_empty();
        }
        let at = if header.is_v4() { 0 } else { header.header_len };
        let delivery = Delivery::of_ip(header, at, iface, now);
        for id in receivers {
            self.observe(id, &delivery, packet.clone());
        }
        true
    }

    /// Shows a packet to the packet sockets of `iface`.
    #[inline]
    pub(super) fn tapped(&mut self, now: Instant, iface: IfaceId, packet: &Packet, outgoing: bool) {
        if !self.observers.taps.is_empty() {
            self.show(now, iface, packet, outgoing);
        }
    }

    fn show(&mut self, now: Instant, iface: IfaceId, packet: &Packet, outgoing: bool) {
        let header = RawHeader::of(packet);
        let is_v4 = header.src.is_ipv4();
        let on = |id: &SocketId| {
            let socket = self.table.datagram(*id);
            socket.is_ok_and(|socket| {
                socket.device.is_none_or(|device| device == iface)
                    && matches!(socket.kind, Kind::Packet { sees } if sees.has(is_v4, outgoing))
            })
        };
        let taps: Vec<SocketId> = self.observers.taps.iter().copied().filter(on).collect();
        if taps.is_empty() {
            return;
        }
        let delivery = Delivery {
            from: SocketAddr::new(header.src, 0),
            arrival: Arrival {
                to: header.dst,
                iface,
                hop_limit: header.hop_limit,
                traffic_class: header.traffic_class,
                time: now,
                outgoing,
            },
            payload_at: 0,
            segment: None,
        };
        for id in taps {
            let mut seen = packet.clone();
            // Nobody may sit on what its sender has only lent.
            if seen.span().is_some_and(Span::is_lent) && seen.orphan(&mut self.small).is_err() {
                self.counters.raw.in_no_memory += 1;
                continue;
            }
            self.observe(id, &delivery, seen);
        }
    }

    fn observe(&mut self, id: SocketId, delivery: &Delivery, packet: Packet) {
        match self.deliver_datagram(id, delivery, packet) {
            Ok(_) => self.counters.raw.in_packets += 1,
            Err(reason) => reason.count_raw(&mut self.counters.raw),
        }
    }

    /// Queues a packet as it is with the packet socket of `iface`.
    pub(super) fn packet_queue(
        &mut self,
        id: SocketId,
        iface: IfaceId,
        from: &mut IovIter<'_>,
        control: &SendControl<'_>,
    ) -> Result<usize, SendError> {
        let mtu = self.interface(iface).map_or(0, |interface| interface.mtu());
        if from.remaining() > mtu {
            return Err(SendError::TooLong);
        }
        let entry = self.table.datagram_mut(id)?;
        let addressed = (entry.socket.local(), Marking::by(iface));
        let (token, small, pool) = (control.token, &mut self.small, &self.pools.send);
        let len = entry
            .socket
            .send(addressed, (None, token), from, small, pool)?;
        self.datagram_ready(id, iface);
        Ok(len)
    }

    /// Queues a packet as it is with its interface.
    pub(super) fn packet_output(&mut self, iface: IfaceId, packet: Option<Span>) {
        let Some(span) = packet else { return };
        let mut packet = Packet::from_span(span);
        // Whoever looks at it later finds its header where those of all packets are.
        let sound = packet.pull(RawHeader::of(&packet).len).is_ok();
        if sound && self.push_control(iface, packet) {
            self.counters.raw.out_packets += 1;
        } else if !sound {
            self.counters.raw.out_malformed += 1;
        }
    }

    /// Tells raw sockets what the network says about a packet of their protocol. Says whether one was concerned.
    pub(super) fn raw_icmp_error(&mut self, notice: &Notice) -> bool {
        let quoted = &notice.quoted;
        let sent = |id: &SocketId| {
            let socket = self.table.datagram(*id);
            socket.is_ok_and(|socket| {
                let speaks = matches!(socket.kind, Kind::Raw { protocol, .. } if protocol == quoted.protocol);
                let local = socket.local().ip();
                speaks && (local == quoted.src.ip() || local.is_unspecified() && local.is_ipv4() == quoted.src.is_ipv4())
            })
        };
        let concerned: Vec<SocketId> = self.observers.raws.iter().copied().filter(sent).collect();
        for id in &concerned {
            self.report_datagram(*id, notice);
        }
        !concerned.is_empty()
    }
}

fn wants(socket: &DatagramSocket, iface: IfaceId, header: &IpHeader) -> bool {
    let local = socket.local().ip();
    let for_it = local == header.dst || local.is_unspecified() && local.is_ipv4() == header.is_v4();
    let is_peer = socket.peer().is_none_or(|peer| peer.ip() == header.src);
    let of_device = socket.device.is_none_or(|device| device == iface);
    let is_protocol =
        matches!(socket.kind, Kind::Raw { protocol, .. } if protocol == header.protocol);
    is_protocol && for_it && is_peer && of_device
}

/// Whether the checksum of a packet is right, if it is one that raw sockets need not look at.
fn is_sound(header: &IpHeader, packet: &Packet) -> bool {
    if header.protocol != IpProtocol::Icmpv6 || header.is_v4() {
        return true;
    }
    let field = icmp::CHECKSUM_AT;
    let trust = pseudo::verify(packet, header.header_len, field, header.pseudo_sum());
    trust == Ok(Trust::Good)
}

/// The packet without IP header that `message` of a raw socket is.
pub(super) fn message(
    protocol: IpProtocol,
    message: Option<Span>,
    pseudo: u16,
) -> Result<Packet, NoRoom> {
    match message {
        Some(message) if protocol == IpProtocol::Icmpv6 => {
            icmp::seal(message, None, pseudo).ok_or(NoRoom)
        }
        Some(message) => Ok(Packet::with_payload(message)),
        None => Ok(Packet::new()),
    }
}
