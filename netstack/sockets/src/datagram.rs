//! Sockets of datagrams.

use std::net::SocketAddr;

use netstack_core::{Instant, SocketId};

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
            return Err(self.bound_already(wanted));
        }
        self.open_datagram(fd, wanted)?;
        let datagram = self.datagram_mut(fd)?;
        datagram.bound = true;
        datagram.options.on_bound(wanted.ip());
        Ok(())
    }

    /// The stack's socket: one on a port of the stack's choice, if there is none yet.
    pub(crate) fn bound_datagram(&mut self, fd: i32) -> Result<SocketId, Errno> {
        let datagram = self.datagram_mut(fd)?;
        match datagram.id {
            Some(id) => Ok(id),
            None => {
                let any = datagram.domain.unspecified();
                self.open_datagram(fd, any)
            }
        }
    }

    fn open_datagram(&mut self, fd: i32, local: SocketAddr) -> Result<SocketId, Errno> {
        let datagram = self.datagram_mut(fd)?;
        let sharing = datagram.options.sharing(datagram.domain);
        let id = self.stack.udp_bind_with(local, &sharing)?;
        self.owners.insert(id, fd);
        self.datagram_mut(fd)?.id = Some(id);
        self.tell_options(fd, id)?;
        Ok(id)
    }

    /// Has the stack's socket know what was set.
    fn tell_options(&mut self, fd: i32, id: SocketId) -> Result<(), Errno> {
        let (now, on_v4) = (self.stack.latest_time(), self.is_on_v4(id));
        for option in self.datagram_mut(fd)?.options.to_apply(on_v4) {
            // Some that every descriptor has mean nothing for datagrams.
            let _ = self.stack.set_option(now, id, option);
        }
        Ok(())
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
        let id = self.bound_datagram(fd)?;
        let datagram = self.datagram_mut(fd)?;
        let peer = datagram.domain.within(peer);
        self.stack.udp_connect(id, peer)?;
        self.datagram_mut(fd)?.peer = Some(peer);
        self.tell_options(fd, id)
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

    pub(crate) fn local_of_datagram(&self, datagram: &Datagram) -> SocketAddr {
        let id = datagram.id.and_then(|id| self.stack.local_addr(id).ok());
        id.unwrap_or_else(|| datagram.domain.unspecified())
    }

    /// Whether what a socket sends is IPv4, as far as is known.
    pub(crate) fn is_on_v4(&self, id: SocketId) -> bool {
        let local = self.stack.local_addr(id);
        local.is_ok_and(|local| local.ip().to_canonical().is_ipv4())
    }
}
