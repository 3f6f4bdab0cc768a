//! The asynchronous UDP socket.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use ::tokio::io::ReadBuf;
use netstack_core::{Received, RecvFlags, SendControl, SendFlags, SocketOption};
use txbuf::IovIter;

use super::poll_handle;
use super::transfer::{or_would_block, receive_into};
use crate::Netstack;
use crate::socket::{Sockets, Waitable as _};
use crate::waiters::{Waiter, WaiterKey};

/// A UDP socket. Its functions take a shared reference, so that tasks may share it in an `Arc`.
pub struct UdpSocket {
    pub(super) socket: Sockets,
    read_key: WaiterKey,
    write_key: WaiterKey,
}

impl UdpSocket {
    /// Binds `address`. Port 0 takes a free port.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, or `AddrNotAvailable` if the stack does not have the address.
    pub fn bind(net: &Netstack, address: SocketAddr) -> io::Result<UdpSocket> {
        Ok(UdpSocket::of(Sockets::bind_udp(net, address)?))
    }

    pub(super) fn of(socket: Sockets) -> UdpSocket {
        UdpSocket {
            socket,
            read_key: WaiterKey::unique(),
            write_key: WaiterKey::unique(),
        }
    }

    /// Sets the peer: [`send`](UdpSocket::send) sends to it, and only its datagrams are received.
    ///
    /// # Errors
    ///
    /// `NetworkUnreachable` without a route.
    pub fn connect(&self, address: SocketAddr) -> io::Result<()> {
        self.socket.connect_udp(address)
    }

    /// Of a [flow](super::FlowSocket) whose destination has turned out to refuse it: closes the socket, and tells the flow's
    /// source that nobody listens there, by an ICMP error.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a socket that is no flow's, `NotConnected` for one that was refused before.
    pub fn refuse(&self) -> io::Result<()> {
        self.socket.refuse_flow()
    }

    /// Sends `datagram` to `to`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is too large for a datagram, `NetworkUnreachable` without a route.
    pub async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.send_datagram(datagram, Some(to)).await
    }

    /// Sends `datagram` to the connected peer.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UdpSocket::send_to); `NotConnected` without a peer, `ConnectionRefused` if the peer answered an
    /// earlier datagram so.
    pub async fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        self.send_datagram(datagram, None).await
    }

    /// Waits for a datagram; says how much of it was copied to `buf`, and who sent it. What `buf` has no room for is
    /// lost. Cancel-safe: a datagram that was not returned stays in the queue.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(buf, RecvFlags::NONE).await
    }

    /// As [`recv_from`](UdpSocket::recv_from), for a connected socket.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from); `ConnectionRefused` if the peer answered an earlier datagram so.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buf).await.map(|(bytes, _)| bytes)
    }

    /// As [`recv_from`](UdpSocket::recv_from), and leaves the datagram in the queue.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(buf, RecvFlags::PEEK).await
    }

    /// As [`recv`](UdpSocket::recv), and leaves the datagram in the queue.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.peek_from(buf).await.map(|(bytes, _)| bytes)
    }

    /// As [`recv_from`](UdpSocket::recv_from), without waiting.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from); `WouldBlock` when there is no datagram.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut into = IovIter::buffer(buf);
        let received = self.socket.poll_receive(None, &mut into, RecvFlags::NONE);
        let received = or_would_block(received)?;
        Ok((received.bytes, sender(&received)?))
    }

    /// As [`recv`](UdpSocket::recv), without waiting.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv); `WouldBlock` when there is no datagram.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_recv_from(buf).map(|(bytes, _)| bytes)
    }

    /// As [`send_to`](UdpSocket::send_to), without waiting.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UdpSocket::send_to); `WouldBlock` when there is no room.
    pub fn try_send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        or_would_block(self.poll_datagram(None, datagram, &SendControl::to(to)))
    }

    /// As [`send`](UdpSocket::send), without waiting.
    ///
    /// # Errors
    ///
    /// As [`send`](UdpSocket::send); `WouldBlock` when there is no room.
    pub fn try_send(&self, datagram: &[u8]) -> io::Result<usize> {
        or_would_block(self.poll_datagram(None, datagram, &SendControl::default()))
    }

    /// A datagram if there is one; else the task of the last call is woken when there is.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let received = ready!(poll_handle(self.read_key, cx, |waiter| {
            receive_into(&self.socket, waiter, buf)
        }))?;
        Poll::Ready(sender(&received))
    }

    /// As [`poll_recv_from`](UdpSocket::poll_recv_from), for a connected socket.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_recv_from(cx, buf).map_ok(|_| ())
    }

    /// Sends if there is room; else the task of the last call is woken when there is.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UdpSocket::send_to).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        datagram: &[u8],
        to: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        poll_handle(self.write_key, cx, |waiter| {
            self.poll_datagram(waiter, datagram, &SendControl::to(to))
        })
    }

    /// As [`poll_send_to`](UdpSocket::poll_send_to), to the connected peer.
    ///
    /// # Errors
    ///
    /// As [`send`](UdpSocket::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<usize>> {
        poll_handle(self.write_key, cx, |waiter| {
            self.poll_datagram(waiter, datagram, &SendControl::default())
        })
    }

    /// Has datagrams of one sender that came as one packet received as one (`UDP_GRO`):
    /// [`recv_message`](UdpSocket::recv_message) says of how many bytes each is. They are sent so with
    /// [`SendControl::segment`].
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn set_gro(&self, gro: bool) -> io::Result<()> {
        self.socket.set_option(SocketOption::UdpGro(gro))
    }

    /// The address and port that are bound.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The connected peer.
    ///
    /// # Errors
    ///
    /// `NotConnected` without one.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    fn poll_datagram(
        &self,
        waiter: Option<Waiter<'_>>,
        datagram: &[u8],
        control: &SendControl<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut from = IovIter::bytes(datagram);
        self.socket
            .poll_send_to(waiter, &mut from, SendFlags::NONE, control)
    }

    async fn send_datagram(&self, datagram: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        let control = SendControl {
            to,
            ..SendControl::default()
        };
        self.send_message(&mut IovIter::bytes(datagram), SendFlags::NONE, &control)
            .await
    }

    async fn receive(&self, buf: &mut [u8], flags: RecvFlags) -> io::Result<(usize, SocketAddr)> {
        let received = self.recv_message(&mut IovIter::buffer(buf), flags).await?;
        Ok((received.bytes, sender(&received)?))
    }
}

fn sender(received: &Received) -> io::Result<SocketAddr> {
    // Only a stream has no sender to name.
    received
        .from
        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket")
            .field("local", &self.local_addr().ok())
            .field("peer", &self.peer_addr().ok())
            .finish()
    }
}
