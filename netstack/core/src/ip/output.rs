//! IP headers of packets on their way out.

use std::net::IpAddr;

use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv6Packet};
use txbuf::{Checksum, NoRoom, Packet, Span, checksum};

use super::{IPV4_HEADER, IPV6_HEADER};

/// What the IP header of a packet to be sent says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutHeader {
    /// An address of this host.
    pub(crate) src: IpAddr,
    /// Whom the packet is for; of the same version as `src`.
    pub(crate) dst: IpAddr,
    /// What the packet holds.
    pub(crate) protocol: IpProtocol,
    /// TTL or hop limit; 0 is sent as 1 (RFC 1122 section 3.2.1.7).
    pub(crate) hop_limit: u8,
    /// DSCP and ECN.
    pub(crate) traffic_class: u8,
    /// IPv4 identification; means something only if the packet may be fragmented (RFC 6864).
    pub(crate) ident: u16,
    /// IPv4: whether routers must not fragment the packet.
    pub(crate) dont_fragment: bool,
    /// IPv6 flow label, the lower 20 bits.
    pub(crate) flow_label: u32,
}

/// Writes an IP header in front of `packet`, which so far starts with its transport header.
///
/// The IPv4 header checksum is complete. A partial transport checksum, and the count of header bytes
/// that a super-packet repeats in each of its segments, now reckon with the IP header. The length
/// written for a super-packet is its own, not that of its segments.
///
/// # Errors
///
/// The header area is full, the packet would exceed the 65,535 bytes that its length field can say, or
/// the addresses are of two versions. The packet is then unchanged.
pub(crate) fn push_header(packet: &mut Packet, header: &OutHeader) -> Result<(), NoRoom> {
    let payload_len = packet.len();
    let header_len = match (header.src, header.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let total_len = u16::try_from(payload_len + IPV4_HEADER).map_err(|_| NoRoom)?;
            let bytes = packet.push(IPV4_HEADER)?;
            let mut view = Ipv4Packet::new_unchecked(bytes);
            view.set_version(4);
            view.set_header_len(IPV4_HEADER as u8);
            view.set_dscp(header.traffic_class >> 2);
            view.set_ecn(header.traffic_class & 0b11);
            view.set_total_len(total_len);
            view.set_ident(header.ident);
            view.clear_flags();
            view.set_frag_offset(0);
            view.set_dont_frag(header.dont_fragment);
            view.set_hop_limit(header.hop_limit.max(1));
            view.set_next_header(header.protocol);
            view.set_src_addr(src);
            view.set_dst_addr(dst);
            let sum = checksum::sum(view.into_inner());
            if let Some(bytes) = packet.headers_mut().get_mut(..IPV4_HEADER) {
                Ipv4Packet::new_unchecked(bytes).set_checksum(!sum);
            }
            IPV4_HEADER
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let payload_len = u16::try_from(payload_len).map_err(|_| NoRoom)?;
            let mut view = Ipv6Packet::new_unchecked(packet.push(IPV6_HEADER)?);
            view.set_version(6);
            view.set_traffic_class(header.traffic_class);
            view.set_flow_label(header.flow_label & 0x000f_ffff);
            view.set_payload_len(payload_len);
            view.set_next_header(header.protocol);
            view.set_hop_limit(header.hop_limit.max(1));
            view.set_src_addr(src);
            view.set_dst_addr(dst);
            IPV6_HEADER
        }
        _ => return Err(NoRoom),
    };
    if let Checksum::Partial { start, .. } = &mut packet.meta.checksum {
        *start = start.saturating_add(header_len as u16);
    }
    if let Some(gso) = &mut packet.meta.gso {
        gso.headers = gso.headers.saturating_add(header_len as u16);
    }
    Ok(())
}

/// The IPv4 packet that `span`, which begins with a header, is: total length and checksum are filled in, and source and
/// identification where they are 0.
///
/// # Errors
///
/// The header is not one, or the packet is longer than its length field can say.
pub(crate) fn complete(span: Span, src: IpAddr, ident: u16) -> Result<Packet, NoRoom> {
    let mut packet = Packet::from_span(span);
    packet.pull(IPV4_HEADER).map_err(|_| NoRoom)?;
    let total_len = u16::try_from(packet.len()).map_err(|_| NoRoom)?;
    let header_len = usize::from(Ipv4Packet::new_unchecked(packet.headers()).header_len());
    packet.pull(header_len).map_err(|_| NoRoom)?;
    let head = packet.headers_mut().get_mut(..header_len.max(IPV4_HEADER));
    let head = head.ok_or(NoRoom)?;
    let mut view = Ipv4Packet::new_unchecked(&mut head[..]);
    if view.version() != 4 || header_len < IPV4_HEADER {
        return Err(NoRoom);
    }
    view.set_total_len(total_len);
    if let IpAddr::V4(src) = src
        && view.src_addr().is_unspecified()
    {
        view.set_src_addr(src);
    }
    if view.ident() == 0 {
        view.set_ident(ident);
    }
    view.set_checksum(0);
    let sum = checksum::sum(view.into_inner());
    Ipv4Packet::new_unchecked(head).set_checksum(!sum);
    Ok(packet)
}

#[cfg(test)]
mod tests;
