//! Setting up the kernel's side of a device, noting what that has changed, and taking it back.

use netlink_packet_route::route::RouteMessage;
use rtnetlink::Handle;

use super::address::{self, Held};
use super::link::{LinkSettings, check_name, find, set_link};
use super::request::converse;
use super::route;
use super::{Address, LinkState, NetlinkError, Netns, Route};

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

/// What [`configure`] has changed on a device, for [`undo`] to take back.
#[derive(Clone, Debug)]
pub struct Changes {
    before: Snapshot,
    after: LinkState,
    addresses: Vec<Address>,
    routes: Vec<Route>,
}

impl Changes {
    /// The link before: its MTU, its queue, and whether it was up.
    pub fn before(&self) -> &LinkState {
        &self.before.link
    }

    /// The link afterwards.
    pub fn after(&self) -> &LinkState {
        &self.after
    }

    /// The addresses that were added. Those that were there are not among them.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The routes that were added.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }
}

/// A device as it was at some time.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    link: LinkState,
    addresses: Vec<Held>,
    routes: Vec<RouteMessage>,
}

/// Looks at a device before it is touched. `None`: there is none of this name.
pub(crate) fn snapshot(
    netns: Option<&Netns>,
    name: &str,
) -> Result<Option<Snapshot>, NetlinkError> {
    converse(netns, async |handle| match find(&handle, name).await {
        Ok(link) => Snapshot::take(&handle, link).await.map(Some),
        Err(NetlinkError::NoSuchDevice { .. }) => Ok(None),
        Err(error) => Err(error),
    })
}

/// Sets up the kernel's side of the device `name` in `netns` (or the calling thread's namespace), and returns what has
/// changed by it, for [`undo`]. Addresses that are there already stay as they are, so that repeating a
/// call is no error. IPv6 addresses are usable at once: no duplicate address detection (RFC 4862 section 5.4) is made
/// on them.
///
/// # Errors
///
/// The sentence says which step failed; steps before it are undone.
pub fn configure(
    netns: Option<&Netns>,
    name: &str,
    config: &LinkConfig,
) -> Result<Changes, NetlinkError> {
    configure_since(None, netns, name, config)
}

/// As [`configure`], but the changes count from `before`, if that is of the same device:
/// attaching to a TUN device gives it a carrier, on which the kernel adds an address.
pub(crate) fn configure_since(
    before: Option<Snapshot>,
    netns: Option<&Netns>,
    name: &str,
    config: &LinkConfig,
) -> Result<Changes, NetlinkError> {
    check_name(name)?;
    converse(netns, async |handle| {
        let link = find(&handle, name).await?;
        let before = match before.filter(|before| before.link.index == link.index) {
            Some(before) => before,
            None => Snapshot::take(&handle, link.clone()).await?,
        };
        let mut changes = Changes {
            before,
            after: link,
            addresses: Vec::new(),
            routes: Vec::new(),
        };
        match changes.make(&handle, config).await {
            Ok(()) => Ok(changes),
            Err(error) => {
                // The first error says more than one about taking back what came before it.
                let _ = changes.take_back(&handle).await;
                Err(error)
            }
        }
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

/// Takes back what [`configure`] has changed on the device `name` in `netns` (or the calling
/// thread's namespace).
///
/// What somebody else has changed since is left alone, and what the kernel drops on the way is put back: bringing a
/// link down costs it its IPv6 addresses, as does an MTU below [`MIN_IPV6_MTU`](super::MIN_IPV6_MTU). Only a link-local
/// address that the kernel had made by itself is left to it to make again. A second call does nothing, nor does one for
/// a device that is gone or has made way for another of its name.
///
/// # Errors
///
/// The first step that failed; those after it were made all the same.
pub fn undo(netns: Option<&Netns>, name: &str, changes: &Changes) -> Result<(), NetlinkError> {
    converse(netns, async |handle| match find(&handle, name).await {
        Ok(link) if link.index == changes.after.index => {
            match changes.take_back(&handle).await {
                // It may go at any time, and takes everything with it.
                Err(NetlinkError::NoSuchDevice { .. }) => Ok(()),
                result => result,
            }
        }
        Ok(_) | Err(NetlinkError::NoSuchDevice { .. }) => Ok(()),
        Err(error) => Err(error),
    })
}

impl Snapshot {
    async fn take(handle: &Handle, link: LinkState) -> Result<Snapshot, NetlinkError> {
        let addresses = address::list(handle, &link).await?;
        let routes = route::list_ipv6(handle, &link).await?;
        Ok(Snapshot {
            link,
            addresses,
            routes,
        })
    }
}

impl Changes {
    /// Makes the changes and notes each once it is made.
    async fn make(&mut self, handle: &Handle, config: &LinkConfig) -> Result<(), NetlinkError> {
        let name = self.after.name.clone();
        let settings = LinkSettings {
            mtu: config.mtu,
            tx_queue: config.tx_queue,
            up: config.up.then_some(true),
        };
        set_link(handle, &self.after, &settings).await?;
        self.after = find(handle, &name).await?;
        // Anew, for a small MTU or a link that came up may have changed them.
        let present = address::list(handle, &self.after).await?;
        for address in &config.addresses {
            if !present.iter().any(|held| held.is(address)) && !self.addresses.contains(address) {
                address::add(handle, &self.after, *address).await?;
                self.addresses.push(*address);
            }
        }
        for address in &config.addresses {
            address::wait_until_local(handle, &self.after, address.local.address()).await;
        }
        for route in &config.routes {
            route::add(handle, &self.after, *route).await?;
            self.routes.push(*route);
        }
        Ok(())
    }

    async fn take_back(&self, handle: &Handle) -> Result<(), NetlinkError> {
        let name = &self.after.name;
        let mut result = Ok(());
        for route in self.routes.iter().rev() {
            note(
                &mut result,
                route::delete(handle, &self.after, *route).await,
            );
        }
        let now = find(handle, name).await?;
        let present = address::list(handle, &now).await?;
        let (ours, others): (Vec<Held>, Vec<Held>) =
            present.into_iter().partition(|held| self.is_ours(held));
        for held in &ours {
            let deleted = address::delete(handle, &now, held).await;
            // The kernel's own address is worth no complaint of a user without rights, who has changed nothing.
            if !held.is_made_by_kernel() {
                note(&mut result, deleted);
            }
        }
        note(
            &mut result,
            set_link(handle, &now, &self.restored(&now)).await,
        );
        let now = find(handle, name).await?;
        for held in self.dropped(handle, &now, others).await? {
            note(&mut result, address::put_back(handle, &now, &held).await);
        }
        if self.has_cost_ipv6() && now.carries_ipv6() && now.up {
            for route in &self.before.routes {
                note(&mut result, route::put_back(handle, &now, route).await);
            }
        }
        result
    }

    /// Whether an address is there because of these changes.
    fn is_ours(&self, held: &Held) -> bool {
        let before = &self.before.addresses;
        let is_added = self.addresses.iter().any(|own| held.is(own));
        // Where there was one already, the kernel would have made another without these changes too.
        is_added || held.is_made_by_kernel() && !before.iter().any(Held::is_made_by_kernel)
    }

    /// What is to be set on the link: nothing that somebody has changed since.
    fn restored(&self, now: &LinkState) -> LinkSettings {
        let before = &self.before.link;
        LinkSettings {
            mtu: (now.mtu == self.after.mtu).then_some(before.mtu),
            tx_queue: (now.tx_queue == self.after.tx_queue).then_some(before.tx_queue),
            up: (now.up == self.after.up).then_some(before.up),
        }
    }

    /// The addresses that belong on the device but are not there, in the order to add them. `others`: those that
    /// were there when taking back began, without what is taken back.
    async fn dropped(
        &self,
        handle: &Handle,
        now: &LinkState,
        mut others: Vec<Held>,
    ) -> Result<Vec<Held>, NetlinkError> {
        if self.has_cost_ipv6() {
            let before = self.before.addresses.iter();
            let lost = before
                .filter(|held| held.is_ipv6() && !others.iter().any(|other| other.same(held)))
                .cloned()
                .collect::<Vec<_>>();
            others.extend(lost);
        }
        let present = address::list(handle, now).await?;
        others.retain(|held| {
            !present.iter().any(|other| other.same(held))
                && !held.is_made_by_kernel()
                && (now.carries_ipv6() || !held.is_ipv6())
        });
        // The kernel tells of the newest IPv6 address first.
        let (ipv6, mut dropped): (Vec<_>, Vec<_>) = others.into_iter().partition(Held::is_ipv6);
        dropped.extend(ipv6.into_iter().rev());
        Ok(dropped)
    }

    /// Whether the kernel has dropped everything of IPv6 because of the MTU that was set.
    fn has_cost_ipv6(&self) -> bool {
        self.before.link.carries_ipv6() && !self.after.carries_ipv6()
    }
}

/// Keeps the first error.
fn note(result: &mut Result<(), NetlinkError>, step: Result<(), NetlinkError>) {
    if result.is_ok() {
        *result = step;
    }
}

#[cfg(test)]
mod tests;
