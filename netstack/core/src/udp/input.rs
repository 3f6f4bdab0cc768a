//! Received UDP datagrams: read and checked.

use std::net::{IpAddr, SocketAddr};

use smoltcp::wire::UdpPacket;
use txbuf::{GsoKind, Packet};

use super::{CHECKSUM_AT, UDP_HEADER};
use crate::counters::UdpCounters;
use crate::ip::IpHeader;
use crate::ip::pseudo::{self, Trust};

/// What the headers of a received datagram say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UdpHeader {
    /// Who sent it. Port 0 means that no answer is wanted.
    pub(crate) src: SocketAddr,
    /// The very address it was sent to.
    pub(crate) dst: SocketAddr,
    /// Where in the packet the payload starts.
    pub(crate) payload_at: usize,
    /// Bytes of payload.
    pub(crate) payload_len: usize,
    /// Bytes of payload of each datagram if the device joined several to one packet: the last may have
    /// fewer.
    pub(crate) segment: Option<u16>,
    /// TTL or hop limit.
    pub(crate) hop_limit: u8,
    /// DSCP and ECN.
    pub(crate) traffic_class: u8,
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UdpDrop {
    /// Shorter than a header.
    Truncated,
    /// The length field is below the header's, or says more than there is.
    BadLength,
    /// The checksum is wrong.
    BadChecksum,
    /// No checksum over IPv6 (RFC 8200 section 8.1).
    NoChecksum,
    /// It lies in memory that the CPU may not read.
    Unreadable,
}

impl UdpDrop {
    /// Adds one to the counter of this reason.
    pub(crate) fn count(self, counters: &mut UdpCounters) {
        let counter = match self {
            UdpDrop::Truncated => &mut counters.in_truncated,
            UdpDrop::BadLength => &mut counters.in_bad_length,
            UdpDrop::BadChecksum => &mut counters.in_bad_checksum,
            UdpDrop::NoChecksum => &mut counters.in_no_checksum,
            UdpDrop::Unreadable => &mut counters.in_unreadable,
        };
        *counter += 1;
    }
}

/// Reads and checks the UDP datagram that `ip` says is in `packet`.
///
/// Afterwards the UDP header lies in the header area and the packet ends where the datagram does: what
/// the IP payload holds behind it is cut off (RFC 768, RFC 8085 section 3.1).
///
/// # Errors
///
/// What is wrong with the datagram; it must be dropped and counted. None of this is told the sender.
// req: RFC768-01, RFC1122udp-05, RFC8200-30, RFC6935-02
pub(crate) fn parse(ip: &IpHeader, packet: &mut Packet) -> Result<UdpHeader, UdpDrop> {
    let at = ip.header_len;
    if ip.payload_len < UDP_HEADER {
        return Err(UdpDrop::Truncated);
    }
    packet.pull(at + UDP_HEADER).map_err(|error| match error {
        txbuf::PullError::Unreadable => UdpDrop::Unreadable,
        _ => UdpDrop::Truncated,
    })?;
    let view = UdpPacket::new_unchecked(packet.headers().get(at..).ok_or(UdpDrop::Truncated)?);
    let (src, dst) = (view.src_port(), view.dst_port());
    let (len, checksum) = (usize::from(view.len()), view.checksum());
    if len < UDP_HEADER || len > ip.payload_len {
        return Err(UdpDrop::BadLength);
    }
    packet.trim(at + len).map_err(|_| UdpDrop::BadLength)?;
    verify(ip, packet, len, checksum)?;
    let segment = packet
        .meta
        .gso
        .filter(|gso| gso.kind == GsoKind::Udp)
        .map(|gso| gso.size.max(1));
    Ok(UdpHeader {
        src: SocketAddr::new(ip.src, src),
        dst: SocketAddr::new(ip.dst, dst),
        payload_at: at + UDP_HEADER,
        payload_len: len - UDP_HEADER,
        segment,
        hop_limit: ip.hop_limit,
        traffic_class: ip.traffic_class,
    })
}

fn verify(ip: &IpHeader, packet: &Packet, len: usize, checksum: u16) -> Result<(), UdpDrop> {
    if checksum == 0 && packet.meta.checksum == txbuf::Checksum::Complete {
        return match ip.src {
            IpAddr::V4(_) => Ok(()),
            IpAddr::V6(_) => Err(UdpDrop::NoChecksum),
        };
    }
    let pseudo = crate::ip::pseudo_header_sum(ip.src, ip.dst, ip.protocol, len);
    match pseudo::verify(packet, ip.header_len, CHECKSUM_AT, pseudo) {
        Ok(Trust::Good) => Ok(()),
        Ok(Trust::Bad) => Err(UdpDrop::BadChecksum),
        Err(_) => Err(UdpDrop::Unreadable),
    }
}

#[cfg(test)]
mod tests;
