//! Routes through a device: added, taken away, listed, and put back as they were.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::stream::{StreamExt, TryStreamExt};
use netlink_packet_route::route::{
    RouteAttribute, RouteFlags, RouteMessage, RouteProtocol, RouteType,
};
use rtnetlink::{Handle, RouteMessageBuilder};
use rustix::io::Errno;

use super::{Cidr, LinkState, NetlinkError};

/// A route through a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads: the host bits are ignored.
    pub destination: Cidr,
    /// The router to send to, unless the destination is reached directly.
    pub via: Option<IpAddr>,
}

pub(super) async fn add(
    handle: &Handle,
    link: &LinkState,
    route: Route,
) -> Result<(), NetlinkError> {
    link.check_family(route.destination)?;
    let message = message_of(link.index, route)?;
    let what = format!(
        "add a route to {} through device {}",
        network(route),
        link.name
    );
    // Never by replacing: that would take a destination away from another device.
    let added = handle.route().add(message).execute().await;
    let is_ipv6 = route.destination.address().is_ipv6();
    added.map_err(|error| NetlinkError::from_add(what, &link.name, is_ipv6, error))
}

/// Takes a route away. That it is gone already is no error.
pub(super) async fn delete(
    handle: &Handle,
    link: &LinkState,
    route: Route,
) -> Result<(), NetlinkError> {
    let message = message_of(link.index, route)?;
    let what = format!(
        "delete the route to {} through device {}",
        network(route),
        link.name
    );
    let deleted = handle.route().del(message).execute().await;
    NetlinkError::unless(Errno::SRCH, what, &link.name, deleted)
}

/// The IPv6 routes through the device that somebody has set: those that the kernel makes for addresses come and go
/// with them. Routes that are reached directly are first, for others may lead over them.
pub(super) async fn list_ipv6(
    handle: &Handle,
    link: &LinkState,
) -> Result<Vec<RouteMessage>, NetlinkError> {
    let question = RouteMessageBuilder::<Ipv6Addr>::new().build();
    let routes = handle.route().get(question).execute();
    let mut routes: Vec<RouteMessage> = routes
        .try_filter(|route| {
            let through = RouteAttribute::Oif(link.index);
            let is_set = route.header.kind == RouteType::Unicast
                && !matches!(
                    route.header.protocol,
                    RouteProtocol::Kernel | RouteProtocol::Ra
                )
                && route.attributes.contains(&through);
            std::future::ready(is_set)
        })
        .boxed()
        .try_collect()
        .await
        .map_err(|error| {
            let what = format!("list the routes through device {}", link.name);
            NetlinkError::from_request(what, &link.name, error)
        })?;
    let has_gateway = |route: &RouteMessage| {
        let gateway = |attribute: &_| matches!(attribute, RouteAttribute::Gateway(_));
        route.attributes.iter().any(gateway)
    };
    routes.sort_by_key(has_gateway);
    Ok(routes)
}

/// Adds a route again as it was. That it is there is no error.
pub(super) async fn put_back(
    handle: &Handle,
    link: &LinkState,
    route: &RouteMessage,
) -> Result<(), NetlinkError> {
    let mut message = route.clone();
    // The rest tells of the state it was in, which the kernel does not take.
    message.header.flags &= RouteFlags::Onlink;
    message
        .attributes
        .retain(|attribute| !matches!(attribute, RouteAttribute::CacheInfo(_)));
    let what = format!("put a route through device {} back", link.name);
    let added = handle.route().add(message).execute().await;
    NetlinkError::unless(Errno::EXIST, what, &link.name, added)
}

fn message_of(index: u32, route: Route) -> Result<RouteMessage, NetlinkError> {
    let destination = route.destination;
    match (destination.network(), route.via) {
        (IpAddr::V4(network), None | Some(IpAddr::V4(_))) => {
            let mut builder = RouteMessageBuilder::<Ipv4Addr>::new()
                .destination_prefix(network, destination.prefix())
                .output_interface(index);
            if let Some(IpAddr::V4(via)) = route.via {
                builder = builder.gateway(via);
            }
            Ok(builder.build())
        }
        (IpAddr::V6(network), None | Some(IpAddr::V6(_))) => {
            let mut builder = RouteMessageBuilder::<Ipv6Addr>::new()
                .destination_prefix(network, destination.prefix())
                .output_interface(index);
            if let Some(IpAddr::V6(via)) = route.via {
                builder = builder.gateway(via);
            }
            Ok(builder.build())
        }
        (_, Some(via)) => Err(NetlinkError::PeerFamily {
            address: destination.to_string(),
            peer: via.to_string(),
        }),
    }
}

fn network(route: Route) -> String {
    let Route { destination, .. } = route;
    format!("{}/{}", destination.network(), destination.prefix())
}
