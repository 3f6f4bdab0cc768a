//! What a router does to the headers of packets that are not for it (RFC 1812 section 5.2, RFC 8200 section 3).
//!
//! Only headers are read and written. A host looks at options and extension headers that are none of a router's
//! business, so that this is not the reading of [`super::input`].

use std::net::IpAddr;

use smoltcp::wire::{Ipv4Packet, Ipv6Packet};
use txbuf::{Checksum, Packet, checksum};

use super::checks::check_addresses;
use super::drop::IpDrop;
use super::input::sound_v4;
use super::{IPV4_HEADER, IPV6_HEADER, classify, options};

/// What the header of a packet to be forwarded said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transit {
    /// Who sent it.
    pub(crate) src: IpAddr,
    /// Whom it is for.
    pub(crate) dst: IpAddr,
    /// TTL or hop limit, as received.
    pub(crate) hop_limit: u8,
}

/// Whom a packet is for, if it has that much of a header.
pub(crate) fn destination(packet: &mut Packet) -> Option<IpAddr> {
    packet.pull(IPV4_HEADER).ok()?;
    match packet.headers().first()? >> 4 {
        4 => Some(
            Ipv4Packet::new_unchecked(packet.headers())
                .dst_addr()
                .into(),
        ),
        6 => {
            packet.pull(IPV6_HEADER).ok()?;
            Some(
                Ipv6Packet::new_unchecked(packet.headers())
                    .dst_addr()
                    .into(),
            )
        }
        _ => None,
    }
}

/// Reads and checks the header of a packet that is for somebody else, and cuts off what the link added behind it.
///
/// # Errors
///
/// What is wrong with the packet, as for a packet to this host.
pub(crate) fn parse(packet: &mut Packet) -> Result<Transit, IpDrop> {
    packet.pull(IPV4_HEADER)?;
    match packet.headers().first().map(|byte| byte >> 4) {
        Some(4) => parse_v4(packet),
        Some(6) => parse_v6(packet),
        _ => Err(IpDrop::BadVersion),
    }
}

/// Whether a packet with these addresses may leave the link it came from: link-local addresses mean nothing elsewhere
/// (RFC 3927 section 7, RFC 4291 section 2.5.6), and nobody has the unspecified one.
pub(crate) fn may_leave_link(transit: &Transit) -> bool {
    let stays = |addr: IpAddr| match addr {
        IpAddr::V4(addr) => addr.is_link_local(),
        IpAddr::V6(addr) => addr.is_unicast_link_local() || addr.is_unspecified(),
    };
    !stays(transit.src) && !stays(transit.dst) && classify::names_one_host(transit.src)
}

/// Bytes of the longest packet that `packet` is on the wire: of its longest segment if it is a super-packet.
pub(crate) fn wire_len(packet: &Packet) -> usize {
    packet.meta.gso.map_or(packet.len(), |gso| {
        packet
            .len()
            .min(usize::from(gso.headers) + usize::from(gso.size))
    })
}

/// Whether a router may fragment the packet: IPv4 without the bit against it.
pub(crate) fn may_fragment(packet: &Packet) -> bool {
    let head = packet.headers();
    head.len() >= IPV4_HEADER && head[0] >> 4 == 4 && !Ipv4Packet::new_unchecked(head).dont_frag()
}

/// Takes one off the TTL or hop limit, and mends the IPv4 header checksum (RFC 1624).
pub(crate) fn decrement_hop_limit(packet: &mut Packet) {
    let head = packet.headers_mut();
    match head.first().map(|byte| byte >> 4) {
        Some(4) if head.len() >= IPV4_HEADER => {
            let old = u16::from_be_bytes([head[8], head[9]]);
            head[8] = head[8].saturating_sub(1);
            let new = u16::from_be_bytes([head[8], head[9]]);
            let check = u16::from_be_bytes([head[10], head[11]]);
            head[10..12].copy_from_slice(&checksum::update(check, old, new).to_be_bytes());
        }
        Some(6) if head.len() >= IPV6_HEADER => head[7] = head[7].saturating_sub(1),
        _ => {}
    }
}

/// The first packet that a super-packet is on the wire, as its sender would know it from a quotation. Its transport
/// checksum is not made. One reference.
pub(crate) fn first_on_wire(packet: &Packet) -> Packet {
    let mut first = packet.clone();
    let len = wire_len(packet);
    if packet.meta.gso.is_none() || first.trim(len).is_err() {
        return first;
    }
    first.meta.gso = None;
    first.meta.checksum = Checksum::Complete;
    let head = first.headers_mut();
    match head.first().map(|byte| byte >> 4) {
        Some(4) if head.len() >= IPV4_HEADER => {
            let old = u16::from_be_bytes([head[2], head[3]]);
            let check = u16::from_be_bytes([head[10], head[11]]);
            head[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            let check = checksum::update(check, old, len as u16);
            head[10..12].copy_from_slice(&check.to_be_bytes());
        }
        Some(6) if head.len() >= IPV6_HEADER => {
            let counted = len.saturating_sub(IPV6_HEADER) as u16;
            head[4..6].copy_from_slice(&counted.to_be_bytes());
        }
        _ => {}
    }
    first
}

fn parse_v4(packet: &mut Packet) -> Result<Transit, IpDrop> {
    let (bytes, total_len) = sound_v4(packet)?;
    let view = Ipv4Packet::new_unchecked(bytes);
    let transit = Transit {
        src: view.src_addr().into(),
        dst: view.dst_addr().into(),
        hop_limit: view.hop_limit(),
    };
    check_addresses(transit.src, transit.dst)?;
    match options::check_v4(bytes.get(IPV4_HEADER..).unwrap_or_default()) {
        Ok(()) => {}
        Err(options::V4OptionProblem::SourceRoute) => return Err(IpDrop::SourceRouted),
        Err(options::V4OptionProblem::BadLength(at)) => {
            return Err(IpDrop::BadOption {
                pointer: (IPV4_HEADER + at) as u32,
            });
        }
    }
    packet.trim(total_len).map_err(|_| IpDrop::Truncated)?;
    Ok(transit)
}

fn parse_v6(packet: &mut Packet) -> Result<Transit, IpDrop> {
    packet.pull(IPV6_HEADER)?;
    let view = Ipv6Packet::new_unchecked(packet.headers());
    let total_len = view.total_len();
    if total_len > packet.len() {
        return Err(IpDrop::Truncated);
    }
    let transit = Transit {
        src: view.src_addr().into(),
        dst: view.dst_addr().into(),
        hop_limit: view.hop_limit(),
    };
    check_addresses(transit.src, transit.dst)?;
    packet.trim(total_len).map_err(|_| IpDrop::Truncated)?;
    Ok(transit)
}

#[cfg(test)]
mod tests;
