//! Sockets of datagrams: UDP, pings, raw IP.

use std::net::{IpAddr, SocketAddr};

use netstack_core::{Instant, SocketId, SocketOption};
use txbuf::Completion;

use crate::address::{Domain, Target, to_bind, to_bind_raw, to_connect};
use crate::create::Shut;
use crate::interfaces::first_address;
use crate::options::Options;
use crate::{Errno, Sockets};

/// What a socket of datagrams sends and receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Udp,
    /// Echo requests, and the answers (`SOCK_DGRAM` with `IPPROTO_ICMP` or `IPPROTO_ICMPV6`).
    Ping,
    /// A protocol of IP (`SOCK_RAW`).
    Raw(u8),
}

/// Who gave a socket its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    None,
    /// The stack, when it was needed.
    Chosen,
    /// The program, which bound it.
    Bound,
}

/// A socket of datagrams.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) domain: Domain,
    pub(crate) kind: Kind,
    /// The stack's socket; a ping socket has none without a port.
    pub(crate) id: Option<SocketId>,
    pub(crate) port: Port,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) shut: Shut,
    pub(crate) options: Options,
    /// Messages that were sent without a copy and are to be told of.
    pub(crate) completed: Option<Completion>,
}

impl Datagram {
    pub(crate) fn new(
        domain: Domain,
        kind: Kind,
        id: Option<SocketId>,
        mut options: Options,
    ) -> Datagram {
        // What is sent as `IPPROTO_RAW` begins with a header.
        if kind == Kind::Raw(libc::IPPROTO_RAW as u8) {
            options.set_with_header();
        }
        Datagram {
            domain,
            kind,
            id,
            port: Port::None,
            peer: None,
            shut: Shut::default(),
            options,
            completed: None,
        }
    }

    /// Whether addresses of IPv4 in their form for IPv6 mean nothing to it.
    pub(crate) fn v6_only(&self) -> bool {
        self.options.v6_only() || self.kind != Kind::Udp
    }

    /// Whether a datagram cannot go to the port of a peer. Of IPv4's peers the port is looked at again, if the socket is one
    /// of IPv6.
    pub(crate) fn refuses_port(&self, peer: SocketAddr) -> bool {
        let mapped = self.domain == Domain::V6 && peer.ip().to_canonical().is_ipv4();
        mapped && self.kind == Kind::Udp && peer.port() == 0
    }

    pub(crate) fn protocol(&self) -> i32 {
        match (self.kind, self.domain) {
            (Kind::Udp, _) => libc::IPPROTO_UDP,
            (Kind::Ping, Domain::V4) => libc::IPPROTO_ICMP,
            (Kind::Ping, Domain::V6) => libc::IPPROTO_ICMPV6,
            (Kind::Raw(protocol), _) => protocol.into(),
        }
    }
}

impl Sockets {
    pub(crate) fn bind_datagram(&mut self, fd: i32, name: &[u8]) -> Result<(), Errno> {
        let datagram = self.datagram_mut(fd)?;
        if let (Kind::Raw(_), Some(id)) = (datagram.kind, datagram.id) {
            let wanted = to_bind_raw(datagram.domain, name)?;
            if datagram.peer.is_some() {
                return Err(Errno::EINVAL);
            }
            self.bind_to_scope(fd, name, wanted)?;
            self.datagram_mut(fd)?.port = Port::Bound;
            return Ok(self.stack.raw_bind(id, wanted)?);
        }
        let wanted = to_bind(datagram.domain, datagram.v6_only(), name)?;
        if datagram.port != Port::None {
            return Err(self.bound_already(wanted));
        }
        self.bind_to_scope(fd, name, wanted.ip())?;
        self.open_datagram(fd, wanted)?;
        let datagram = self.datagram_mut(fd)?;
        datagram.port = Port::Bound;
        datagram.options.on_bound(wanted.ip());
        Ok(())
    }

    /// The stack's socket: with a port of the stack's choice, if there is none yet.
    pub(crate) fn bound_datagram(&mut self, fd: i32) -> Result<SocketId, Errno> {
        let datagram = self.datagram_mut(fd)?;
        match (datagram.id, datagram.kind, datagram.port) {
            (Some(id), Kind::Raw(_), _) | (Some(id), _, Port::Chosen | Port::Bound) => Ok(id),
            _ => {
                let any = datagram.domain.unspecified();
                self.open_datagram(fd, any)
            }
        }
    }

    fn open_datagram(&mut self, fd: i32, local: SocketAddr) -> Result<SocketId, Errno> {
        let datagram = self.datagram_mut(fd)?;
        let sharing = datagram.options.sharing(datagram.domain);
        let id = match datagram.id {
            Some(id) => {
                self.stack.udp_bind_on(id, local, &sharing)?;
                id
            }
            None => self.stack.ping_open(local, &sharing)?,
        };
        self.owners.insert(id, fd);
        let datagram = self.datagram_mut(fd)?;
        (datagram.id, datagram.port) = (Some(id), Port::Chosen);
        self.tell_options(fd, id)?;
        Ok(id)
    }

    /// Has the stack's socket know what was set.
    pub(crate) fn tell_options(&mut self, fd: i32, id: SocketId) -> Result<(), Errno> {
        let now = self.stack.latest_time();
        let datagram = self.datagram_mut(fd)?;
        let on_v4 = datagram.domain == Domain::V4;
        for option in datagram.options.to_apply(on_v4) {
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
        if name.len() >= 2 && !name.starts_with(&(libc::AF_UNSPEC as u16).to_ne_bytes()) {
            // It has a port from now on, whether or not it is connected.
            self.bound_datagram(fd)?;
        }
        let datagram = self.datagram_mut(fd)?;
        let v6_only = datagram.v6_only();
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
        let groups = match peer.ip().to_canonical() {
            IpAddr::V4(_) => datagram.options.group_interface_v4.iface,
            IpAddr::V6(_) => datagram.options.group_interface_v6,
        };
        let peer = self.not_unspecified(peer, || self.stack.local_addr(id).ok());
        // Otherwise each datagram says so.
        let _ = (self.stack).set_option(now, id, SocketOption::MulticastInterface(groups));
        let connected = self.stack.udp_connect(id, peer);
        let _ = (self.stack).set_option(now, id, SocketOption::MulticastInterface(None));
        connected?;
        self.datagram_mut(fd)?.peer = Some(peer);
        self.tell_options(fd, id)
    }

    /// Whom an address means: an unspecified one means this host, by the address that the socket is `bound` to, or else the
    /// first one, for there is none of a loopback.
    pub(crate) fn not_unspecified(
        &self,
        to: SocketAddr,
        bound: impl FnOnce() -> Option<SocketAddr>,
    ) -> SocketAddr {
        let meant = to.ip().to_canonical();
        if !meant.is_unspecified() {
            return to;
        }
        let bound = bound().map(|bound| bound.ip().to_canonical());
        let bound = bound.filter(|bound| !bound.is_unspecified());
        let own = bound.or_else(|| first_address(&self.stack, meant.is_ipv4()));
        let own = own.map(|own| match (to.ip(), own) {
            (IpAddr::V6(_), IpAddr::V4(own)) => own.to_ipv6_mapped().into(),
            (_, own) => own,
        });
        SocketAddr::new(own.unwrap_or(to.ip()), to.port())
    }

    /// Makes the socket nobody's peer. A port that it was not bound to is given back.
    fn dissolve(&mut self, now: Instant, fd: i32) -> Result<(), Errno> {
        let datagram = self.datagram_mut(fd)?;
        datagram.peer = None;
        let Some(id) = datagram.id else {
            return Ok(());
        };
        if datagram.port == Port::Chosen {
            datagram.port = Port::None;
            if datagram.kind == Kind::Udp {
                return Ok(self.stack.udp_unbind(now, id)?);
            }
            datagram.id = None;
            self.owners.remove(&id);
            self.stack.close(now, id);
            return Ok(());
        }
        Ok(self.stack.udp_disconnect(id)?)
    }

    /// A raw socket shows its protocol in place of a port.
    pub(crate) fn local_of_datagram(&self, datagram: &Datagram) -> SocketAddr {
        let none = datagram.domain.unspecified();
        let local = datagram.id.and_then(|id| self.stack.local_addr(id).ok());
        match (datagram.kind, datagram.port, local) {
            (Kind::Raw(protocol), _, Some(local)) => {
                SocketAddr::new(local.ip(), u16::from(protocol))
            }
            (_, Port::None, _) => none,
            (_, _, local) => local.unwrap_or(none),
        }
    }

    /// Whether what a socket sends is IPv4, as far as is known.
    pub(crate) fn is_on_v4(&self, id: SocketId) -> bool {
        let local = self.stack.local_addr(id);
        local.is_ok_and(|local| local.ip().to_canonical().is_ipv4())
    }
}
