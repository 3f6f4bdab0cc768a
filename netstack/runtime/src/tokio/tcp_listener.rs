//! The asynchronous TCP listener.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::tcp_stream::TcpStream;
use super::{poll_handle, wait};
use crate::socket::Sockets;
use crate::waiters::{Direction, WaiterKey};
use crate::{DEFAULT_BACKLOG, Netstack};

/// A TCP socket that accepts connections. It is a stream of them too, one without an end: what comes after an error says
/// whether it lasts.
pub struct TcpListener {
    socket: Sockets,
    key: WaiterKey,
}

impl TcpListener {
    /// Listens on `address` with the default backlog. Port 0 takes a free port.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, or `AddrNotAvailable` if the stack does not have the address.
    pub fn bind(net: &Netstack, address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind_with_backlog(net, address, DEFAULT_BACKLOG)
    }

    /// Listens with room for `backlog` connections that wait to be accepted, on each shard of the stack.
    ///
    /// # Errors
    ///
    /// As [`bind`](TcpListener::bind).
    pub fn bind_with_backlog(
        net: &Netstack,
        address: SocketAddr,
        backlog: usize,
    ) -> io::Result<TcpListener> {
        let socket = Sockets::listen(net, address, backlog)?;
        Ok(TcpListener {
            socket,
            key: WaiterKey::unique(),
        })
    }

    /// Waits for a connection. Cancel-safe: a connection that was not returned stays in the queue.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, peer) = wait(&self.socket, Direction::Read, |waiter| {
            self.socket.poll_accept(waiter)
        })
        .await?;
        Ok((TcpStream::new(socket), peer))
    }

    /// A connection if there is one; else the task of the last call is woken when there is.
    ///
    /// # Errors
    ///
    /// As [`accept`](TcpListener::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (socket, peer) = ready!(poll_handle(self.key, cx, |waiter| self
            .socket
            .poll_accept(waiter)))?;
        Poll::Ready(Ok((TcpStream::new(socket), peer)))
    }

    /// The address and port that are listened on.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl Stream for TcpListener {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = ready!(self.poll_accept(cx));
        Poll::Ready(Some(accepted.map(|(stream, _)| stream)))
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener")
            .field("local", &self.local_addr().ok())
            .finish()
    }
}
