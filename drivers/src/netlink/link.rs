//! Links: what the kernel says of them, and setting what they are.

use futures_util::stream::{StreamExt, TryStreamExt};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::{Handle, LinkUnspec};

use super::request::converse;
use super::{Cidr, NetlinkError, Netns};

/// The smallest MTU of a link that carries IPv6 (RFC 8200 section 5). Below it the kernel gives a device none.
pub const MIN_IPV6_MTU: u32 = 1280;

/// The largest name of a network device in bytes (`IFNAMSIZ` less the terminating zero).
const MAX_NAME: usize = 15;

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

    pub(super) fn check_family(&self, wanted: Cidr) -> Result<(), NetlinkError> {
        if wanted.address().is_ipv6() && !self.carries_ipv6() {
            return Err(NetlinkError::MtuBelowIpv6 {
                name: self.name.clone(),
                mtu: self.mtu,
                address: wanted.to_string(),
            });
        }
        Ok(())
    }
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

pub(super) async fn find(handle: &Handle, name: &str) -> Result<LinkState, NetlinkError> {
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

/// What to set on a link. What is left out stays as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkSettings {
    pub(super) mtu: Option<u32>,
    pub(super) tx_queue: Option<u32>,
    pub(super) up: Option<bool>,
}

/// Asks the kernel only for what `link` does not have already, so that nothing to do takes no rights.
pub(super) async fn set_link(
    handle: &Handle,
    link: &LinkState,
    settings: &LinkSettings,
) -> Result<(), NetlinkError> {
    let mut message = LinkUnspec::new_with_index(link.index);
    let mut wanted = Vec::new();
    if let Some(mtu) = settings.mtu.filter(|mtu| *mtu != link.mtu) {
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
    if let Some(packets) = settings
        .tx_queue
        .filter(|packets| *packets != link.tx_queue)
    {
        message = message.txqueuelen(packets);
        wanted.push(format!("set its queue to {packets} packets"));
    }
    match settings.up.filter(|up| *up != link.up) {
        Some(true) => {
            message = message.up();
            wanted.push("bring it up".to_owned());
        }
        Some(false) => {
            message = message.down();
            wanted.push("bring it down".to_owned());
        }
        None => {}
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let what = format!("change device {} ({})", link.name, wanted.join(", "));
    let changed = handle.link().change(message.build()).execute().await;
    changed.map_err(|error| NetlinkError::from_request(what, &link.name, error))
}
