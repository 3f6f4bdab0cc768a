//! What descriptors ask for beyond the calls of each protocol: what a socket says of itself, and limits that change.

use super::Stack;
use super::table::Socket;
use crate::Instant;
use crate::socket::{SocketError, SocketId};
use crate::tcp::{TcpConfig, TcpState};

impl Stack {
    /// The latest time that the stack was told; [`Instant::ZERO`] before the first.
    pub fn latest_time(&self) -> Instant {
        self.now
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

    /// Bytes of the datagram that is read next, 0 without one, and bytes that wait for a device, each datagram with a
    /// fixed overhead.
    ///
    /// # Errors
    ///
    /// [`SocketError::WrongKind`] where the socket is none of datagrams.
    pub fn datagram_queued(&self, socket: SocketId) -> Result<(usize, usize), SocketError> {
        Ok(self.table.datagram(socket)?.queued())
    }
}

#[cfg(test)]
mod tests;
