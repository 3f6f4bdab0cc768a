//! Errors that a datagram socket keeps for who wants to read them (`IP_RECVERR`).

use super::Arrival;
use crate::Instant;
use std::net::{IpAddr, SocketAddr};

/// Who says that there is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorOrigin {
    /// This host.
    Local,
    /// An ICMP message.
    Icmp,
    /// An ICMPv6 message.
    Icmpv6,
}

/// What was reported about a datagram that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorReport {
    /// Whom the datagram was for.
    pub to: SocketAddr,
    /// Who says so.
    pub origin: ErrorOrigin,
    /// The ICMP type. Of a [`Local`](ErrorOrigin::Local) report, as of the ICMP message that a router would have sent.
    pub kind: u8,
    /// The ICMP code.
    pub code: u8,
    /// The MTU where a datagram was too long, the position where its header was wrong; otherwise 0.
    pub info: u32,
    /// The host or router that sent the message; this host's address in a local report, if it is known.
    pub offender: Option<IpAddr>,
    /// How the message came; `None` in a local report.
    pub arrival: Option<Arrival>,
    /// When it came, by the time that the stack was told.
    pub time: Instant,
}

/// A report that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedError {
    /// What it says.
    pub report: ErrorReport,
    /// Bytes put into the iterator, of the start of the datagram's payload.
    pub bytes: usize,
    /// Bytes of it that the message had.
    pub len: usize,
    /// There was not room for all of them; the rest is gone.
    pub truncated: bool,
}
