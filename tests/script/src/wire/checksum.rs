//! The Internet checksum (RFC 1071).

use std::net::IpAddr;

/// The sum of `parts`, each but the last of an even length, ready to stand in a header; zero over data that has its
/// checksum in it and is intact.
pub(super) fn of(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u64;
    for part in parts {
        for pair in part.chunks(2) {
            let high = pair.first().copied().unwrap_or(0);
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u64::from(u16::from_be_bytes([high, low]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// The pseudo-header of a packet of `len` bytes of `protocol` (RFC 9293, 3.1; RFC 8200, 8.1).
pub(super) fn pseudo(src: IpAddr, dst: IpAddr, protocol: u8, len: usize) -> Vec<u8> {
    let mut pseudo = Vec::with_capacity(40);
    for address in [src, dst] {
        match address {
            IpAddr::V4(address) => pseudo.extend(address.octets()),
            IpAddr::V6(address) => pseudo.extend(address.octets()),
        }
    }
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    pseudo.extend(len.to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    pseudo
}
