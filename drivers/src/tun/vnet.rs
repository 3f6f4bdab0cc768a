//! The `virtio_net_hdr` in front of each packet of an offload device: what is left to the other side.
//!
//! Ten bytes in the machine's own byte order: flags, GSO type, header length, GSO size, and where the checksum
//! starts and lies, counted from what follows the header: an IP packet, or a frame. Twelve have a number of buffers
//! behind them, which says nothing where a packet is one read or one write.

mod headers;

use txbuf::{Checksum, Gso, GsoKind, Meta, Packet};

use crate::DeviceCounters;

/// Bytes of the longest header.
pub(super) const LONGEST: usize = 12;

const NEEDS_CHECKSUM: u8 = 1;
const DATA_VALID: u8 = 2;

const GSO_NONE: u8 = 0;
const GSO_TCP_V4: u8 = 1;
const GSO_TCP_V6: u8 = 4;
const GSO_UDP: u8 = 5;
/// A flag beside the type: the first segment carries CWR, the others do not (RFC 3168).
const GSO_ECN: u8 = 0x80;

const TCP_CHECKSUM_AT: u16 = 16;
const UDP_CHECKSUM_AT: u16 = 6;
/// The flag of RFC 3168 in byte 13 of a TCP header.
const CWR: u8 = 0x80;

/// The least payload of a TCP segment that is not the last: 48 bytes that Linux sends at least, less 40 of options.
const LEAST_TCP: u16 = 8;

/// A header that does not fit its packet: nothing of it is believed, the packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// A checksum where the transport has none, or segments without one.
    ChecksumPlace,
    /// A kind that is not the packet's, or unknown.
    Kind,
    /// Headers, or a packet, of another length.
    Length,
    /// Segments of a size that nobody makes.
    Size,
    /// Segments of more than the MTU.
    TooBig,
    /// Segments, or a checksum to complete, of what is itself a part of a datagram.
    Fragment,
    /// Segments of a packet whose IPv4 header is damaged.
    HeaderChecksum,
    /// Segments with flags that are for one alone.
    Flags,
}

impl Lie {
    /// Counts the packet that was dropped for it.
    pub(super) fn count(self, counters: &mut DeviceCounters) {
        *match self {
            Lie::ChecksumPlace => &mut counters.rx_bad_checksum_place,
            Lie::Kind => &mut counters.rx_bad_gso_kind,
            Lie::Length => &mut counters.rx_bad_gso_length,
            Lie::Size => &mut counters.rx_bad_gso_size,
            Lie::TooBig => &mut counters.rx_too_big,
            Lie::Fragment => &mut counters.rx_bad_gso_fragment,
            Lie::HeaderChecksum => &mut counters.rx_bad_gso_header_checksum,
            Lie::Flags => &mut counters.rx_bad_gso_flags,
        } += 1;
    }
}

/// The header for a packet that is sent behind `link` bytes of a link's header.
pub(super) fn encode(packet: &Packet, link: usize) -> [u8; LONGEST] {
    let meta = &packet.meta;
    let link = link as u16;
    let mut header = [0; LONGEST];
    let mut transport = 0;
    if let Checksum::Partial { start, offset } = meta.checksum {
        transport = usize::from(start);
        header[0] = NEEDS_CHECKSUM;
        header[6..8].copy_from_slice(&start.saturating_add(link).to_ne_bytes());
        header[8..10].copy_from_slice(&offset.to_ne_bytes());
    }
    if let Some(gso) = meta.gso {
        let ecn = match packet.headers().get(transport + 13) {
            Some(flags) if flags & CWR != 0 => GSO_ECN,
            _ => 0,
        };
        header[1] = match gso.kind {
            GsoKind::TcpV4 => GSO_TCP_V4 | ecn,
            GsoKind::TcpV6 => GSO_TCP_V6 | ecn,
            _ => GSO_UDP,
        };
        header[2..4].copy_from_slice(&gso.headers.saturating_add(link).to_ne_bytes());
        header[4..6].copy_from_slice(&gso.size.to_ne_bytes());
    }
    header
}

/// What the header of a received packet says, held against the packet, which stood behind `link` bytes of a link's
/// header and came by a device for packets of `mtu` bytes. Its headers are in its area afterwards.
///
/// A packet that is said to be segments, and is shorter than one, is an ordinary packet.
///
/// # Errors
///
/// [`Lie`] when the two contradict each other.
pub(super) fn decode(
    header: &[u8; LONGEST],
    packet: &mut Packet,
    link: usize,
    mtu: usize,
) -> Result<Meta, Lie> {
    let word = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
    let mut meta = packet.meta;
    let (flags, kind) = (header[0], header[1] & !GSO_ECN);
    if flags & NEEDS_CHECKSUM == 0 {
        if kind != GSO_NONE {
            return Err(Lie::ChecksumPlace);
        }
        meta.checksum = if flags & DATA_VALID != 0 {
            Checksum::Verified
        } else {
            Checksum::Complete
        };
        return Ok(meta);
    }
    let start = word(6).checked_sub(link as u16).ok_or(Lie::ChecksumPlace)?;
    let offset = word(8);
    let headers = headers::transport(packet, usize::from(start), offset)?;
    meta.checksum = Checksum::Partial { start, offset };
    if kind != GSO_NONE {
        let kind = kind_of(packet, kind, offset)?;
        check_lengths(packet, headers, usize::from(word(2)), link)?;
        meta.gso = segmentation(packet, kind, word(4), headers, mtu)?;
        if meta.gso.is_some() {
            headers::check_template(packet, usize::from(start), kind)?;
        }
    }
    Ok(meta)
}

fn kind_of(packet: &Packet, kind: u8, offset: u16) -> Result<GsoKind, Lie> {
    let v4 = packet.headers().first().is_some_and(|byte| byte >> 4 == 4);
    match kind {
        GSO_TCP_V4 if v4 && offset == TCP_CHECKSUM_AT => Ok(GsoKind::TcpV4),
        GSO_TCP_V6 if !v4 && offset == TCP_CHECKSUM_AT => Ok(GsoKind::TcpV6),
        GSO_UDP if offset == UDP_CHECKSUM_AT => Ok(GsoKind::Udp),
        _ => Err(Lie::Kind),
    }
}

/// What is said of lengths. `named`, the length of the headers in the offload header, is how much lies in one piece in
/// the kernel: any length that covers the headers and is in the packet, or nothing.
fn check_lengths(packet: &Packet, headers: usize, named: usize, link: usize) -> Result<(), Lie> {
    let all = packet.len() + link;
    // A length of more than the field can hold says nothing.
    let is_said = named != 0 && all <= usize::from(u16::MAX);
    if is_said && !(headers + link..=all).contains(&named) {
        return Err(Lie::Length);
    }
    let bytes = packet.headers();
    let word = |at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    // The headers were pulled: they are there.
    let length = match bytes[0] >> 4 {
        4 => word(2),
        _ => 40 + word(4),
    };
    if length == packet.len() {
        Ok(())
    } else {
        Err(Lie::Length)
    }
}

/// The segments of `size` bytes; `None` if there is but one.
fn segmentation(
    packet: &Packet,
    kind: GsoKind,
    size: u16,
    headers: usize,
    mtu: usize,
) -> Result<Option<Gso>, Lie> {
    let payload = packet.len() - headers;
    let least = if kind == GsoKind::Udp { 1 } else { LEAST_TCP };
    if size < least || payload == 0 {
        return Err(Lie::Size);
    }
    if payload <= usize::from(size) {
        return Ok(None);
    }
    if headers + usize::from(size) > mtu {
        return Err(Lie::TooBig);
    }
    Ok(Some(Gso {
        kind,
        size,
        headers: headers as u16,
    }))
}

#[cfg(test)]
mod tests;
