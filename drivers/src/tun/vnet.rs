//! The `virtio_net_hdr` in front of each packet of an offload TUN device: what is left to the other side.
//!
//! Ten bytes in the machine's own byte order: flags, GSO type, header length, GSO size, and where the checksum
//! starts and lies, counted from the IP header.

use txbuf::{Checksum, Gso, GsoKind, Meta, Packet};

/// Bytes of the header.
pub(super) const LENGTH: usize = 10;

const NEEDS_CHECKSUM: u8 = 1;
const DATA_VALID: u8 = 2;

const GSO_NONE: u8 = 0;
const GSO_TCP_V4: u8 = 1;
const GSO_TCP_V6: u8 = 4;
const GSO_UDP: u8 = 5;
/// A flag beside the type: the first segment carries CWR, the others do not (RFC 3168).
const GSO_ECN: u8 = 0x80;

const TCP: u8 = 6;
const UDP: u8 = 17;
const TCP_CHECKSUM_AT: u16 = 16;
const UDP_CHECKSUM_AT: u16 = 6;

/// A header that does not fit its packet: nothing of it is believed, the packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lie;

/// The header for a packet that is sent.
pub(super) fn encode(meta: &Meta) -> [u8; LENGTH] {
    let mut header = [0; LENGTH];
    if let Checksum::Partial { start, offset } = meta.checksum {
        header[0] = NEEDS_CHECKSUM;
        header[6..8].copy_from_slice(&start.to_ne_bytes());
        header[8..10].copy_from_slice(&offset.to_ne_bytes());
    }
    if let Some(gso) = meta.gso {
        header[1] = match gso.kind {
            GsoKind::TcpV4 => GSO_TCP_V4,
            GsoKind::TcpV6 => GSO_TCP_V6,
            _ => GSO_UDP,
        };
        header[2..4].copy_from_slice(&gso.headers.to_ne_bytes());
        header[4..6].copy_from_slice(&gso.size.to_ne_bytes());
    }
    header
}

/// What the header of a received packet says, held against the packet. Its headers are in its area afterwards.
///
/// The header length that the peer names is not used: it may be any length that covers the headers.
///
/// # Errors
///
/// [`Lie`] when the two contradict each other: a checksum that is not where the transport has it, a type that is
/// not the packet's, segments of no bytes or of more than there are.
pub(super) fn decode(header: &[u8; LENGTH], packet: &mut Packet) -> Result<Meta, Lie> {
    let word = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
    let mut meta = packet.meta;
    let (flags, kind) = (header[0], header[1] & !GSO_ECN);
    if flags & NEEDS_CHECKSUM == 0 {
        if kind != GSO_NONE {
            return Err(Lie);
        }
        meta.checksum = if flags & DATA_VALID != 0 {
            Checksum::Verified
        } else {
            Checksum::Complete
        };
        return Ok(meta);
    }
    let (start, offset) = (word(6), word(8));
    let headers = transport_headers(packet, usize::from(start), offset)?;
    meta.checksum = Checksum::Partial { start, offset };
    if kind != GSO_NONE {
        meta.gso = Some(segmentation(packet, kind, word(4), headers, offset)?);
    }
    Ok(meta)
}

/// Bytes of headers of a packet whose transport header starts at `start` and has its checksum at `offset`.
fn transport_headers(packet: &mut Packet, start: usize, offset: u16) -> Result<usize, Lie> {
    let first = byte(packet, 0)?;
    let (protocol, least) = match first >> 4 {
        4 => (byte(packet, 9)?, usize::from(first & 0x0f) * 4),
        6 => (byte(packet, 6)?, 40),
        _ => return Err(Lie),
    };
    // IPv6 extension headers may stand between: then the offset alone tells the transport.
    let extended = first >> 4 == 6 && start > least;
    let fits = if extended {
        start.is_multiple_of(2)
    } else {
        start == least && start >= 20
    };
    let is_tcp = offset == TCP_CHECKSUM_AT && (protocol == TCP || extended);
    let is_udp = offset == UDP_CHECKSUM_AT && (protocol == UDP || extended);
    if !fits || !(is_tcp || is_udp) {
        return Err(Lie);
    }
    let length = if is_tcp {
        usize::from(byte(packet, start + 12)? >> 4) * 4
    } else {
        8
    };
    if is_tcp && length < 20 {
        return Err(Lie);
    }
    packet.pull(start + length).map_err(|_| Lie)?;
    Ok(start + length)
}

fn segmentation(
    packet: &Packet,
    kind: u8,
    size: u16,
    headers: usize,
    offset: u16,
) -> Result<Gso, Lie> {
    let v4 = packet.headers()[0] >> 4 == 4;
    let kind = match kind {
        GSO_TCP_V4 if v4 && offset == TCP_CHECKSUM_AT => GsoKind::TcpV4,
        GSO_TCP_V6 if !v4 && offset == TCP_CHECKSUM_AT => GsoKind::TcpV6,
        GSO_UDP if offset == UDP_CHECKSUM_AT => GsoKind::Udp,
        _ => return Err(Lie),
    };
    let payload = packet.len() - headers;
    if size == 0 || payload == 0 {
        return Err(Lie);
    }
    Ok(Gso {
        kind,
        size,
        headers: headers as u16,
    })
}

fn byte(packet: &mut Packet, at: usize) -> Result<u8, Lie> {
    packet.pull(at + 1).map_err(|_| Lie)?;
    Ok(packet.headers()[at])
}

#[cfg(test)]
mod tests;
