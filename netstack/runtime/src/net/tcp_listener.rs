//! The blocking TCP listener.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use super::each_address;
use super::tcp_stream::TcpStream;
use super::wait::Patience;
use crate::socket::Sockets;
use crate::waiters::Direction;
use crate::{DEFAULT_BACKLOG, Netstack};

/// A TCP socket that accepts connections.
///
/// Any number of threads may wait in [`accept`](TcpListener::accept) at once. The listener is closed, and the
/// connections nobody accepted are reset, when its last clone is dropped.
#[derive(Clone)]
pub struct TcpListener {
    shared: Arc<(Sockets, Patience)>,
}

impl TcpListener {
    /// Listens on the first of `addresses` that can be had, with the default backlog. Port 0 takes a free port.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, or `AddrNotAvailable` if the stack does not have the address.
    pub fn bind(net: &Netstack, addresses: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::bind_with_backlog(net, addresses, DEFAULT_BACKLOG)
    }

    /// Listens with room for `backlog` connections that wait to be accepted, on each shard of the stack.
    ///
    /// # Errors
    ///
    /// As [`bind`](TcpListener::bind).
    pub fn bind_with_backlog(
        net: &Netstack,
        addresses: impl ToSocketAddrs,
        backlog: usize,
    ) -> io::Result<TcpListener> {
        let socket = each_address(addresses, |address| Sockets::listen(net, address, backlog))?;
        Ok(TcpListener {
            shared: Arc::new((socket, Patience::default())),
        })
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// `WouldBlock` in non-blocking mode, `NetworkDown` when the stack was shut down.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, patience) = &*self.shared;
        let (accepted, peer) =
            patience.wait(socket, Direction::Read, |waiter| socket.poll_accept(waiter))?;
        Ok((TcpStream::new(accepted), peer))
    }

    /// The connections as they come, without end.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// The address and port that are listened on.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.0.local_addr()
    }

    /// Another handle of the same listener.
    ///
    /// # Errors
    ///
    /// None; it returns a `Result` because `std` does.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        Ok(self.clone())
    }

    /// Makes [`accept`](TcpListener::accept) fail with `WouldBlock` instead of waiting.
    ///
    /// # Errors
    ///
    /// None; it returns a `Result` because `std` does.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.shared.1.set_nonblocking(nonblocking);
        Ok(())
    }

    /// Takes the pending error of the listener, if there is one.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.shared.0.take_error()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener")
            .field("local", &self.local_addr().ok())
            .finish()
    }
}

/// An iterator that [accepts](TcpListener::accept) for ever.
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}
