//! `struct sockaddr_in`, `struct sockaddr_in6` and `struct sockaddr_ll`, as bytes.

use core::ops::Deref;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::Errno;

/// Bytes of `struct sockaddr_in`.
const V4_LEN: usize = 16;
/// Bytes of `struct sockaddr_in6`.
const V6_LEN: usize = 28;
/// Bytes of `struct sockaddr_ll`.
const LINK_LEN: usize = 20;
/// Bytes of the one of IPv6 without the scope, as in RFC 2133: enough to be one.
const V6_LEAST: usize = 24;

/// The bytes of a `struct sockaddr_in`, `struct sockaddr_in6` or `struct sockaddr_ll`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SockAddr {
    bytes: [u8; V6_LEN],
    len: usize,
}

impl SockAddr {
    /// The address in it; `None` where it is of no family that is known here, or too short.
    pub fn address(&self) -> Option<SocketAddr> {
        match family(self)? {
            libc::AF_INET => v4(self),
            libc::AF_INET6 => v6(self),
            _ => None,
        }
    }
}

impl SockAddr {
    /// The bytes of a `struct sockaddr_ll`.
    pub(crate) fn of_link(name: &[u8; LINK_LEN]) -> SockAddr {
        let mut bytes = [0; V6_LEN];
        bytes[..LINK_LEN].copy_from_slice(name);
        SockAddr {
            bytes,
            len: LINK_LEN,
        }
    }

    /// The same, of `len` bytes if that is less.
    pub(crate) fn shortened(mut self, len: usize) -> SockAddr {
        self.len = self.len.min(len);
        self
    }
}

impl Deref for SockAddr {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl From<SocketAddr> for SockAddr {
    fn from(address: SocketAddr) -> SockAddr {
        let mut bytes = [0; V6_LEN];
        let port = address.port().to_be_bytes();
        bytes[2..4].copy_from_slice(&port);
        let (family, len) = match address {
            SocketAddr::V4(v4) => {
                bytes[4..8].copy_from_slice(&v4.ip().octets());
                (libc::AF_INET, V4_LEN)
            }
            SocketAddr::V6(v6) => {
                bytes[4..8].copy_from_slice(&v6.flowinfo().to_ne_bytes());
                bytes[8..24].copy_from_slice(&v6.ip().octets());
                bytes[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                (libc::AF_INET6, V6_LEN)
            }
        };
        bytes[..2].copy_from_slice(&(family as u16).to_ne_bytes());
        SockAddr { bytes, len }
    }
}

/// The family of a socket: how its addresses are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    V4,
    V6,
}

impl Domain {
    pub(crate) fn number(self) -> i32 {
        match self {
            Domain::V4 => libc::AF_INET,
            Domain::V6 => libc::AF_INET6,
        }
    }

    /// No address and no port.
    pub(crate) fn unspecified(self) -> SocketAddr {
        let ip = match self {
            Domain::V4 => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            Domain::V6 => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        SocketAddr::new(ip, 0)
    }

    /// An address as a socket of this family writes it: an IPv4 address mapped into IPv6, if need be.
    pub(crate) fn write(self, address: SocketAddr) -> SockAddr {
        self.within(address).into()
    }

    /// Likewise, not written yet.
    pub(crate) fn within(self, address: SocketAddr) -> SocketAddr {
        match (self, address.ip()) {
            (Domain::V6, IpAddr::V4(ip)) => {
                SocketAddr::new(ip.to_ipv6_mapped().into(), address.port())
            }
            _ => address,
        }
    }
}

/// What a name says where a socket is to be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The connection is to be dissolved (`AF_UNSPEC`).
    Nobody,
    Peer(SocketAddr),
}

/// An address to bind to.
pub(crate) fn to_bind(domain: Domain, v6_only: bool, name: &[u8]) -> Result<SocketAddr, Errno> {
    match domain {
        Domain::V4 => {
            let address = v4(name).ok_or(Errno::EINVAL)?;
            match family(name) {
                Some(libc::AF_INET) => Ok(address),
                Some(libc::AF_UNSPEC) if address.ip().is_unspecified() => Ok(address),
                _ => Err(Errno::EAFNOSUPPORT),
            }
        }
        Domain::V6 => {
            let address = v6(name).ok_or(Errno::EINVAL)?;
            if family(name) != Some(libc::AF_INET6) {
                return Err(Errno::EAFNOSUPPORT);
            }
            match is_mapped(address) {
                true if v6_only => Err(Errno::EINVAL),
                _ => Ok(address),
            }
        }
    }
}

/// An address to bind a raw socket to. Of IPv4 nobody looks at the family.
pub(crate) fn to_bind_raw(domain: Domain, name: &[u8]) -> Result<IpAddr, Errno> {
    match domain {
        Domain::V4 => Ok(v4(name).ok_or(Errno::EINVAL)?.ip()),
        Domain::V6 => {
            let address = v6(name).ok_or(Errno::EINVAL)?;
            match family(name) {
                Some(libc::AF_INET6) if is_mapped(address) => Err(Errno::EADDRNOTAVAIL),
                Some(libc::AF_INET6) => Ok(address.ip()),
                _ => Err(Errno::EINVAL),
            }
        }
    }
}

/// An address to connect to.
pub(crate) fn to_connect(domain: Domain, v6_only: bool, name: &[u8]) -> Result<Target, Errno> {
    let family = family(name).ok_or(Errno::EINVAL)?;
    if family == libc::AF_UNSPEC {
        return Ok(Target::Nobody);
    }
    let address = match domain {
        Domain::V4 => v4(name),
        Domain::V6 => v6(name),
    };
    let address = address.ok_or(Errno::EINVAL)?;
    if family != domain.number() {
        return Err(Errno::EAFNOSUPPORT);
    }
    match is_mapped(address) {
        true if v6_only => Err(Errno::ENETUNREACH),
        _ => Ok(Target::Peer(address)),
    }
}

/// The address of a datagram; `None` if it goes to the peer.
pub(crate) fn to_send(
    domain: Domain,
    v6_only: bool,
    name: &[u8],
) -> Result<Option<SocketAddr>, Errno> {
    let address = match (domain, family(name).ok_or(Errno::EINVAL)?) {
        (Domain::V4, of) => {
            let address = v4(name).ok_or(Errno::EINVAL)?;
            if of != libc::AF_INET && of != libc::AF_UNSPEC {
                return Err(Errno::EAFNOSUPPORT);
            }
            address
        }
        (Domain::V6, libc::AF_UNSPEC) => return Ok(None),
        (Domain::V6, libc::AF_INET) if v6_only => return Err(Errno::ENETUNREACH),
        (Domain::V6, libc::AF_INET) => domain.within(v4(name).ok_or(Errno::EINVAL)?),
        (Domain::V6, libc::AF_INET6) => v6(name).ok_or(Errno::EINVAL)?,
        (Domain::V6, _) => return Err(Errno::EINVAL),
    };
    match is_mapped(address) {
        true if v6_only => Err(Errno::ENETUNREACH),
        _ => Ok(Some(address)),
    }
}

/// The address of a message of a raw or a ping socket of IPv6, which knows no other.
pub(crate) fn to_send_v6(name: &[u8]) -> Result<Option<SocketAddr>, Errno> {
    let address = v6(name).ok_or(Errno::EINVAL)?;
    match family(name) {
        Some(libc::AF_INET6) if is_mapped(address) => Err(Errno::ENETUNREACH),
        Some(libc::AF_INET6) => Ok(Some(address)),
        Some(libc::AF_UNSPEC) => Ok(None),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// The scope of an IPv6 address: the number of an interface, or 0.
pub(crate) fn scope(name: &[u8]) -> u32 {
    let scope = name.get(V6_LEAST..).and_then(<[u8]>::first_chunk);
    scope.map_or(0, |scope| u32::from_ne_bytes(*scope))
}

/// Whether an address means nothing without an interface (RFC 4007, 6).
pub(crate) fn needs_scope(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => match ip.octets() {
            [0xFF, scope, ..] => matches!(scope & 0xF, 1 | 2),
            _ => ip.is_unicast_link_local(),
        },
    }
}

/// Whether it is an address of IPv4 in its form for IPv6.
fn is_mapped(address: SocketAddr) -> bool {
    address.is_ipv6() && address.ip().to_canonical().is_ipv4()
}

fn family(name: &[u8]) -> Option<i32> {
    let family = name.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))?;
    Some(family.into())
}

fn port(name: &[u8]) -> Option<u16> {
    name.get(2..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}

fn v4(name: &[u8]) -> Option<SocketAddr> {
    let octets: &[u8; 4] = name.get(4..V4_LEN)?.first_chunk()?;
    Some(SocketAddr::new(Ipv4Addr::from(*octets).into(), port(name)?))
}

fn v6(name: &[u8]) -> Option<SocketAddr> {
    let octets: &[u8; 16] = name.get(8..V6_LEAST)?.first_chunk()?;
    Some(SocketAddr::new(Ipv6Addr::from(*octets).into(), port(name)?))
}

#[cfg(test)]
mod tests;
