//! The blocking TCP connection.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use netstack_core::{Congestion, RecvFlags, SendFlags, SocketOption, TcpInfo};
use txbuf::IovIter;

use super::each_address;
use super::wait::{Patience, until};
use crate::Netstack;
use crate::socket::Socket;
use crate::waiters::Direction;

/// A TCP connection.
///
/// Reading and writing work through a shared reference too, so that one thread can read while another writes. When
/// the last clone is dropped the connection is closed in the background: what was written is still delivered.
#[derive(Clone)]
pub struct TcpStream {
    pub(super) shared: Arc<(Socket, Patience)>,
}

impl TcpStream {
    /// Connects to the first of `addresses` that answers.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`, `NetworkUnreachable`, `AddrNotAvailable` when no local
    /// port is free.
    pub fn connect(net: &Netstack, addresses: impl ToSocketAddrs) -> io::Result<TcpStream> {
        each_address(addresses, |address| {
            TcpStream::connect_until(net, address, None)
        })
    }

    /// Connects, and gives up after `timeout`.
    ///
    /// # Errors
    ///
    /// As [`connect`](TcpStream::connect), with `TimedOut` after `timeout`; `InvalidInput` if that is zero.
    pub fn connect_timeout(
        net: &Netstack,
        address: &SocketAddr,
        timeout: Duration,
    ) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a timeout of zero waits for nothing",
            ));
        }
        TcpStream::connect_until(net, *address, Instant::now().checked_add(timeout))
    }

    fn connect_until(
        net: &Netstack,
        address: SocketAddr,
        deadline: Option<Instant>,
    ) -> io::Result<TcpStream> {
        let socket = Socket::connect(net, address)?;
        until(&socket, Direction::Write, deadline, |waiter| {
            socket.poll_connected(waiter)
        })
        .unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?;
        Ok(TcpStream::new(socket))
    }

    pub(super) fn new(socket: Socket) -> TcpStream {
        TcpStream {
            shared: Arc::new((socket, Patience::default())),
        }
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket().peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket().local_addr()
    }

    /// Ends one or both directions: after `Write` the peer reads the end of the stream, after `Read` so does this end.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket().shutdown(how)
    }

    /// Another handle of the same connection.
    ///
    /// # Errors
    ///
    /// None; it returns a `Result` because `std` does.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(self.clone())
    }

    /// How long a read waits for data: `None`, the default, without limit.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a timeout of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.shared.1.set(Direction::Read, timeout)
    }

    /// How long a write waits for room: `None`, the default, without limit.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a timeout of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.shared.1.set(Direction::Write, timeout)
    }

    /// What [`set_read_timeout`](TcpStream::set_read_timeout) set.
    ///
    /// # Errors
    ///
    /// None; it returns a `Result` because `std` does.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.shared.1.get(Direction::Read))
    }

    /// What [`set_write_timeout`](TcpStream::set_write_timeout) set.
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

    /// Whether small writes are sent at once instead of being collected (RFC 9293, 3.7.4).
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket().set_option(SocketOption::NoDelay(nodelay))
    }

    /// From now on dropping the last handle resets the connection instead of closing it: what was not sent is lost, and
    /// nothing of the connection is left (`SO_LINGER` with a time of zero). For peers that are not worth waiting for.
    pub fn set_zero_linger(&self) {
        self.socket().set_zero_linger();
    }

    /// Sets any option that a connection has.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a value that the option does not take, `NetworkDown` when the stack was shut down.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket().set_option(option)
    }

    /// What bounds the data in flight from now on (`TCP_CONGESTION`); the window stays as it is.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn set_congestion(&self, algorithm: Congestion) -> io::Result<()> {
        self.socket()
            .set_option(SocketOption::Congestion(algorithm))
    }

    /// Takes the connection's pending error, if there is one.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }

    /// Copies from the front of the stream and leaves it there; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// As a read.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(&mut IovIter::buffer(buf), RecvFlags::PEEK)
    }

    /// What TCP knows of the connection.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn tcp_info(&self) -> io::Result<TcpInfo> {
        self.socket().tcp_info()
    }

    fn receive(&self, into: &mut IovIter<'_>, flags: RecvFlags) -> io::Result<usize> {
        self.recv_message(into, flags)
            .map(|received| received.bytes)
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.shared.0
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

impl Read for &TcpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_vectored(&mut [IoSliceMut::new(buf)])
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut into = IovIter::sink(bufs);
        if into.remaining() == 0 {
            return Ok(0);
        }
        self.receive(&mut into, RecvFlags::NONE)
    }
}

impl Write for &TcpStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send_message(&mut IovIter::source(bufs), SendFlags::NONE, None)
    }

    /// Does nothing: what was written is on its way.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Write for TcpStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bufs)
    }

    /// Does nothing: what was written is on its way.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
