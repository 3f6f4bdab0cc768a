//! The two kinds of hosts at the ends of a path.

use drivers::netlink::Netns;
use netstack::Netstack;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;

/// Who opens connections and moves data.
pub(crate) enum Host {
    /// The kernel, in a network namespace of its own.
    Kernel(Netns),
    /// This stack.
    Stack(Netstack),
}

/// A listening socket of either.
pub(crate) enum Listener {
    Kernel(std::net::TcpListener),
    Stack(netstack::net::TcpListener),
}

/// One connection, and a way to say that nothing more is sent.
pub(crate) trait Stream: Read + Write + Send {
    fn finish(&self) -> io::Result<()>;
}

impl Host {
    pub(crate) fn listen(&self, at: SocketAddr) -> Listener {
        match self {
            Host::Kernel(space) => {
                let bound = space.run(|| std::net::TcpListener::bind(at));
                let listener = bound.expect("a thread").expect("a free port");
                // Its connections do the same.
                speak_cubic(&listener);
                Listener::Kernel(listener)
            }
            Host::Stack(stack) => {
                Listener::Stack(netstack::net::TcpListener::bind(stack, at).expect("a free port"))
            }
        }
    }

    pub(crate) fn connect(&self, to: SocketAddr) -> Box<dyn Stream> {
        match self {
            Host::Kernel(space) => {
                let stream = space.run(|| std::net::TcpStream::connect(to));
                let stream = stream.expect("a thread").expect("somebody listens");
                speak_cubic(&stream);
                Box::new(stream)
            }
            Host::Stack(stack) => {
                let stream = netstack::net::TcpStream::connect(stack, to);
                Box::new(stream.expect("somebody listens"))
            }
        }
    }
}

/// The default of a machine may be another.
fn speak_cubic(socket: impl AsFd) {
    rustix::net::sockopt::set_tcp_congestion(socket, "cubic").expect("CUBIC in the kernel");
}

impl Listener {
    pub(crate) fn accept(&self) -> Box<dyn Stream> {
        match self {
            Listener::Kernel(listener) => Box::new(listener.accept().expect("a connection").0),
            Listener::Stack(listener) => Box::new(listener.accept().expect("a connection").0),
        }
    }
}

impl Stream for std::net::TcpStream {
    fn finish(&self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

impl Stream for netstack::net::TcpStream {
    fn finish(&self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}
