//! The routing table: longest prefix match, one table for each IP version.

use std::cell::Cell;
use std::net::IpAddr;

use prefix_trie::{Prefix, PrefixMap};
use smoltcp::wire::IpCidr;

use super::IfaceId;

/// Where packets for a prefix go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The interface they leave by.
    pub(crate) iface: IfaceId,
    /// The router to hand them to; `None` if the destination is on the link itself.
    pub(crate) via: Option<IpAddr>,
    /// The source address to prefer for connections that use this route.
    pub(crate) source: Option<IpAddr>,
}

/// All routes of a stack.
#[derive(Default)]
pub(crate) struct Routes {
    v4: PrefixMap<V4Prefix, Route>,
    v6: PrefixMap<V6Prefix, Route>,
    /// The last answer: packets to one destination come together, and a walk down the trie takes longer than a
    /// comparison.
    last: Cell<Option<(IpAddr, Option<Route>)>>,
}

impl Routes {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Sends what matches `cidr` (its host bits do not count) by `route`. Returns the route it replaces.
    pub(crate) fn add(&mut self, cidr: IpCidr, route: Route) -> Option<Route> {
        self.last.set(None);
        match cidr {
            IpCidr::Ipv4(cidr) => self
                .v4
                .insert(V4Prefix(cidr.address().to_bits(), cidr.prefix_len()), route),
            IpCidr::Ipv6(cidr) => self
                .v6
                .insert(V6Prefix(cidr.address().to_bits(), cidr.prefix_len()), route),
        }
    }

    /// The route of the longest prefix that holds `dst` (RFC 1812 section 5.2.4.3).
    // req: RFC1812-30
    pub(crate) fn lookup(&self, dst: IpAddr) -> Option<Route> {
        match self.last.get() {
            Some((last, route)) if last == dst => route,
            _ => {
                let route = self.walk(dst);
                self.last.set(Some((dst, route)));
                route
            }
        }
    }

    fn walk(&self, dst: IpAddr) -> Option<Route> {
        match dst {
            IpAddr::V4(dst) => self
                .v4
                .get_lpm(&V4Prefix(dst.to_bits(), 32))
                .map(|(_, route)| *route),
            IpAddr::V6(dst) => self
                .v6
                .get_lpm(&V6Prefix(dst.to_bits(), 128))
                .map(|(_, route)| *route),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct V4Prefix(u32, u8);

impl Prefix for V4Prefix {
    type R = u32;

    fn repr(&self) -> u32 {
        self.0
    }

    fn prefix_len(&self) -> u8 {
        self.1
    }

    fn from_repr_len(repr: u32, len: u8) -> Self {
        V4Prefix(repr, len)
    }
}

#[derive(Clone, Copy, Debug)]
struct V6Prefix(u128, u8);

impl Prefix for V6Prefix {
    type R = u128;

    fn repr(&self) -> u128 {
        self.0
    }

    fn prefix_len(&self) -> u8 {
        self.1
    }

    fn from_repr_len(repr: u128, len: u8) -> Self {
        V6Prefix(repr, len)
    }
}

#[cfg(test)]
mod tests;
