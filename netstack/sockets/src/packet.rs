//! Packet sockets (`AF_PACKET`): whole IP packets of an interface, or of all. There is no link header: `SOCK_RAW` and
//! `SOCK_DGRAM` are the same.

use netstack_core::{Arrival, IfaceId, RecvFlags, Sees, SendControl, SendFlags, SocketId};
use txbuf::IovIter;

use crate::address::SockAddr;
use crate::control::{Writer, of_others, tell_time};
use crate::files::Object;
use crate::interfaces::{number_of, numbered};
use crate::options::Options;
use crate::receive::{ReceivedMessage, message};
use crate::send::MessageHead;
use crate::{Errno, Sockets};

/// Numbers of protocols as Ethernet has them.
const ALL: u16 = libc::ETH_P_ALL as u16;
const IPV4: u16 = libc::ETH_P_IP as u16;
const IPV6: u16 = libc::ETH_P_IPV6 as u16;
/// Bytes of `struct sockaddr_ll`, and of those in front of the link address.
const NAME: usize = 20;
const NAME_LEAST: usize = 12;
/// Flags that receiving takes.
const RECEIVES: i32 = libc::MSG_PEEK | libc::MSG_DONTWAIT | libc::MSG_TRUNC;

/// A packet socket.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    pub(crate) id: SocketId,
    /// `SOCK_RAW` or `SOCK_DGRAM`.
    pub(crate) kind: i32,
    /// Which protocol it receives, as Ethernet numbers them.
    pub(crate) protocol: u16,
    iface: Option<IfaceId>,
    pub(crate) options: Options,
}

/// What a `struct sockaddr_ll` says.
struct Place {
    protocol: u16,
    interface: u32,
}

impl Place {
    fn parse(name: &[u8]) -> Result<Place, Errno> {
        let bytes: &[u8; NAME] = name.first_chunk().ok_or(Errno::EINVAL)?;
        let [f0, f1, p0, p1, i0, i1, i2, i3, ..] = *bytes;
        if i32::from(u16::from_ne_bytes([f0, f1])) != libc::AF_PACKET {
            return Err(Errno::EINVAL);
        }
        Ok(Place {
            protocol: u16::from_be_bytes([p0, p1]),
            interface: u32::from_ne_bytes([i0, i1, i2, i3]),
        })
    }
}

impl Sockets {
    /// Opens one on all interfaces. The protocol is in the order of the network.
    pub(crate) fn packet_socket(
        &mut self,
        kind: i32,
        protocol: i32,
    ) -> Result<PacketSocket, Errno> {
        if !matches!(kind, libc::SOCK_RAW | libc::SOCK_DGRAM) {
            return Err(Errno::ESOCKTNOSUPPORT);
        }
        // Only so much of it is looked at.
        let protocol = u16::from_be(protocol as u16);
        Ok(PacketSocket {
            id: self.stack.packet_open(None, sees(protocol))?,
            kind,
            protocol,
            iface: None,
            options: Options::default(),
        })
    }

    pub(crate) fn packet_mut(&mut self, fd: i32) -> Result<&mut PacketSocket, Errno> {
        match &mut self.files.get_mut(fd)?.object {
            Object::Packet(packet) => Ok(packet),
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    pub(crate) fn bind_packet(&mut self, fd: i32, name: &[u8]) -> Result<(), Errno> {
        let place = Place::parse(name)?;
        let iface = match place.interface {
            0 => None,
            number => Some(numbered(&self.stack, number)?),
        };
        let packet = self.packet_mut(fd)?;
        if place.protocol != 0 {
            packet.protocol = place.protocol;
        }
        packet.iface = iface;
        let (id, protocol) = (packet.id, packet.protocol);
        Ok(self.stack.packet_bind(id, iface, sees(protocol))?)
    }

    pub(crate) fn name_of_packet(&self, packet: &PacketSocket) -> SockAddr {
        let name = link_name(packet.protocol, packet.iface.map_or(0, number_of), 0);
        name.shortened(NAME_LEAST)
    }

    pub(crate) fn send_packet(
        &mut self,
        fd: i32,
        from: &mut IovIter<'_>,
        head: &MessageHead<'_>,
    ) -> Result<usize, Errno> {
        let place = head.name.map(Place::parse).transpose()?;
        let packet = self.packet_mut(fd)?;
        let (id, bound) = (packet.id, packet.iface);
        let iface = match place {
            Some(place) => numbered(&self.stack, place.interface).ok(),
            None => bound,
        };
        let iface = iface.ok_or(Errno::ENXIO)?;
        of_others(head.control)?;
        let control = SendControl {
            iface: Some(iface),
            token: head.token,
            ..SendControl::default()
        };
        Ok(self
            .stack
            .send_message(id, from, SendFlags::NONE, &control)?)
    }

    pub(crate) fn receive_packet(
        &mut self,
        fd: i32,
        into: &mut IovIter<'_>,
        room: usize,
        flags: i32,
    ) -> Result<ReceivedMessage, Errno> {
        if flags & libc::MSG_ERRQUEUE != 0 {
            return Err(Errno::EAGAIN);
        }
        if flags & !RECEIVES != 0 {
            return Err(Errno::EINVAL);
        }
        let id = self.packet_mut(fd)?.id;
        let wanted = match flags & libc::MSG_PEEK {
            0 => RecvFlags::NONE,
            _ => RecvFlags::PEEK,
        };
        let received = self.stack.receive_message(id, into, wanted)?;
        let mut control = Writer::new(room);
        let mut name = None;
        if let (Some(arrival), Some(from)) = (received.arrival, received.from) {
            tell_time(
                &mut control,
                self.options(fd)?,
                self.limits.epoch,
                arrival.time,
            );
            let protocol = if from.is_ipv4() { IPV4 } else { IPV6 };
            name = Some(link_name(
                protocol,
                number_of(arrival.iface),
                self.whose(&arrival),
            ));
        }
        let told = match flags & libc::MSG_TRUNC {
            0 => received.bytes,
            _ => received.len,
        };
        let cut = if received.truncated {
            libc::MSG_TRUNC
        } else {
            0
        };
        Ok(message(told, received.bytes, name, control, cut))
    }

    /// For whom a packet was: `sll_pkttype`.
    fn whose(&self, arrival: &Arrival) -> u8 {
        if arrival.outgoing {
            libc::PACKET_OUTGOING
        } else if self.stack.interface_of(arrival.to).is_some() {
            libc::PACKET_HOST
        } else if arrival.to.is_multicast() {
            libc::PACKET_MULTICAST
        } else if self.stack.can_bind(arrival.to) {
            libc::PACKET_BROADCAST
        } else {
            libc::PACKET_OTHERHOST
        }
    }
}

/// What a socket for a protocol sees.
fn sees(protocol: u16) -> Sees {
    match protocol {
        ALL => Sees::All,
        IPV4 => Sees::ArrivingV4,
        IPV6 => Sees::ArrivingV6,
        _ => Sees::Nothing,
    }
}

/// A `struct sockaddr_ll` of a link without addresses.
fn link_name(protocol: u16, interface: u32, whose: u8) -> SockAddr {
    let mut name = [0; NAME];
    name[..2].copy_from_slice(&(libc::AF_PACKET as u16).to_ne_bytes());
    name[2..4].copy_from_slice(&protocol.to_be_bytes());
    name[4..8].copy_from_slice(&interface.to_ne_bytes());
    name[8..10].copy_from_slice(&libc::ARPHRD_NONE.to_ne_bytes());
    name[10] = whose;
    SockAddr::of_link(&name)
}
