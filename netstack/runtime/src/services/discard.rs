//! The discard service.

use std::io;
use std::net::SocketAddr;

use netstack_core::{Event, SocketId};
use txbuf::IovIter;

use super::endpoints::{Endpoints, Role};
use crate::service::{Service, ServiceContext};

/// Bytes thrown away in one call.
const CHUNK: usize = 1 << 20;

/// Throws away what it receives, over TCP and UDP (RFC 863).
pub struct Discard {
    endpoints: Endpoints,
}

impl Discard {
    /// A service on `addresses`, one or several.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Discard {
            endpoints: Endpoints::new(addresses),
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
                    drain(cx, connection);
                }
            }
            // An error of an earlier datagram is of no interest; the next call says WouldBlock.
            Role::Datagrams => {
                while cx
                    .receive(event.socket, &mut IovIter::discard(CHUNK))
                    .is_ok()
                {}
            }
            Role::Connection => drain(cx, event.socket),
        }
    }

    fn for_shard(&self) -> Option<Box<dyn Service>> {
        Some(Box::new(Discard::new(self.endpoints.addresses())))
    }
}

/// Drops what has come, and closes the connection after its end.
fn drain(cx: &mut ServiceContext<'_>, connection: SocketId) {
    loop {
        match cx.receive(connection, &mut IovIter::discard(CHUNK)) {
            Ok(received) if received.bytes > 0 => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Ok(_) | Err(_) => return cx.close(connection),
        }
    }
}
