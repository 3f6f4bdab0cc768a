//! Blocking sockets, shaped like those of [`std::net`].
//!
//! They differ from `std` in their constructors, which take the [`Netstack`](crate::Netstack), and in these points:
//!
//! * `TcpListener::bind` takes the default backlog, [`bind_with_backlog`](TcpListener::bind_with_backlog) any;
//! * an unspecified IPv6 address stands for IPv6 only, so that both families can be bound side by side;
//! * host names are not resolved: addresses are given as such, or as anything that
//!   [`ToSocketAddrs`] turns into one with the help of the host's resolver.
//!
//! A socket may be used by several threads at once, through a reference or a `try_clone`. As with `std`, clones share
//! the timeouts and the non-blocking mode, and a call that runs into its timeout fails with `WouldBlock`.

mod gateway;
mod messages;
mod tcp_listener;
mod tcp_stream;
mod udp_socket;
mod wait;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

pub use self::gateway::{FlowSocket, Gateway, IncomingFlow};
pub use self::tcp_listener::{Incoming, TcpListener};
pub use self::tcp_stream::TcpStream;
pub use self::udp_socket::UdpSocket;

/// Tries each address until one does; the last failure counts.
fn each_address<T>(
    addresses: impl ToSocketAddrs,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = None;
    for address in addresses.to_socket_addrs()? {
        match attempt(address) {
            Ok(done) => return Ok(done),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "there is no address to try")
    }))
}
