//! Two stacks on one simulated link, in virtual time: the same seed gives the same run, bit for bit.

mod app;
mod host;
mod impair;
mod invariants;
mod observer;
mod pace;
mod plan;
mod progress;
mod world;

pub use app::{Transfer, pattern};
pub use host::Host;
pub use impair::{Arrival, Bottleneck, Bursts, Direction, Impairment};
pub use invariants::Invariants;
pub use pace::Pace;
pub use plan::{Finish, Habits, Plan};
pub use world::{World, WorldConfig};
