//! Writes the packets that a script sends.

use std::net::IpAddr;

use super::checksum;
use crate::ast::TcpOption;

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMP: u8 = 1;
pub(super) const ICMP6: u8 = 58;
pub(super) const IGMP: u8 = 2;

/// What stands in an IP header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) class: u8,
    pub(crate) ttl: u8,
    pub(crate) label: u32,
}

/// What stands in a TCP header, in the host's sequence numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct TcpFields {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u16,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    pub(crate) options: Vec<TcpOption>,
}

/// A TCP segment.
pub(crate) fn tcp(address: Address, fields: &TcpFields, payload: &[u8]) -> Vec<u8> {
    let mut options = Vec::new();
    for option in &fields.options {
        option.write(&mut options);
    }
    let words = u16::try_from(5 + options.len() / 4).unwrap_or(15).min(15);
    let mut segment = Vec::with_capacity(20 + options.len() + payload.len());
    segment.extend(fields.src_port.to_be_bytes());
    segment.extend(fields.dst_port.to_be_bytes());
    segment.extend(fields.seq.to_be_bytes());
    segment.extend(fields.ack.to_be_bytes());
    segment.extend((words << 12 | fields.flags & 0x1ff).to_be_bytes());
    segment.extend(fields.window.to_be_bytes());
    segment.extend([0, 0]);
    segment.extend(fields.urgent.to_be_bytes());
    segment.extend(&options);
    segment.extend(payload);
    finish(address, TCP, 16, segment)
}

/// A UDP datagram.
pub(crate) fn udp(address: Address, src_port: u16, dst_port: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap_or(u16::MAX);
    let mut datagram = Vec::with_capacity(8 + payload.len());
    datagram.extend(src_port.to_be_bytes());
    datagram.extend(dst_port.to_be_bytes());
    datagram.extend(len.to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    finish(address, UDP, 6, datagram)
}

/// An ICMP message whose second word is `word`.
pub(crate) fn icmp(address: Address, kind: u8, code: u8, word: u32, quoted: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(word.to_be_bytes());
    message.extend(quoted);
    let protocol = if address.src.is_ipv4() { ICMP } else { ICMP6 };
    finish(address, protocol, 2, message)
}

/// A message about groups, of IGMP or of MLD, which has `rest` behind its checksum.
pub(crate) fn group(address: Address, kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest);
    let protocol = if address.src.is_ipv4() { IGMP } else { ICMP6 };
    finish(address, protocol, 2, message)
}

/// Puts the checksum at `at` and the IP header in front.
fn finish(address: Address, protocol: u8, at: usize, mut body: Vec<u8>) -> Vec<u8> {
    let pseudo = checksum::pseudo(address.src, address.dst, protocol, body.len());
    let mut sum = if matches!(protocol, ICMP | IGMP) {
        checksum::of(&[&body])
    } else {
        checksum::of(&[&pseudo, &body])
    };
    if protocol == UDP && sum == 0 {
        sum = 0xffff;
    }
    if let Some(place) = body.get_mut(at..at + 2) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
    let mut packet = header(address, protocol, body.len());
    packet.extend(body);
    packet
}

fn header(address: Address, protocol: u8, len: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(40 + len);
    match (address.src, address.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let total = u16::try_from(20 + len).unwrap_or(u16::MAX);
            header.extend([0x45, address.class]);
            header.extend(total.to_be_bytes());
            header.extend([0, 0, 0x40, 0, address.ttl, protocol, 0, 0]);
            header.extend(src.octets());
            header.extend(dst.octets());
            let sum = checksum::of(&[&header]);
            if let Some(place) = header.get_mut(10..12) {
                place.copy_from_slice(&sum.to_be_bytes());
            }
        }
        (src, dst) => {
            let len = u16::try_from(len).unwrap_or(u16::MAX);
            let first = 6 << 28 | u32::from(address.class) << 20 | address.label & 0xf_ffff;
            header.extend(first.to_be_bytes());
            header.extend(len.to_be_bytes());
            header.extend([protocol, address.ttl]);
            for address in [src, dst] {
                header.extend(match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                    IpAddr::V6(address) => address.octets(),
                });
            }
        }
    }
    header
}
