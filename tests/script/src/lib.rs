//! Runs packetdrill scripts.
#![deny(unsafe_code)]

pub mod ast;
mod error;
mod names;
mod parse;
mod wire;

pub use error::ParseError;
pub use parse::parse;
