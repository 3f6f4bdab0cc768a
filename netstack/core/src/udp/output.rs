//! UDP datagrams on their way out.

use std::net::SocketAddr;

use smoltcp::wire::{IpProtocol, UdpPacket};
use txbuf::{Checksum, NoRoom, Packet, Span};

use super::{CHECKSUM_AT, UDP_HEADER};
use crate::ip::pseudo_header_sum;

/// Puts a UDP header in front of `payload`. The checksum is left partial, for the edge to complete: the
/// payload is not read here. The IP header comes next
/// ([`push_header`](crate::ip::output::push_header)).
///
/// # Errors
///
/// The datagram would exceed the 65,535 bytes that its length field can say.
// req: RFC768-02, RFC8200-29
pub(crate) fn build(
    src: SocketAddr,
    dst: SocketAddr,
    payload: Option<Span>,
) -> Result<Packet, NoRoom> {
    let mut packet = payload.map_or_else(Packet::new, Packet::with_payload);
    let len = packet.len() + UDP_HEADER;
    let len_field = u16::try_from(len).map_err(|_| NoRoom)?;
    let mut view = UdpPacket::new_unchecked(packet.push(UDP_HEADER)?);
    view.set_src_port(src.port());
    view.set_dst_port(dst.port());
    view.set_len(len_field);
    view.set_checksum(pseudo_header_sum(src.ip(), dst.ip(), IpProtocol::Udp, len));
    packet.meta.checksum = Checksum::Partial {
        start: 0,
        offset: CHECKSUM_AT,
    };
    Ok(packet)
}

#[cfg(test)]
mod tests;
