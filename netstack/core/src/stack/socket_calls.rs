//! What descriptors ask for beyond the calls of each protocol: ports that are held without a socket, and what a socket
//! says of itself.

use super::Stack;
use super::ports::bindable;
use super::table::Socket;
use crate::socket::{BindError, SocketError, SocketId};
use crate::tcp::{TcpConfig, TcpState};
use std::net::{IpAddr, SocketAddr};

/// A TCP port that is held by somebody who neither listens nor connects yet. It is held until it is given back.
#[derive(Debug, PartialEq, Eq)]
pub struct HeldPort {
    local: SocketAddr,
    id: SocketId,
}

impl HeldPort {
    /// The address and port; never port 0.
    pub fn local(&self) -> SocketAddr {
        self.local
    }
}

impl Stack {
    /// Holds a TCP port on `local`, so that nobody else listens there: an unspecified address means every address of its
    /// family, port 0 an ephemeral port. What arrives for it is answered as if nobody had it.
    ///
    /// To listen there, [give it back](Self::tcp_give_back) first; a connection may be made from it as it is.
    ///
    /// # Errors
    ///
    /// The port is taken, the address is not this stack's, or no ephemeral port is free.
    pub fn tcp_hold(&mut self, local: SocketAddr) -> Result<HeldPort, BindError> {
        if !local.ip().is_unspecified() && !self.addresses.owns(local.ip()) {
            return Err(BindError::NotAvailable);
        }
        let mut local = local;
        if local.port() == 0 {
            let start = self.random.next_u32();
            let free = |port: &u16| {
                self.shard.may_choose(*port)
                    && !self.ports.tcp.is_used(*port)
                    && !self.ports.tcp_held.is_used(*port)
            };
            let port = bindable(start).find(free);
            local.set_port(port.ok_or(BindError::NoPorts)?);
        } else if !self.ports.tcp.is_free(local) || !self.ports.tcp_held.is_free(local) {
            return Err(BindError::InUse);
        }
        let id = self.ports.next_hold();
        self.ports.tcp_held.bind(local, id);
        Ok(HeldPort { local, id })
    }

    /// Gives a port back that was held.
    pub fn tcp_give_back(&mut self, held: HeldPort) {
        self.ports.tcp_held.release(held.local, held.id);
    }

    /// What connections begin with from now on. Sizes of buffers and what SYNs offer are of connections that begin
    /// later; timeouts and limits are of all.
    pub fn set_tcp_config(&mut self, config: TcpConfig) {
        self.tcp_config = config;
    }

    /// What connections begin with.
    pub fn tcp_config(&self) -> &TcpConfig {
        &self.tcp_config
    }

    /// The state of a connection.
    ///
    /// # Errors
    ///
    /// [`SocketError::WrongKind`] where the socket is no connection.
    pub fn tcp_state(&self, socket: SocketId) -> Result<TcpState, SocketError> {
        Ok(self.table.tcp(socket)?.connection.state)
    }

    /// How many connections of a listener wait to be accepted, and how many may.
    ///
    /// # Errors
    ///
    /// [`SocketError::WrongKind`] where the socket is no listener.
    pub fn tcp_backlog(&self, listener: SocketId) -> Result<(usize, usize), SocketError> {
        match self.table.get(listener)? {
            Socket::Listener(listener) => Ok(listener.backlog()),
            _ => Err(SocketError::WrongKind),
        }
    }

    /// Changes how many connections of a listener may wait to be accepted. Those that wait stay.
    ///
    /// # Errors
    ///
    /// [`SocketError::WrongKind`] where the socket is no listener.
    pub fn tcp_set_backlog(
        &mut self,
        listener: SocketId,
        backlog: usize,
    ) -> Result<(), SocketError> {
        let most = self.tcp_config.syn_backlog;
        self.table
            .listener_mut(listener)?
            .set_backlog(backlog, most);
        Ok(())
    }

    /// The address that packets to `remote` leave from, if a socket does not say.
    pub fn source_towards(&self, remote: IpAddr) -> Option<IpAddr> {
        let route = self.routes.lookup(remote)?;
        self.addresses.select_source(route.iface, remote, route.via)
    }

    /// Dissolves what [`udp_connect`](Self::udp_connect) made.
    ///
    /// # Errors
    ///
    /// [`SocketError::WrongKind`] where the socket is none of datagrams.
    pub fn udp_disconnect(&mut self, socket: SocketId) -> Result<(), SocketError> {
        self.table.udp_mut(socket)?.socket.connect(None);
        Ok(())
    }

    /// Bytes of the datagram that is read next, 0 without one, and bytes that wait for a device, each datagram with a
    /// fixed overhead.
    ///
    /// # Errors
    ///
    /// [`SocketError::WrongKind`] where the socket is none of datagrams.
    pub fn udp_queued(&self, socket: SocketId) -> Result<(usize, usize), SocketError> {
        match self.table.get(socket)? {
            Socket::Udp(udp) => Ok(udp.socket.queued()),
            _ => Err(SocketError::WrongKind),
        }
    }
}

#[cfg(test)]
mod tests;
