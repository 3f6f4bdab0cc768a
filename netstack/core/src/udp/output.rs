//! UDP datagrams on their way out.

use std::net::SocketAddr;

use smoltcp::wire::{IpProtocol, UdpPacket};
use txbuf::{Checksum, Gso, GsoKind, NoRoom, Packet, Span};

use super::{CHECKSUM_AT, UDP_HEADER};
use crate::ip::{IPV4_HEADER, IPV6_HEADER, pseudo_header_sum};
use crate::socket::SendError;

/// The most datagrams that one message may stand for, which is what every version of Linux takes from a device.
const MAX_SEGMENTS: usize = 64;

/// Bytes of headers of a datagram to `to`.
pub(crate) fn headers(to: SocketAddr) -> usize {
    UDP_HEADER
        + if to.is_ipv4() {
            IPV4_HEADER
        } else {
            IPV6_HEADER
        }
}

/// The size of the segments into which a message of `len` bytes to `to` is cut when `wanted` is asked for; `None` if it is one
/// datagram. `mtu` is that of the interface.
///
/// # Errors
///
/// `InvalidSegment` for no bytes or too many segments, `TooLong` for segments that would have to be fragmented.
pub(crate) fn segment(
    wanted: Option<u16>,
    len: usize,
    to: SocketAddr,
    mtu: usize,
) -> Result<Option<u16>, SendError> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let size = usize::from(wanted);
    if size == 0 || len > size * MAX_SEGMENTS {
        return Err(SendError::InvalidSegment);
    }
    if len <= size {
        return Ok(None);
    }
    if headers(to) + size > mtu {
        return Err(SendError::TooLong);
    }
    Ok(Some(wanted))
}

/// Puts a UDP header in front of `payload`. The checksum is left partial, for the edge to complete: the
/// payload is not read here. The IP header comes next
/// ([`push_header`](crate::ip::output::push_header)). With a `segment` it is a super-packet of datagrams of
/// so many bytes of payload.
///
/// # Errors
///
/// The datagram would exceed the 65,535 bytes that its length field can say.
// req: RFC768-02, RFC8200-29
pub(crate) fn build(
    src: SocketAddr,
    dst: SocketAddr,
    payload: Option<Span>,
    segment: Option<u16>,
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
    packet.meta.gso = segment.map(|size| Gso {
        kind: GsoKind::Udp,
        size,
        headers: UDP_HEADER as u16,
    });
    Ok(packet)
}

#[cfg(test)]
mod tests;
