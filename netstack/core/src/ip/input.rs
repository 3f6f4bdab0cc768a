//! IP headers of received packets: read, checked, and left in the header area.

use std::net::IpAddr;

use smoltcp::wire::{IpProtocol, Ipv4Packet};
use txbuf::{Packet, PullError, checksum};

use super::icmp::{IcmpError, Problem};
use super::{FragmentInfo, IPV4_HEADER, IpHeader, classify, input6, options};
use crate::counters::IpCounters;

/// Why a received packet was dropped. Each has a counter, and some an ICMP error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IpDrop {
    /// Shorter than its headers, or than the length it claims.
    Truncated,
    /// Neither version 4 nor 6.
    BadVersion,
    /// An IPv4 header length below 20 bytes.
    BadHeaderLength,
    /// An IPv4 total length below the header length.
    BadTotalLength,
    /// A wrong IPv4 header checksum.
    BadChecksum,
    /// An IPv4 option of impossible length.
    BadOption {
        /// Where in the packet it lies.
        pointer: u32,
    },
    /// An IPv4 source route.
    SourceRouted,
    /// A source that no packet on a wire has.
    BadSource,
    /// A destination that no packet on a wire has.
    BadDestination,
    /// An IPv6 extension header or option of impossible length.
    BadExtension,
    /// An IPv6 option that is unknown here and says that the packet is to be dropped.
    UnknownOption {
        /// Where in the packet the sender is to be pointed, if the option wants that.
        report: Option<u32>,
        /// Whether the sender is told even if the destination is multicast.
        even_multicast: bool,
    },
    /// An IPv6 routing header with segments left (type 0 is one unknown type among others, RFC 5095).
    RoutingHeader {
        /// Where in the packet the routing type lies.
        pointer: u32,
    },
    /// An IPv6 hop-by-hop header that is not the first.
    MisplacedHopByHop {
        /// Where in the packet the byte lies that announced it.
        pointer: u32,
    },
    /// More IPv6 extension headers than one packet needs.
    HeaderChainTooLong,
    /// Nothing follows the IPv6 headers.
    NoNextHeader,
    /// A first IPv6 fragment that ends before the transport header (RFC 7112).
    IncompleteHeaderChain,
    /// A fragment with more to come whose length is no multiple of 8, or that is empty.
    BadFragmentLength {
        /// Whether it is IPv6, whose sender is told.
        v6: bool,
    },
    /// A fragment that reaches past the largest datagram.
    FragmentTooLong {
        /// Where in an IPv6 packet the fragment offset lies.
        pointer: Option<u32>,
    },
    /// In memory that the CPU may not read.
    Unreadable,
}

impl IpDrop {
    /// The ICMP error that the sender should get, if the rules about errors allow one at all.
    pub(crate) fn error(self) -> Option<IcmpError> {
        let (problem, pointer) = match self {
            IpDrop::BadOption { pointer } | IpDrop::RoutingHeader { pointer } => {
                (Problem::Header, pointer)
            }
            IpDrop::UnknownOption {
                report: Some(pointer),
                even_multicast,
            } => (Problem::Option { even_multicast }, pointer),
            IpDrop::MisplacedHopByHop { pointer } => (Problem::NextHeader, pointer),
            IpDrop::IncompleteHeaderChain => (Problem::HeaderChain, 0),
            IpDrop::BadFragmentLength { v6: true } => (Problem::Header, V6_PAYLOAD_LENGTH_AT),
            IpDrop::FragmentTooLong {
                pointer: Some(pointer),
            } => (Problem::Header, pointer),
            _ => return None,
        };
        Some(IcmpError::ParameterProblem { problem, pointer })
    }

    /// Adds one to the counter of this reason.
    pub(crate) fn count(self, counters: &mut IpCounters) {
        let counter = match self {
            IpDrop::Truncated => &mut counters.in_truncated,
            IpDrop::BadVersion => &mut counters.in_bad_version,
            IpDrop::BadHeaderLength => &mut counters.in_bad_header_length,
            IpDrop::BadTotalLength => &mut counters.in_bad_total_length,
            IpDrop::BadChecksum => &mut counters.in_bad_checksum,
            IpDrop::BadOption { .. } => &mut counters.in_bad_option,
            IpDrop::SourceRouted => &mut counters.in_source_routed,
            IpDrop::BadSource => &mut counters.in_bad_source,
            IpDrop::BadDestination => &mut counters.in_bad_destination,
            IpDrop::BadExtension => &mut counters.in_bad_extension,
            IpDrop::UnknownOption { .. } => &mut counters.in_unknown_option,
            IpDrop::RoutingHeader { .. } => &mut counters.in_routing_header,
            IpDrop::MisplacedHopByHop { .. } => &mut counters.in_misplaced_hop_by_hop,
            IpDrop::HeaderChainTooLong => &mut counters.in_header_chain_too_long,
            IpDrop::NoNextHeader => &mut counters.in_no_next_header,
            IpDrop::IncompleteHeaderChain => &mut counters.in_incomplete_header_chain,
            IpDrop::BadFragmentLength { .. } => &mut counters.in_bad_fragment_length,
            IpDrop::FragmentTooLong { .. } => &mut counters.in_fragment_too_long,
            IpDrop::Unreadable => &mut counters.in_unreadable,
        };
        *counter += 1;
    }
}

impl From<PullError> for IpDrop {
    fn from(error: PullError) -> Self {
        match error {
            PullError::TooShort => IpDrop::Truncated,
            PullError::NoRoom => IpDrop::HeaderChainTooLong,
            _ => IpDrop::Unreadable,
        }
    }
}

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

/// Refuses what no packet on a wire may carry in its addresses.
pub(super) fn check_addresses(src: IpAddr, dst: IpAddr) -> Result<(), IpDrop> {
    if !classify::may_be_source(src) {
        return Err(IpDrop::BadSource);
    }
    if !classify::may_be_destination(dst) {
        return Err(IpDrop::BadDestination);
    }
    Ok(())
}

/// Position of the payload length in an IPv6 header.
const V6_PAYLOAD_LENGTH_AT: u32 = 4;
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
    check_addresses(src, dst)?;
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

/// Bytes of its transport header that a packet must hold to be of use: less in a first fragment is an
/// attempt to get past a filter.
pub(super) fn least_transport(protocol: IpProtocol) -> usize {
    match protocol {
        IpProtocol::Tcp => 20,
        IpProtocol::Udp | IpProtocol::Icmp | IpProtocol::Icmpv6 => 8,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
