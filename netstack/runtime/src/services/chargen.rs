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
    copies: bool,
    /// `None` until the service starts.
    pattern: Option<Pattern>,
    connections: HashMap<SocketId, Connection>,
}

/// What is sent again and again.
enum Pattern {
    /// One and the same storage for all connections.
    Shared(Span),
    /// Bytes that are copied into each connection's own.
    Copied(Vec<u8>),
}

#[derive(Default)]
struct Connection {
    /// What is left of the pattern that is shared.
    pending: VecDeque<Span>,
    /// How far a copy of it has got.
    at: usize,
    /// The peer has ended its stream; that does not end ours.
    ended: bool,
}

impl Chargen {
    /// A service on `addresses`, one or several.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Chargen {
            endpoints: Endpoints::new(addresses),
            copies: false,
            pattern: None,
            connections: HashMap::new(),
        }
    }

    /// As [`new`](Chargen::new), but what is sent is copied, as for a program that writes: to measure what that costs.
    pub fn copying(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Chargen {
            copies: true,
            ..Chargen::new(addresses)
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
        self.pattern = Some(match self.copies {
            true => Pattern::Copied(pattern()),
            false => {
                let ledger = cx.stack().ledger();
                Pattern::Shared(Span::from_owner(ledger, pattern()).map_err(io::Error::other)?)
            }
        });
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
        Some(Box::new(Chargen {
            copies: self.copies,
            ..Chargen::new(self.endpoints.addresses())
        }))
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
        pattern: &Pattern,
    ) -> io::Result<()> {
        let control = SendControl::default();
        loop {
            match pattern {
                Pattern::Shared(span) => {
                    if self.pending.is_empty() {
                        self.pending.push_back(span.clone());
                    }
                    cx.send(socket, &mut IovIter::spans(&mut self.pending), &control)?;
                }
                Pattern::Copied(bytes) => {
                    let mut from = IovIter::bytes(&bytes[self.at..]);
                    let sent = cx.send(socket, &mut from, &control)?;
                    self.at = (self.at + sent) % bytes.len();
                }
            }
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
