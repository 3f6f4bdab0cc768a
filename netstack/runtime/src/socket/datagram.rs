//! How the datagram socket of a shard comes about.

use std::io;
use std::net::SocketAddr;

use super::Socket;
use crate::Netstack;
use crate::error::IntoIo as _;

impl Socket {
    /// Binds a UDP socket of a shard.
    pub(super) fn bind_udp(net: &Netstack, shard: usize, local: SocketAddr) -> io::Result<Socket> {
        Socket::open(net, shard, |stack, _| {
            stack.udp_bind(local).map_err(|error| error.into_io())
        })
    }

    /// Sets the peer of a UDP socket: where `send` sends to and whom alone it receives from.
    pub(super) fn connect_udp(&self, remote: SocketAddr) -> io::Result<()> {
        self.attempt(|state| {
            state
                .driven
                .stack
                .udp_connect(self.id, remote)
                .map_err(|error| error.into_io())
        })
    }
}
