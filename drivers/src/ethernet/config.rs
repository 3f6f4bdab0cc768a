//! What an interface on Ethernet is told.

use std::net::IpAddr;

use super::mac::Mac;
use crate::netlink::Cidr;

/// The stack's side of an Ethernet interface: whom it answers for, and whom it sends to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ethernet {
    /// Its address. `None`: one that follows from the device's name and the addresses.
    pub mac: Option<Mac>,
    /// The addresses that the stack has on this interface. Neighbours are told of them; whoever lies in their networks
    /// is a neighbour.
    pub addresses: Vec<Cidr>,
    /// By which neighbour each network beyond the link is reached. Where there is none for a destination, it is taken to
    /// be a neighbour itself.
    pub gateways: Vec<(Cidr, IpAddr)>,
    /// Neighbours that are never asked for, and whose addresses never change.
    pub neighbours: Vec<(IpAddr, Mac)>,
}

impl Ethernet {
    /// The stack has these addresses, and all else follows.
    pub fn with_addresses(addresses: impl IntoIterator<Item = Cidr>) -> Ethernet {
        Ethernet {
            addresses: addresses.into_iter().collect(),
            ..Ethernet::default()
        }
    }
}
