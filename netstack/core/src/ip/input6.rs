//! The IPv6 half of header input: the fixed header and the chain of extension headers.

use std::net::IpAddr;

use smoltcp::wire::{IpProtocol, Ipv6Packet};
use txbuf::{Checksum, HEADER_AREA, HEADROOM, Packet};

use super::checks::{check_addresses, least_transport};
use super::drop::IpDrop;
use super::options::{self, V6OptionProblem};
use super::{FragmentInfo, IPV6_HEADER, IpHeader};

/// Reads an IPv6 packet; see [`super::input::parse`].
pub(super) fn parse(packet: &mut Packet) -> Result<IpHeader, IpDrop> {
    packet.pull(IPV6_HEADER)?;
    let view = Ipv6Packet::new_unchecked(packet.headers());
    let total_len = view.total_len();
    if total_len > packet.len() {
        return Err(IpDrop::Truncated);
    }
    let mut header = IpHeader {
        src: IpAddr::V6(view.src_addr()),
        dst: IpAddr::V6(view.dst_addr()),
        protocol: view.next_header(),
        protocol_offset: NEXT_HEADER_AT,
        hop_limit: view.hop_limit(),
        traffic_class: view.traffic_class(),
        header_len: IPV6_HEADER,
        payload_len: 0,
        fragment: None,
    };
    check_addresses(header.src, header.dst)?;
    packet.trim(total_len).map_err(|_| IpDrop::Truncated)?;
    if is_extension(header.protocol) {
        walk(packet, &mut header)?;
    }
    if header.protocol == IpProtocol::Ipv6NoNxt && header.fragment.is_none() {
        return Err(IpDrop::NoNextHeader);
    }
    if header.header_len > KEPT {
        drop_extensions(packet, &mut header)?;
    }
    packet.pull(header.header_len)?;
    header.payload_len = packet.len() - header.header_len;
    Ok(header)
}

/// Position of the next header in the fixed header.
const NEXT_HEADER_AT: u16 = 6;
const FRAGMENT_HEADER: usize = 8;
/// The longest TCP header: room that must stay in the header area.
const MAX_TRANSPORT: usize = 60;
/// Most bytes of IP headers that are kept in the header area.
const KEPT: usize = HEADER_AREA - HEADROOM - MAX_TRANSPORT;
/// Most extension headers in one packet: each kind twice is more than any sender has a use for.
const MAX_EXTENSIONS: usize = 10;
/// The longest extension header: its length field is 8 bits of 8-byte units, the first not counted.
const MAX_EXTENSION: usize = 2048;

fn is_extension(protocol: IpProtocol) -> bool {
    matches!(
        protocol,
        IpProtocol::HopByHop | IpProtocol::Ipv6Opts | IpProtocol::Ipv6Route | IpProtocol::Ipv6Frag
    )
}

/// Goes through the extension headers in the order of the packet (RFC 8200 section 4) until the
/// transport or a fragment header that cuts the packet short.
fn walk(packet: &Packet, header: &mut IpHeader) -> Result<(), IpDrop> {
    for _ in 0..MAX_EXTENSIONS {
        let at = header.header_len;
        let start = read_start(packet, at)?;
        let len = match header.protocol {
            IpProtocol::HopByHop if at != IPV6_HEADER => {
                return Err(IpDrop::MisplacedHopByHop {
                    pointer: header.protocol_offset.into(),
                });
            }
            IpProtocol::HopByHop | IpProtocol::Ipv6Opts => check_options(packet, at, &start)?,
            IpProtocol::Ipv6Route if start[3] != 0 => {
                return Err(IpDrop::RoutingHeader {
                    pointer: at as u32 + 2,
                });
            }
            IpProtocol::Ipv6Route => extension_len(&start),
            IpProtocol::Ipv6Frag => FRAGMENT_HEADER,
            _ => return Ok(()),
        };
        if at + len > packet.len() {
            return Err(IpDrop::Truncated);
        }
        let was_fragment = header.protocol == IpProtocol::Ipv6Frag;
        header.protocol = IpProtocol::from(start[0]);
        header.protocol_offset = u16::try_from(at).map_err(|_| IpDrop::HeaderChainTooLong)?;
        header.header_len = at + len;
        if was_fragment && let Some(fragment) = read_fragment(packet, header, &start)? {
            header.fragment = Some(fragment);
            return Ok(());
        }
        if !is_extension(header.protocol) {
            return Ok(());
        }
    }
    Err(IpDrop::HeaderChainTooLong)
}

/// The first 8 bytes of an extension header: no such header is shorter.
fn read_start(packet: &Packet, at: usize) -> Result<[u8; 8], IpDrop> {
    let mut start = [0; 8];
    match packet.copy_to(at, &mut start) {
        Ok(8) => Ok(start),
        Ok(_) => Err(IpDrop::Truncated),
        Err(_) => Err(IpDrop::Unreadable),
    }
}

fn extension_len(start: &[u8; 8]) -> usize {
    (usize::from(start[1]) + 1) * 8
}

/// Looks at the options of the header at `at` and returns the header's length.
fn check_options(packet: &Packet, at: usize, start: &[u8; 8]) -> Result<usize, IpDrop> {
    let len = extension_len(start);
    let mut scratch = [0; MAX_EXTENSION];
    let room = scratch.get_mut(..len).ok_or(IpDrop::BadExtension)?;
    if packet.copy_to(at, room).map_err(|_| IpDrop::Unreadable)? < len {
        return Err(IpDrop::Truncated);
    }
    match options::check_v6(room.get(2..).unwrap_or_default()) {
        Ok(()) => Ok(len),
        Err(V6OptionProblem::BadLength) => Err(IpDrop::BadExtension),
        Err(V6OptionProblem::Discard) => Err(IpDrop::UnknownOption {
            report: None,
            even_multicast: false,
        }),
        Err(V6OptionProblem::Report {
            at: option,
            even_multicast,
        }) => Err(IpDrop::UnknownOption {
            report: Some((at + 2 + option) as u32),
            even_multicast,
        }),
    }
}

/// Reads the fragment header `start` that ends where `header` now ends; `None` if it is an atomic
/// fragment, which is no fragment at all (RFC 6946).
fn read_fragment(
    packet: &Packet,
    header: &IpHeader,
    start: &[u8; 8],
) -> Result<Option<FragmentInfo>, IpDrop> {
    let field = u16::from_be_bytes([start[2], start[3]]);
    let fragment = FragmentInfo {
        ident: u32::from_be_bytes([start[4], start[5], start[6], start[7]]),
        offset: field & !0b111,
        more: field & 1 != 0,
    };
    if fragment.offset == 0 && !fragment.more {
        return Ok(None);
    }
    let len = packet.len() - header.header_len;
    if len == 0 || (fragment.more && !len.is_multiple_of(8)) {
        return Err(IpDrop::BadFragmentLength { v6: true });
    }
    // What the reassembled packet's payload length would have to hold.
    let unfragmentable = header.header_len - FRAGMENT_HEADER - IPV6_HEADER;
    if unfragmentable + usize::from(fragment.offset) + len > usize::from(u16::MAX) {
        let pointer = Some((header.header_len - FRAGMENT_HEADER + 2) as u32);
        return Err(IpDrop::FragmentTooLong { pointer });
    }
    if fragment.offset == 0 && !holds_header_chain(packet, header.protocol, header.header_len)? {
        return Err(IpDrop::IncompleteHeaderChain);
    }
    Ok(Some(fragment))
}

/// Whether all headers up to the transport's lie in this first fragment (RFC 7112 section 5).
fn holds_header_chain(
    packet: &Packet,
    mut protocol: IpProtocol,
    mut at: usize,
) -> Result<bool, IpDrop> {
    for _ in 0..MAX_EXTENSIONS {
        if !is_extension(protocol) {
            return Ok(at + least_transport(protocol) <= packet.len());
        }
        let start = match read_start(packet, at) {
            Ok(start) => start,
            Err(IpDrop::Truncated) => return Ok(false),
            Err(other) => return Err(other),
        };
        at += if protocol == IpProtocol::Ipv6Frag {
            FRAGMENT_HEADER
        } else {
            extension_len(&start)
        };
        protocol = IpProtocol::from(start[0]);
    }
    Err(IpDrop::HeaderChainTooLong)
}

/// Takes extension headers that have been dealt with out of the packet, so that the header area has
/// room for the transport's. A fragment header that still matters stays.
fn drop_extensions(packet: &mut Packet, header: &mut IpHeader) -> Result<(), IpDrop> {
    let kept = if header.fragment.is_some() {
        FRAGMENT_HEADER
    } else {
        0
    };
    let mut surplus = header.header_len - kept - IPV6_HEADER;
    let gone = surplus;
    let mut fixed = [0; IPV6_HEADER];
    fixed.copy_from_slice(
        packet
            .headers()
            .get(..IPV6_HEADER)
            .ok_or(IpDrop::Truncated)?,
    );
    packet.strip(IPV6_HEADER).map_err(|_| IpDrop::Truncated)?;
    while surplus > 0 {
        let step = surplus.min(STEP);
        packet.pull(step)?;
        packet.strip(step).map_err(|_| IpDrop::Truncated)?;
        surplus -= step;
    }
    let payload_len = u16::try_from(packet.len()).map_err(|_| IpDrop::Truncated)?;
    let front = packet
        .push(IPV6_HEADER)
        .map_err(|_| IpDrop::HeaderChainTooLong)?;
    front.copy_from_slice(&fixed);
    let mut view = Ipv6Packet::new_unchecked(front);
    view.set_payload_len(payload_len);
    view.set_next_header(if kept > 0 {
        IpProtocol::Ipv6Frag
    } else {
        header.protocol
    });
    header.header_len = IPV6_HEADER + kept;
    header.protocol_offset = if kept > 0 {
        IPV6_HEADER as u16
    } else {
        NEXT_HEADER_AT
    };
    if let Checksum::Partial { start, offset } = packet.meta.checksum {
        let start = start.saturating_sub(gone as u16);
        packet.meta.checksum = Checksum::Partial { start, offset };
    }
    Ok(())
}

/// Bytes passed through the header area at a time.
const STEP: usize = 64;

#[cfg(test)]
mod tests;
