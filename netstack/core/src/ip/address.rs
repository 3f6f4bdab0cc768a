//! The addresses of a stack's interfaces, and which of them a packet should come from.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{IpCidr, Ipv4Cidr, Ipv6Cidr};

use super::{IfaceId, classify};

/// Why an address was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// It cannot be the address of one host: multicast, broadcast, unspecified, loopback or mapped.
    #[error("not an address that one host can have")]
    NotUnicast,
    /// An interface of this stack has it already.
    #[error("the address is already in use by this stack")]
    InUse,
}

/// Every address of the stack, of all interfaces.
///
/// The stack follows the weak host model (RFC 1122 section 3.3.4.2): an address is the host's,
/// whatever interface a packet for it comes in by.
#[derive(Default)]
pub(crate) struct Addresses {
    // Apart, because each packet asks several times, and addresses of one version compare as numbers.
    owners_v4: BTreeMap<Ipv4Addr, IfaceId>,
    owners_v6: BTreeMap<Ipv6Addr, IfaceId>,
    // In the order of adding: the first of a subnet is its primary address.
    v4: Vec<(IfaceId, Ipv4Cidr)>,
    v6: Vec<(IfaceId, Ipv6Cidr)>,
    broadcasts: BTreeMap<Ipv4Addr, IfaceId>,
}

impl Addresses {
    /// No addresses.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Gives `iface` the address and subnet of `cidr`.
    ///
    /// # Errors
    ///
    /// The address is not one a host can have, or the stack has it already.
    pub(crate) fn add(&mut self, iface: IfaceId, cidr: IpCidr) -> Result<(), AddressError> {
        let addr = IpAddr::from(cidr.address());
        if !classify::names_one_host(addr) {
            return Err(AddressError::NotUnicast);
        }
        if self.owns(addr) {
            return Err(AddressError::InUse);
        }
        match cidr {
            IpCidr::Ipv4(cidr) => {
                self.owners_v4.insert(cidr.address(), iface);
                self.v4.push((iface, cidr));
            }
            IpCidr::Ipv6(cidr) => {
                self.owners_v6.insert(cidr.address(), iface);
                self.v6.push((iface, cidr));
            }
        }
        self.rebuild_broadcasts();
        Ok(())
    }

    /// Whether `addr` is an address of this host.
    pub(crate) fn owns(&self, addr: IpAddr) -> bool {
        self.owner(addr).is_some()
    }

    /// The interface that has `addr`.
    pub(crate) fn owner(&self, addr: IpAddr) -> Option<IfaceId> {
        match addr {
            IpAddr::V4(addr) => self.owners_v4.get(&addr).copied(),
            IpAddr::V6(addr) => self.owners_v6.get(&addr).copied(),
        }
    }

    /// Whether a packet to `addr` is a broadcast: the limited broadcast address, or the all-ones or
    /// all-zeros host of a subnet of this stack (RFC 1122 section 3.3.6). A subnet of two addresses
    /// has no broadcast (RFC 3021).
    pub(crate) fn is_broadcast(&self, addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(addr) => addr.is_broadcast() || self.broadcasts.contains_key(&addr),
            IpAddr::V6(_) => false,
        }
    }

    /// The addresses of `iface`, in the order in which they were added, IPv4 first.
    pub(crate) fn of(&self, iface: IfaceId) -> impl Iterator<Item = IpCidr> {
        let v4 = self
            .v4
            .iter()
            .filter(move |entry| entry.0 == iface)
            .map(|entry| IpCidr::Ipv4(entry.1));
        let v6 = self
            .v6
            .iter()
            .filter(move |entry| entry.0 == iface)
            .map(|entry| IpCidr::Ipv6(entry.1));
        v4.chain(v6)
    }

    /// The source address for a packet to `dst` that leaves by `iface`, or `None` if the stack has no
    /// address of that version.
    ///
    /// IPv4: the primary address of the subnet that holds `dst`, or else of the next hop, or else the
    /// first address of the interface, or else the first of the stack. IPv6: RFC 6724 section 5, the
    /// rules about equality, scope, outgoing interface and longest matching prefix.
    // req: RFC8504-13
    pub(crate) fn select_source(
        &self,
        iface: IfaceId,
        dst: IpAddr,
        via: Option<IpAddr>,
    ) -> Option<IpAddr> {
        match dst {
            IpAddr::V4(dst) => {
                let via = via.and_then(|via| match via {
                    IpAddr::V4(via) => Some(via),
                    IpAddr::V6(_) => None,
                });
                self.select_v4(iface, dst, via).map(IpAddr::V4)
            }
            IpAddr::V6(dst) => self.select_v6(iface, dst).map(IpAddr::V6),
        }
    }

    fn select_v4(&self, iface: IfaceId, dst: Ipv4Addr, via: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        if self.owner(dst.into()).is_some() {
            return Some(dst);
        }
        let in_subnet = |near: Ipv4Addr| {
            // Reversed, because of several equal maxima the last one is taken and the primary is first.
            let holds =
                |entry: &&(IfaceId, Ipv4Cidr)| entry.0 == iface && entry.1.contains_addr(&near);
            self.v4
                .iter()
                .rev()
                .filter(holds)
                .max_by_key(|entry| entry.1.prefix_len())
        };
        let first_of = || self.v4.iter().find(|entry| entry.0 == iface);
        let best = in_subnet(dst)
            .or_else(|| via.and_then(in_subnet))
            .or_else(first_of)
            .or_else(|| self.v4.first())?;
        Some(best.1.address())
    }

    fn select_v6(&self, iface: IfaceId, dst: Ipv6Addr) -> Option<Ipv6Addr> {
        let usable = |entry: &&(IfaceId, Ipv6Cidr)| {
            // A link-local address means nothing on another link.
            entry.0 == iface || !entry.1.address().is_unicast_link_local()
        };
        let best = self
            .v6
            .iter()
            .rev()
            .filter(usable)
            .max_by_key(|entry| rank(entry, iface, dst))?;
        Some(best.1.address())
    }

    fn rebuild_broadcasts(&mut self) {
        self.broadcasts.clear();
        for (iface, cidr) in &self.v4 {
            if let Some(broadcast) = cidr.broadcast() {
                self.broadcasts.insert(broadcast, *iface);
                self.broadcasts.insert(cidr.network().address(), *iface);
            }
        }
        // An address that somebody was given is an address, whatever the other subnets make of it.
        self.broadcasts
            .retain(|addr, _| !self.owners_v4.contains_key(addr));
    }
}

/// How well an address suits: compared as a tuple, the greater the better, in the order of the rules.
fn rank(
    entry: &(IfaceId, Ipv6Cidr),
    iface: IfaceId,
    dst: Ipv6Addr,
) -> (bool, bool, i16, bool, u32) {
    let (owner, cidr) = entry;
    let (mine, wanted) = (classify::scope(cidr.address()), classify::scope(dst));
    let reaches = mine >= wanted;
    // Rule 2: of those that reach, the narrowest; of those that do not, the widest.
    let fit = if reaches {
        -i16::from(mine)
    } else {
        i16::from(mine)
    };
    let common = (cidr.address().to_bits() ^ dst.to_bits()).leading_zeros();
    let common = common.min(u32::from(cidr.prefix_len()));
    (cidr.address() == dst, reaches, fit, *owner == iface, common)
}

#[cfg(test)]
mod tests;
