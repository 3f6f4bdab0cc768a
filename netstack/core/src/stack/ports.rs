//! Who listens where: listeners and datagram sockets by port and address, and ephemeral ports.

use crate::datagram::is_of_peer;
use crate::ip::IfaceId;
use crate::random::Random;
use crate::socket::{BindOptions, SocketId};

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// The ephemeral ports that sockets are bound to (RFC 6335, 6): nobody else can bind them.
const BOUND_FIRST: u16 = 49_152;
/// The ephemeral ports of connections: as many as there are (RFC 6056, 3.2), for a listener can have the port of a
/// connection all the same.
// req: RFC6056-01
const CONNECTED_FIRST: u16 = 1_024;

/// Who has a port on an address, and how it is shared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) id: SocketId,
    /// The address in the form in which packets have it.
    pub(super) address: IpAddr,
    pub(super) options: BindOptions,
    /// The only peer that it receives from.
    pub(super) peer: Option<SocketAddr>,
    /// Whether it takes what arrives: a TCP socket does when it listens.
    pub(super) receives: bool,
}

impl Holder {
    fn takes_address(&self, address: IpAddr) -> bool {
        self.address == address
            || self.address.is_unspecified()
                && (self.address.is_ipv4() == address.is_ipv4() || self.is_for_both())
    }

    /// Whether it is bound to any address of both versions.
    fn is_for_both(&self) -> bool {
        self.options.dual && self.address.is_ipv6()
    }

    fn overlaps(&self, other: &Holder) -> bool {
        let devices = match (self.options.device, other.options.device) {
            (Some(own), Some(others)) => own == others,
            _ => true,
        };
        devices && (self.takes_address(other.address) || other.takes_address(self.address))
    }

    /// Whether it may have a port and an address that `other` has.
    fn shares_with(&self, other: &Holder, exclusive: bool) -> bool {
        let reuse_port = self.options.reuse_port && other.options.reuse_port;
        let reuse_address = self.options.reuse_address && other.options.reuse_address;
        reuse_port || reuse_address && !(exclusive && other.receives)
    }

    /// How well it suits what `remote` sent to `local` by `iface`; `None` if not at all.
    fn suits(&self, local: IpAddr, remote: SocketAddr, iface: Option<IfaceId>) -> Option<u8> {
        let device = self.options.device;
        let right_device = device.is_none() || iface.is_none() || device == iface;
        let right_peer = self.peer.is_none_or(|peer| is_of_peer(peer, remote));
        if !(self.receives && right_device && right_peer && self.takes_address(local)) {
            return None;
        }
        let native = self.address.is_ipv4() == local.is_ipv4();
        let points = [
            (self.peer.is_some(), 8),
            (self.address == local, 4),
            (device.is_some(), 4),
            (native, 1),
        ];
        Some(
            points
                .iter()
                .map(|(has, worth)| u8::from(*has) * worth)
                .sum(),
        )
    }
}

/// A transport protocol's ports.
#[derive(Debug, Default)]
pub(super) struct PortSpace {
    bound: BTreeMap<u16, Vec<Holder>>,
    /// Whether only one of the sockets that share an address may receive.
    exclusive: bool,
}

impl PortSpace {
    /// Whether `port` can be had by `holder`: whoever has it on an address in common shares it.
    pub(super) fn is_free(&self, port: u16, holder: &Holder) -> bool {
        let in_the_way = |other: &Holder| {
            other.id != holder.id
                && holder.overlaps(other)
                && !holder.shares_with(other, self.exclusive)
        };
        !self.holders(port).iter().any(in_the_way)
    }

    pub(super) fn bind(&mut self, port: u16, holder: Holder) {
        self.bound.entry(port).or_default().push(holder);
    }

    pub(super) fn release(&mut self, port: u16, id: SocketId) {
        if let Some(holders) = self.bound.get_mut(&port) {
            holders.retain(|holder| holder.id != id);
            if holders.is_empty() {
                self.bound.remove(&port);
            }
        }
    }

    /// The holder of `port` that is the socket `id`.
    pub(super) fn holder_mut(&mut self, port: u16, id: SocketId) -> Option<&mut Holder> {
        let holders = self.bound.get_mut(&port)?;
        holders.iter_mut().find(|holder| holder.id == id)
    }

    pub(super) fn holder(&self, port: u16, id: SocketId) -> Option<&Holder> {
        self.holders(port).iter().find(|holder| holder.id == id)
    }

    /// Who gets what `remote` sends to `local`, by `iface` if that matters: whoever names most of it, and among equals
    /// the last one bound, or one of its group by `hash`.
    pub(super) fn find(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        iface: Option<IfaceId>,
        hash: impl FnOnce() -> u64,
    ) -> Option<SocketId> {
        let holders = self.holders(local.port());
        let points = |holder: &Holder| holder.suits(local.ip(), remote, iface);
        let best = holders.iter().filter_map(points).max()?;
        let equals = holders.iter().filter(|one| points(one) == Some(best));
        let last = equals.clone().next_back()?;
        if !last.options.reuse_port {
            return Some(last.id);
        }
        let group = || equals.clone().filter(|one| one.options.reuse_port);
        match group().count() {
            0 | 1 => Some(last.id),
            count => group()
                .nth((hash() % count as u64) as usize)
                .map(|one| one.id),
        }
    }

    /// Everybody who gets a copy of what `remote` sends to `local`, a group or a broadcast address, by `iface`.
    pub(super) fn all(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        iface: Option<IfaceId>,
    ) -> impl Iterator<Item = SocketId> {
        self.holders(local.port())
            .iter()
            .filter(move |holder| holder.suits(local.ip(), remote, iface).is_some())
            .map(|holder| holder.id)
    }

    /// Whether anybody has this very address and port, whatever else it wants.
    pub(super) fn is_held(&self, local: SocketAddr) -> bool {
        let mut holders = self.holders(local.port()).iter();
        holders.any(|holder| holder.receives && holder.takes_address(local.ip()))
    }

    /// Whether a port has any holder.
    pub(super) fn is_used(&self, port: u16) -> bool {
        self.bound.contains_key(&port)
    }

    fn holders(&self, port: u16) -> &[Holder] {
        self.bound.get(&port).map_or(&[], Vec::as_slice)
    }
}

/// The ports of both transports, and the identifiers of pings.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) tcp: PortSpace,
    pub(super) udp: PortSpace,
    pub(super) ping: PortSpace,
}

impl Ports {
    pub(super) fn new() -> Self {
        let exclusive = PortSpace {
            exclusive: true,
            ..PortSpace::default()
        };
        Ports {
            tcp: exclusive,
            udp: PortSpace::default(),
            ping: PortSpace::default(),
        }
    }
}

/// The ports that a socket without one may be bound to, in an order that begins anywhere.
pub(super) fn bindable(start: u32) -> impl Iterator<Item = u16> {
    from(BOUND_FIRST, start)
}

/// The ports from `first` on, in an order that begins at `start`.
fn from(first: u16, start: u32) -> impl Iterator<Item = u16> {
    let count = u32::from(u16::MAX - first) + 1;
    let port = move |i: u32| first + (start.wrapping_add(i) % count) as u16;
    (0..count).map(port)
}

/// Whence the searches for the ports of connections go on (RFC 6056, 3.3.4): a port comes again late, and what one
/// pair of hosts sees says nothing of the ports of another.
#[derive(Debug)]
pub(super) struct Searches {
    counts: Box<[u32; Searches::COUNT]>,
}

impl Searches {
    const COUNT: usize = 256;

    pub(super) fn new(random: &mut Random) -> Self {
        Searches {
            counts: Box::new(core::array::from_fn(|_| random.next_u32())),
        }
    }

    /// The first port that is `free`, for the pair of hosts whose ports are hidden by `hash`.
    // req: RFC6056-02
    pub(super) fn find(&mut self, hash: u64, mut free: impl FnMut(u16) -> bool) -> Option<u16> {
        let count = &mut self.counts[(hash >> 32) as usize % Searches::COUNT];
        let start = (hash as u32).wrapping_add(*count);
        for port in from(CONNECTED_FIRST, start) {
            *count = count.wrapping_add(1);
            if free(port) {
                return Some(port);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
