//! What the integration tests share: simulated networks in virtual time or none, peers, hand-made packets, the
//! requirement tables, and a stack to be attacked.

pub mod calls;
pub mod crowd;
pub mod duo;
pub mod goodput;
pub mod lab;
pub mod peer;
pub mod requirements;
pub mod sim;
pub mod untouchable;
pub mod victim;
pub mod wire;
