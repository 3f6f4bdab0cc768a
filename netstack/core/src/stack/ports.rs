//! Who listens where: listeners and datagram sockets by port and address, and ephemeral ports.

use crate::random::Random;
use crate::socket::SocketId;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// The ephemeral ports that sockets are bound to (RFC 6335, 6): nobody else can bind them.
const BOUND_FIRST: u16 = 49_152;
/// The ephemeral ports of connections: as many as there are (RFC 6056, 3.2), for a listener can have the port of a
/// connection all the same.
const CONNECTED_FIRST: u16 = 1_024;

/// A transport protocol's ports.
#[derive(Debug, Default)]
pub(super) struct PortSpace {
    bound: BTreeMap<u16, Vec<(IpAddr, SocketId)>>,
}

impl PortSpace {
    /// Whether `local` can be bound: nobody has the port on the same address, or on any address of the
    /// same family.
    pub(super) fn is_free(&self, local: SocketAddr) -> bool {
        let taken = |(address, _): &(IpAddr, SocketId)| {
            address.is_ipv4() == local.is_ipv4()
                && (*address == local.ip()
                    || address.is_unspecified()
                    || local.ip().is_unspecified())
        };
        !self
            .bound
            .get(&local.port())
            .is_some_and(|holders| holders.iter().any(taken))
    }

    pub(super) fn bind(&mut self, local: SocketAddr, id: SocketId) {
        self.bound
            .entry(local.port())
            .or_default()
            .push((local.ip(), id));
    }

    pub(super) fn release(&mut self, local: SocketAddr, id: SocketId) {
        if let Some(holders) = self.bound.get_mut(&local.port()) {
            holders.retain(|(_, holder)| *holder != id);
            if holders.is_empty() {
                self.bound.remove(&local.port());
            }
        }
    }

    /// Who gets what arrives for `local`: the holder of that very address before one of any address.
    pub(super) fn holder(&self, local: SocketAddr) -> Option<SocketId> {
        let holders = self.bound.get(&local.port())?;
        let exact = holders.iter().find(|(address, _)| *address == local.ip());
        let any = || {
            let wild =
                |address: &IpAddr| address.is_unspecified() && address.is_ipv4() == local.is_ipv4();
            holders.iter().find(|(address, _)| wild(address))
        };
        exact.or_else(any).map(|(_, id)| *id)
    }

    /// Whether a port has any holder.
    pub(super) fn is_used(&self, port: u16) -> bool {
        self.bound.contains_key(&port)
    }
}

/// The ports of both transports.
#[derive(Debug, Default)]
pub(super) struct Ports {
    pub(super) tcp: PortSpace,
    pub(super) udp: PortSpace,
    /// Ports of TCP that are held without a socket.
    pub(super) tcp_held: PortSpace,
    holds: u32,
}

impl Ports {
    /// A handle of no socket, for a port that is held without one.
    pub(super) fn next_hold(&mut self) -> SocketId {
        self.holds = self.holds.wrapping_add(1);
        SocketId {
            index: u32::MAX,
            generation: self.holds,
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
