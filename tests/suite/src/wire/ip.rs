//! IPv4 and IPv6 headers.

use super::{be16, be32, sum};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Protocol numbers.
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// The IPv6 fragment header.
    pub const FRAGMENT: u8 = 44;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
}

/// The two ECN bits of a packet (RFC 3168, 5).
pub fn ecn(packet: &[u8]) -> u8 {
    match packet[0] >> 4 {
        4 => packet[1] & 3,
        _ => packet[1] >> 4 & 3,
    }
}

/// Sets the two ECN bits of a packet, and with them an IPv4 header's checksum.
pub fn set_ecn(packet: &mut [u8], ecn: u8) {
    if packet[0] >> 4 != 4 {
        packet[1] = packet[1] & !0x30 | ecn << 4;
        return;
    }
    packet[1] = packet[1] & !3 | ecn;
    packet[10..12].fill(0);
    let header_len = usize::from(packet[0] & 15) * 4;
    let check = !sum(&packet[..header_len]);
    packet[10..12].copy_from_slice(&check.to_be_bytes());
}

/// An IP packet as it was read. IPv6 extension headers other than the fragment header are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ip {
    /// The source.
    pub src: IpAddr,
    /// The destination.
    pub dst: IpAddr,
    /// What the payload is.
    pub protocol: u8,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// Whether the packet must not be fragmented: the bit in IPv4, always in IPv6.
    pub dont_fragment: bool,
    /// Identification, position and whether more follows, of a fragment.
    pub fragment: Option<(u32, usize, bool)>,
    /// What follows the headers.
    pub payload: Vec<u8>,
}

impl Ip {
    /// Reads a packet.
    ///
    /// # Panics
    ///
    /// When it is not well-formed to the last byte.
    pub fn parse(bytes: &[u8]) -> Ip {
        match bytes[0] >> 4 {
            4 => Ip::parse_v4(bytes),
            6 => Ip::parse_v6(bytes),
            version => panic!("IP version {version}"),
        }
    }

    fn parse_v4(bytes: &[u8]) -> Ip {
        let header_len = usize::from(bytes[0] & 15) * 4;
        assert!(header_len >= 20, "IHL");
        assert_eq!(usize::from(be16(bytes, 2)), bytes.len(), "total length");
        assert_eq!(sum(&bytes[..header_len]), 0xffff, "header checksum");
        let (flags, offset) = (
            be16(bytes, 6) >> 13,
            usize::from(be16(bytes, 6) & 0x1fff) * 8,
        );
        let more = flags & 1 == 1;
        let address = |at: usize| IpAddr::V4(Ipv4Addr::from(be32(bytes, at)));
        Ip {
            src: address(12),
            dst: address(16),
            protocol: bytes[9],
            hop_limit: bytes[8],
            dont_fragment: flags & 2 == 2,
            fragment: (more || offset > 0).then(|| (be16(bytes, 4).into(), offset, more)),
            payload: bytes[header_len..].to_vec(),
        }
    }

    fn parse_v6(bytes: &[u8]) -> Ip {
        assert_eq!(
            usize::from(be16(bytes, 4)) + 40,
            bytes.len(),
            "payload length"
        );
        let address = |at: usize| {
            let octets: [u8; 16] = bytes[at..at + 16].try_into().expect("16 bytes");
            IpAddr::V6(Ipv6Addr::from(octets))
        };
        let is_fragment = bytes[6] == protocol::FRAGMENT;
        let part = || {
            (
                be32(bytes, 44),
                usize::from(be16(bytes, 42) & !7),
                bytes[43] & 1 == 1,
            )
        };
        Ip {
            src: address(8),
            dst: address(24),
            protocol: if is_fragment { bytes[40] } else { bytes[6] },
            hop_limit: bytes[7],
            dont_fragment: true,
            fragment: is_fragment.then(part),
            payload: bytes[if is_fragment { 48 } else { 40 }..].to_vec(),
        }
    }

    /// Puts the fragments of one datagram, in any order, together.
    ///
    /// # Panics
    ///
    /// When they are not exactly one datagram.
    pub fn reassemble(packets: &[Vec<u8>]) -> Ip {
        let mut parts: Vec<Ip> = packets.iter().map(|packet| Ip::parse(packet)).collect();
        parts.sort_by_key(|part| part.fragment.map_or(0, |(_, offset, _)| offset));
        let last = parts.len() - 1;
        let ident = parts[0].fragment.map(|(ident, ..)| ident);
        let mut whole = Ip {
            fragment: None,
            payload: Vec::new(),
            ..parts[0].clone()
        };
        for (i, part) in parts.into_iter().enumerate() {
            if let Some((part_ident, offset, more)) = part.fragment {
                assert_eq!(
                    (Some(part_ident), offset, more),
                    (ident, whole.payload.len(), i < last)
                );
            }
            whole.payload.extend(part.payload);
        }
        whole
    }
}

/// An IPv4 or IPv6 packet, by its addresses.
///
/// # Panics
///
/// When the addresses are of different families.
pub fn packet(src: IpAddr, dst: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => ip4(src, dst, protocol, 0, 0x4000, &[], payload),
        (IpAddr::V6(src), IpAddr::V6(dst)) => ip6(src, dst, protocol, payload),
        _ => panic!("{src} and {dst} are of different families"),
    }
}

/// An IPv4 packet. `fragment` is the word with the flags and the offset in units of eight bytes.
pub fn ip4(
    src: Ipv4Addr,
    dst: Ipv4Addr,
    protocol: u8,
    ident: u16,
    fragment: u16,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let header_len = 20 + options.len();
    let mut bytes = vec![0x40 | (header_len / 4) as u8, 0];
    bytes.extend(((header_len + payload.len()) as u16).to_be_bytes());
    bytes.extend(ident.to_be_bytes());
    bytes.extend(fragment.to_be_bytes());
    bytes.extend([64, protocol, 0, 0]);
    bytes.extend(src.octets());
    bytes.extend(dst.octets());
    bytes.extend(options);
    let check = !sum(&bytes);
    bytes[10..12].copy_from_slice(&check.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// An IPv6 packet; extension headers are part of `payload`.
pub fn ip6(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend([next_header, 64]);
    bytes.extend(src.octets());
    bytes.extend(dst.octets());
    bytes.extend(payload);
    bytes
}

/// A datagram in fragments with at most `size` bytes of payload each.
///
/// # Panics
///
/// When `size` is below 8 or the addresses are of different families.
pub fn fragments(
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    ident: u32,
    payload: &[u8],
    size: usize,
) -> Vec<Vec<u8>> {
    let size = size / 8 * 8;
    let count = payload.len().div_ceil(size);
    let part = |(i, piece): (usize, &[u8])| {
        let word = (i * size) as u16;
        let more = i + 1 < count;
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => ip4(
                src,
                dst,
                protocol,
                ident as u16,
                (word / 8) | (u16::from(more) << 13),
                &[],
                piece,
            ),
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let mut extended = vec![protocol, 0];
                extended.extend((word | u16::from(more)).to_be_bytes());
                extended.extend(ident.to_be_bytes());
                extended.extend(piece);
                ip6(src, dst, protocol::FRAGMENT, &extended)
            }
            _ => panic!("{src} and {dst} are of different families"),
        }
    };
    payload.chunks(size).enumerate().map(part).collect()
}
