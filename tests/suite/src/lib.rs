//! What the integration tests share: simulated networks in virtual time, and peers.

pub mod sim;
