//! Sockets of datagrams, whatever the protocol: two bounded queues, what the application asked for, and the errors
//! that were reported.
//!
//! What a datagram looks like on the wire is the business of whoever delivers it and of whoever takes it out.

mod errors;
mod receive;
mod send;
mod socket;

pub(crate) use errors::Reported;
pub(crate) use receive::{DatagramDrop, Delivery};
pub(crate) use send::{Marking, Outgoing};
pub(crate) use socket::{DatagramLimits, DatagramSocket, Kind, is_of_peer};

/// What a datagram costs beside its payload: a queue entry and its share of a node.
const OVERHEAD: usize = 256;
/// The longest packet.
const MAX_PACKET: usize = 65_535;
