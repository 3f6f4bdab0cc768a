//! The options of a host on Ethernet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use clap::Args;
use drivers::ethernet::{Ethernet, Mac};
use drivers::netlink::Cidr;

use super::values;

/// What a stack on a TAP device is told of its link.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --tap")]
pub(crate) struct Link {
    /// The stack's address on Ethernet [default: one that follows from the device's name and --addr]
    #[arg(long, value_name = "MAC", conflicts_with = "tun", value_parser = values::mac)]
    pub(crate) mac: Option<Mac>,
    /// The neighbour that passes on what is for other networks, one for each version of IP [default: everybody is a
    /// neighbour]
    #[arg(
        long,
        value_name = "ADDRESS",
        conflicts_with = "tun",
        value_delimiter = ','
    )]
    pub(crate) gateway: Vec<IpAddr>,
    /// A neighbour that is not to be asked for its address on Ethernet; may be repeated
    #[arg(
        long,
        value_name = "ADDRESS=MAC",
        conflicts_with = "tun",
        value_delimiter = ','
    )]
    pub(crate) neighbour: Vec<Neighbour>,
}

/// A neighbour and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour(IpAddr, Mac);

impl FromStr for Neighbour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let written = "a neighbour is written ADDRESS=MAC, as in 10.9.0.1=02:00:5e:10:00:01";
        let (address, mac) = text.split_once('=').ok_or(written)?;
        let address = address
            .parse()
            .map_err(|_| format!("{address:?} is not an IP address: {written}"))?;
        Ok(Neighbour(address, values::mac(mac)?))
    }
}

impl Link {
    /// The link of a stack with these addresses.
    ///
    /// # Errors
    /// In a sentence that says what to do.
    pub(crate) fn ethernet(&self, addr: &[Cidr]) -> Result<Ethernet, String> {
        check_gateways(&self.gateway, addr, ["--gateway", "--addr"])?;
        let everywhere = |gateway: &IpAddr| {
            let any: IpAddr = match gateway {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            Some((Cidr::new(any, 0).ok()?, *gateway))
        };
        let neighbours = self.neighbour.iter();
        Ok(Ethernet {
            mac: self.mac,
            addresses: addr.to_vec(),
            gateways: self.gateway.iter().filter_map(everywhere).collect(),
            neighbours: neighbours
                .map(|Neighbour(address, mac)| (*address, *mac))
                .collect(),
        })
    }
}

/// Whether there is one gateway for each version of IP at most, and each is a neighbour; `option` and `own` name what was
/// given.
///
/// # Errors
/// In a sentence that says what to do.
pub(crate) fn check_gateways(
    gateways: &[IpAddr],
    addr: &[Cidr],
    [option, own]: [&str; 2],
) -> Result<(), String> {
    for (index, gateway) in gateways.iter().enumerate() {
        let is_ipv4 = gateway.is_ipv4();
        let mut before = gateways[..index].iter();
        if before.any(|other| other.is_ipv4() == is_ipv4) {
            return Err(format!(
                "{gateway} is a second {option} of its version of IP; give one for each"
            ));
        }
        if !is_near(*gateway, addr) {
            return Err(format!(
                "the gateway {gateway} lies in the network of no {own}; name a neighbour"
            ));
        }
    }
    Ok(())
}

/// Whether a gateway is a neighbour of one of these addresses, and none of them itself.
fn is_near(gateway: IpAddr, addr: &[Cidr]) -> bool {
    let has = |own: &Cidr| {
        own.address().is_ipv4() == gateway.is_ipv4()
            && Cidr::new(gateway, own.prefix()).is_ok_and(|there| there.network() == own.network())
    };
    let is_local = matches!(gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let is_own = addr.iter().any(|own| own.address() == gateway);
    !is_own && (addr.iter().any(has) || is_local && addr.iter().any(|own| !own.address().is_ipv4()))
}
