//! Why received packets are dropped by what their IP headers say, and who is told.

use txbuf::PullError;

use super::icmp::{IcmpError, Problem};
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

/// Position of the payload length in an IPv6 header.
const V6_PAYLOAD_LENGTH_AT: u32 = 4;
