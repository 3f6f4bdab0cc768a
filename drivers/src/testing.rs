//! What the tests of this crate share: packets made and judged by `etherparse`, and what a test needs of the machine.

mod loan;
mod machine;
mod packets;
mod script;

pub(crate) use loan::Loan;
pub(crate) use machine::{netns_or_skip, skip, wait_readable};
pub(crate) use packets::{Spec, V4, Wire, parse, pool, pool_of, udp};
pub(crate) use script::Scripted;
