//! Calls that look at what a descriptor is open on and pass on to that: socket, bind, connect, shutdown, names.

use netstack_core::Instant;

use crate::address::{Domain, SockAddr};
use crate::datagram::Datagram;
use crate::files::Object;
use crate::stream::Stream;
use crate::{Errno, Sockets};

/// The longest name of a socket: `struct sockaddr_storage`.
const NAME_MOST: usize = 128;
/// Bits of a socket's type that are flags.
const TYPE_FLAGS: i32 = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

impl Sockets {
    /// Makes a socket: `SOCK_STREAM` or `SOCK_DGRAM` of `AF_INET` or `AF_INET6`, with `SOCK_NONBLOCK` and `SOCK_CLOEXEC`
    /// (which means nothing here) beside it.
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
        let domain = match domain {
            libc::AF_INET => Domain::V4,
            libc::AF_INET6 => Domain::V6,
            _ => return Err(Errno::EAFNOSUPPORT),
        };
        if !(0..=262).contains(&protocol) {
            return Err(Errno::EINVAL);
        }
        let object = match (kind, protocol) {
            (libc::SOCK_STREAM, 0 | libc::IPPROTO_TCP) => {
                Object::Stream(Stream::new(domain).into())
            }
            (libc::SOCK_DGRAM, 0 | libc::IPPROTO_UDP) => {
                Object::Datagram(Datagram::new(domain).into())
            }
            (libc::SOCK_STREAM | libc::SOCK_DGRAM, _) => return Err(Errno::EPROTONOSUPPORT),
            _ => return Err(Errno::ESOCKTNOSUPPORT),
        };
        self.open(object, nonblocking)
    }

    /// Binds a socket to an address and port of the stack: an unspecified address means all, port 0 one of the stack's
    /// choice.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a socket that is bound, or a name that is too short; `EAFNOSUPPORT`, `EADDRNOTAVAIL`, `EADDRINUSE`.
    pub fn bind(&mut self, fd: i32, name: &[u8]) -> Result<(), Errno> {
        let object = &self.files.get(fd)?.object;
        let is_stream = match object {
            Object::Stream(_) => true,
            Object::Datagram(_) => false,
            Object::Epoll(_) => return Err(Errno::ENOTSOCK),
        };
        if name.len() > NAME_MOST {
            return Err(Errno::EINVAL);
        }
        if is_stream {
            self.bind_stream(fd, name)
        } else {
            self.bind_datagram(fd, name)
        }
    }

    /// Connects a socket. A connection is only begun: `EINPROGRESS`. The socket is writable when it is there or has
    /// failed; `SO_ERROR`, or calling this again, says which. A name of the family `AF_UNSPEC` dissolves a connection.
    ///
    /// # Errors
    ///
    /// As Linux has them.
    pub fn connect(&mut self, now: Instant, fd: i32, name: &[u8]) -> Result<(), Errno> {
        let is_stream = match &self.files.get(fd)?.object {
            Object::Stream(_) => true,
            Object::Datagram(_) => false,
            Object::Epoll(_) if name.len() > NAME_MOST => return Err(Errno::EINVAL),
            Object::Epoll(_) => return Err(Errno::ENOTSOCK),
        };
        if name.len() > NAME_MOST {
            return Err(Errno::EINVAL);
        }
        if is_stream {
            self.connect_stream(now, fd, name)
        } else {
            self.connect_datagram(now, fd, name)
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
            _ => return Err(Errno::EINVAL),
        };
        match object {
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
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
            Object::Datagram(datagram) => (datagram.domain, datagram.peer),
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
