//! smoltcp's TCP as a peer: another implementation on the other end of the simulated link.

mod exchange;
mod host;
mod world;

pub use exchange::{Close, End, Exchange, Role};
pub use host::SmolHost;
pub use world::PeerWorld;
