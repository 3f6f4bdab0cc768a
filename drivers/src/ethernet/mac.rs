//! Ethernet addresses.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The bit of the first byte that groups have.
const GROUP: u8 = 0x01;
/// The bit of the first byte that addresses have which no manufacturer gave.
const LOCAL: u8 = 0x02;

/// The address of an Ethernet interface, or of a group: `02:00:5e:10:00:01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// All interfaces of the link.
    pub const BROADCAST: Mac = Mac([0xff; 6]);

    /// An address of one's own making, which follows from `name`: the same each time, so that neighbours that remember
    /// it are right.
    pub fn of_name(name: &impl Hash) -> Mac {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let [a, b, c, d, e, f, ..] = hasher.finish().to_be_bytes();
        Mac([a & !GROUP | LOCAL, b, c, d, e, f])
    }

    /// Whether it can be the address of one interface: that of no group, and not all zeros.
    pub fn is_unicast(&self) -> bool {
        !self.is_group() && self.0 != [0; 6]
    }

    pub(crate) fn is_group(&self) -> bool {
        self.0[0] & GROUP != 0
    }

    /// The address of a multicast group (RFC 1112, 6.4).
    pub(crate) fn of_group_v4(group: Ipv4Addr) -> Mac {
        let [_, b, c, d] = group.octets();
        Mac([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    }

    /// The address of a multicast group (RFC 2464, section 7).
    pub(crate) fn of_group_v6(group: Ipv6Addr) -> Mac {
        let [.., a, b, c, d] = group.octets();
        Mac([0x33, 0x33, a, b, c, d])
    }

    /// The first six bytes. `None` if there are fewer.
    pub(crate) fn at(bytes: &[u8]) -> Option<Mac> {
        bytes.first_chunk().map(|bytes| Mac(*bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Why a text is not a [`Mac`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an Ethernet address: write six bytes as in 02:00:5e:10:00:01")]
pub struct MacError(String);

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Mac, MacError> {
        let refused = || MacError(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| (1..=2).contains(&part.len()));
            let part = part.filter(|part| part.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let value = part.and_then(|part| u8::from_str_radix(part, 16).ok());
            *byte = value.ok_or_else(refused)?;
        }
        match parts.next() {
            None => Ok(Mac(bytes)),
            Some(_) => Err(refused()),
        }
    }
}

#[cfg(test)]
mod tests;
