//! The proxy.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use netstack_core::{Event, SocketId};

use super::endpoints::{Endpoints, Role};
use super::waits;
use crate::service::{Service, ServiceContext};

/// Bytes that change hands in one call.
const CHUNK: usize = 256 << 10;

/// Pairs of connections that exist at a time, when nothing else is said.
const PAIRS: usize = 4096;

/// Passes TCP connections on to another address, both ways, without touching payload.
///
/// What one side sends is moved, as it lies in memory, to what the other side is sent. Nothing is received that
/// cannot be sent on, so a side that does not read closes the window of the other. The end of a stream is passed on
/// by itself, so that half-closed connections stay what they are; a connection that fails, or is refused by the
/// target, ends the other one by a reset.
pub struct Proxy {
    endpoints: Endpoints,
    target: SocketAddr,
    /// The most pairs; beyond it, connections wait in their listener's queue.
    most: usize,
    /// Both connections of each pair.
    halves: HashMap<SocketId, Half>,
}

/// One connection of a pair.
struct Half {
    other: SocketId,
    /// All that it will ever send was moved to the other, with its end.
    ended: bool,
}

impl Proxy {
    /// A service on `addresses`, one or several, that passes on to `target`. The stack must have a route there.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>, target: SocketAddr) -> Self {
        Proxy {
            endpoints: Endpoints::new(addresses),
            target,
            most: PAIRS,
            halves: HashMap::new(),
        }
    }

    /// Has at most `pairs` connections passed on at a time; others wait until one ends. The default is 4096.
    #[must_use]
    pub fn most(mut self, pairs: usize) -> Self {
        self.most = pairs;
        self
    }

    /// Accepts on all listeners while there may be more pairs.
    fn accept(&mut self, cx: &mut ServiceContext<'_>) {
        for &listener in self.endpoints.listeners() {
            while self.halves.len() / 2 < self.most
                && let Ok((front, _)) = cx.accept(listener)
            {
                let Ok(back) = cx.connect(self.target) else {
                    cx.abort(front);
                    continue;
                };
                for (one, other) in [(front, back), (back, front)] {
                    // What is passed on has waited once already, where its sender wanted that.
                    let _ = cx.set_nodelay(one, true);
                    let half = Half {
                        other,
                        ended: false,
                    };
                    self.halves.insert(one, half);
                }
            }
        }
    }

    /// Moves what can be moved between a connection and its other, and takes the pair down when it is over.
    fn advance(&mut self, cx: &mut ServiceContext<'_>, one: SocketId) {
        let Some(other) = self.halves.get(&one).map(|half| half.other) else {
            return;
        };
        let moved = self
            .pass_on(cx, one, other)
            .and_then(|()| self.pass_on(cx, other, one));
        let has_ended = |socket| self.halves.get(&socket).is_none_or(|half| half.ended);
        match moved {
            Ok(()) if has_ended(one) && has_ended(other) => self.part(cx, one, other, false),
            Ok(()) => {}
            Err(_) => self.part(cx, one, other, true),
        }
    }

    /// Moves what `from` has received, and its end, to `to`.
    fn pass_on(
        &mut self,
        cx: &mut ServiceContext<'_>,
        from: SocketId,
        to: SocketId,
    ) -> io::Result<()> {
        let Some(half) = self.halves.get_mut(&from) else {
            return Ok(());
        };
        while !half.ended {
            match cx.splice(from, to, CHUNK) {
                Ok(1..) => {}
                Ok(0) => {
                    cx.end(to)?;
                    half.ended = true;
                }
                Err(error) if waits(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Lets go of a pair: what was moved is delivered, or, if one of them `failed`, the other is reset.
    fn part(&mut self, cx: &mut ServiceContext<'_>, one: SocketId, other: SocketId, failed: bool) {
        for socket in [one, other] {
            self.halves.remove(&socket);
            match failed {
                true => cx.abort(socket),
                false => cx.close(socket),
            }
        }
        self.accept(cx);
    }
}

impl Service for Proxy {
    fn name(&self) -> &str {
        "proxy"
    }

    fn on_start(&mut self, cx: &mut ServiceContext<'_>) -> io::Result<()> {
        self.endpoints.open_tcp(cx)
    }

    fn on_event(&mut self, cx: &mut ServiceContext<'_>, event: &Event) {
        match self.endpoints.role(event.socket) {
            Role::Listener => self.accept(cx),
            Role::Connection | Role::Datagrams => self.advance(cx, event.socket),
        }
    }
}
