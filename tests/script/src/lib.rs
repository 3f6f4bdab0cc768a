//! Runs packet scripts, in the language of packetdrill, against a TCP/IP stack.
//!
//! A script says at what times which packets arrive at a host, what its applications call, and which packets it must
//! send. [`parse`] reads one; [`run_all`] plays scripts against this project's stack in virtual time, where an hour
//! takes milliseconds. The side that the script plays is made of bytes written and read by this crate and by
//! `etherparse`: nothing of the stack's own code is used to judge it.
//!
//! `README.md` beside this crate shows how to write a script.
#![deny(unsafe_code)]

pub mod ast;
mod calls;
mod capture;
mod error;
mod flow;
mod host;
mod live;
mod load;
mod matching;
mod names;
mod parse;
mod pattern;
mod play;
mod report;
mod run;
mod show;
#[cfg(feature = "smoltcp")]
mod smoltcp;
mod wire;
mod workers;

pub use error::{LoadError, ParseError};
pub use live::{LIVE_JOBS, run_live};
pub use load::{find, load};
pub use parse::parse;
pub use report::{Failure, Outcome};
pub use run::{Options, run_all, run_file, run_script};
#[cfg(feature = "smoltcp")]
pub use smoltcp::{Tried, run_smoltcp};
