//! The headers of a packet that leaves something to be done: where they lie, and whether they may be copied for segments.

use txbuf::{GsoKind, Packet, checksum};

use super::{Lie, TCP_CHECKSUM_AT, UDP_CHECKSUM_AT};
use crate::headers::{TCP, UDP};

/// Extension headers that may stand between IPv6 and its transport (RFC 8200 section 4): hop-by-hop options, routing,
/// destination options. Each has its length in units of eight bytes beyond the first eight.
const EXTENSIONS: [u8; 3] = [0, 43, 60];
/// The extension header of a fragment.
const FRAGMENT: u8 = 44;
/// More of them than any sender has.
const MOST_EXTENSIONS: usize = 8;

/// More fragments follow, or the place of this one (RFC 791 section 3.1).
const IN_PIECES: u16 = 0x3fff;

/// Flags that no segment with data behind it may be cut with: a handshake and a reset happen once, and an urgent pointer
/// counts from its own segment (RFC 9293 section 3.1).
const SINGULAR: u8 = 0x02 | 0x04 | 0x20;

/// Bytes of headers of a packet whose transport header is said to start at `start` and to have its checksum at `offset`.
/// They are in the packet's area afterwards.
pub(super) fn transport(packet: &mut Packet, start: usize, offset: u16) -> Result<usize, Lie> {
    let (protocol, at) = match byte(packet, 0)? >> 4 {
        4 => behind_ipv4(packet)?,
        6 => behind_ipv6(packet)?,
        _ => return Err(Lie::ChecksumPlace),
    };
    if start != at {
        return Err(Lie::ChecksumPlace);
    }
    let length = match (protocol, offset) {
        (TCP, TCP_CHECKSUM_AT) => usize::from(byte(packet, start + 12)? >> 4) * 4,
        (UDP, UDP_CHECKSUM_AT) => 8,
        _ => return Err(Lie::ChecksumPlace),
    };
    if protocol == TCP && length < 20 {
        return Err(Lie::ChecksumPlace);
    }
    packet
        .pull(start + length)
        .map_err(|_| Lie::ChecksumPlace)?;
    Ok(start + length)
}

/// Whether segments may have these headers, `start` bytes of which stand before the transport's and all of which are in
/// the packet's area. Cutting makes their lengths and sums right, so they must have been right before.
pub(super) fn check_template(packet: &Packet, start: usize, kind: GsoKind) -> Result<(), Lie> {
    let bytes = packet.headers();
    if bytes[0] >> 4 == 4 && checksum::sum(&bytes[..start]) != 0xffff {
        return Err(Lie::HeaderChecksum);
    }
    match kind {
        GsoKind::Udp => {
            let length = usize::from(u16::from_be_bytes([bytes[start + 4], bytes[start + 5]]));
            if length != packet.len() - start {
                return Err(Lie::Length);
            }
        }
        _ if bytes[start + 13] & SINGULAR != 0 => return Err(Lie::Flags),
        _ => {}
    }
    Ok(())
}

/// The protocol behind an IPv4 header, and where it starts.
fn behind_ipv4(packet: &mut Packet) -> Result<(u8, usize), Lie> {
    let length = usize::from(byte(packet, 0)? & 0x0f) * 4;
    if length < 20 {
        return Err(Lie::ChecksumPlace);
    }
    if u16::from_be_bytes([byte(packet, 6)?, byte(packet, 7)?]) & IN_PIECES != 0 {
        return Err(Lie::Fragment);
    }
    Ok((byte(packet, 9)?, length))
}

/// The protocol behind an IPv6 header and its extensions, and where it starts.
fn behind_ipv6(packet: &mut Packet) -> Result<(u8, usize), Lie> {
    let (mut next, mut at) = (byte(packet, 6)?, 40);
    for _ in 0..=MOST_EXTENSIONS {
        if next == FRAGMENT {
            return Err(Lie::Fragment);
        }
        if !EXTENSIONS.contains(&next) {
            return Ok((next, at));
        }
        next = byte(packet, at)?;
        at += (usize::from(byte(packet, at + 1)?) + 1) * 8;
    }
    Err(Lie::ChecksumPlace)
}

fn byte(packet: &mut Packet, at: usize) -> Result<u8, Lie> {
    packet.pull(at + 1).map_err(|_| Lie::ChecksumPlace)?;
    Ok(packet.headers()[at])
}
