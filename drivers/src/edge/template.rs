//! The headers of a super-packet, with all that is the same in its segments summed up once.

use core::ops::Range;
use std::collections::VecDeque;

use txbuf::{Checksum, Gso, GsoKind, HEADER_AREA, Meta, Packet, Span, checksum};

use super::error::CutError;

/// TCP flags that only one segment may carry (RFC 9293 section 3.1, RFC 3168 section 6.1.2).
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

const TCP: u16 = 6;
const UDP: u16 = 17;

/// What is done for every segment: copy the headers, set lengths, IPv4 identification and TCP sequence number, and
/// add a few words to sums that were made here.
#[derive(Debug)]
pub(super) struct Template {
    /// The header area of the super-packet: the headers, and payload if some lies there.
    area: [u8; HEADER_AREA],
    area_length: usize,
    /// Bytes of headers.
    headers: usize,
    /// Where the transport header starts.
    transport: usize,
    /// Bytes of payload in all.
    payload: usize,
    /// Bytes of payload in each segment but the last.
    size: usize,
    ip: Ip,
    layer4: Layer4,
    /// Sum of the addresses and the protocol number.
    pseudo: u16,
    /// Sum of the words of the transport header that are the same in all segments.
    fixed: u16,
    meta: Meta,
    gso: Gso,
}

#[derive(Clone, Copy, Debug)]
enum Ip {
    /// The identification of the first segment, and the sum of the header less length, identification, checksum.
    V4 {
        identification: u16,
        fixed: u16,
    },
    V6,
}

#[derive(Clone, Copy, Debug)]
enum Layer4 {
    Tcp { sequence: u32, flags: u8 },
    Udp,
}

/// A part of the payload: `length` bytes from `start`, of which some may lie in the header area.
#[derive(Debug)]
pub(super) struct Piece {
    /// How many segments there are before it.
    pub(super) index: usize,
    pub(super) start: usize,
    pub(super) length: usize,
    pub(super) in_area: Range<usize>,
    pub(super) span: Option<Span>,
}

impl Template {
    /// `None` if headers and metadata of the super-packet contradict each other.
    pub(super) fn new(packet: &Packet, gso: Gso) -> Option<Template> {
        let source = packet.headers();
        let headers = usize::from(gso.headers);
        let mut area = [0; HEADER_AREA];
        area.get_mut(..source.len())?.copy_from_slice(source);
        let head = source.get(..headers)?;
        let (ip, transport, addresses) = parse_ip(head, packet.meta.checksum)?;
        let six = matches!(ip, Ip::V6);
        let (layer4, protocol, fixed) = match gso.kind {
            GsoKind::TcpV4 if six => return None,
            GsoKind::TcpV6 if !six => return None,
            GsoKind::TcpV4 | GsoKind::TcpV6 => parse_tcp(head, transport)?,
            GsoKind::Udp => parse_udp(head, transport)?,
        };
        // What counts into the 16-bit length field: all of an IPv4 packet, all but the fixed header of an IPv6 one.
        let counted = if six { packet.len() - 40 } else { packet.len() };
        if counted > usize::from(u16::MAX) || gso.size == 0 {
            return None;
        }
        Some(Template {
            area,
            area_length: source.len(),
            headers,
            transport,
            payload: packet.len() - headers,
            size: usize::from(gso.size),
            ip,
            layer4,
            pseudo: fold(u32::from(addresses) + u32::from(protocol)),
            fixed,
            meta: packet.meta,
            gso,
        })
    }

    pub(super) fn payload(&self) -> usize {
        self.payload
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Bytes of payload that lie in the header area.
    pub(super) fn tail(&self) -> usize {
        self.area_length - self.headers
    }

    /// Appends one segment to `out`, with a complete checksum or a partial one.
    #[inline]
    pub(super) fn segment(
        &mut self,
        piece: Piece,
        complete: bool,
        out: &mut VecDeque<Packet>,
    ) -> Result<(), CutError> {
        let sum = if complete {
            Some(self.payload_sum(&piece)?)
        } else {
            None
        };
        let meta = self.set_headers(&piece, sum);
        if piece.in_area.is_empty() {
            // Right into the queue: a packet that is moved before it is in memory as a whole costs more than all
            // the rest of this.
            let headers = &self.area[..self.headers];
            out.push_back(Packet::with_headers(headers, piece.span, meta)?);
        } else {
            out.push_back(self.with_tail(piece, meta)?);
        }
        Ok(())
    }

    /// The super-packet of the payload that `piece` is, its checksum partial.
    pub(super) fn rest(&mut self, piece: Piece) -> Result<Packet, CutError> {
        let mut meta = self.set_headers(&piece, None);
        meta.gso = (piece.length > self.size).then_some(self.gso);
        self.with_tail(piece, meta)
    }

    /// Makes the headers those of `piece`.
    #[inline]
    fn set_headers(&mut self, piece: &Piece, payload_sum: Option<u16>) -> Meta {
        self.set_ip(piece);
        let offset = self.set_transport(piece, payload_sum);
        let checksum = match payload_sum {
            Some(_) => Checksum::Complete,
            None => Checksum::Partial {
                start: self.transport as u16,
                offset,
            },
        };
        Meta {
            checksum,
            gso: None,
            ..self.meta
        }
    }

    /// The headers and `piece`, of which some may lie in the header area.
    fn with_tail(&self, piece: Piece, meta: Meta) -> Result<Packet, CutError> {
        let mut front = [0; HEADER_AREA];
        let length = self.headers + piece.in_area.len();
        front[..self.headers].copy_from_slice(&self.area[..self.headers]);
        front[self.headers..length].copy_from_slice(self.in_area(&piece));
        Ok(Packet::with_headers(&front[..length], piece.span, meta)?)
    }

    fn in_area(&self, piece: &Piece) -> &[u8] {
        let tail = &self.area[self.headers..self.area_length];
        &tail[piece.in_area.clone()]
    }

    #[inline]
    fn payload_sum(&self, piece: &Piece) -> Result<u16, CutError> {
        let in_span = match &piece.span {
            Some(span) => span.checksum().map_err(|_| CutError::Unreadable)?,
            None => 0,
        };
        if piece.in_area.is_empty() {
            return Ok(in_span);
        }
        let in_area = self.in_area(piece);
        Ok(checksum::combine(
            checksum::sum(in_area),
            in_span,
            in_area.len() % 2 == 1,
        ))
    }

    #[inline]
    fn set_ip(&mut self, piece: &Piece) {
        let headers = &mut self.area;
        match self.ip {
            Ip::V4 {
                identification,
                fixed,
            } => {
                let total = (self.headers + piece.length) as u16;
                let identification = identification.wrapping_add(piece.index as u16);
                let sum = fold(u32::from(fixed) + u32::from(total) + u32::from(identification));
                headers[2..4].copy_from_slice(&total.to_be_bytes());
                headers[4..6].copy_from_slice(&identification.to_be_bytes());
                headers[10..12].copy_from_slice(&(!sum).to_be_bytes());
            }
            Ip::V6 => {
                let counted = (self.headers + piece.length - 40) as u16;
                headers[4..6].copy_from_slice(&counted.to_be_bytes());
            }
        }
    }

    /// Returns where the checksum lies in the transport header.
    #[inline]
    fn set_transport(&mut self, piece: &Piece, payload_sum: Option<u16>) -> u16 {
        let layer4_length = (self.headers - self.transport + piece.length) as u16;
        let header = &mut self.area[self.transport..self.headers];
        let pseudo = u32::from(self.pseudo) + u32::from(layer4_length);
        let (offset, varying) = match self.layer4 {
            Layer4::Tcp { sequence, flags } => {
                let sequence = sequence.wrapping_add(piece.start as u32);
                let last = piece.start + piece.length == self.payload;
                let mut flags = flags;
                if piece.start > 0 {
                    flags &= !CWR;
                }
                if !last {
                    flags &= !(FIN | PSH);
                }
                header[4..8].copy_from_slice(&sequence.to_be_bytes());
                header[13] = flags;
                (
                    16,
                    (sequence >> 16) + (sequence & 0xffff) + u32::from(flags),
                )
            }
            Layer4::Udp => {
                header[4..6].copy_from_slice(&layer4_length.to_be_bytes());
                (6, u32::from(layer4_length))
            }
        };
        let check = match payload_sum {
            Some(payload) => {
                let check = !fold(pseudo + u32::from(self.fixed) + varying + u32::from(payload));
                // RFC 768: a zero on the wire means that there is no checksum.
                if check == 0 && matches!(self.layer4, Layer4::Udp) {
                    0xffff
                } else {
                    check
                }
            }
            None => fold(pseudo),
        };
        header[offset..offset + 2].copy_from_slice(&check.to_be_bytes());
        offset as u16
    }
}

/// The IP header, where the transport header starts, and the sum of the addresses.
fn parse_ip(head: &[u8], checksum: Checksum) -> Option<(Ip, usize, u16)> {
    let claimed = match checksum {
        Checksum::Partial { start, .. } => Some(usize::from(start)),
        _ => None,
    };
    match head.first()? >> 4 {
        4 => {
            let length = usize::from(head[0] & 0x0f) * 4;
            if length < 20 || claimed.is_some_and(|claimed| claimed != length) {
                return None;
            }
            let mut fixed = [0; 60];
            let fixed = &mut fixed[..length];
            fixed.copy_from_slice(head.get(..length)?);
            let identification = u16::from_be_bytes([fixed[4], fixed[5]]);
            fixed[2..6].fill(0);
            fixed[10..12].fill(0);
            let ip = Ip::V4 {
                identification,
                fixed: checksum::sum(fixed),
            };
            Some((ip, length, checksum::sum(&head[12..20])))
        }
        6 => {
            let transport = claimed.unwrap_or(40);
            if transport < 40 || transport > head.len() || transport % 2 != 0 {
                return None;
            }
            Some((Ip::V6, transport, checksum::sum(head.get(8..40)?)))
        }
        _ => None,
    }
}

fn parse_tcp(head: &[u8], transport: usize) -> Option<(Layer4, u16, u16)> {
    let header = head.get(transport..)?;
    if header.len() < 20 || usize::from(header[12] >> 4) * 4 != header.len() {
        return None;
    }
    let sequence = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let layer4 = Layer4::Tcp {
        sequence,
        flags: header[13],
    };
    let mut fixed = [0; 60];
    let fixed = &mut fixed[..header.len()];
    fixed.copy_from_slice(header);
    fixed[4..8].fill(0);
    fixed[13] = 0;
    fixed[16..18].fill(0);
    Some((layer4, TCP, checksum::sum(fixed)))
}

fn parse_udp(head: &[u8], transport: usize) -> Option<(Layer4, u16, u16)> {
    let header = head.get(transport..)?;
    (header.len() == 8).then(|| (Layer4::Udp, UDP, checksum::sum(&header[..4])))
}

fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}
