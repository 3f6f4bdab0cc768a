//! Links, their addresses and their routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use futures_util::stream::{StreamExt, TryStreamExt};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::RouteType;
use rtnetlink::{Handle, LinkUnspec, RouteMessageBuilder};
use rustix::io::Errno;

use super::request::converse;
use super::{Cidr, NetlinkError, Netns};

/// The smallest MTU of a link that carries IPv6 (RFC 8200 section 5). Below it the kernel gives a device none.
pub const MIN_IPV6_MTU: u32 = 1280;

/// The largest name of a network device in bytes (`IFNAMSIZ` less the terminating zero).
const MAX_NAME: usize = 15;

/// How long to wait for the kernel to take an IPv6 address into use: a thousand looks, a millisecond apart. It takes
/// less than one where the machine is not busy.
const USABLE_LOOKS: u32 = 1000;
const USABLE_INTERVAL: Duration = Duration::from_millis(1);

/// What the kernel's side of a device is to look like. What is left out stays as it is.
#[derive(Clone, Debug, Default)]
pub struct LinkConfig {
    /// The largest packet in bytes.
    pub mtu: Option<u32>,
    /// Packets the kernel queues towards a TUN device before it drops (`txqueuelen`, 500 at first). Large TCP
    /// windows want some 4000 when packets are not super-packets.
    pub tx_queue: Option<u32>,
    /// The kernel's own addresses on the device.
    pub addresses: Vec<Address>,
    /// Routes through the device, besides those that come with the addresses.
    pub routes: Vec<Route>,
    /// Whether the link is to be brought up. Routes need it.
    pub up: bool,
}

/// An address of the kernel's on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address, with the prefix the kernel makes a connected route for.
    pub local: Cidr,
    /// The other side's address of a point-to-point link. The connected route then leads to its prefix instead.
    pub peer: Option<Cidr>,
}

/// A route through a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads: the host bits are ignored.
    pub destination: Cidr,
    /// The router to send to, unless the destination is reached directly.
    pub via: Option<IpAddr>,
}

/// What the kernel says of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkState {
    /// The name of the device.
    pub name: String,
    /// The kernel's number of it.
    pub index: u32,
    /// The largest packet in bytes.
    pub mtu: u32,
    /// The smallest MTU that the device takes.
    pub min_mtu: u32,
    /// The largest MTU that the device takes.
    pub max_mtu: u32,
    /// `txqueuelen`, in packets.
    pub tx_queue: u32,
    /// Whether it is up.
    pub up: bool,
    /// Whether it has a carrier: a TUN device has one while somebody has it open.
    pub carrier: bool,
}

impl LinkState {
    /// Whether the MTU is large enough for the kernel to speak IPv6 over this device.
    pub fn carries_ipv6(&self) -> bool {
        self.mtu >= MIN_IPV6_MTU
    }
}

/// Sets up the kernel's side of the device `name` in `netns` (or the calling thread's namespace) and returns what it
/// looks like then. Addresses that are there already stay, so that repeating a call is no error. IPv6 addresses are
/// usable at once: no duplicate address detection (RFC 4862 section 5.4) is made on them.
///
/// # Errors
///
/// The sentence says which step failed; steps before it stay done.
pub fn configure(
    netns: Option<&Netns>,
    name: &str,
    config: &LinkConfig,
) -> Result<LinkState, NetlinkError> {
    check_name(name)?;
    converse(netns, async |handle| {
        let before = find(&handle, name).await?;
        set_link(&handle, &before, config).await?;
        let after = find(&handle, name).await?;
        for address in &config.addresses {
            add_address(&handle, &after, *address).await?;
        }
        for address in &config.addresses {
            wait_until_local(&handle, &after, address.local.address()).await;
        }
        for route in &config.routes {
            add_route(&handle, &after, *route).await?;
        }
        Ok(after)
    })
}

/// Looks at the device `name` in `netns` (or the calling thread's namespace). Needs no rights.
///
/// # Errors
///
/// [`NetlinkError::NoSuchDevice`].
pub fn link_state(netns: Option<&Netns>, name: &str) -> Result<LinkState, NetlinkError> {
    check_name(name)?;
    converse(netns, async |handle| find(&handle, name).await)
}

/// Deletes the device `name` in `netns` (or the calling thread's namespace), persistent or not.
///
/// # Errors
///
/// [`NetlinkError::NoSuchDevice`], [`NetlinkError::NoPermission`].
pub fn delete(netns: Option<&Netns>, name: &str) -> Result<(), NetlinkError> {
    check_name(name)?;
    converse(netns, async |handle| {
        let link = find(&handle, name).await?;
        let deleted = handle.link().del(link.index).execute().await;
        deleted.map_err(|error| {
            NetlinkError::from_request(format!("delete device {name}"), name, error)
        })
    })
}

/// Brings the loopback device up.
pub(super) fn loopback_up(netns: Option<&Netns>) -> Result<(), NetlinkError> {
    configure(
        netns,
        "lo",
        &LinkConfig {
            up: true,
            ..LinkConfig::default()
        },
    )
    .map(drop)
}

/// Refuses what the kernel would refuse or cut short as a device's name.
pub(crate) fn check_name(name: &str) -> Result<(), NetlinkError> {
    let bad = |why| {
        Err(NetlinkError::BadName {
            name: name.to_owned(),
            why,
        })
    };
    if name.is_empty() {
        bad("it is empty")
    } else if name.len() > MAX_NAME {
        bad("it is longer than 15 bytes")
    } else if name == "." || name == ".." {
        bad("the kernel keeps this name")
    } else if name
        .chars()
        .any(|c| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
    {
        bad("it has a slash, a colon, a space or a control character in it")
    } else {
        Ok(())
    }
}

async fn find(handle: &Handle, name: &str) -> Result<LinkState, NetlinkError> {
    let mut links = handle.link().get().match_name(name).execute().boxed();
    let message = links
        .try_next()
        .await
        .map_err(|error| NetlinkError::from_request(format!("look at device {name}"), name, error))?
        .ok_or_else(|| NetlinkError::NoSuchDevice {
            name: name.to_owned(),
        })?;
    Ok(state_of(name, &message))
}

fn state_of(name: &str, message: &LinkMessage) -> LinkState {
    let mut state = LinkState {
        name: name.to_owned(),
        index: message.header.index,
        mtu: 0,
        min_mtu: 0,
        max_mtu: u32::MAX,
        tx_queue: 0,
        up: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::LowerUp),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Mtu(mtu) => state.mtu = *mtu,
            LinkAttribute::MinMtu(mtu) => state.min_mtu = *mtu,
            // The kernel says 0 for a device that sets no limit.
            LinkAttribute::MaxMtu(mtu) if *mtu > 0 => state.max_mtu = *mtu,
            LinkAttribute::TxQueueLen(packets) => state.tx_queue = *packets,
            _ => {}
        }
    }
    state
}

async fn set_link(
    handle: &Handle,
    link: &LinkState,
    config: &LinkConfig,
) -> Result<(), NetlinkError> {
    let mut message = LinkUnspec::new_with_index(link.index);
    let mut wanted = Vec::new();
    if let Some(mtu) = config.mtu.filter(|mtu| *mtu != link.mtu) {
        if mtu < link.min_mtu || mtu > link.max_mtu {
            let LinkState {
                name,
                min_mtu: min,
                max_mtu: max,
                ..
            } = link.clone();
            return Err(NetlinkError::BadMtu {
                name,
                mtu,
                min,
                max,
            });
        }
        message = message.mtu(mtu);
        wanted.push(format!("set its MTU to {mtu}"));
    }
    if let Some(packets) = config.tx_queue.filter(|packets| *packets != link.tx_queue) {
        message = message.txqueuelen(packets);
        wanted.push(format!("set its queue to {packets} packets"));
    }
    if config.up && !link.up {
        message = message.up();
        wanted.push("bring it up".to_owned());
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let what = format!("change device {} ({})", link.name, wanted.join(", "));
    let changed = handle.link().change(message.build()).execute().await;
    changed.map_err(|error| NetlinkError::from_request(what, &link.name, error))
}

async fn add_address(
    handle: &Handle,
    link: &LinkState,
    address: Address,
) -> Result<(), NetlinkError> {
    let local = address.local.address();
    check_family(link, address.local)?;
    if let Some(peer) = address
        .peer
        .filter(|peer| peer.address().is_ipv4() != local.is_ipv4())
    {
        return Err(NetlinkError::PeerFamily {
            address: address.local.to_string(),
            peer: peer.to_string(),
        });
    }
    let message = address_message(link.index, address);
    let mut request = handle
        .address()
        .add(link.index, local, address.local.prefix());
    *request.message_mut() = message;
    let what = format!("add the address {} to device {}", address.local, link.name);
    // Replacing changes an address that is there into itself; adding would be an error.
    finish(link, local, what, request.replace().execute().await)
}

/// The kernel takes an IPv6 address into use in a work queue of its own. Before that it drops what is sent there.
async fn wait_until_local(handle: &Handle, link: &LinkState, address: IpAddr) {
    let IpAddr::V6(address) = address else { return };
    if !link.up || !link.carrier {
        return;
    }
    for _ in 0..USABLE_LOOKS {
        let question = RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(address, 128)
            .build();
        let mut answers = handle.route().get(question).execute().boxed();
        if let Ok(Some(route)) = answers.try_next().await
            && route.header.kind == RouteType::Local
        {
            return;
        }
        // Nothing else runs on this thread.
        std::thread::sleep(USABLE_INTERVAL);
    }
}

fn address_message(index: u32, address: Address) -> AddressMessage {
    let Address { local, peer } = address;
    let far = peer.unwrap_or(local);
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = far.prefix();
    message.attributes = vec![
        AddressAttribute::Local(local.address()),
        AddressAttribute::Address(far.address()),
    ];
    match local.address() {
        IpAddr::V4(v4) => {
            message.header.family = AddressFamily::Inet;
            if peer.is_none() && local.prefix() < 31 {
                let broadcast = u32::from(v4) | (u32::MAX >> local.prefix());
                message
                    .attributes
                    .push(AddressAttribute::Broadcast(broadcast.into()));
            }
        }
        IpAddr::V6(_) => {
            message.header.family = AddressFamily::Inet6;
            message.header.flags = AddressHeaderFlags::Nodad;
        }
    }
    message
}

async fn add_route(handle: &Handle, link: &LinkState, route: Route) -> Result<(), NetlinkError> {
    let destination = route.destination;
    check_family(link, destination)?;
    let network = destination.network();
    let builder = match (network, route.via) {
        (IpAddr::V4(network), None | Some(IpAddr::V4(_))) => {
            let mut builder = RouteMessageBuilder::<Ipv4Addr>::new()
                .destination_prefix(network, destination.prefix())
                .output_interface(link.index);
            if let Some(IpAddr::V4(via)) = route.via {
                builder = builder.gateway(via);
            }
            builder.build()
        }
        (IpAddr::V6(network), None | Some(IpAddr::V6(_))) => {
            let mut builder = RouteMessageBuilder::<Ipv6Addr>::new()
                .destination_prefix(network, destination.prefix())
                .output_interface(link.index);
            if let Some(IpAddr::V6(via)) = route.via {
                builder = builder.gateway(via);
            }
            builder.build()
        }
        (_, Some(via)) => {
            return Err(NetlinkError::PeerFamily {
                address: destination.to_string(),
                peer: via.to_string(),
            });
        }
    };
    let what = format!(
        "add a route to {network}/{} through device {}",
        destination.prefix(),
        link.name
    );
    // Never by replacing: that would take a destination away from another device.
    finish(
        link,
        network,
        what,
        handle.route().add(builder).execute().await,
    )
}

fn check_family(link: &LinkState, wanted: Cidr) -> Result<(), NetlinkError> {
    if wanted.address().is_ipv6() && !link.carries_ipv6() {
        let LinkState { name, mtu, .. } = link.clone();
        return Err(NetlinkError::MtuBelowIpv6 {
            name,
            mtu,
            address: wanted.to_string(),
        });
    }
    Ok(())
}

fn finish(
    link: &LinkState,
    address: IpAddr,
    what: String,
    result: Result<(), rtnetlink::Error>,
) -> Result<(), NetlinkError> {
    let Err(error) = result else { return Ok(()) };
    let errno = match &error {
        rtnetlink::Error::NetlinkError(message) => {
            message.to_io().raw_os_error().map(Errno::from_raw_os_error)
        }
        _ => None,
    };
    match errno {
        // Not EPERM: so the kernel says that IPv6 is switched off for a device.
        Some(Errno::ACCESS) if address.is_ipv6() => Err(NetlinkError::Ipv6Disabled {
            name: link.name.clone(),
        }),
        Some(Errno::EXIST) => Err(NetlinkError::Exists { what }),
        _ => Err(NetlinkError::from_request(what, &link.name, error)),
    }
}
