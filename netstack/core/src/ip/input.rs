//! IP headers of received packets: read, checked, and left in the header area.

use std::net::IpAddr;

use smoltcp::wire::{Ipv4Packet, Ipv6Packet};
use txbuf::{Packet, checksum};

use super::drop::IpDrop;
use super::{FragmentInfo, IPV4_HEADER, IPV6_HEADER, IpHeader, checks, input6, options};

/// Reads and checks the IP header of a packet that came from a link.
///
/// Afterwards the header lies in the packet's header area, bytes that the link added behind the packet
/// are cut off, and `packet` is `header_len` + `payload_len` bytes long. An IPv6 packet whose extension
/// headers would leave no room for a transport header has lost them, as they have been dealt with.
/// On an error the packet is as long as it was received, or as it claims to be, and can be quoted.
///
/// # Errors
///
/// What is wrong with the packet; it must be dropped, counted, and answered with what
/// [`IpDrop::error`] gives.
// req: RFC791-01, RFC791-02, RFC791-03, RFC1122-03, RFC1122-04, RFC1122-14
pub(crate) fn parse(packet: &mut Packet) -> Result<IpHeader, IpDrop> {
    // The shorter of the two headers: no packet is shorter, and most are read with one copy.
    packet.pull(IPV4_HEADER)?;
    match packet.headers().first().map(|byte| byte >> 4) {
        Some(4) => parse_v4(packet),
        Some(6) => input6::parse(packet),
        _ => Err(IpDrop::BadVersion),
    }
}

/// What a packet of which nothing was checked says of itself; where it says nothing, zeros.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawHeader {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    /// Bytes of the header, of an IPv6 packet without those that follow.
    pub(crate) len: usize,
}

impl RawHeader {
    /// Reads the header of `packet`, wherever in it that lies.
    pub(crate) fn of(packet: &Packet) -> RawHeader {
        let mut bytes = [0; IPV6_HEADER];
        let copied = packet.copy_to(0, &mut bytes).unwrap_or(0);
        match bytes[0] >> 4 {
            6 if copied == IPV6_HEADER => {
                let view = Ipv6Packet::new_unchecked(&bytes[..]);
                RawHeader {
                    src: view.src_addr().into(),
                    dst: view.dst_addr().into(),
                    hop_limit: view.hop_limit(),
                    traffic_class: view.traffic_class(),
                    len: IPV6_HEADER,
                }
            }
            _ => {
                let view = Ipv4Packet::new_unchecked(&bytes[..]);
                RawHeader {
                    src: view.src_addr().into(),
                    dst: view.dst_addr().into(),
                    hop_limit: view.hop_limit(),
                    traffic_class: view.dscp() << 2 | view.ecn(),
                    len: IPV4_HEADER,
                }
            }
        }
    }
}

/// Position of the protocol in an IPv4 header.
const V4_PROTOCOL_AT: u16 = 9;
/// The largest datagram, its header included.
const MAX_DATAGRAM: usize = 65_535;

/// Moves the header of an IPv4 packet into the header area and checks its lengths and its checksum. Returns the header
/// and the length of the packet.
pub(super) fn sound_v4(packet: &mut Packet) -> Result<(&[u8], usize), IpDrop> {
    let view = Ipv4Packet::new_unchecked(packet.headers());
    let (header_len, total_len) = (
        usize::from(view.header_len()),
        usize::from(view.total_len()),
    );
    if header_len < IPV4_HEADER {
        return Err(IpDrop::BadHeaderLength);
    }
    if total_len < header_len {
        return Err(IpDrop::BadTotalLength);
    }
    if total_len > packet.len() {
        return Err(IpDrop::Truncated);
    }
    packet.pull(header_len)?;
    let bytes = packet
        .headers()
        .get(..header_len)
        .ok_or(IpDrop::Truncated)?;
    if checksum::sum(bytes) != 0xffff {
        return Err(IpDrop::BadChecksum);
    }
    Ok((bytes, total_len))
}

fn parse_v4(packet: &mut Packet) -> Result<IpHeader, IpDrop> {
    let (bytes, total_len) = sound_v4(packet)?;
    let header_len = bytes.len();
    let view = Ipv4Packet::new_unchecked(bytes);
    let (src, dst) = (IpAddr::V4(view.src_addr()), IpAddr::V4(view.dst_addr()));
    checks::check_addresses(src, dst)?;
    let header = IpHeader {
        src,
        dst,
        protocol: view.next_header(),
        protocol_offset: V4_PROTOCOL_AT,
        hop_limit: view.hop_limit(),
        traffic_class: (view.dscp() << 2) | view.ecn(),
        header_len,
        payload_len: total_len - header_len,
        fragment: (view.more_frags() || view.frag_offset() > 0).then(|| FragmentInfo {
            ident: view.ident().into(),
            offset: view.frag_offset(),
            more: view.more_frags(),
        }),
    };
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
    if let Some(fragment) = header.fragment {
        check_fragment_v4(&header, fragment)?;
    }
    Ok(header)
}

/// RFC 6274 section 4.1.2: lengths that no correct sender makes.
fn check_fragment_v4(header: &IpHeader, fragment: FragmentInfo) -> Result<(), IpDrop> {
    if header.payload_len == 0 || (fragment.more && !header.payload_len.is_multiple_of(8)) {
        return Err(IpDrop::BadFragmentLength { v6: false });
    }
    if header.header_len + usize::from(fragment.offset) + header.payload_len > MAX_DATAGRAM {
        return Err(IpDrop::FragmentTooLong { pointer: None });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
