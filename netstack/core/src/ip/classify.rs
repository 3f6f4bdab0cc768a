//! Which addresses may stand in a packet on the wire.
//!
//! What can be told from the address alone. Whether an address is this host's, or the broadcast
//! address of one of its subnets, is for [`super::address::Addresses`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a packet received from a link may carry `addr` as its source.
///
/// Refused: multicast, broadcast, loopback, 0/8 and 240/4 (RFC 1122 section 3.2.1.3, RFC 6274 section
/// 4.3), IPv6 loopback and IPv4-mapped addresses (RFC 4291). The IPv6 unspecified address passes: a
/// host that has no address yet sends from it.
pub(crate) fn may_be_source(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(addr) => {
            !addr.is_multicast()
                && !is_this_network(addr)
                && !addr.is_loopback()
                && !is_class_e(addr)
        }
        IpAddr::V6(addr) => !addr.is_multicast() && !addr.is_loopback() && !is_v4_mapped(addr),
    }
}

/// Whether a packet received from a link may carry `addr` as its destination.
///
/// Refused: loopback, 0/8, 240/4 other than the limited broadcast address; IPv6 unspecified,
/// loopback, IPv4-mapped, and multicast of a scope that does not leave a node.
pub(crate) fn may_be_destination(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(addr) => {
            !addr.is_loopback()
                && !is_this_network(addr)
                && (!is_class_e(addr) || addr.is_broadcast())
        }
        IpAddr::V6(addr) => {
            let stays_in_node = addr.is_multicast() && multicast_scope(addr) < LINK_LOCAL;
            !(addr.is_unspecified() || addr.is_loopback() || is_v4_mapped(addr) || stays_in_node)
        }
    }
}

/// Whether `addr` can be configured on an interface, and so be the peer of an answer: it names one
/// host.
// req: RFC1122-07
pub(crate) fn names_one_host(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(_) => may_be_source(addr),
        IpAddr::V6(v6) => may_be_source(addr) && !v6.is_unspecified(),
    }
}

/// Scope of an IPv6 address, unicast or multicast, as a multicast scope number (RFC 6724 section 3.1).
pub(crate) fn scope(addr: Ipv6Addr) -> u8 {
    if addr.is_multicast() {
        multicast_scope(addr)
    } else if addr.is_unicast_link_local() || addr.is_loopback() {
        LINK_LOCAL
    } else if addr.segments()[0] & 0xffc0 == 0xfec0 {
        SITE_LOCAL
    } else {
        GLOBAL
    }
}

const LINK_LOCAL: u8 = 0x2;
const SITE_LOCAL: u8 = 0x5;
const GLOBAL: u8 = 0xe;

fn multicast_scope(addr: Ipv6Addr) -> u8 {
    addr.octets()[1] & 0x0f
}

fn is_v4_mapped(addr: Ipv6Addr) -> bool {
    addr.to_ipv4_mapped().is_some()
}

fn is_this_network(addr: Ipv4Addr) -> bool {
    addr.octets()[0] == 0
}

fn is_class_e(addr: Ipv4Addr) -> bool {
    addr.octets()[0] >= 240
}

#[cfg(test)]
mod tests;
