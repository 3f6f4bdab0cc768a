//! The asynchronous gateway.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use netstack_core::{Admission, Flow, GatewayConfig, Transport};

use super::{TcpStream, UdpSocket, poll_handle, wait};
use crate::Netstack;
use crate::socket::{Arrived, Sockets};
use crate::waiters::{Direction, WaiterKey};

/// Takes in, by one interface, connections and datagrams to any address and port, of which the stack has none.
///
/// Each flow is decided on before anything is answered: at once, by a function that must not block, or whenever its
/// holder has found out. A gateway is a stream of flows too, one without an end. Datagrams back need a route of the
/// interface. Dropping the gateway rejects what comes later; flows that were accepted stay.
///
/// ```
/// # async fn example(net: netstack::Netstack) -> std::io::Result<()> {
/// use netstack::tokio::{FlowSocket, Gateway};
/// use netstack::{Admission, GatewayConfig};
///
/// let gateway = Gateway::open(&net, "tun0", &GatewayConfig::default(), |flow| {
///     if flow.destination.port() == 25 { Admission::Reject } else { Admission::Later }
/// })?;
/// loop {
///     let incoming = gateway.accept().await?;
///     println!("{} wants to speak to {}", incoming.flow().source, incoming.flow().destination);
///     match incoming.accept().await? {
///         FlowSocket::Tcp(stream) => drop(stream),
///         FlowSocket::Udp(socket) => drop(socket),
///     }
/// }
/// # }
/// ```
pub struct Gateway {
    socket: Sockets,
    key: WaiterKey,
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
    /// Datagrams of one source. They end when the socket is dropped; who wants an end for want of traffic waits with a
    /// time limit.
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
        Ok(Gateway {
            socket: Sockets::gateway(net, interface, config, admit)?,
            key: WaiterKey::unique(),
        })
    }

    /// Waits for a flow that was accepted or put off. Cancel-safe: a flow that was not returned stays in the queue.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub async fn accept(&self) -> io::Result<IncomingFlow> {
        let arrived = wait(&self.socket, Direction::Read, |waiter| {
            self.socket.poll_arrived(waiter)
        })
        .await?;
        Ok(IncomingFlow { arrived })
    }

    /// A flow if there is one; else the task of the last call is woken when there is.
    ///
    /// # Errors
    ///
    /// As [`accept`](Gateway::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<IncomingFlow>> {
        let arrived = ready!(poll_handle(self.key, cx, |waiter| self
            .socket
            .poll_arrived(waiter)))?;
        Poll::Ready(Ok(IncomingFlow { arrived }))
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

    /// Accepts the flow; of a connection, waits until it is established. Dropping the future gives it up.
    ///
    /// # Errors
    ///
    /// `ConnectionAborted` if the flow waited too long or its source gave up, `QuotaExceeded` if there are too many;
    /// `ConnectionRefused` or `TimedOut` when the source did not complete the handshake.
    pub async fn accept(self) -> io::Result<FlowSocket> {
        let transport = self.flow().transport;
        let socket = self.arrived.accept()?;
        match transport {
            Transport::Tcp => {
                wait(&socket, Direction::Write, |waiter| {
                    socket.poll_connected(waiter)
                })
                .await?;
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

impl Stream for Gateway {
    type Item = io::Result<IncomingFlow>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_accept(cx).map(Some)
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}
