//! Small servers that run inside the event loop: [`Echo`] (RFC 862), [`Discard`] (RFC 863) and [`Chargen`] (RFC 864).
//!
//! They copy no payload: what `Echo` receives it sends again as it lies, `Discard` drops spans unread, and all
//! connections of `Chargen` send one and the same span.

mod chargen;
mod discard;
mod echo;
mod endpoints;

pub use self::chargen::Chargen;
pub use self::discard::Discard;
pub use self::echo::Echo;
