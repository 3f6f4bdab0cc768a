//! What ICMP messages say, whatever their version.

use std::net::IpAddr;

use crate::counters::IpCounters;
use crate::ip::quote::Quoted;

/// An error that a packet met on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IcmpError {
    /// The packet cannot be delivered.
    Unreachable(Unreachable),
    /// The packet is larger than a link that takes `mtu` bytes; 0 if an old IPv4 router did not say.
    TooBig {
        /// The next hop's MTU.
        mtu: u32,
    },
    /// The packet lived too long.
    TimeExceeded(TimeExceeded),
    /// Something in the packet's header is wrong at the position `pointer`.
    ParameterProblem {
        /// What is wrong.
        problem: Problem,
        /// The position in the packet.
        pointer: u32,
    },
    /// An error of a type this stack does not know; only ever received (RFC 4443 section 2.4 (a)).
    Unknown {
        /// The ICMP type.
        kind: u8,
        /// The ICMP code.
        code: u8,
    },
}

impl IcmpError {
    /// Whether the error says that trying again cannot help: protocol or port unreachable (RFC 1122
    /// section 4.2.3.9). All others are hints.
    pub(crate) fn is_hard(&self) -> bool {
        match self {
            IcmpError::Unreachable(Unreachable::Protocol | Unreachable::Port) => true,
            IcmpError::ParameterProblem { problem, .. } => *problem == Problem::NextHeader,
            _ => false,
        }
    }
}

/// Why a packet cannot be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreachable {
    /// No route to the network.
    Network,
    /// The host does not answer on its link.
    Host,
    /// The host does not speak the protocol. IPv6 says the same as [`Problem::NextHeader`].
    Protocol,
    /// Nobody listens on the port.
    Port,
    /// A filter refuses it.
    Prohibited,
    /// Its source address means nothing where it is to go. Only IPv6 has this (RFC 4443 section 3.1).
    BeyondScope,
    /// Another code; only ever received.
    Other(u8),
}

/// Which time was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeExceeded {
    /// The hop limit.
    HopLimit,
    /// The time for all fragments to arrive.
    Reassembly,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A field has an impossible value.
    Header,
    /// Nobody here knows the next header. IPv4 has [`Unreachable::Protocol`] for it.
    NextHeader,
    /// An IPv6 option is unknown; it is reported even to a sender of multicast if `even_multicast`.
    Option {
        /// The option's wish, its two top bits being 10.
        even_multicast: bool,
    },
    /// The first IPv6 fragment does not hold all headers (RFC 7112).
    HeaderChain,
}

/// A received ICMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IcmpIn {
    /// Somebody pings; [`echo_reply`](super::echo_reply) makes the answer.
    EchoRequest,
    /// An answer to a ping.
    EchoReply,
    /// A router asks who is in which multicast group.
    GroupQuery,
    /// A packet that was sent met an error.
    Error(IcmpError, Quoted),
    /// The message was dropped.
    Dropped(IcmpDrop),
}

/// Why an ICMP message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IcmpDrop {
    /// It is shorter than its header.
    Truncated,
    /// Its checksum is wrong.
    BadChecksum,
    /// Its type is not handled here (RFC 1122 section 3.2.2, RFC 4443 section 2.4 (b)).
    UnknownType,
    /// It is an error, but what it quotes cannot be understood.
    BadQuote,
    /// It lies in memory that the CPU may not read.
    Unreadable,
    /// There was no room for the headers of its answer.
    NoRoom,
}

impl IcmpDrop {
    /// Adds one to the counter of this reason.
    pub(crate) fn count(self, counters: &mut IpCounters) {
        let counter = match self {
            IcmpDrop::Truncated => &mut counters.icmp_in_truncated,
            IcmpDrop::BadChecksum => &mut counters.icmp_in_bad_checksum,
            IcmpDrop::UnknownType => &mut counters.icmp_in_unknown_type,
            IcmpDrop::BadQuote => &mut counters.icmp_in_bad_quote,
            IcmpDrop::Unreadable => &mut counters.in_unreadable,
            IcmpDrop::NoRoom => &mut counters.out_no_room,
        };
        *counter += 1;
    }
}

/// How the answer to an echo request is addressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyFrom {
    /// The address of this host that answers: the one that was pinged, or for a multicast ping one of
    /// the interface (RFC 4443 section 4.2).
    pub(crate) source: IpAddr,
    /// TTL or hop limit of the answer.
    pub(crate) hop_limit: u8,
    /// IPv4 identification of the answer, which routers may fragment.
    pub(crate) ident: u16,
}
