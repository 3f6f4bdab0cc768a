//! Which addresses lie on the link, and by whom the others are reached.

use std::net::{IpAddr, Ipv4Addr};

use crate::netlink::Cidr;

/// What is known of the networks around an interface.
pub(super) struct Networks {
    own: Vec<Cidr>,
    gateways: Vec<(Cidr, IpAddr)>,
}

impl Networks {
    /// An interface with these addresses, each in its network, and gateways to others.
    pub(super) fn new(own: &[Cidr], gateways: &[(Cidr, IpAddr)]) -> Networks {
        Networks {
            own: own.to_vec(),
            gateways: gateways.to_vec(),
        }
    }

    /// The addresses of the interface.
    pub(super) fn own(&self) -> impl Iterator<Item = IpAddr> {
        self.own.iter().map(Cidr::address)
    }

    pub(super) fn owns(&self, address: IpAddr) -> bool {
        self.own().any(|own| own == address)
    }

    /// The address to ask `neighbour` from: one of its network, or any of its version of IP.
    pub(super) fn own_towards(&self, neighbour: IpAddr) -> Option<IpAddr> {
        let near = self.own.iter().find(|own| contains(own, neighbour));
        let any = || {
            let mut own = self.own.iter();
            own.find(|own| own.address().is_ipv4() == neighbour.is_ipv4())
        };
        near.or_else(any).map(Cidr::address)
    }

    /// The neighbour that a packet for `destination` goes to: that of the longest prefix, and itself where there is no
    /// gateway.
    pub(super) fn next_hop(&self, destination: IpAddr) -> IpAddr {
        let near = self.own.iter().map(|own| (own, destination));
        let far = self
            .gateways
            .iter()
            .map(|(network, gateway)| (network, *gateway));
        // Of two of the same length the network itself.
        far.chain(near)
            .filter(|(network, _)| contains(network, destination))
            .max_by_key(|(network, _)| network.prefix())
            .map_or(destination, |(_, hop)| hop)
    }

    /// Whether a neighbour may have this address.
    pub(super) fn is_on_link(&self, address: IpAddr) -> bool {
        let is_local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        is_local
            || self.own.iter().any(|own| contains(own, address))
            || self.gateways.iter().any(|(_, gateway)| *gateway == address)
    }

    /// Whether all of a network, or of the link, have this address.
    pub(super) fn is_broadcast(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else {
            return false;
        };
        address.is_broadcast()
            || self.own.iter().any(|own| match own.network() {
                IpAddr::V4(network) => is_last(network, own.prefix(), address),
                IpAddr::V6(_) => false,
            })
    }
}

fn contains(network: &Cidr, address: IpAddr) -> bool {
    network.address().is_ipv4() == address.is_ipv4()
        && Cidr::new(address, network.prefix())
            .is_ok_and(|there| there.network() == network.network())
}

/// Whether `address` is the last of a network that has such a one (RFC 3021).
fn is_last(network: Ipv4Addr, prefix: u8, address: Ipv4Addr) -> bool {
    let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    prefix < 31 && u32::from(address) == u32::from(network) | hosts
}

#[cfg(test)]
mod tests;
