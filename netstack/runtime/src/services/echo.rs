//! The echo service.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;

use netstack_core::{Event, SocketId};
use txbuf::{IovIter, Span};

use super::endpoints::{Endpoints, Role};
use crate::service::{Service, ServiceContext};

/// Bytes of one connection on their way from its receive queue to its send queue.
const CHUNK: usize = 256 << 10;

/// Datagrams larger than any that exists.
const DATAGRAM: usize = 1 << 16;

/// Source ports from which datagrams are not answered: services live there, and two echo services would answer
/// each other for ever.
const WELL_KNOWN_PORTS: u16 = 1024;

/// Sends back what it receives, over TCP and UDP (RFC 862). Datagrams from ports below 1024 are not answered.
pub struct Echo {
    endpoints: Endpoints,
    connections: HashMap<SocketId, Connection>,
}

/// A connection's bytes in transit; nothing more is received until they are sent, so that a client that does not
/// read meets a closed window.
#[derive(Default)]
struct Connection {
    pending: VecDeque<Span>,
    ended: bool,
}

impl Echo {
    /// A service on `addresses`, one or several.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Echo {
            endpoints: Endpoints::new(addresses),
            connections: HashMap::new(),
        }
    }

    /// Goes on with a connection; closes it when it is over.
    fn advance(&mut self, cx: &mut ServiceContext<'_>, socket: SocketId) {
        let connection = self.connections.entry(socket).or_default();
        match connection.advance(cx, socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(()) | Err(_) => {
                self.connections.remove(&socket);
                cx.close(socket);
            }
        }
    }
}

impl Service for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn on_start(&mut self, cx: &mut ServiceContext<'_>) -> io::Result<()> {
        self.endpoints.open_tcp(cx)?;
        self.endpoints.open_udp(cx)
    }

    fn on_event(&mut self, cx: &mut ServiceContext<'_>, event: &Event) {
        match self.endpoints.role(event.socket) {
            Role::Listener => {
                while let Ok((connection, _)) = cx.accept(event.socket) {
                    self.advance(cx, connection);
                }
            }
            Role::Datagrams => answer(cx, event.socket),
            Role::Connection => self.advance(cx, event.socket),
        }
    }
}

impl Connection {
    /// Moves what can be moved. `Ok` after the end of the stream was reached and everything sent.
    fn advance(&mut self, cx: &mut ServiceContext<'_>, socket: SocketId) -> io::Result<()> {
        loop {
            if !self.pending.is_empty() {
                cx.send(socket, &mut IovIter::spans(&mut self.pending), None)?;
            } else if self.ended {
                return Ok(());
            } else {
                let (bytes, _) =
                    cx.receive(socket, &mut IovIter::collect(&mut self.pending, CHUNK))?;
                self.ended = bytes == 0;
            }
        }
    }
}

/// Sends back the datagrams that have come. One that the socket has no room for is lost, as datagrams are.
fn answer(cx: &mut ServiceContext<'_>, socket: SocketId) {
    let mut datagram = VecDeque::new();
    loop {
        datagram.clear();
        match cx.receive(socket, &mut IovIter::collect(&mut datagram, DATAGRAM)) {
            Ok((_, Some(from))) if from.port() >= WELL_KNOWN_PORTS => {
                // The core counts what it refuses.
                let _ = cx.send(socket, &mut IovIter::spans(&mut datagram), Some(from));
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}
