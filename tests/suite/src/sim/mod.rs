//! Two stacks on one simulated link, in virtual time: the same seed gives the same run, bit for bit.

mod app;
mod impair;
mod world;

pub use app::{Transfer, pattern};
pub use impair::Impairment;
pub use world::{Host, World, WorldConfig};
