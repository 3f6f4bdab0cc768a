//! The packet inside an ICMP error: reading one, and copying one out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv6Packet};
use txbuf::{Chain, Packet, Span};

use super::{IPV4_HEADER, IPV6_HEADER};

/// What the quoted start of a packet tells about it.
///
/// Nothing here has been checked against what was sent: the transport must do that before it believes
/// a word (RFC 8085 section 5.2, RFC 5927).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    /// The transport.
    pub(crate) protocol: IpProtocol,
    /// Who sent the quoted packet: for a received error, this host. The port is 0 if the protocol has
    /// none, and the identifier for an echo message.
    pub(crate) src: SocketAddr,
    /// Whom it was sent to.
    pub(crate) dst: SocketAddr,
    /// Where in the quoted packet its transport header begins.
    pub(crate) transport_at: usize,
    /// The TCP sequence number.
    pub(crate) sequence: Option<u32>,
    /// The length the quoted packet had when it was sent.
    pub(crate) total_len: usize,
    /// Whether it is a fragment without the start of its datagram, so that ports are unknown.
    pub(crate) later_fragment: bool,
    /// The ICMP type, if it is ICMP.
    pub(crate) icmp_type: Option<u8>,
}

impl Quoted {
    /// Whether the quoted packet is an ICMP error or redirect, or may be one because its type is not a
    /// known query: errors about those are never sent.
    pub(crate) fn is_icmp_error(&self) -> bool {
        match (self.protocol, self.icmp_type) {
            (IpProtocol::Icmp, Some(kind)) => !ICMP4_QUERIES.contains(&kind),
            (IpProtocol::Icmpv6, Some(kind)) => kind < ICMP6_FIRST_QUERY || kind == ICMP6_REDIRECT,
            (IpProtocol::Icmp | IpProtocol::Icmpv6, None) => true,
            _ => false,
        }
    }
}

/// Reads the packet that starts at `at` of `packet`, which may be cut off anywhere after the first 8
/// bytes of its transport header; `None` if it makes no sense.
pub(crate) fn read(packet: &Packet, at: usize) -> Option<Quoted> {
    let mut scratch = [0; SCRATCH];
    let bytes = start(packet, at, &mut scratch)?;
    match bytes.first()? >> 4 {
        4 => read_v4(bytes),
        6 => read_v6(bytes),
        _ => None,
    }
}

/// Reads of the IPv6 `packet` only its fixed header: what its chain of headers leads to does not stand in it, so that it
/// is no ICMP error.
pub(crate) fn read_fixed(packet: &Packet) -> Option<Quoted> {
    let mut scratch = [0; SCRATCH];
    fixed_v6(start(packet, 0, &mut scratch)?)
}

/// The first bytes of what starts at `at` of `packet`.
fn start<'a>(packet: &'a Packet, at: usize, scratch: &'a mut [u8; SCRATCH]) -> Option<&'a [u8]> {
    match packet.copy_to(at, scratch) {
        Ok(len) => scratch.get(..len),
        // Of a payload that the CPU may not read, what is in the header area has to do.
        Err(_) => packet.headers().get(at..),
    }
}

/// Copies the first `limit` bytes of `original`, or as many as there are, into `small`.
///
/// If the payload cannot be read by the CPU, what is in the header area will do.
pub(crate) fn copy(original: &Packet, limit: usize, small: &mut Chain) -> Option<Span> {
    let len = original.len().min(limit);
    let mut reservation = small.reserve(len).ok()?;
    let room = reservation.get_mut(..len)?;
    let copied = match original.copy_to(0, room) {
        Ok(copied) => copied,
        Err(_) => {
            let headers = original.headers();
            let copied = headers.len().min(len);
            room.get_mut(..copied)?
                .copy_from_slice(headers.get(..copied)?);
            copied
        }
    };
    Some(reservation.commit(copied))
}

/// The headers of `original`, with the first 8 bytes of its transport: the least that an error must quote (RFC 792).
/// Nothing if it makes no sense.
pub(crate) fn opening(original: &Packet) -> Box<[u8]> {
    let len = read(original, 0).map_or(0, |quoted| quoted.transport_at + LEAST);
    let mut bytes = vec![0; len.min(SCRATCH)];
    let copied = original.copy_to(0, &mut bytes).unwrap_or(0);
    bytes.truncate(copied);
    bytes.into()
}

/// Bytes of the transport that an error quotes at least.
const LEAST: usize = 8;

/// Room for an IPv6 header, the extension headers that real packets have, and 8 bytes of transport.
const SCRATCH: usize = 160;
/// Extension headers walked: more than any packet of ours has.
const MAX_EXTENSIONS: usize = 8;

const ICMP4_QUERIES: [u8; 8] = [0, 8, 13, 14, 15, 16, 17, 18];
const ICMP6_FIRST_QUERY: u8 = 128;
const ICMP6_REDIRECT: u8 = 137;

fn read_v4(bytes: &[u8]) -> Option<Quoted> {
    if bytes.len() < IPV4_HEADER {
        return None;
    }
    let view = Ipv4Packet::new_unchecked(bytes);
    let header_len = usize::from(view.header_len());
    if header_len < IPV4_HEADER {
        return None;
    }
    let (src, dst): (Ipv4Addr, Ipv4Addr) = (view.src_addr(), view.dst_addr());
    let quoted = Quoted {
        protocol: view.next_header(),
        src: SocketAddr::new(IpAddr::V4(src), 0),
        dst: SocketAddr::new(IpAddr::V4(dst), 0),
        transport_at: header_len,
        sequence: None,
        total_len: view.total_len().into(),
        later_fragment: view.frag_offset() > 0,
        icmp_type: None,
    };
    read_transport(quoted, bytes.get(header_len..)?)
}

fn fixed_v6(bytes: &[u8]) -> Option<Quoted> {
    let view = Ipv6Packet::new_unchecked(bytes.get(..IPV6_HEADER)?);
    if view.version() != 6 {
        return None;
    }
    let (src, dst): (Ipv6Addr, Ipv6Addr) = (view.src_addr(), view.dst_addr());
    Some(Quoted {
        protocol: view.next_header(),
        src: SocketAddr::new(IpAddr::V6(src), 0),
        dst: SocketAddr::new(IpAddr::V6(dst), 0),
        transport_at: IPV6_HEADER,
        sequence: None,
        total_len: view.total_len(),
        later_fragment: false,
        icmp_type: None,
    })
}

fn read_v6(bytes: &[u8]) -> Option<Quoted> {
    let mut quoted = fixed_v6(bytes)?;
    let mut at = IPV6_HEADER;
    for _ in 0..MAX_EXTENSIONS {
        let rest = bytes.get(at..)?;
        let len = match quoted.protocol {
            IpProtocol::HopByHop | IpProtocol::Ipv6Opts | IpProtocol::Ipv6Route => {
                (usize::from(*rest.get(1)?) + 1) * 8
            }
            IpProtocol::Ipv6Frag => {
                let offset = u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]) & !0b111;
                quoted.later_fragment = offset > 0;
                8
            }
            _ => return read_transport(quoted, rest),
        };
        quoted.protocol = IpProtocol::from(*rest.first()?);
        at += len;
        quoted.transport_at = at;
        if quoted.later_fragment {
            return Some(quoted);
        }
    }
    None
}

/// Fills in what the first bytes of the transport header tell.
fn read_transport(mut quoted: Quoted, bytes: &[u8]) -> Option<Quoted> {
    if quoted.later_fragment {
        return Some(quoted);
    }
    let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    match quoted.protocol {
        IpProtocol::Tcp | IpProtocol::Udp => {
            quoted.src.set_port(word(0)?);
            quoted.dst.set_port(word(2)?);
            if quoted.protocol == IpProtocol::Tcp {
                quoted.sequence = Some((u32::from(word(4)?) << 16) | u32::from(word(6)?));
            }
        }
        IpProtocol::Icmp | IpProtocol::Icmpv6 => {
            quoted.icmp_type = bytes.first().copied();
            let echo = matches!(
                (quoted.protocol, quoted.icmp_type),
                (IpProtocol::Icmp, Some(0 | 8)) | (IpProtocol::Icmpv6, Some(128 | 129))
            );
            if echo && let Some(ident) = word(4) {
                quoted.src.set_port(ident);
            }
        }
        _ => {}
    }
    Some(quoted)
}

#[cfg(test)]
mod tests;
