//! Small servers that run inside the event loop: [`Echo`] (RFC 862), [`Discard`] (RFC 863), [`Chargen`] (RFC 864) and
//! [`Proxy`].
//!
//! They copy no payload: what `Echo` receives it sends again as it lies, `Discard` drops spans unread, all connections
//! of `Chargen` send one and the same span, and `Proxy` moves what one connection received to what another sends.
//! Discard and chargen that copy ([`Discard::copying`], [`Chargen::copying`]) show what that saves.

use std::io;

mod chargen;
mod discard;
mod echo;
mod endpoints;
mod proxy;

pub use self::chargen::Chargen;
pub use self::discard::Discard;
pub use self::echo::Echo;
pub use self::proxy::Proxy;

/// Whether an event follows when it is worth trying again.
fn waits(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory
    )
}
