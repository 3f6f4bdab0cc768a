//! The two ends of the demonstration, each the kernel or a stack, behind the same few calls.

use std::io::{self, Read, Write};
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::time::Duration;

use netstack::Netstack;

/// No call of the demonstration waits longer: what stalls is to be seen, not waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// One end.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
    pub(crate) sockets: Sockets,
}

/// Whose sockets an end uses.
#[derive(Clone)]
pub(crate) enum Sockets {
    Kernel,
    Stack(Netstack),
}

/// A listening socket of either end.
pub(crate) enum Listener {
    Kernel(net::TcpListener),
    Stack(netstack::net::TcpListener),
}

/// A connection of either end.
pub(crate) enum Stream {
    Kernel(net::TcpStream),
    Stack(netstack::net::TcpStream),
}

impl Host {
    /// This end's address of the family asked for.
    pub(crate) fn address(&self, is_v6: bool) -> IpAddr {
        if is_v6 {
            self.v6.into()
        } else {
            self.v4.into()
        }
    }

    /// Listens on a free port.
    pub(crate) fn listen(&self, is_v6: bool) -> io::Result<Listener> {
        let local = SocketAddr::new(self.address(is_v6), 0);
        Ok(match &self.sockets {
            Sockets::Kernel => {
                let listener = net::TcpListener::bind(local)?;
                use_cubic(&listener);
                Listener::Kernel(listener)
            }
            Sockets::Stack(stack) => {
                Listener::Stack(netstack::net::TcpListener::bind(stack, local)?)
            }
        })
    }

    /// Connects to the other end.
    pub(crate) fn connect(&self, remote: SocketAddr) -> io::Result<Stream> {
        let stream = match &self.sockets {
            Sockets::Kernel => {
                let stream = net::TcpStream::connect_timeout(&remote, PATIENCE)?;
                use_cubic(&stream);
                Stream::Kernel(stream)
            }
            Sockets::Stack(stack) => Stream::Stack(netstack::net::TcpStream::connect_timeout(
                stack, &remote, PATIENCE,
            )?),
        };
        stream.with_patience()
    }
}

impl Listener {
    /// Where it listens.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Listener::Kernel(listener) => listener.local_addr(),
            Listener::Stack(listener) => listener.local_addr(),
        }
    }

    /// The next connection. It must have been made already, since this waits for ever.
    pub(crate) fn accept(&self) -> io::Result<Stream> {
        let stream = match self {
            Listener::Kernel(listener) => Stream::Kernel(listener.accept()?.0),
            Listener::Stack(listener) => Stream::Stack(listener.accept()?.0),
        };
        stream.with_patience()
    }
}

impl Stream {
    /// The same connection once more, for another thread.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Stream::Kernel(stream) => Stream::Kernel(stream.try_clone()?),
            Stream::Stack(stream) => Stream::Stack(stream.try_clone()?),
        })
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&self) -> io::Result<()> {
        match self {
            Stream::Kernel(stream) => stream.shutdown(Shutdown::Write),
            Stream::Stack(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    fn with_patience(self) -> io::Result<Self> {
        match &self {
            Stream::Kernel(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
            }
            Stream::Stack(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
            }
        }
        Ok(self)
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Kernel(stream) => stream.read(buf),
            Stream::Stack(stream) => stream.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Kernel(stream) => stream.write(buf),
            Stream::Stack(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A kernel whose default paces its packets (bbr) would be what is measured. Without cubic it stays as it is.
fn use_cubic<S: std::os::fd::AsFd>(socket: &S) {
    if let Err(error) = rustix::net::sockopt::set_tcp_congestion(socket, "cubic") {
        tracing::info!(%error, "the kernel's sockets keep their default congestion control");
    }
}
