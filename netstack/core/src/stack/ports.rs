//! Who listens where: listeners and datagram sockets by port and address, and ephemeral ports.

use crate::socket::SocketId;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// The ephemeral ports (RFC 6335, 6).
pub(super) const EPHEMERAL_FIRST: u16 = 49_152;
/// How many there are.
pub(super) const EPHEMERAL_COUNT: u32 = 65_536 - EPHEMERAL_FIRST as u32;

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
}

/// The ephemeral ports in an order that begins at `start`.
pub(super) fn ephemeral(start: u32) -> impl Iterator<Item = u16> {
    (0..EPHEMERAL_COUNT)
        .map(move |i| EPHEMERAL_FIRST + ((start.wrapping_add(i)) % EPHEMERAL_COUNT) as u16)
}
