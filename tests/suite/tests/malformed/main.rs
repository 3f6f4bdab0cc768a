//! Packets that no correct host sends: nothing may panic, every drop has a name, nothing is kept.

mod cases;
mod corpus;
mod limits;
mod mutations;
