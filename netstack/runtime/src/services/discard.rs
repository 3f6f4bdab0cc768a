//! The discard service.

use std::io;
use std::net::SocketAddr;

use netstack_core::{Event, SocketId};
use txbuf::IovIter;

use super::endpoints::{Endpoints, Role};
use crate::service::{Service, ServiceContext};

/// Bytes thrown away in one call.
const CHUNK: usize = 1 << 20;

/// Bytes copied in one call: what a program would read at a time.
const BUFFER: usize = 128 << 10;

/// Throws away what it receives, over TCP and UDP (RFC 863).
pub struct Discard {
    endpoints: Endpoints,
    sink: Sink,
}

/// Where bytes go.
enum Sink {
    /// Nowhere: nobody looks at them.
    Nowhere,
    /// Into a buffer, each time the same.
    Buffer(Box<[u8]>),
}

impl Discard {
    /// A service on `addresses`, one or several.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Discard {
            endpoints: Endpoints::new(addresses),
            sink: Sink::Nowhere,
        }
    }

    /// As [`new`](Discard::new), but what is received is copied into a buffer, as for a program that reads: to measure
    /// what that costs.
    pub fn copying(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Discard {
            endpoints: Endpoints::new(addresses),
            sink: Sink::buffer(),
        }
    }
}

impl Sink {
    fn buffer() -> Sink {
        Sink::Buffer(vec![0; BUFFER].into_boxed_slice())
    }

    /// For one call.
    fn room(&mut self) -> IovIter<'_> {
        match self {
            Sink::Nowhere => IovIter::discard(CHUNK),
            Sink::Buffer(bytes) => IovIter::buffer(bytes),
        }
    }
}

impl Service for Discard {
    fn name(&self) -> &str {
        "discard"
    }

    fn on_start(&mut self, cx: &mut ServiceContext<'_>) -> io::Result<()> {
        self.endpoints.open_tcp(cx)?;
        self.endpoints.open_udp(cx)
    }

    fn on_event(&mut self, cx: &mut ServiceContext<'_>, event: &Event) {
        match self.endpoints.role(event.socket) {
            Role::Listener => {
                while let Ok((connection, _)) = cx.accept(event.socket) {
                    drain(cx, connection, &mut self.sink);
                }
            }
            // An error of an earlier datagram is of no interest; the next call says WouldBlock.
            Role::Datagrams => while cx.receive(event.socket, &mut self.sink.room()).is_ok() {},
            Role::Connection => drain(cx, event.socket, &mut self.sink),
        }
    }

    fn for_shard(&self) -> Option<Box<dyn Service>> {
        let addresses = self.endpoints.addresses();
        Some(Box::new(match self.sink {
            Sink::Nowhere => Discard::new(addresses),
            Sink::Buffer(_) => Discard::copying(addresses),
        }))
    }
}

/// Drops what has come, and closes the connection after its end.
fn drain(cx: &mut ServiceContext<'_>, connection: SocketId, sink: &mut Sink) {
    loop {
        match cx.receive(connection, &mut sink.room()) {
            Ok(received) if received.bytes > 0 => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Ok(_) | Err(_) => return cx.close(connection),
        }
    }
}
