//! Packets that no well-behaved host sends, and parts of packets: what a script says about the headers is done to a
//! packet that was whole and right before.

use super::build::{ICMP, ICMP6, IGMP, TCP, UDP};
use super::checksum;
use crate::ast::{Shape, Sum};

/// The header of IPv6, and that of its fragments.
const HEADER6: usize = 40;
const FRAGMENT6: u8 = 44;
const HOP_BY_HOP: u8 = 0;

/// Does to `packet`, which is whole and right, what `shape` says. The checksum of an IPv4 header is right afterwards,
/// whatever was changed, unless it is to be wrong.
///
/// # Errors
///
/// Something would not change the packet, because it is about what the packet does not have.
pub(crate) fn shape(packet: &mut Vec<u8>, shape: &Shape) -> Result<(), String> {
    let v6 = packet.first().is_some_and(|first| first >> 4 == 6);
    let header = if v6 { HEADER6 } else { 20 };
    let transport = packet.get(if v6 { 6 } else { 9 }).copied().unwrap_or(0);
    // A script for both versions of IP says this of IPv4.
    if v6 && !shape.options.is_empty() {
        return Err("`options` are of IPv4, and this packet is of IPv6".into());
    }
    if v6 && shape.header_sum_wrong {
        return Err("`badheader` is of IPv4: the header of IPv6 has no checksum".into());
    }
    transport_sum(packet, header, transport, shape.sum);
    if let Some(protocol) = shape.protocol {
        put(packet, if v6 { 6 } else { 9 }, &[protocol]);
    }
    if v6 {
        extend6(packet, shape);
    } else {
        options4(packet, &shape.options);
    }
    if let Some((from, to)) = shape.part {
        let id = shape.id.unwrap_or(1);
        if v6 {
            cut6(packet, from, to, id)?;
        } else {
            cut4(packet, from, to)?;
        }
    }
    if let (Some(id), false) = (shape.id, v6) {
        put(packet, 4, &id.to_be_bytes()[2..]);
    }
    lengths(packet, v6);
    for (at, bytes) in &shape.bytes {
        let at = usize::from(*at);
        if at + bytes.len() > packet.len() {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let len = packet.len();
            return Err(format!(
                "`at {at}:{hex}` goes beyond the packet, which has {len} bytes"
            ));
        }
        put(packet, at, bytes);
    }
    if !v6 {
        header_sum(packet, shape.header_sum_wrong);
    }
    if let Some(cut) = shape.cut {
        if usize::from(cut) >= packet.len() {
            return Err(format!(
                "`cut {cut}` leaves the whole packet, which has {} bytes",
                packet.len()
            ));
        }
        packet.truncate(cut.into());
    }
    Ok(())
}

fn put(packet: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in packet.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}

/// What is to become of the checksum of what IP carries.
fn transport_sum(packet: &mut [u8], header: usize, protocol: u8, sum: Sum) {
    let at = header
        + match protocol {
            TCP => 16,
            UDP => 6,
            ICMP | ICMP6 | IGMP => 2,
            _ => return,
        };
    match sum {
        Sum::Right => {}
        Sum::Wrong => {
            if let Some(byte) = packet.get_mut(at) {
                *byte ^= 0x10;
            }
        }
        Sum::None => put(packet, at, &[0, 0]),
    }
}

/// Puts options behind an IPv4 header.
fn options4(packet: &mut Vec<u8>, options: &[u8]) {
    let words = u8::try_from(5 + options.len().div_ceil(4))
        .unwrap_or(15)
        .min(15);
    let room = usize::from(words - 5) * 4;
    let padded = options
        .iter()
        .copied()
        .chain(std::iter::repeat(0))
        .take(room);
    packet.splice(20.min(packet.len())..20.min(packet.len()), padded);
    put(packet, 0, &[0x40 | words]);
}

/// Puts extension headers behind an IPv6 header, each with its kind and what follows the next header's kind in it.
fn extend6(packet: &mut Vec<u8>, shape: &Shape) {
    let Some(mut next) = packet.get(6).copied() else {
        return;
    };
    for (kind, body) in shape.extensions.iter().rev() {
        let bytes = std::iter::once(next).chain(body.iter().copied());
        packet.splice(HEADER6.min(packet.len())..HEADER6.min(packet.len()), bytes);
        next = *kind;
    }
    put(packet, 6, &[next]);
}

/// Of what an IPv4 packet carries, the bytes from `from` to `to`; others follow unless it ends there.
fn cut4(packet: &mut Vec<u8>, from: u16, to: u16) -> Result<(), String> {
    let header = usize::from(packet.first().copied().unwrap_or(0x45) & 15) * 4;
    let more = part(packet, header, from, to)?;
    let field = (u16::from(more) << 13) | (from / 8);
    put(packet, 6, &field.to_be_bytes());
    Ok(())
}

/// The same of an IPv6 packet; options for each hop stay in front.
fn cut6(packet: &mut Vec<u8>, from: u16, to: u16, id: u32) -> Result<(), String> {
    let (mut header, mut link) = (HEADER6, 6);
    if packet.get(link) == Some(&HOP_BY_HOP) {
        link = HEADER6;
        header += 8 + 8 * usize::from(packet.get(HEADER6 + 1).copied().unwrap_or(0));
    }
    let next = packet.get(link).copied().unwrap_or(0);
    let more = part(packet, header, from, to)?;
    let [high, low] = (from & !7 | u16::from(more)).to_be_bytes();
    let mut fragment = vec![next, 0, high, low];
    fragment.extend(id.to_be_bytes());
    let at = header.min(packet.len());
    packet.splice(at..at, fragment);
    put(packet, link, &[FRAGMENT6]);
    Ok(())
}

/// Leaves of what stands behind `header` the bytes from `from` to `to`, and tells whether others follow.
fn part(packet: &mut Vec<u8>, header: usize, from: u16, to: u16) -> Result<bool, String> {
    let end = header.saturating_add(usize::from(to));
    let carried = packet.len().saturating_sub(header);
    if end > packet.len() {
        return Err(format!(
            "`part {from}:{to}` goes beyond what IP carries, which has {carried} bytes"
        ));
    }
    let more = end < packet.len();
    packet.truncate(end);
    let begin = header.saturating_add(usize::from(from)).min(packet.len());
    packet.drain(header.min(begin)..begin);
    Ok(more)
}

/// Makes the header's length that of the packet.
fn lengths(packet: &mut [u8], v6: bool) {
    let (at, length) = if v6 {
        (4, packet.len().saturating_sub(HEADER6))
    } else {
        (2, packet.len())
    };
    put(
        packet,
        at,
        &u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes(),
    );
}

fn header_sum(packet: &mut [u8], wrong: bool) {
    let length = usize::from(packet.first().copied().unwrap_or(0x45) & 15) * 4;
    put(packet, 10, &[0, 0]);
    let sum = checksum::of(&[packet.get(..length.max(20)).unwrap_or_default()]);
    let sum = if wrong { sum ^ 0x0100 } else { sum };
    put(packet, 10, &sum.to_be_bytes());
}
