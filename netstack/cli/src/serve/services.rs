//! The services that run inside the stack's loop, and the routes by which they answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use drivers::netlink::Cidr;
use netstack::services::{Chargen, Discard, Echo};
use netstack::{Builder, IpCidr};

use crate::args::{Service, ServiceKind};

/// Adds each service that runs inside the loop. Http does not: it has a thread of its own.
pub(super) fn add(builder: Builder, services: &[Service]) -> Builder {
    services.iter().fold(builder, |builder, service| {
        let addresses = everywhere(service.port);
        match service.kind {
            ServiceKind::Echo => builder.service(Echo::new(addresses)),
            ServiceKind::Discard => builder.service(Discard::new(addresses)),
            ServiceKind::Chargen => builder.service(Chargen::new(addresses)),
            ServiceKind::Http => builder,
        }
    })
}

/// A port on all addresses of the stack.
pub(crate) fn everywhere(port: u16) -> [SocketAddr; 2] {
    [
        (Ipv4Addr::UNSPECIFIED, port).into(),
        (Ipv6Addr::UNSPECIFIED, port).into(),
    ]
}

/// A route to everywhere, for each family of which there is an address.
pub(super) fn default_routes(addrs: &[Cidr]) -> Vec<IpCidr> {
    let everywhere: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let is_used = |family: &IpAddr| {
        addrs
            .iter()
            .any(|addr| addr.address().is_ipv4() == family.is_ipv4())
    };
    everywhere
        .into_iter()
        .filter(is_used)
        .map(|family| IpCidr::new(family.into(), 0))
        .collect()
}
