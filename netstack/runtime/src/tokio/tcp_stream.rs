//! The asynchronous TCP connection.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use netstack_core::{Congestion, RecvFlags, SendFlags, SocketOption, TcpInfo};
use txbuf::IovIter;

use super::transfer::{or_would_block, peek_into, receive_into};
use super::{poll_handle, wait};
use crate::Netstack;
use crate::socket::{Socket, Waitable as _};
use crate::waiters::{Direction, WaiterKey};

/// A TCP connection.
///
/// When it is dropped the connection is closed in the background: what was written is still delivered.
pub struct TcpStream {
    pub(super) stream: Arc<Stream>,
}

/// What the two halves of a connection share.
pub(super) struct Stream {
    pub(super) socket: Socket,
    read_key: WaiterKey,
    write_key: WaiterKey,
}

impl TcpStream {
    /// Connects to `address`. Dropping the future gives up.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`, `NetworkUnreachable`, `AddrNotAvailable` when no local
    /// port is free.
    pub async fn connect(net: &Netstack, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = Socket::connect(net, address)?;
        wait(&socket, Direction::Write, |waiter| {
            socket.poll_connected(waiter)
        })
        .await?;
        Ok(TcpStream::new(socket))
    }

    pub(super) fn new(socket: Socket) -> TcpStream {
        let stream = Stream {
            socket,
            read_key: WaiterKey::unique(),
            write_key: WaiterKey::unique(),
        };
        TcpStream {
            stream: Arc::new(stream),
        }
    }

    /// Copies from the front of the stream and leaves it there; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// As a read.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv_message(&mut IovIter::buffer(buf), RecvFlags::PEEK)
            .await
            .map(|received| received.bytes)
    }

    /// As [`peek`](TcpStream::peek), into the unfilled part of `buf`, if there is something; else the task of the last
    /// call that reads is woken when there is.
    ///
    /// # Errors
    ///
    /// As a read.
    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_peek(cx, buf)
    }

    /// Reads what there is, without waiting.
    ///
    /// # Errors
    ///
    /// As a read; `WouldBlock` when there is nothing.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut into = IovIter::buffer(buf);
        let received = self
            .stream
            .socket
            .poll_receive(None, &mut into, RecvFlags::NONE);
        or_would_block(received).map(|received| received.bytes)
    }

    /// Writes what there is room for, without waiting.
    ///
    /// # Errors
    ///
    /// As a write; `WouldBlock` when there is no room.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_write_vectored(&[IoSlice::new(buf)])
    }

    /// Writes as much of the buffers, in order, as there is room for, without waiting.
    ///
    /// # Errors
    ///
    /// As a write; `WouldBlock` when there is no room.
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut from = IovIter::source(bufs);
        let socket = &self.stream.socket;
        or_would_block(socket.poll_send(None, &mut from, SendFlags::NONE, None))
    }

    /// Waits until a read would return at once: with data, the end of the stream, or an error.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub async fn readable(&self) -> io::Result<()> {
        let socket = &self.stream.socket;
        wait(socket, Direction::Read, |waiter| {
            socket.poll_ready(Direction::Read, waiter)
        })
        .await
    }

    /// Waits until a write would return at once: there is room, or it would fail.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub async fn writable(&self) -> io::Result<()> {
        let socket = &self.stream.socket;
        wait(socket, Direction::Write, |waiter| {
            socket.poll_ready(Direction::Write, waiter)
        })
        .await
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.socket.peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.socket.local_addr()
    }

    /// Whether small writes are sent at once instead of being collected (RFC 9293, 3.7.4).
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.stream
            .socket
            .set_option(SocketOption::NoDelay(nodelay))
    }

    /// Sets any option that a connection has.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a value that the option does not take, `NetworkDown` when the stack was shut down.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.stream.socket.set_option(option)
    }

    /// What bounds the data in flight from now on (`TCP_CONGESTION`); the window stays as it is.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn set_congestion(&self, algorithm: Congestion) -> io::Result<()> {
        self.stream
            .socket
            .set_option(SocketOption::Congestion(algorithm))
    }

    /// How many bytes may wait here to be sent and acknowledged (`SO_SNDBUF`, without Linux's doubling). What waits
    /// already stays.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for 0 bytes, `NetworkDown` when the stack was shut down.
    pub fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        self.stream
            .socket
            .set_option(SocketOption::SendBuffer(bytes))
    }

    /// From now on dropping the last handle resets the connection instead of closing it: what was not sent is lost, and
    /// nothing of the connection is left (`SO_LINGER` with a time of zero). For peers that are not worth waiting for.
    pub fn set_zero_linger(&self) {
        self.stream.socket.set_zero_linger();
    }

    /// Takes the connection's pending error, if there is one.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.stream.socket.take_error()
    }

    /// What TCP knows of the connection.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn tcp_info(&self) -> io::Result<TcpInfo> {
        self.stream.socket.tcp_info()
    }
}

impl Stream {
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        ready!(poll_handle(self.read_key, cx, |waiter| {
            receive_into(&self.socket, waiter, buf)
        }))?;
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        poll_handle(self.read_key, cx, |waiter| {
            peek_into(&self.socket, waiter, buf)
        })
    }

    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_handle(self.write_key, cx, |waiter| {
            let mut from = IovIter::source(bufs);
            self.socket
                .poll_send(waiter, &mut from, SendFlags::NONE, None)
        })
    }

    /// Ends the stream that the peer reads. A connection that is gone has ended already.
    pub(super) fn end(&self) -> io::Result<()> {
        match self.socket.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.poll_read(cx, buf)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Does nothing: what was written is on its way.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.end())
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("local", &self.local_addr().ok())
            .field("peer", &self.peer_addr().ok())
            .finish()
    }
}
