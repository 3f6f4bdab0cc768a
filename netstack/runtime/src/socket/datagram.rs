//! How datagram sockets come about, said once for both front ends.

use std::io;
use std::net::SocketAddr;

use super::Socket;
use crate::Netstack;
use crate::error::IntoIo as _;

impl Socket {
    /// Binds a UDP socket.
    pub(crate) fn bind_udp(net: &Netstack, local: SocketAddr) -> io::Result<Socket> {
        Socket::open(net, |stack, _| {
            stack.udp_bind(local).map_err(|error| error.into_io())
        })
    }

    /// Sets the peer of a UDP socket: where `send` sends to and whom alone it receives from.
    pub(crate) fn connect_udp(&self, remote: SocketAddr) -> io::Result<()> {
        self.attempt(|state| {
            state
                .stack
                .udp_connect(self.id, remote)
                .map_err(|error| error.into_io())
        })
    }
}
