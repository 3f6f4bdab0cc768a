//! Packets for tests, written byte by byte without the code under test.

use std::net::IpAddr;

use super::icmp::{self, IcmpIn};
use super::input;
use bytes::Bytes;
use txbuf::{Chain, Ledger, Packet, Pool, PoolConfig, Span, checksum};

pub(crate) const A4: &str = "10.0.0.1";
pub(crate) const B4: &str = "10.0.0.2";
pub(crate) const A6: &str = "2001:db8::1";
pub(crate) const B6: &str = "2001:db8::2";

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMP6: u8 = 58;

/// A ledger and a pool of small segments charged to it.
pub(crate) struct Memory {
    pub(crate) ledger: Ledger,
    pub(crate) pool: Pool,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Memory::limited(64 << 20)
    }

    pub(crate) fn limited(limit: usize) -> Self {
        let ledger = Ledger::new();
        let pool = Pool::new(
            &ledger,
            PoolConfig {
                segment: 4096,
                limit,
                keep: 4,
            },
        );
        Memory { ledger, pool }
    }

    pub(crate) fn arena(&self) -> Chain {
        Chain::arena(&self.pool)
    }

    /// The bytes as a span of their own node.
    pub(crate) fn span(&self, bytes: &[u8]) -> Span {
        Span::from_bytes(&self.ledger, Bytes::copy_from_slice(bytes)).unwrap()
    }

    /// A received packet, all of it in a span.
    pub(crate) fn packet(&self, bytes: &[u8]) -> Packet {
        Packet::from_span(self.span(bytes))
    }

    /// A received packet as drivers make them: small ones in the header area.
    pub(crate) fn received(&self, bytes: &[u8]) -> Packet {
        Packet::inline(bytes).unwrap_or_else(|| self.packet(bytes))
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// `len` bytes that differ from their neighbours.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 + n / 251) as u8).collect()
}

/// An IPv4 packet with identification 0x1234, TTL 64 and a right header checksum.
pub(crate) fn v4(src: &str, dst: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    v4_options(src, dst, protocol, &[], payload)
}

pub(crate) fn v4_options(
    src: &str,
    dst: &str,
    protocol: u8,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    assert_eq!(options.len() % 4, 0);
    let header_len = 20 + options.len();
    let mut bytes = vec![0x40 | (header_len / 4) as u8, 0];
    bytes.extend(((header_len + payload.len()) as u16).to_be_bytes());
    bytes.extend([0x12, 0x34, 0, 0, 64, protocol, 0, 0]);
    for addr in [src, dst] {
        let IpAddr::V4(addr) = ip(addr) else {
            panic!("not IPv4")
        };
        bytes.extend(addr.octets());
    }
    bytes.extend(options);
    bytes.extend(payload);
    fix_v4(&mut bytes);
    bytes
}

/// Makes the header checksum right.
pub(crate) fn fix_v4(bytes: &mut [u8]) {
    bytes[10..12].fill(0);
    let header_len = usize::from(bytes[0] & 0xf) * 4;
    let check = !checksum::sum(&bytes[..header_len.min(bytes.len())]);
    bytes[10..12].copy_from_slice(&check.to_be_bytes());
}

/// A fragment of an IPv4 datagram.
pub(crate) fn v4_fragment(
    protocol: u8,
    ident: u16,
    offset: usize,
    more: bool,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = v4(A4, B4, protocol, payload);
    bytes[4..6].copy_from_slice(&ident.to_be_bytes());
    let field = (offset / 8) as u16 | if more { 0x2000 } else { 0 };
    bytes[6..8].copy_from_slice(&field.to_be_bytes());
    fix_v4(&mut bytes);
    bytes
}

/// An IPv6 packet with hop limit 64.
pub(crate) fn v6(src: &str, dst: &str, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend([next, 64]);
    for addr in [src, dst] {
        let IpAddr::V6(addr) = ip(addr) else {
            panic!("not IPv6")
        };
        bytes.extend(addr.octets());
    }
    bytes.extend(payload);
    bytes
}

/// A fragment of an IPv6 datagram.
pub(crate) fn v6_fragment(
    next: u8,
    ident: u32,
    offset: usize,
    more: bool,
    payload: &[u8],
) -> Vec<u8> {
    let mut body = fragment_header(next, ident, offset, more).to_vec();
    body.extend(payload);
    v6(A6, B6, 44, &body)
}

pub(crate) fn fragment_header(next: u8, ident: u32, offset: usize, more: bool) -> [u8; 8] {
    let field = (offset as u16 & !7) | u16::from(more);
    let [a, b] = field.to_be_bytes();
    let [c, d, e, f] = ident.to_be_bytes();
    [next, 0, a, b, c, d, e, f]
}

/// An IPv6 options header of `options`, padded.
pub(crate) fn options_header(next: u8, options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![next, 0];
    bytes.extend(options);
    while bytes.len() % 8 != 0 {
        bytes.push(0);
    }
    bytes[1] = (bytes.len() / 8 - 1) as u8;
    bytes
}

/// Writes the checksum of the transport segment that starts at `at` into it at `field`.
pub(crate) fn fix_transport(packet: &mut [u8], at: usize, field: usize, protocol: u8) {
    packet[at + field..at + field + 2].fill(0);
    let sum = transport_sum(packet, at, protocol);
    packet[at + field..at + field + 2].copy_from_slice(&(!sum).to_be_bytes());
}

/// The sum of a transport segment and its pseudo-header: 0xffff if its checksum is right.
pub(crate) fn transport_sum(packet: &[u8], at: usize, protocol: u8) -> u16 {
    let mut bytes = match packet[0] >> 4 {
        4 => packet[12..20].to_vec(),
        _ => packet[8..40].to_vec(),
    };
    bytes.extend(((packet.len() - at) as u32).to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    if protocol == ICMP {
        bytes.clear();
    }
    bytes.extend(&packet[at..]);
    checksum::sum(&bytes)
}

/// A UDP datagram with ports 1000 and 2000 in an IP packet, its checksum right.
pub(crate) fn udp_packet(src: &str, dst: &str, payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0x03, 0xe8, 0x07, 0xd0];
    segment.extend(((payload.len() + 8) as u16).to_be_bytes());
    segment.extend([0, 0]);
    segment.extend(payload);
    let mut packet = transport_packet(src, dst, UDP, &segment);
    let at = packet.len() - segment.len();
    fix_transport(&mut packet, at, 6, UDP);
    packet
}

/// An ICMP message of either version in an IP packet, its checksum right.
pub(crate) fn icmp_packet(
    src: &str,
    dst: &str,
    kind: u8,
    code: u8,
    word: u32,
    data: &[u8],
) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(word.to_be_bytes());
    message.extend(data);
    let protocol = if ip(src).is_ipv4() { ICMP } else { ICMP6 };
    let mut packet = transport_packet(src, dst, protocol, &message);
    let at = packet.len() - message.len();
    fix_transport(&mut packet, at, 2, protocol);
    packet
}

/// What the ICMP message of a received packet says.
pub(crate) fn read_icmp(bytes: &[u8]) -> IcmpIn {
    let memory = Memory::new();
    let mut packet = memory.received(bytes);
    let header = input::parse(&mut packet).unwrap();
    icmp::input(&header, &mut packet)
}

pub(crate) fn transport_packet(src: &str, dst: &str, protocol: u8, segment: &[u8]) -> Vec<u8> {
    if ip(src).is_ipv4() {
        v4(src, dst, protocol, segment)
    } else {
        v6(src, dst, protocol, segment)
    }
}
