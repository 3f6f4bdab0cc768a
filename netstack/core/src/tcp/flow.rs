//! What names a connection: two addresses and two ports, in 36 bytes.

use core::fmt;
use core::hash::{Hash, Hasher};
use siphasher::sip::SipHasher13;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The four-tuple of a connection, seen from this host. IPv4 addresses stand in their mapped form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FlowKey {
    local: [u8; 16],
    remote: [u8; 16],
    ports: u32,
}

impl FlowKey {
    pub(crate) fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        FlowKey {
            local: mapped(local.ip()),
            remote: mapped(remote.ip()),
            ports: u32::from(local.port()) << 16 | u32::from(remote.port()),
        }
    }

    /// The last `ADDRESS` bytes of both addresses, and the ports.
    fn bytes<const ADDRESS: usize, const ALL: usize>(&self) -> [u8; ALL] {
        let mut bytes = [0; ALL];
        bytes[..ADDRESS].copy_from_slice(&self.local[16 - ADDRESS..]);
        bytes[ADDRESS..2 * ADDRESS].copy_from_slice(&self.remote[16 - ADDRESS..]);
        bytes[2 * ADDRESS..].copy_from_slice(&self.ports.to_ne_bytes());
        bytes
    }

    /// This host's address and port.
    pub(crate) fn local(&self) -> SocketAddr {
        SocketAddr::new(unmapped(self.local), (self.ports >> 16) as u16)
    }

    /// The other host's address and port.
    pub(crate) fn remote(&self) -> SocketAddr {
        SocketAddr::new(unmapped(self.remote), self.ports as u16)
    }
}

impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.bytes::<16, 36>());
    }
}

impl fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.local(), self.remote())
    }
}

fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn unmapped(octets: [u8; 16]) -> IpAddr {
    let v6 = Ipv6Addr::from(octets);
    v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
}

/// Hashes with a secret key, so that nobody can choose ports that collide.
#[derive(Clone, Debug)]
pub(crate) struct KeyedHash(SipHasher13);

impl KeyedHash {
    pub(crate) fn new(key: (u64, u64)) -> Self {
        KeyedHash(SipHasher13::new_with_keys(key.0, key.1))
    }

    /// Each packet asks for that of its four-tuple: of IPv4 only what differs is hashed. The lengths tell both apart.
    pub(crate) fn of(&self, flow: &FlowKey) -> u64 {
        match flow.remote().is_ipv4() {
            true => self.0.hash(&flow.bytes::<4, 12>()),
            false => self.0.hash(&flow.bytes::<16, 36>()),
        }
    }
}

#[cfg(test)]
mod tests;
