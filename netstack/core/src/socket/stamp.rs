//! When messages that were sent left, for who wants to know (`SO_TIMESTAMPING`).

use super::Arrival;
use crate::Instant;
use crate::flags::flags;
use std::net::IpAddr;

flags! {
    /// What is to be told of a message that is sent.
    Stamps {
        /// When its packet was given to the queue that devices are served from (`SOF_TIMESTAMPING_TX_SCHED`): of a datagram
        /// when it was sent, of a part of a stream when the windows let it go.
        SCHEDULED = 1,
        /// When its packet was given to the interface's device (`SOF_TIMESTAMPING_TX_SOFTWARE`): of a stream that with the
        /// last byte, each time that one leaves.
        SENT = 2,
        /// When the peer had acknowledged all of it (`SOF_TIMESTAMPING_TX_ACK`). Means nothing for datagrams.
        ACKNOWLEDGED = 4,
        /// The packet comes with it, where there is one, or with what the peer acknowledged its payload; kept until it is
        /// read, which takes memory. Otherwise only the times are told (`SOF_TIMESTAMPING_OPT_TSONLY`).
        WITH_PACKET = 8,
    }
}

/// The wish to be told when a message leaves ([`SendControl::stamp`](super::SendControl::stamp)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StampRequest {
    /// What is wanted.
    pub wanted: Stamps,
    /// What the application knows the message by, if by anything: of a stream the number of its first byte, and the last
    /// byte's is told, for it is of that byte that times are told.
    pub id: Option<u32>,
}

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampStage {
    /// See [`Stamps::SENT`].
    Sent,
    /// See [`Stamps::SCHEDULED`].
    Scheduled,
    /// See [`Stamps::ACKNOWLEDGED`].
    Acknowledged,
}

/// When something happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// What happened.
    pub stage: StampStage,
    /// Which message it was.
    pub id: Option<u32>,
    /// When, by the time that the stack was told.
    pub time: Instant,
    /// The address that the packet came from, if that was to be kept.
    pub source: Option<IpAddr>,
    /// How the packet left, if that was to be kept.
    pub departure: Option<Arrival>,
}

/// A stamp that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedStamp {
    /// What it says.
    pub stamp: Stamp,
    /// Bytes put into the iterator, of the packet, or of the payload that was acknowledged.
    pub bytes: usize,
    /// Bytes of it that were kept.
    pub len: usize,
    /// There was not room for all of them; the rest is gone.
    pub truncated: bool,
}
