//! The echo service.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use netstack_core::{Event, SendControl, SocketId};
use txbuf::{IovIter, Span};

use super::endpoints::{Endpoints, Role};
use super::waits;
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
    /// For each socket a datagram, or several that came together, for whose answer there was no room.
    pending: Vec<(SocketId, Datagram)>,
}

#[derive(Default)]
struct Datagram {
    payload: VecDeque<Span>,
    /// Whom it is to be sent back to, if to anybody.
    from: Option<SocketAddr>,
    segment: Option<u16>,
}

impl Echo {
    /// A service on `addresses`, one or several.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Echo {
            endpoints: Endpoints::new(addresses),
            pending: Vec::new(),
        }
    }
}

impl Echo {
    /// Sends back the datagrams that have come, together if they came together, while the socket has room. Those that
    /// wait meanwhile, the core counts when they become too many; and it counts what it refuses, such as to somebody whom
    /// no route leads to. Writable events come here too.
    fn answer(&mut self, cx: &mut ServiceContext<'_>, socket: SocketId) {
        let place = self.pending.iter().position(|(of, _)| *of == socket);
        let mut datagram = match place {
            Some(index) => self.pending.swap_remove(index).1,
            None => Datagram::default(),
        };
        loop {
            if let Err(error) = datagram.send_back(cx, socket)
                && waits(&error)
            {
                self.pending.push((socket, datagram));
                return;
            }
            if datagram.receive(cx, socket).is_err() {
                return;
            }
        }
    }
}

impl Datagram {
    fn send_back(&mut self, cx: &mut ServiceContext<'_>, socket: SocketId) -> io::Result<()> {
        let Some(to) = self.from else {
            return Ok(());
        };
        let control = SendControl {
            segment: self.segment,
            ..SendControl::to(to)
        };
        let mut payload = IovIter::spans(&mut self.payload);
        cx.send(socket, &mut payload, &control).map(drop)
    }

    /// Takes the place of what was here before.
    fn receive(&mut self, cx: &mut ServiceContext<'_>, socket: SocketId) -> io::Result<()> {
        self.payload.clear();
        let mut into = IovIter::collect(&mut self.payload, DATAGRAM);
        let received = cx.receive(socket, &mut into)?;
        let may_answer = |from: &SocketAddr| from.port() >= WELL_KNOWN_PORTS;
        self.from = received.from.filter(may_answer);
        self.segment = received.segment;
        Ok(())
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
                    // An accepted connection takes the option.
                    let _ = cx.set_nodelay(connection, true);
                    send_back(cx, connection);
                }
            }
            Role::Datagrams => self.answer(cx, event.socket),
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
