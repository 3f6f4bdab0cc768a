//! Sockets of datagrams.

use std::net::SocketAddr;

use netstack_core::{Instant, SocketId, SocketOption};

use crate::address::{Domain, Target, to_bind, to_connect};
use crate::create::Shut;
use crate::options::Options;
use crate::{Errno, Sockets};

/// A socket of datagrams.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) domain: Domain,
    /// The stack's socket, once it is bound.
    pub(crate) id: Option<SocketId>,
    /// Whether the program bound it.
    bound: bool,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) shut: Shut,
    pub(crate) options: Options,
}

impl Datagram {
    pub(crate) fn new(domain: Domain) -> Datagram {
        Datagram {
            domain,
            id: None,
            bound: false,
            peer: None,
            shut: Shut::default(),
            options: Options::default(),
        }
    }
}

impl Sockets {
    pub(crate) fn bind_datagram(&mut self, fd: i32, name: &[u8]) -> Result<(), Errno> {
        let datagram = self.datagram_mut(fd)?;
        let wanted = to_bind(datagram.domain, datagram.options.v6_only(), name)?;
        if datagram.id.is_some() {
            return Err(Errno::EINVAL);
        }
        self.open_datagram(fd, wanted)?;
        self.datagram_mut(fd)?.bound = true;
        Ok(())
    }

    /// The stack's socket: one of the family of `to` on a port of the stack's choice, if there is none yet.
    pub(crate) fn bound_datagram(&mut self, fd: i32, to: SocketAddr) -> Result<SocketId, Errno> {
        if let Some(id) = self.datagram_mut(fd)?.id {
            return Ok(id);
        }
        let any = match to {
            SocketAddr::V4(_) => Domain::V4,
            SocketAddr::V6(_) => Domain::V6,
        };
        self.open_datagram(fd, any.unspecified())
    }

    fn open_datagram(&mut self, fd: i32, local: SocketAddr) -> Result<SocketId, Errno> {
        let id = self.stack.udp_bind(local)?;
        self.owners.insert(id, fd);
        let datagram = self.datagram_mut(fd)?;
        datagram.id = Some(id);
        let options = datagram.options.to_apply();
        for option in options {
            if matches!(
                option,
                SocketOption::UdpGro(_)
                    | SocketOption::SendBuffer(_)
                    | SocketOption::ReceiveBuffer(_)
            ) {
                self.stack.set_option(Instant::ZERO, id, option)?;
            }
        }
        Ok(id)
    }

    pub(crate) fn connect_datagram(
        &mut self,
        now: Instant,
        fd: i32,
        name: &[u8],
    ) -> Result<(), Errno> {
        let datagram = self.datagram_mut(fd)?;
        let v6_only = datagram.options.v6_only();
        let is_v4 = name.starts_with(&(libc::AF_INET as u16).to_ne_bytes());
        let domain = match datagram.domain {
            // IPv4's names are taken by sockets of IPv6 too.
            Domain::V6 if is_v4 && v6_only => return Err(Errno::EAFNOSUPPORT),
            Domain::V6 if is_v4 => Domain::V4,
            domain => domain,
        };
        let Target::Peer(peer) = to_connect(domain, v6_only, name)? else {
            return self.dissolve(now, fd);
        };
        let id = self.bound_datagram(fd, peer)?;
        self.stack.udp_connect(id, peer)?;
        self.datagram_mut(fd)?.peer = Some(peer);
        Ok(())
    }

    /// Makes the socket nobody's peer. A port that it was not bound to is given back.
    fn dissolve(&mut self, now: Instant, fd: i32) -> Result<(), Errno> {
        let datagram = self.datagram_mut(fd)?;
        datagram.peer = None;
        let Some(id) = datagram.id else {
            return Ok(());
        };
        if datagram.bound {
            return Ok(self.stack.udp_disconnect(id)?);
        }
        datagram.id = None;
        self.owners.remove(&id);
        self.stack.close(now, id);
        Ok(())
    }

    /// An address that datagrams leave from is known once the socket is connected.
    pub(crate) fn local_of_datagram(&self, datagram: &Datagram) -> SocketAddr {
        let id = datagram.id.and_then(|id| self.stack.local_addr(id).ok());
        let local = id.unwrap_or_else(|| datagram.domain.unspecified());
        match datagram.peer {
            Some(peer) if local.ip().is_unspecified() => {
                let source = self.stack.source_towards(peer.ip());
                source.map_or(local, |ip| SocketAddr::new(ip, local.port()))
            }
            _ if local.ip().is_unspecified() => {
                SocketAddr::new(datagram.domain.unspecified().ip(), local.port())
            }
            _ => local,
        }
    }
}
