//! The blocking UDP socket.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use netstack_core::{RecvFlags, SendControl, SendFlags, SocketOption};
use txbuf::IovIter;

use super::each_address;
use super::wait::Patience;
use crate::Netstack;
use crate::socket::Sockets;
use crate::waiters::Direction;

/// A UDP socket.
#[derive(Clone)]
pub struct UdpSocket {
    pub(super) shared: Arc<(Sockets, Patience)>,
}

impl UdpSocket {
    /// Binds the first of `addresses` that can be had. Port 0 takes a free port.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, or `AddrNotAvailable` if the stack does not have the address.
    pub fn bind(net: &Netstack, addresses: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        let socket = each_address(addresses, |address| Sockets::bind_udp(net, address))?;
        Ok(UdpSocket::of(socket))
    }

    pub(super) fn of(socket: Sockets) -> UdpSocket {
        UdpSocket {
            shared: Arc::new((socket, Patience::default())),
        }
    }

    /// Sets the peer: [`send`](UdpSocket::send) sends to it, and only its datagrams are received.
    ///
    /// # Errors
    ///
    /// `NetworkUnreachable` without a route.
    pub fn connect(&self, addresses: impl ToSocketAddrs) -> io::Result<()> {
        each_address(addresses, |address| self.socket().connect_udp(address))
    }

    /// Of a [flow](super::FlowSocket) whose destination has turned out to refuse it: closes the socket, and tells the flow's
    /// source that nobody listens there, by an ICMP error.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a socket that is no flow's, `NotConnected` for one that was refused before.
    pub fn refuse(&self) -> io::Result<()> {
        self.socket().refuse_flow()
    }

    /// Sends `datagram` to the first of `addresses`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is too large for a datagram, `NetworkUnreachable` without a route, `WouldBlock` in
    /// non-blocking mode or after the write timeout while the socket's queue is full.
    pub fn send_to(&self, datagram: &[u8], addresses: impl ToSocketAddrs) -> io::Result<usize> {
        let to = addresses.to_socket_addrs()?.next();
        let to = to.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "there is no address to send to",
            )
        })?;
        self.send_datagram(datagram, Some(to))
    }

    /// Sends `datagram` to the connected peer.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UdpSocket::send_to); `NotConnected` without a peer, `ConnectionRefused` if the peer answered an
    /// earlier datagram so.
    pub fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        self.send_datagram(datagram, None)
    }

    /// Waits for a datagram; says how much of it was copied to `buf`, and who sent it. What `buf` has no room for is
    /// lost.
    ///
    /// # Errors
    ///
    /// `WouldBlock` in non-blocking mode or after the read timeout.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(buf, RecvFlags::NONE)
    }

    /// As [`recv_from`](UdpSocket::recv_from), and leaves the datagram in the queue.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(buf, RecvFlags::PEEK)
    }

    /// As [`recv_from`](UdpSocket::recv_from), for a connected socket.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from); `ConnectionRefused` if the peer answered an earlier datagram so.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buf).map(|(bytes, _)| bytes)
    }

    /// Has datagrams of one sender that came as one packet received as one (`UDP_GRO`):
    /// [`recv_message`](UdpSocket::recv_message) says of how many bytes each is. They are sent so with
    /// [`SendControl::segment`].
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn set_gro(&self, gro: bool) -> io::Result<()> {
        self.socket().set_option(SocketOption::UdpGro(gro))
    }

    /// The address and port that are bound.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket().local_addr()
    }

    /// The connected peer.
    ///
    /// # Errors
    ///
    /// `NotConnected` without one.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket().peer_addr()
    }

    /// Another handle of the same socket.
    ///
    /// # Errors
    ///
    /// None; it returns a `Result` because `std` does.
    pub fn try_clone(&self) -> io::Result<UdpSocket> {
        Ok(self.clone())
    }

    /// How long a receive waits: `None`, the default, without limit.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a timeout of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.shared.1.set(Direction::Read, timeout)
    }

    /// How long a send waits for room: `None`, the default, without limit.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a timeout of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.shared.1.set(Direction::Write, timeout)
    }

    /// What [`set_read_timeout`](UdpSocket::set_read_timeout) set.
    ///
    /// # Errors
    ///
    /// None; it returns a `Result` because `std` does.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.shared.1.get(Direction::Read))
    }

    /// What [`set_write_timeout`](UdpSocket::set_write_timeout) set.
    ///
    /// # Errors
    ///
    /// None; it returns a `Result` because `std` does.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.shared.1.get(Direction::Write))
    }

    /// Makes calls fail with `WouldBlock` instead of waiting.
    ///
    /// # Errors
    ///
    /// None; it returns a `Result` because `std` does.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.shared.1.set_nonblocking(nonblocking);
        Ok(())
    }

    /// Takes the socket's pending error, if there is one.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }

    fn send_datagram(&self, datagram: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        let control = SendControl {
            to,
            ..SendControl::default()
        };
        self.send_message(&mut IovIter::bytes(datagram), SendFlags::NONE, &control)
    }

    fn receive(&self, buf: &mut [u8], flags: RecvFlags) -> io::Result<(usize, SocketAddr)> {
        let received = self.recv_message(&mut IovIter::buffer(buf), flags)?;
        // Only a stream has no sender to name.
        let from = received.from.ok_or(io::ErrorKind::InvalidInput)?;
        Ok((received.bytes, from))
    }

    pub(super) fn socket(&self) -> &Sockets {
        &self.shared.0
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket")
            .field("local", &self.local_addr().ok())
            .field("peer", &self.peer_addr().ok())
            .finish()
    }
}
