//! Addresses of the kernel's on a device: added, taken away, listed, and put back as they were.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use futures_util::stream::{StreamExt, TryStreamExt};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol,
    AddressScope,
};
use netlink_packet_route::route::RouteType;
use rtnetlink::{Handle, RouteMessageBuilder};
use rustix::io::Errno;

use super::link::{check_name, find};
use super::request::converse;
use super::{Cidr, LinkState, NetlinkError, Netns};

/// How long to wait for the kernel to take an IPv6 address into use: a thousand looks, a millisecond apart. It takes
/// less than one where the machine is not busy.
const USABLE_LOOKS: u32 = 1000;
const USABLE_INTERVAL: Duration = Duration::from_millis(1);

/// An address of the kernel's on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address, with the prefix the kernel makes a connected route for.
    pub local: Cidr,
    /// The other side's address of a point-to-point link. The connected route then leads to its prefix instead.
    pub peer: Option<Cidr>,
}

/// An address as the kernel tells of it, with all that is needed to put it back.
#[derive(Clone, Debug)]
pub(super) struct Held {
    message: AddressMessage,
    key: Key,
}

/// What tells two addresses of a device apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    local: IpAddr,
    far: IpAddr,
    prefix: u8,
}

impl Held {
    /// Whether it is what adding `address` would give.
    pub(super) fn is(&self, address: &Address) -> bool {
        self.key == key_of(address)
    }

    /// The address, with the prefix that the kernel makes a connected route for.
    pub(super) fn local(&self) -> Option<Cidr> {
        Cidr::new(self.key.local, self.key.prefix).ok()
    }

    /// Whether both are the same address, whatever its lifetime.
    pub(super) fn same(&self, other: &Held) -> bool {
        self.key == other.key
    }

    pub(super) fn is_ipv6(&self) -> bool {
        self.key.local.is_ipv6()
    }

    /// Whether the kernel has made it by itself, as it does on a link that is up and gets a carrier.
    pub(super) fn is_made_by_kernel(&self) -> bool {
        let is_marked = |attribute: &AddressAttribute| match attribute {
            AddressAttribute::Protocol(protocol) => *protocol == AddressProtocol::LinkLocal,
            // Kernels before 5.18 do not say who made an address, but TUN devices get theirs in this way.
            AddressAttribute::Flags(flags) => flags.contains(AddressFlags::StablePrivacy),
            _ => false,
        };
        self.is_ipv6()
            && self.message.header.scope == AddressScope::Link
            && self.message.attributes.iter().any(is_marked)
    }
}

/// The kernel's own addresses on the device `name` in `netns` (or the calling thread's namespace). Needs no rights.
///
/// # Errors
///
/// [`NetlinkError::NoSuchDevice`].
pub fn addresses(netns: Option<&Netns>, name: &str) -> Result<Vec<Cidr>, NetlinkError> {
    check_name(name)?;
    converse(netns, async |handle| {
        let link = find(&handle, name).await?;
        let held = list(&handle, &link).await?;
        Ok(held.iter().filter_map(Held::local).collect())
    })
}

/// The addresses of the device with this number.
pub(super) async fn list(handle: &Handle, link: &LinkState) -> Result<Vec<Held>, NetlinkError> {
    let addresses = handle
        .address()
        .get()
        .set_link_index_filter(link.index)
        .execute()
        .try_filter_map(async |message| Ok(held(message)))
        .boxed();
    addresses.try_collect().await.map_err(|error| {
        let what = format!("list the addresses of device {}", link.name);
        NetlinkError::from_request(what, &link.name, error)
    })
}

/// Adds an address that is not there.
pub(super) async fn add(
    handle: &Handle,
    link: &LinkState,
    address: Address,
) -> Result<(), NetlinkError> {
    let local = address.local.address();
    link.check_family(address.local)?;
    if let Some(peer) = address
        .peer
        .filter(|peer| peer.address().is_ipv4() != local.is_ipv4())
    {
        return Err(NetlinkError::PeerFamily {
            address: address.local.to_string(),
            peer: peer.to_string(),
        });
    }
    let what = format!("add the address {} to device {}", address.local, link.name);
    let added = request(handle, link, message_of(link.index, address)).await;
    added.map_err(|error| NetlinkError::from_add(what, &link.name, local.is_ipv6(), error))
}

/// Takes an address away. That it is gone already is no error.
pub(super) async fn delete(
    handle: &Handle,
    link: &LinkState,
    held: &Held,
) -> Result<(), NetlinkError> {
    let what = format!(
        "take the address {} off device {}",
        held.key.local, link.name
    );
    let message = held.message.clone();
    let deleted = handle.address().del(message).execute().await;
    NetlinkError::unless(Errno::ADDRNOTAVAIL, what, &link.name, deleted)
}

/// Adds an address again as it was. That it is there is no error.
pub(super) async fn put_back(
    handle: &Handle,
    link: &LinkState,
    held: &Held,
) -> Result<(), NetlinkError> {
    let what = format!(
        "put the address {}/{} back on device {}",
        held.key.local, held.key.prefix, link.name
    );
    let added = request(handle, link, held.message.clone()).await;
    NetlinkError::unless(Errno::EXIST, what, &link.name, added)
}

/// The kernel takes an IPv6 address into use in a work queue of its own. Before that it drops what is sent there.
pub(super) async fn wait_until_local(handle: &Handle, link: &LinkState, address: IpAddr) {
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

async fn request(
    handle: &Handle,
    link: &LinkState,
    message: AddressMessage,
) -> Result<(), rtnetlink::Error> {
    // The builder's own message is replaced whole, because it cannot tell of a peer.
    let unused = Ipv6Addr::UNSPECIFIED.into();
    let mut request = handle.address().add(link.index, unused, 0);
    *request.message_mut() = message;
    request.execute().await
}

fn held(message: AddressMessage) -> Option<Held> {
    let (mut local, mut far) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => far = Some(*address),
            _ => {}
        }
    }
    // For IPv6 the kernel gives both only when they differ.
    let key = Key {
        local: local.or(far)?,
        far: far.or(local)?,
        prefix: message.header.prefix_len,
    };
    Some(Held { message, key })
}

fn key_of(address: &Address) -> Key {
    let far = address.peer.unwrap_or(address.local);
    Key {
        local: address.local.address(),
        far: far.address(),
        prefix: far.prefix(),
    }
}

fn message_of(index: u32, address: Address) -> AddressMessage {
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
