//! The services that run inside the stack's loop, and the routes by which they answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use drivers::netlink::Cidr;
use netstack::services::{Chargen, Discard, Echo, Proxy};
use netstack::{Builder, IpCidr};

use crate::args::{self, Serve, Service, ServiceKind};
use crate::failure::Failure;

/// What is served when nothing is named.
const DEFAULTS: [Service; 3] = [
    Service {
        kind: ServiceKind::Echo,
        port: 7,
    },
    Service {
        kind: ServiceKind::Discard,
        port: 9,
    },
    Service {
        kind: ServiceKind::Chargen,
        port: 19,
    },
];

/// The services that were asked for. Each of them, and each proxy, has a port of its own.
pub(super) fn chosen(options: &Serve) -> Result<Vec<Service>, Failure> {
    let services = options
        .service
        .iter()
        .map(|service| (service.port, service.kind.name(), service.to_string()));
    let proxies = options
        .proxy
        .iter()
        .map(|proxy| (proxy.port, "a proxy", proxy.to_string()));
    let all: Vec<_> = services.chain(proxies).collect();
    for (index, (port, what, text)) in all.iter().enumerate() {
        let Some((_, other, before)) = all[..index].iter().find(|before| before.0 == *port) else {
            continue;
        };
        return Err(Failure::new(if text == before {
            format!("{text} is given twice; give it once")
        } else {
            format!(
                "port {port} is given to both {other} and {what}; choose another port for one of them"
            )
        }));
    }
    options
        .proxy
        .iter()
        .try_for_each(|proxy| check_proxy(options, proxy))?;
    if all.is_empty() {
        return Ok(DEFAULTS.to_vec());
    }
    Ok(options.service.clone())
}

/// Whether the stack can connect to the target, and that is not the proxy itself.
fn check_proxy(options: &Serve, proxy: &args::Proxy) -> Result<(), Failure> {
    let target = proxy.target.ip();
    let mut own = options.addr.iter().map(Cidr::address);
    if !own.clone().any(|own| own.is_ipv4() == target.is_ipv4()) {
        return Err(Failure::new(format!(
            "the proxy {proxy} leads to {target}, and the stack has no address of that IP version; add one with --addr"
        )));
    }
    let is_proxied = |port| options.proxy.iter().any(|proxy| proxy.port == port);
    if own.any(|own| own == target) && is_proxied(proxy.target.port()) {
        return Err(Failure::new(format!(
            "the proxy {proxy} leads to a proxy of this stack; name a server"
        )));
    }
    Ok(())
}

/// Adds each service that runs inside the loop. Http does not: it has a thread of its own.
pub(super) fn add(builder: Builder, services: &[Service], options: &Serve) -> Builder {
    let builder = options.proxy.iter().fold(builder, |builder, proxy| {
        builder.service(Proxy::new(everywhere(proxy.port), proxy.target))
    });
    services.iter().fold(builder, |builder, service| {
        let addresses = everywhere(service.port);
        match service.kind {
            ServiceKind::Echo => builder.service(Echo::new(addresses)),
            ServiceKind::Discard if options.copying => builder.service(Discard::copying(addresses)),
            ServiceKind::Discard => builder.service(Discard::new(addresses)),
            ServiceKind::Chargen if options.copying => builder.service(Chargen::copying(addresses)),
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
