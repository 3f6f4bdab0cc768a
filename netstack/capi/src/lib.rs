//! The C interface: see the README and `include/netstack.h`.
//!
//! [`stack`] has the calls on a stack of one's own and [`global`] the same on the one of the process. What they are given
//! as pointers becomes slices and values in [`edges`], which is the only place that reads or writes memory of C.

#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod edges;
pub mod global;
mod instance;
mod messages;
mod opts;
mod registry;
pub mod stack;
