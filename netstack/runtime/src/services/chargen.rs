//! The character generator.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;

use netstack_core::{Event, SendControl, SocketId};
use txbuf::{IovIter, Span};

use super::endpoints::{Endpoints, Role};
use crate::service::{Service, ServiceContext};

/// Characters in a line, and the printable characters that the lines run through.
const LINE: usize = 72;
const PRINTABLE: std::ops::RangeInclusive<u8> = b' '..=b'~';

/// Repetitions of the whole pattern in the span that is sent: as many as fit a super-packet.
const REPETITIONS: usize = 9;

/// Bytes thrown away in one call.
const CHUNK: usize = 1 << 20;

/// Sends lines of changing characters without end, over TCP (RFC 864), and throws away what it receives.
pub struct Chargen {
    endpoints: Endpoints,
    /// `None` until the service starts.
    pattern: Option<Span>,
    connections: HashMap<SocketId, Connection>,
}

#[derive(Default)]
struct Connection {
    /// What is left of the pattern.
    pending: VecDeque<Span>,
    /// The peer has ended its stream; that does not end ours.
    ended: bool,
}

impl Chargen {
    /// A service on `addresses`, one or several.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Chargen {
            endpoints: Endpoints::new(addresses),
            pattern: None,
            connections: HashMap::new(),
        }
    }

    /// Goes on with a connection; closes it when it is over.
    fn advance(&mut self, cx: &mut ServiceContext<'_>, socket: SocketId) {
        let Some(pattern) = &self.pattern else { return };
        let connection = self.connections.entry(socket).or_default();
        if let Err(error) = connection
            .drain(cx, socket)
            .and_then(|()| connection.fill(cx, socket, pattern))
            && error.kind() != io::ErrorKind::WouldBlock
        {
            self.connections.remove(&socket);
            cx.close(socket);
        }
    }
}

impl Service for Chargen {
    fn name(&self) -> &str {
        "chargen"
    }

    fn on_start(&mut self, cx: &mut ServiceContext<'_>) -> io::Result<()> {
        let pattern = Span::from_owner(cx.stack().ledger(), pattern()).map_err(io::Error::other)?;
        self.pattern = Some(pattern);
        self.endpoints.open_tcp(cx)
    }

    fn on_event(&mut self, cx: &mut ServiceContext<'_>, event: &Event) {
        match self.endpoints.role(event.socket) {
            Role::Listener => {
                while let Ok((connection, _)) = cx.accept(event.socket) {
                    self.advance(cx, connection);
                }
            }
            Role::Connection | Role::Datagrams => self.advance(cx, event.socket),
        }
    }

    fn for_shard(&self) -> Option<Box<dyn Service>> {
        Some(Box::new(Chargen::new(self.endpoints.addresses())))
    }
}

impl Connection {
    /// Throws away what has come.
    fn drain(&mut self, cx: &mut ServiceContext<'_>, socket: SocketId) -> io::Result<()> {
        while !self.ended {
            match cx.receive(socket, &mut IovIter::discard(CHUNK)) {
                Ok(received) => self.ended = received.bytes == 0,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends until the socket is full, which is the error `WouldBlock`.
    fn fill(
        &mut self,
        cx: &mut ServiceContext<'_>,
        socket: SocketId,
        pattern: &Span,
    ) -> io::Result<()> {
        loop {
            if self.pending.is_empty() {
                self.pending.push_back(pattern.clone());
            }
            let mut from = IovIter::spans(&mut self.pending);
            cx.send(socket, &mut from, &SendControl::default())?;
        }
    }
}

/// Each line begins one character later than the one before, until they come round.
fn pattern() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PRINTABLE.count() * (LINE + 2) * REPETITIONS);
    for first in (0..PRINTABLE.count())
        .cycle()
        .take(PRINTABLE.count() * REPETITIONS)
    {
        bytes.extend(PRINTABLE.cycle().skip(first).take(LINE));
        bytes.extend(b"\r\n");
    }
    bytes
}
