//! The blocking gateway.

use std::fmt;
use std::io;
use std::sync::Arc;

use netstack_core::{Admission, Flow, GatewayConfig, Transport};

use super::wait::{Patience, until};
use super::{TcpStream, UdpSocket};
use crate::Netstack;
use crate::socket::{Arrived, Sockets};
use crate::waiters::Direction;

/// Takes in, by one interface, connections and datagrams to any address and port, of which the stack has none.
///
/// Each flow is decided on before anything is answered: at once, by a function that must not block, or whenever its
/// holder has found out. Datagrams back need a route of the interface. When the last clone is dropped, what comes later
/// is rejected; flows that were accepted stay.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<(Sockets, Patience)>,
}

/// A flow that came. Dropping it drops the flow: nothing is answered, if it is not accepted yet.
#[derive(Debug)]
pub struct IncomingFlow {
    arrived: Arrived,
}

/// The socket of an accepted flow. It is connected to the flow's source; its local address is the flow's destination.
#[derive(Debug)]
pub enum FlowSocket {
    /// A connection.
    Tcp(TcpStream),
    /// Datagrams of one source. They end when the socket is dropped; who wants an end for want of traffic sets a read
    /// timeout.
    Udp(UdpSocket),
}

impl Gateway {
    /// Opens the gateway of the interface with the name `interface`. `admit` is asked about each flow on a thread of the
    /// stack, with its lock taken: it must not block, and must not use sockets of this stack. The limits are those of
    /// each shard.
    ///
    /// # Errors
    ///
    /// `NotFound` without such an interface, `AddrInUse` if it has a gateway, `NetworkDown` when the stack was shut
    /// down.
    pub fn open(
        net: &Netstack,
        interface: &str,
        config: &GatewayConfig,
        admit: impl Fn(&Flow) -> Admission + Send + Sync + 'static,
    ) -> io::Result<Gateway> {
        let socket = Sockets::gateway(net, interface, config, admit)?;
        Ok(Gateway {
            shared: Arc::new((socket, Patience::default())),
        })
    }

    /// Waits for a flow that was accepted or put off.
    ///
    /// # Errors
    ///
    /// `WouldBlock` in non-blocking mode, `NetworkDown` when the stack was shut down.
    pub fn accept(&self) -> io::Result<IncomingFlow> {
        let (socket, patience) = &*self.shared;
        let arrived = patience.wait(socket, Direction::Read, |waiter| {
            socket.poll_arrived(waiter)
        })?;
        Ok(IncomingFlow { arrived })
    }

    /// Makes [`accept`](Gateway::accept) fail with `WouldBlock` instead of waiting.
    ///
    /// # Errors
    ///
    /// None; it returns a `Result` as listeners do.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.shared.1.set_nonblocking(nonblocking);
        Ok(())
    }
}

impl IncomingFlow {
    /// Who wants to speak to whom.
    pub fn flow(&self) -> &Flow {
        self.arrived.flow()
    }

    /// Whether the flow was accepted when it came.
    pub fn is_accepted(&self) -> bool {
        self.arrived.is_decided()
    }

    /// Accepts the flow; of a connection, waits until it is established.
    ///
    /// # Errors
    ///
    /// `ConnectionAborted` if the flow waited too long or its source gave up, `QuotaExceeded` if there are too many;
    /// `ConnectionRefused` or `TimedOut` when the source did not complete the handshake.
    pub fn accept(self) -> io::Result<FlowSocket> {
        let transport = self.flow().transport;
        let socket = self.arrived.accept()?;
        match transport {
            Transport::Tcp => {
                until(&socket, Direction::Write, None, |waiter| {
                    socket.poll_connected(waiter)
                })
                .unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?;
                Ok(FlowSocket::Tcp(TcpStream::new(socket)))
            }
            Transport::Udp => Ok(FlowSocket::Udp(UdpSocket::of(Sockets::one(socket)))),
        }
    }

    /// Tells the flow's source that nobody listens there: by a reset, or by an ICMP error.
    ///
    /// # Errors
    ///
    /// `ConnectionAborted` if the flow waited too long or its source gave up.
    pub fn reject(self) -> io::Result<()> {
        self.arrived.reject()
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}
