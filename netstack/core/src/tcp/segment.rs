//! One TCP segment: the header as numbers, apart from its bytes.

use super::options::Options;
use super::seq::Seq;
use crate::ip::output::{OutHeader, push_header};
use crate::ip::{IpHeader, pseudo_header_sum};
use core::ops::{BitOr, BitOrAssign};
use smoltcp::wire::{IpProtocol, TcpPacket, TcpSeqNumber};
use txbuf::{Checksum, Gso, GsoKind, NoRoom, Packet, Span};

/// Bytes of a TCP header without options.
pub(crate) const HEADER_LEN: usize = 20;
const CHECKSUM_OFFSET: u16 = 16;

/// The control bits of a header.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Flags(u8);

impl Flags {
    pub(crate) const FIN: Flags = Flags(0x01);
    pub(crate) const SYN: Flags = Flags(0x02);
    pub(crate) const RST: Flags = Flags(0x04);
    pub(crate) const PSH: Flags = Flags(0x08);
    pub(crate) const ACK: Flags = Flags(0x10);
    /// The urgent pointer means something.
    pub(crate) const URG: Flags = Flags(0x20);
    /// ECN-Echo: a packet arrived marked (RFC 3168, 6.1).
    pub(crate) const ECE: Flags = Flags(0x40);
    /// Congestion window reduced: the echo was heard.
    pub(crate) const CWR: Flags = Flags(0x80);

    /// Whether every bit of `other` is set.
    #[inline]
    pub(crate) fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags without those of `other`.
    pub(crate) fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, rhs: Flags) -> Flags {
        Flags(self.0 | rhs.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, rhs: Flags) {
        self.0 |= rhs.0;
    }
}

/// A received or prepared header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: Seq,
    pub(crate) ack: Seq,
    pub(crate) flags: Flags,
    /// The window field as it stands in the header, not scaled.
    pub(crate) window: u16,
    /// SEG.UP: behind the last urgent octet, from the sequence number on.
    pub(crate) urgent: u16,
    pub(crate) options: Options,
    /// Bytes of payload behind the header.
    pub(crate) len: usize,
    /// The ECN bits of the IP header (RFC 3168, 5).
    pub(crate) ecn: u8,
}

/// The ECN bits of a packet whose transport understands marks: ECT(0).
// req: RFC3168-01
pub(crate) const ECT: u8 = 0b10;
/// The ECN bits of a packet that met congestion.
pub(crate) const CE: u8 = 0b11;

impl Segment {
    /// SEG.LEN: the payload and the sequence numbers of SYN and FIN.
    pub(crate) fn seq_len(&self) -> usize {
        self.len + usize::from(self.flags.has(Flags::SYN)) + usize::from(self.flags.has(Flags::FIN))
    }

    /// Whether a SYN, or the SYN that answers one, is an ECN-setup packet (RFC 3168, 6.1.1). What merely reflects the
    /// bits of a SYN is none.
    pub(crate) fn asks_for_ecn(&self) -> bool {
        let (ece, cwr) = (self.flags.has(Flags::ECE), self.flags.has(Flags::CWR));
        ece && cwr != self.flags.has(Flags::ACK)
    }

    /// The sequence number behind the segment.
    pub(crate) fn end(&self) -> Seq {
        self.seq + self.seq_len()
    }
}

/// Why a segment was refused before any connection saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentError {
    /// Too short for its own header, or a header too short.
    Malformed,
    /// The checksum does not hold.
    Checksum,
    /// A port of zero.
    Port,
    /// The packet lies in memory that may not be read.
    Unreadable,
}

/// Reads the TCP header behind the IP header of `packet` and verifies the checksum.
///
/// Afterwards the whole TCP header lies in the packet's own header area. Returns the segment and the
/// offset of its payload in the packet.
///
/// # Errors
///
/// See [`SegmentError`]; the packet is to be dropped.
// req: MUST-3, MUST-5, MUST-50
pub(crate) fn parse(packet: &mut Packet, ip: &IpHeader) -> Result<(Segment, usize), SegmentError> {
    let at = ip.header_len;
    packet
        .pull(at + HEADER_LEN)
        .map_err(|_| SegmentError::Malformed)?;
    let header_len = usize::from(packet.headers()[at + 12] >> 4) * 4;
    if header_len < HEADER_LEN || header_len > ip.payload_len {
        return Err(SegmentError::Malformed);
    }
    packet
        .pull(at + header_len)
        .map_err(|_| SegmentError::Malformed)?;
    // A device that vouches for the checksum, or one that left it to be completed, is believed.
    if packet.meta.checksum == Checksum::Complete {
        let pseudo = ip.pseudo_sum();
        let sum = packet.checksum(at).map_err(|_| SegmentError::Unreadable)?;
        if txbuf::checksum::combine(pseudo, sum, false) != 0xffff {
            return Err(SegmentError::Checksum);
        }
    }
    let header = TcpPacket::new_unchecked(&packet.headers()[at..at + header_len]);
    let segment = Segment {
        src_port: header.src_port(),
        dst_port: header.dst_port(),
        seq: Seq(header.seq_number().0 as u32),
        ack: Seq(header.ack_number().0 as u32),
        flags: Flags(packet.headers()[at + 13]),
        window: header.window_len(),
        urgent: header.urgent_at(),
        options: Options::parse(&packet.headers()[at + HEADER_LEN..at + header_len]),
        len: ip.payload_len - header_len,
        ecn: ip.ecn(),
    };
    if segment.src_port == 0 || segment.dst_port == 0 {
        return Err(SegmentError::Port);
    }
    Ok((segment, at + header_len))
}

/// Builds the packet of `segment` with `payload`, TCP header and IP header in front.
///
/// The checksum is left partial, for the device or its edge to complete. A payload longer than `mss`
/// makes a super-packet that is cut into segments of `mss` bytes at the edge.
///
/// # Errors
///
/// [`NoRoom`] when the headers do not fit the packet's header area.
// req: MUST-2, U-43
pub(crate) fn build(
    segment: &Segment,
    payload: Option<Span>,
    mss: usize,
    ip: &OutHeader,
) -> Result<Packet, NoRoom> {
    let len = payload.as_ref().map_or(0, Span::len);
    let mut packet = payload.map_or_else(Packet::new, Packet::with_payload);
    let header_len = HEADER_LEN + segment.options.emitted_len();
    let bytes = packet.push(header_len)?;
    let pseudo = pseudo_header_sum(ip.src, ip.dst, IpProtocol::Tcp, header_len + len);
    let mut header = TcpPacket::new_unchecked(&mut *bytes);
    header.set_src_port(segment.src_port);
    header.set_dst_port(segment.dst_port);
    header.set_seq_number(TcpSeqNumber(segment.seq.0 as i32));
    header.set_ack_number(TcpSeqNumber(segment.ack.0 as i32));
    header.set_window_len(segment.window);
    header.set_checksum(pseudo);
    header.set_urgent_at(segment.urgent);
    bytes[12] = ((header_len / 4) as u8) << 4;
    bytes[13] = segment.flags.0;
    segment.options.emit(&mut bytes[HEADER_LEN..]);
    packet.meta.checksum = Checksum::Partial {
        start: 0,
        offset: CHECKSUM_OFFSET,
    };
    if len > mss {
        let kind = if ip.src.is_ipv4() {
            GsoKind::TcpV4
        } else {
            GsoKind::TcpV6
        };
        packet.meta.gso = Some(Gso {
            kind,
            size: mss as u16,
            headers: header_len as u16,
        });
    }
    push_header(&mut packet, ip)?;
    Ok(packet)
}
