//! The listeners and UDP sockets of a service.

use std::io;
use std::net::SocketAddr;

use netstack_core::SocketId;

use crate::DEFAULT_BACKLOG;
use crate::service::ServiceContext;

/// Where a service is reached.
pub(super) struct Endpoints {
    addresses: Vec<SocketAddr>,
    listeners: Vec<SocketId>,
    datagrams: Vec<SocketId>,
}

/// What an event's socket is to a service.
pub(super) enum Role {
    Listener,
    Datagrams,
    Connection,
}

impl Endpoints {
    pub(super) fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Endpoints {
            addresses: addresses.into_iter().collect(),
            listeners: Vec::new(),
            datagrams: Vec::new(),
        }
    }

    /// Where it is.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().copied()
    }

    /// Listens on every address.
    pub(super) fn open_tcp(&mut self, cx: &mut ServiceContext<'_>) -> io::Result<()> {
        for address in &self.addresses {
            self.listeners.push(cx.listen(*address, DEFAULT_BACKLOG)?);
        }
        Ok(())
    }

    /// Binds a UDP socket to every address, which takes datagrams that came together as one.
    pub(super) fn open_udp(&mut self, cx: &mut ServiceContext<'_>) -> io::Result<()> {
        for address in &self.addresses {
            let socket = cx.bind_udp(*address)?;
            cx.set_gro(socket, true)?;
            self.datagrams.push(socket);
        }
        Ok(())
    }

    pub(super) fn listeners(&self) -> &[SocketId] {
        &self.listeners
    }

    pub(super) fn role(&self, socket: SocketId) -> Role {
        if self.listeners.contains(&socket) {
            Role::Listener
        } else if self.datagrams.contains(&socket) {
            Role::Datagrams
        } else {
            Role::Connection
        }
    }
}
