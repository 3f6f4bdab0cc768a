//! Packets as bytes. Nothing here is shared with a stack under test: what it sends is read by `etherparse`, what it
//! is sent is written here.

mod build;
mod checksum;
mod layers;
mod options;
mod read;
mod shape;

pub(crate) use build::{Address, TcpFields, group, icmp, tcp, udp};
pub(crate) use layers::Layers;
pub(crate) use read::{Carried, Seen, TcpSeen, read};
pub(crate) use shape::shape;

#[cfg(test)]
mod tests;
