//! Identifications for datagrams that may be fragmented.

use std::hash::Hasher as _;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;
use smoltcp::wire::IpProtocol;

use crate::random::Random;

/// Hands out IP identifications: for one source, destination and protocol they count up from a secret
/// start, so that they repeat as late as they can (RFC 6864 section 5.2), and nobody who sees those of
/// one destination can tell those of another (RFC 6274 section 3.5, RFC 7739).
pub(crate) struct Idents {
    key: (u64, u64),
    counts: Box<[u32]>,
}

const CLASSES: usize = 512;

impl Idents {
    /// A source of identifications with its secret from `random`.
    pub(crate) fn new(random: &mut Random) -> Self {
        Idents {
            key: (random.next_u64(), random.next_u64()),
            counts: vec![0; CLASSES].into(),
        }
    }

    /// The next identification for a datagram from `src` to `dst`. IPv4 uses the lower 16 bits.
    // req: RFC791-12, RFC6864-05
    pub(crate) fn next(&mut self, src: IpAddr, dst: IpAddr, protocol: IpProtocol) -> u32 {
        self.run(src, dst, protocol, 1)
    }

    /// The first of the next `length` identifications, which follow each other.
    pub(crate) fn run(
        &mut self,
        src: IpAddr,
        dst: IpAddr,
        protocol: IpProtocol,
        length: u32,
    ) -> u32 {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        for addr in [src, dst] {
            match addr {
                IpAddr::V4(addr) => hasher.write_u32(addr.to_bits()),
                IpAddr::V6(addr) => hasher.write_u128(addr.to_bits()),
            }
        }
        // The IPv6 identification is unique without regard to the protocol (RFC 8200 section 4.5).
        if src.is_ipv4() {
            hasher.write_u8(protocol.into());
        }
        let hash = hasher.finish();
        let Some(count) = self.counts.get_mut((hash >> 32) as usize % CLASSES) else {
            return hash as u32;
        };
        let first = count.wrapping_add(1);
        *count = count.wrapping_add(length);
        (hash as u32).wrapping_add(first)
    }
}

#[cfg(test)]
mod tests;
