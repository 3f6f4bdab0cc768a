//! Packets made and read by hand, with nothing in common with the stack under test.
//!
//! Making a packet completes its checksums; reading one checks them and panics where they are wrong.

mod icmp;
pub mod ip;
mod tcp;
mod udp;

pub use icmp::Icmp;
pub use ip::{Ip, fragments, ip4, ip6, packet, protocol};
pub use tcp::{ACK, FIN, PSH, RST, SYN, Tcp, URG, options};
pub use udp::Udp;

use std::net::IpAddr;

/// The folded ones-complement sum of `data`.
pub fn sum(data: &[u8]) -> u16 {
    let words = data
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    let mut total: u64 = words.map(u64::from).sum();
    while total > 0xffff {
        total = (total >> 16) + (total & 0xffff);
    }
    total as u16
}

/// The checksum of a transport segment: the complement of its sum and that of its pseudo-header.
pub fn transport_checksum(src: IpAddr, dst: IpAddr, protocol: u8, segment: &[u8]) -> u16 {
    let mut bytes = Vec::with_capacity(segment.len() + 40);
    for address in [src, dst] {
        match address {
            IpAddr::V4(address) => bytes.extend(address.octets()),
            IpAddr::V6(address) => bytes.extend(address.octets()),
        }
    }
    bytes.extend((segment.len() as u32).to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    bytes.extend(segment);
    !sum(&bytes)
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
