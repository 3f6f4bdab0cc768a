//! The Internet layer: IPv4 and IPv6 headers in and out, fragments, ICMP, routes and addresses.
//!
//! Everything here is a pure component: it is handed a packet, the time and its own state, and
//! answers with a value. `stack/` joins the components and owns what they decide about.
//!
//! RX: [`input::parse`], then [`reassembly::Reassembly::insert`] if the packet is a fragment, then
//! the transport or [`icmp::input`]. TX: a transport's packet, [`output::push_header`], and
//! [`fragment::fragment`] if the result exceeds the path and may be cut. What is forwarded goes through
//! [`forward`] only.

pub(crate) mod address;
mod checks;
pub(crate) mod classify;
pub(crate) mod drop;
pub(crate) mod forward;
pub(crate) mod fragment;
pub(crate) mod icmp;
pub(crate) mod icmp4;
pub(crate) mod icmp6;
pub(crate) mod ident;
pub(crate) mod input;
mod input6;
pub(crate) mod join;
pub(crate) mod limit;
pub(crate) mod membership;
pub(crate) mod options;
pub(crate) mod output;
pub(crate) mod pmtu;
pub(crate) mod pseudo;
pub(crate) mod quote;
pub(crate) mod reassembly;
pub(crate) mod route;
#[cfg(test)]
pub(crate) mod testing;

use std::net::IpAddr;

use smoltcp::wire::IpProtocol;

pub(crate) use pseudo::pseudo_header_sum;

/// Bytes of an IPv4 header without options.
pub(crate) const IPV4_HEADER: usize = 20;
/// Bytes of the fixed IPv6 header.
pub(crate) const IPV6_HEADER: usize = 40;

/// The TTL or hop limit of packets that this host makes (RFC 1700).
pub(crate) const HOP_LIMIT: u8 = 64;

/// An interface of one stack: a small number, in the order in which the interfaces were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfaceId(u32);

impl IfaceId {
    /// The interface with the number `index`, as [`IfaceId::index`] or a packet's metadata gave it.
    pub const fn new(index: u32) -> Self {
        IfaceId(index)
    }

    /// The interface's number.
    pub const fn index(self) -> u32 {
        self.0
    }
}

/// What the IP header of a received packet said, once it has passed every check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IpHeader {
    /// Who sent the packet.
    pub(crate) src: IpAddr,
    /// Whom it is for.
    pub(crate) dst: IpAddr,
    /// What follows the header, after any IPv6 extension headers. For a fragment other than the
    /// first this is what the fragment header names, which may itself be an extension header.
    pub(crate) protocol: IpProtocol,
    /// Where in the packet the byte lies that named `protocol`: the pointer of a parameter problem.
    pub(crate) protocol_offset: u16,
    /// TTL or hop limit, as received.
    pub(crate) hop_limit: u8,
    /// DSCP and ECN, as received.
    pub(crate) traffic_class: u8,
    /// Bytes before the transport header: options and extension headers included.
    pub(crate) header_len: usize,
    /// Bytes from the transport header to the end.
    pub(crate) payload_len: usize,
    /// Set if this is a part of a datagram. IPv6 atomic fragments (RFC 6946) are not.
    pub(crate) fragment: Option<FragmentInfo>,
}

impl IpHeader {
    /// Whether the packet is IPv4.
    pub(crate) fn is_v4(&self) -> bool {
        self.src.is_ipv4()
    }

    /// The two ECN bits (RFC 3168, section 5).
    pub(crate) fn ecn(&self) -> u8 {
        self.traffic_class & 0b11
    }

    /// The folded, not inverted pseudo-header sum of this packet's transport.
    ///
    /// The final destination of an IPv6 routing header is `dst`: a packet with segments left is
    /// refused before this can be asked.
    pub(crate) fn pseudo_sum(&self) -> u16 {
        pseudo_header_sum(self.src, self.dst, self.protocol, self.payload_len)
    }
}

/// Where a fragment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FragmentInfo {
    /// The datagram's identification: 16 bits in IPv4, 32 in IPv6.
    pub(crate) ident: u32,
    /// Position of this fragment's first byte in the datagram's payload, a multiple of 8.
    pub(crate) offset: u16,
    /// Whether more fragments follow.
    pub(crate) more: bool,
}
