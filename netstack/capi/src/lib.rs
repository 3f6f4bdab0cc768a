//! The C interface: see the README and `include/netstack.h`.
//!
//! [`stack`] has the calls on a stack of one's own and [`global`] the same on the one of the process. What they are given
//! as pointers becomes slices and values in [`edges`], which is the only place that reads or writes memory of C. A stack
//! lives in the [`registry`], either still, or attached to a device with a thread that drives it; on one of those a call
//! may [wait](waiting). Those that wait, and eventfds, hear of it by [`hearers`].

#![deny(unsafe_code)]

mod attach;
#[allow(unsafe_code)]
mod edges;
#[allow(unsafe_code)]
pub mod global;
mod hearers;
mod instance;
mod messages;
mod opts;
mod registry;
#[allow(unsafe_code)]
pub mod stack;
mod waiting;
mod wire;
