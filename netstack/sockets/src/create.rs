//! Calls that look at what a descriptor is open on and pass on to that: socket, bind, connect, shutdown, names.

use std::net::IpAddr;

use netstack_core::{BindOptions, Instant};

use crate::address::{Domain, SockAddr, needs_scope, scope};
use crate::datagram::{Datagram, Kind};
use crate::files::Object;
use crate::interfaces::numbered;
use crate::stream::Stream;
use crate::{Errno, Sockets};

/// The longest name of a socket: `struct sockaddr_storage`.
const NAME_MOST: usize = 128;
/// Bits of a socket's type that are flags.
const TYPE_FLAGS: i32 = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

impl Sockets {
    /// Makes a socket: of `AF_INET` or `AF_INET6` a `SOCK_STREAM`, a `SOCK_DGRAM` of UDP or of pings (`IPPROTO_ICMP`,
    /// `IPPROTO_ICMPV6`), or a `SOCK_RAW`; of `AF_PACKET` a `SOCK_RAW` or `SOCK_DGRAM`, which are the same, with the protocol
    /// in the order of the network. `SOCK_NONBLOCK` and `SOCK_CLOEXEC` (which means nothing here) may stand beside it. No
    /// right is asked for.
    ///
    /// # Errors
    ///
    /// `EAFNOSUPPORT`, `EINVAL`, `ESOCKTNOSUPPORT` and `EPROTONOSUPPORT` as Linux has them; `EMFILE`.
    pub fn socket(&mut self, domain: i32, kind: i32, protocol: i32) -> Result<i32, Errno> {
        let nonblocking = kind & libc::SOCK_NONBLOCK != 0;
        let flags = kind & !0xF;
        if flags & !TYPE_FLAGS != 0 {
            return Err(Errno::EINVAL);
        }
        let (kind, most) = (kind & 0xF, 10);
        if kind > most {
            return Err(Errno::EINVAL);
        }
        let object = match domain {
            libc::AF_INET => self.inet_socket(Domain::V4, kind, protocol)?,
            libc::AF_INET6 => self.inet_socket(Domain::V6, kind, protocol)?,
            libc::AF_PACKET => Object::Packet(self.packet_socket(kind, protocol)?.into()),
            _ => return Err(Errno::EAFNOSUPPORT),
        };
        let id = match &object {
            Object::Datagram(datagram) => datagram.id,
            Object::Packet(packet) => Some(packet.id),
            Object::Stream(_) | Object::Epoll(_) => None,
        };
        let is_raw = matches!(&object, Object::Datagram(it) if matches!(it.kind, Kind::Raw(_)));
        let opened = self.open(object, nonblocking);
        match (opened, id) {
            (Ok(fd), Some(id)) => {
                self.owners.insert(id, fd);
                if is_raw {
                    self.tell_options(fd, id)?;
                }
            }
            (Err(_), Some(id)) => self.stack.close(self.stack.latest_time(), id),
            (_, None) => {}
        }
        opened
    }

    fn inet_socket(&mut self, domain: Domain, kind: i32, protocol: i32) -> Result<Object, Errno> {
        if !(0..=262).contains(&protocol) {
            return Err(Errno::EINVAL);
        }
        let ping = match domain {
            Domain::V4 => libc::IPPROTO_ICMP,
            Domain::V6 => libc::IPPROTO_ICMPV6,
        };
        let options = self.defaults.clone();
        let datagram =
            |kind, id| Object::Datagram(Datagram::new(domain, kind, id, options.clone()).into());
        Ok(match (kind, protocol) {
            (libc::SOCK_STREAM, 0 | libc::IPPROTO_TCP) => {
                Object::Stream(Stream::new(domain, options).into())
            }
            (libc::SOCK_DGRAM, 0 | libc::IPPROTO_UDP) => {
                datagram(Kind::Udp, Some(self.stack.udp_open()))
            }
            (libc::SOCK_DGRAM, protocol) if protocol == ping => datagram(Kind::Ping, None),
            (libc::SOCK_RAW, 1..=255) => {
                let any = domain.unspecified().ip();
                let id = self
                    .stack
                    .raw_open(protocol as u8, any, &BindOptions::default())?;
                datagram(Kind::Raw(protocol as u8), Some(id))
            }
            (libc::SOCK_STREAM | libc::SOCK_DGRAM | libc::SOCK_RAW, _) => {
                return Err(Errno::EPROTONOSUPPORT);
            }
            _ => return Err(Errno::ESOCKTNOSUPPORT),
        })
    }

    /// Binds a socket to an address and port of the stack: an unspecified address means all, port 0 one of the stack's
    /// choice.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a socket that is bound, or a name that is too short; `EAFNOSUPPORT`, `EADDRNOTAVAIL`, `EADDRINUSE`.
    pub fn bind(&mut self, fd: i32, name: &[u8]) -> Result<(), Errno> {
        let object = &self.files.get(fd)?.object;
        match object {
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
            _ if name.len() > NAME_MOST => Err(Errno::EINVAL),
            Object::Stream(_) => self.bind_stream(fd, name),
            Object::Datagram(_) => self.bind_datagram(fd, name),
            Object::Packet(_) => self.bind_packet(fd, name),
        }
    }

    /// Has a socket that is to be bound to an address of one link be one of the interface that its name says.
    pub(crate) fn bind_to_scope(
        &mut self,
        fd: i32,
        name: &[u8],
        wanted: IpAddr,
    ) -> Result<(), Errno> {
        let groups = match &self.files.get(fd)?.object {
            Object::Datagram(datagram) => datagram.kind != Kind::Ping,
            _ => false,
        };
        if wanted.is_ipv6() && wanted.is_multicast() && !groups {
            return Err(Errno::EINVAL);
        }
        if !needs_scope(wanted) {
            return Ok(());
        }
        match scope(name) {
            0 if self.options(fd)?.device().is_none() => Err(Errno::EINVAL),
            0 => Ok(()),
            number => {
                let device = numbered(&self.stack, number)?;
                self.bind_to_device(fd, Some(device))
            }
        }
    }

    /// Connects a socket. A connection is only begun: `EINPROGRESS`. The socket is writable when it is there or has
    /// failed; `SO_ERROR`, or calling this again, says which. A name of the family `AF_UNSPEC` dissolves a connection.
    ///
    /// # Errors
    ///
    /// As Linux has them.
    pub fn connect(&mut self, now: Instant, fd: i32, name: &[u8]) -> Result<(), Errno> {
        match &self.files.get(fd)?.object {
            _ if name.len() > NAME_MOST => Err(Errno::EINVAL),
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
            Object::Stream(_) => self.connect_stream(now, fd, name),
            Object::Datagram(_) => self.connect_datagram(now, fd, name),
            Object::Packet(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// Shuts a socket for reading (`SHUT_RD`), writing (`SHUT_WR`) or both (`SHUT_RDWR`).
    ///
    /// # Errors
    ///
    /// `ENOTCONN`, and `EINVAL` for another `how`.
    pub fn shutdown(&mut self, now: Instant, fd: i32, how: i32) -> Result<(), Errno> {
        let object = &mut self.files.get_mut(fd)?.object;
        let how = match how {
            libc::SHUT_RD => Shut::READ,
            libc::SHUT_WR => Shut::WRITE,
            libc::SHUT_RDWR => Shut::BOTH,
            _ if matches!(object, Object::Epoll(_)) => return Err(Errno::ENOTSOCK),
            _ if matches!(object, Object::Packet(_)) => return Err(Errno::EOPNOTSUPP),
            _ => return Err(Errno::EINVAL),
        };
        match object {
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
            Object::Packet(_) => Err(Errno::EOPNOTSUPP),
            Object::Stream(_) => self.shutdown_stream(now, fd, how),
            Object::Datagram(datagram) => {
                datagram.shut = datagram.shut.and(how);
                let connected = datagram.peer.is_some();
                self.wake(fd, u32::MAX);
                connected.then_some(()).ok_or(Errno::ENOTCONN)
            }
        }
    }

    /// The name that a socket is bound to.
    ///
    /// # Errors
    ///
    /// Not a descriptor of a socket.
    pub fn getsockname(&self, fd: i32) -> Result<SockAddr, Errno> {
        let (domain, local) = match &self.files.get(fd)?.object {
            Object::Stream(stream) => (stream.domain, self.local_of_stream(stream)),
            Object::Datagram(datagram) => (datagram.domain, self.local_of_datagram(datagram)),
            Object::Packet(packet) => return Ok(self.name_of_packet(packet)),
            Object::Epoll(_) => return Err(Errno::ENOTSOCK),
        };
        Ok(domain.write(local))
    }

    /// The name that a socket is connected to.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`.
    pub fn getpeername(&self, fd: i32) -> Result<SockAddr, Errno> {
        let (domain, peer) = match &self.files.get(fd)?.object {
            Object::Stream(stream) => (stream.domain, self.peer_of_stream(stream)),
            Object::Datagram(datagram) => {
                // Without a port it is no name, although datagrams go there.
                let named = datagram.peer.filter(|peer| peer.port() != 0);
                (datagram.domain, named)
            }
            Object::Packet(_) => return Err(Errno::EOPNOTSUPP),
            Object::Epoll(_) => return Err(Errno::ENOTSOCK),
        };
        peer.map(|peer| domain.write(peer)).ok_or(Errno::ENOTCONN)
    }
}

/// Which halves of a socket are shut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shut {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Shut {
    pub(crate) const READ: Shut = Shut {
        read: true,
        write: false,
    };
    pub(crate) const WRITE: Shut = Shut {
        read: false,
        write: true,
    };
    pub(crate) const BOTH: Shut = Shut {
        read: true,
        write: true,
    };

    pub(crate) fn and(self, other: Shut) -> Shut {
        Shut {
            read: self.read || other.read,
            write: self.write || other.write,
        }
    }
}
