//! The echo service.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use netstack_core::{Event, SocketId};
use txbuf::IovIter;

use super::endpoints::{Endpoints, Role};
use crate::service::{Service, ServiceContext};

/// Bytes of one connection that go from its receive queue to its send queue at a time.
const CHUNK: usize = 256 << 10;

/// Datagrams larger than any that exists.
const DATAGRAM: usize = 1 << 16;

/// Source ports from which datagrams are not answered: services live there, and two echo services would answer
/// each other for ever.
const WELL_KNOWN_PORTS: u16 = 1024;

/// Sends back what it receives, over TCP and UDP (RFC 862). Datagrams from ports below 1024 are not answered.
pub struct Echo {
    endpoints: Endpoints,
}

impl Echo {
    /// A service on `addresses`, one or several.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Echo {
            endpoints: Endpoints::new(addresses),
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
                    send_back(cx, connection);
                }
            }
            Role::Datagrams => answer(cx, event.socket),
            Role::Connection => send_back(cx, event.socket),
        }
    }

    fn for_shard(&self) -> Option<Box<dyn Service>> {
        Some(Box::new(Echo::new(self.endpoints.addresses())))
    }
}

/// Moves what can be moved, and closes the connection when it is over. Nothing is received that cannot be sent,
/// so that a client that does not read meets a closed window.
fn send_back(cx: &mut ServiceContext<'_>, connection: SocketId) {
    loop {
        match cx.splice(connection, connection, CHUNK) {
            Ok(1..) => {}
            Err(error) if waits(&error) => return,
            Ok(0) | Err(_) => return cx.close(connection),
        }
    }
}

/// Whether an event follows when it is worth trying again.
fn waits(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory
    )
}

/// Sends back the datagrams that have come, while the socket has room for any. Those that wait meanwhile, the core counts
/// when they become too many; and it counts what it refuses, such as to somebody whom no route leads to.
fn answer(cx: &mut ServiceContext<'_>, socket: SocketId) {
    let mut datagram = VecDeque::new();
    loop {
        datagram.clear();
        // Its writable event comes here too.
        if !cx.can_send(socket) {
            return;
        }
        match cx.receive(socket, &mut IovIter::collect(&mut datagram, DATAGRAM)) {
            Ok((_, Some(from))) if from.port() >= WELL_KNOWN_PORTS => {
                let _ = cx.send(socket, &mut IovIter::spans(&mut datagram), Some(from));
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}
