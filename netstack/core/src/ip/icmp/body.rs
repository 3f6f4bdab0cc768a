//! The parts of an ICMP message that IPv4 and IPv6 have in common: header, checksum, and the quoted packet.

use txbuf::{Chain, Packet, checksum};

use super::message::IcmpDrop;
use crate::ip::IpHeader;
use crate::ip::pseudo::{self, Trust};
use crate::ip::quote::{self, Quoted};

/// Bytes of an ICMP header with its second word.
pub(crate) const HEADER: usize = 8;
/// Where in it the checksum is.
pub(crate) const CHECKSUM_AT: u16 = 2;

/// The header of a message whose checksum, over `pseudo` too, is right.
// req: RFC4443-01
pub(super) fn message_header(
    header: &IpHeader,
    packet: &Packet,
    pseudo: u16,
) -> Result<[u8; HEADER], IcmpDrop> {
    if header.payload_len < HEADER {
        return Err(IcmpDrop::Truncated);
    }
    match pseudo::verify(packet, header.header_len, CHECKSUM_AT, pseudo) {
        Ok(Trust::Good) => {}
        Ok(Trust::Bad) => return Err(IcmpDrop::BadChecksum),
        Err(_) => return Err(IcmpDrop::Unreadable),
    }
    let mut bytes = [0; HEADER];
    let copied = packet
        .copy_to(header.header_len, &mut bytes)
        .map_err(|_| IcmpDrop::Unreadable)?;
    if copied < HEADER {
        return Err(IcmpDrop::Truncated);
    }
    Ok(bytes)
}

/// The packet that `message`, an error, is about, of the same IP version as `header`.
pub(in crate::ip) fn quoted(header: &IpHeader, packet: &Packet) -> Result<Quoted, IcmpDrop> {
    quote::read(packet, header.header_len + HEADER)
        .filter(|quoted| quoted.src.is_ipv4() == header.is_v4())
        .ok_or(IcmpDrop::BadQuote)
}

/// A message without IP header: type, code, checksum, a word, and of `original` as much as fits into `most` bytes.
/// `pseudo` gives the sum of the pseudo-header of so many bytes.
pub(in crate::ip) fn quoting(
    (kind, code, word): (u8, u8, u32),
    original: &Packet,
    most: usize,
    pseudo: impl FnOnce(usize) -> u16,
    small: &mut Chain,
) -> Option<Packet> {
    let quoted = quote::copy(original, most - HEADER, small)?;
    let sum = quoted.checksum().ok()?;
    let mut packet = Packet::with_payload(quoted);
    let mut head = [0; HEADER];
    head[..2].copy_from_slice(&[kind, code]);
    head[4..].copy_from_slice(&word.to_be_bytes());
    let pseudo = pseudo(HEADER + packet.len());
    let head_sum = checksum::combine(pseudo, checksum::sum(&head), false);
    let check = !checksum::combine(head_sum, sum, false);
    head[2..4].copy_from_slice(&check.to_be_bytes());
    packet.push(HEADER).ok()?.copy_from_slice(&head);
    Some(packet)
}
