//! Options that name interfaces: groups, where datagrams to groups leave, the one interface of a socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netstack_core::{GroupError, IfaceId, Instant, OptionError, SocketError, SocketId};

use super::read::int;
use super::set::number;
use crate::datagram::Kind;
use crate::files::Object;
use crate::interfaces::{NAME, named, number_of, numbered};
use crate::{Errno, Sockets};

/// The interface of datagrams to groups, as it was named.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupInterface {
    pub(crate) iface: Option<IfaceId>,
    /// `IP_MULTICAST_IF` is read as an address.
    address: Option<Ipv4Addr>,
}

impl Sockets {
    /// Sets such an option; says whether it is one.
    pub(super) fn set_interface(
        &mut self,
        now: Instant,
        fd: i32,
        (level, name): (i32, i32),
        value: &[u8],
    ) -> Result<bool, Errno> {
        let object = &self.files.get(fd)?.object;
        if matches!(object, Object::Epoll(_)) {
            return Err(Errno::ENOTSOCK);
        }
        let is_v6 = matches!(object, Object::Stream(s) if s.domain.number() == libc::AF_INET6)
            || matches!(object, Object::Datagram(d) if d.domain.number() == libc::AF_INET6);
        let is_v4_too = takes_v4(object);
        match (level, name) {
            (libc::SOL_SOCKET, libc::SO_BINDTODEVICE) => {
                let device = named(&self.stack, value)?;
                self.bind_to_device(fd, device)?;
            }
            (libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX) => {
                let device = match number(value)? {
                    0 => None,
                    at => Some(numbered(&self.stack, at as u32)?),
                };
                self.bind_to_device(fd, device)?;
            }
            (libc::IPPROTO_IP, libc::IP_MULTICAST_IF) if is_v4_too => {
                self.set_group_interface(fd, value)?;
            }
            (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF) if is_v6 => {
                self.datagram_mut(fd).map_err(|_| Errno::ENOPROTOOPT)?;
                let iface = match number(value)? {
                    0 => None,
                    at => Some(numbered(&self.stack, at as u32)?),
                };
                self.datagram_mut(fd)?.options.group_interface_v6 = iface;
            }
            (libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP | libc::IP_DROP_MEMBERSHIP) if is_v4_too => {
                // It is a stream that has none, whatever is asked.
                let id = self.of_groups(fd)?;
                let (group, iface) = self.request_v4(value)?;
                let joins = name == libc::IP_ADD_MEMBERSHIP;
                self.change_group(now, (id, joins), group.into(), iface)?;
            }
            (libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP | libc::IPV6_DROP_MEMBERSHIP)
                if is_v6 =>
            {
                let octets: &[u8; 16] = value.first_chunk().ok_or(Errno::EINVAL)?;
                let iface = match number(value.get(16..).unwrap_or_default())? {
                    0 => None,
                    at => Some(at as u32),
                };
                let id = self.of_groups(fd)?;
                let group = Ipv6Addr::from(*octets);
                if !group.is_multicast() {
                    return Err(Errno::EINVAL);
                }
                let iface = iface.map(|at| numbered(&self.stack, at)).transpose()?;
                let joins = name == libc::IPV6_ADD_MEMBERSHIP;
                self.change_group(now, (id, joins), group.into(), iface)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Reads such an option; `None` if it is none.
    pub(super) fn read_interface(
        &self,
        fd: i32,
        (level, name): (i32, i32),
        room: usize,
    ) -> Result<Option<Vec<u8>>, Errno> {
        let object = &self.files.get(fd)?.object;
        let (options, is_v6) = match object {
            Object::Stream(s) => (&s.options, s.domain.number() == libc::AF_INET6),
            Object::Datagram(d) => (&d.options, d.domain.number() == libc::AF_INET6),
            Object::Packet(p) => (&p.options, false),
            Object::Epoll(_) => return Err(Errno::ENOTSOCK),
        };
        let is_v4_too = takes_v4(object);
        Ok(Some(match (level, name) {
            (libc::SOL_SOCKET, libc::SO_BINDTODEVICE) => {
                let name = options.device.and_then(|at| self.stack.interface_name(at));
                let Some(name) = name else {
                    return Ok(Some(Vec::new()));
                };
                if room < NAME {
                    return Err(Errno::EINVAL);
                }
                let mut name: Vec<u8> = name.bytes().take(NAME - 1).collect();
                name.push(0);
                name
            }
            (libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX) => {
                int(options.device.map_or(0, number_of) as i32)
            }
            (libc::IPPROTO_IP, libc::IP_MULTICAST_IF) if is_v4_too => {
                let address = options.group_interface_v4.address;
                address.unwrap_or(Ipv4Addr::UNSPECIFIED).octets().to_vec()
            }
            (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF) if is_v6 => {
                int(options.group_interface_v6.map_or(0, number_of) as i32)
            }
            _ => return Ok(None),
        }))
    }

    pub(crate) fn bind_to_device(&mut self, fd: i32, device: Option<IfaceId>) -> Result<(), Errno> {
        let (options, id) = super::set::options_mut(self.files.get_mut(fd)?)?;
        options.device = device;
        match id.map(|id| self.stack.set_device(id, device)) {
            // A connection stays where it is.
            None | Some(Ok(()) | Err(OptionError::Socket(SocketError::WrongKind))) => Ok(()),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// By an address, by an address behind that of a group, or by that and a number.
    fn set_group_interface(&mut self, fd: i32, value: &[u8]) -> Result<(), Errno> {
        if matches!(self.files.get(fd)?.object, Object::Stream(_)) || value.len() < 4 {
            return Err(Errno::EINVAL);
        }
        let (address, number) = match value.len() {
            0..8 => (v4_at(value, 0)?, 0),
            8..12 => (v4_at(value, 4)?, 0),
            _ => (
                v4_at(value, 4)?,
                number(value.get(8..).unwrap_or_default())?,
            ),
        };
        let (iface, shown) = match number {
            0 if address.is_unspecified() => (None, None),
            0 => {
                let iface = self.stack.interface_of(address.into());
                (Some(iface.ok_or(Errno::EADDRNOTAVAIL)?), Some(address))
            }
            at => {
                let iface = numbered(&self.stack, at as u32).map_err(|_| Errno::EADDRNOTAVAIL)?;
                (Some(iface), Some(address).filter(|a| !a.is_unspecified()))
            }
        };
        self.datagram_mut(fd)?.options.group_interface_v4 = GroupInterface {
            iface,
            address: shown,
        };
        Ok(())
    }

    /// The stack's socket of one that can be in groups.
    fn of_groups(&mut self, fd: i32) -> Result<SocketId, Errno> {
        match self.files.get(fd)?.object {
            Object::Stream(_) => Err(Errno::EPROTO),
            _ => self.bound_or_fresh(fd),
        }
    }

    fn bound_or_fresh(&mut self, fd: i32) -> Result<SocketId, Errno> {
        match self.datagram_mut(fd)?.id {
            Some(id) => Ok(id),
            // Of pings: they have a socket with an identifier only.
            None => self.bound_datagram(fd),
        }
    }

    /// A `struct ip_mreq`, or a `struct ip_mreqn`.
    fn request_v4(&self, value: &[u8]) -> Result<(Ipv4Addr, Option<IfaceId>), Errno> {
        let (group, address) = (v4_at(value, 0)?, v4_at(value, 4)?);
        if !group.is_multicast() {
            return Err(Errno::EINVAL);
        }
        let at = value.get(8..).and_then(|rest| number(rest).ok());
        let iface = match at.unwrap_or(0) {
            0 if address.is_unspecified() => None,
            0 => Some(
                self.stack
                    .interface_of(address.into())
                    .ok_or(Errno::ENODEV)?,
            ),
            at => Some(numbered(&self.stack, at as u32)?),
        };
        Ok((group, iface))
    }

    fn change_group(
        &mut self,
        now: Instant,
        (id, joins): (SocketId, bool),
        group: IpAddr,
        iface: Option<IfaceId>,
    ) -> Result<(), Errno> {
        let changed = match joins {
            true => self.stack.join_group(now, id, group, iface),
            false => self.stack.leave_group(now, id, group, iface),
        };
        changed.map_err(|error| match error {
            GroupError::NotGroup => Errno::EINVAL,
            GroupError::NoInterface => Errno::ENODEV,
            GroupError::Already => Errno::EADDRINUSE,
            GroupError::NotMember => Errno::EADDRNOTAVAIL,
            GroupError::Socket(error) => error.into(),
            _ => Errno::ENOBUFS,
        })
    }
}

/// Whether a socket has the options of IPv4: raw ones of IPv6 have not.
fn takes_v4(object: &Object) -> bool {
    match object {
        Object::Stream(_) => true,
        Object::Datagram(datagram) => {
            datagram.domain.number() == libc::AF_INET || !matches!(datagram.kind, Kind::Raw(_))
        }
        Object::Packet(_) | Object::Epoll(_) => false,
    }
}

fn v4_at(value: &[u8], at: usize) -> Result<Ipv4Addr, Errno> {
    let octets: Option<&[u8; 4]> = value.get(at..).and_then(<[u8]>::first_chunk);
    octets
        .map(|octets| Ipv4Addr::from(*octets))
        .ok_or(Errno::EINVAL)
}
