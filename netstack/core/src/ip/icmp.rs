//! What ICMP says, in terms that are the same for IPv4 and IPv6.
//!
//! `icmp4` and `icmp6` translate between these and their wire formats.

use std::net::IpAddr;

use smoltcp::wire::IpProtocol;
use txbuf::{Chain, Packet, checksum};

use super::address::Addresses;
use super::pseudo::{self, Trust};
use super::quote::{self, Quoted};
use super::{IfaceId, IpHeader, classify, icmp4, icmp6};
use crate::counters::IpCounters;

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
    /// Somebody pings; [`echo_reply`] makes the answer.
    EchoRequest,
    /// An answer to a ping.
    EchoReply,
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

/// Checks and reads the ICMP message that `header` says is in `packet`.
// req: RFC1122-22, RFC4443-05
pub(crate) fn input(header: &IpHeader, packet: &mut Packet) -> IcmpIn {
    let read = match header.protocol {
        IpProtocol::Icmp if header.is_v4() => {
            message_header(header, packet, 0).and_then(|bytes| icmp4::read(header, packet, bytes))
        }
        IpProtocol::Icmpv6 if !header.is_v4() => {
            message_header(header, packet, header.pseudo_sum())
                .and_then(|bytes| icmp6::read(header, packet, bytes))
        }
        _ => Err(IcmpDrop::UnknownType),
    };
    read.unwrap_or_else(IcmpIn::Dropped)
}

/// Turns an echo request that [`input`] has accepted into its answer, IP header and all. The payload
/// stays where it is.
///
/// # Errors
///
/// `from.source` is of the other IP version, or the headers do not fit.
pub(crate) fn echo_reply(
    header: &IpHeader,
    packet: Packet,
    from: &ReplyFrom,
) -> Result<Packet, IcmpDrop> {
    if header.is_v4() {
        icmp4::echo_reply(header, packet, from)
    } else {
        icmp6::echo_reply(header, packet, from)
    }
}

/// Whom to tell that `original`, a packet as it was received, met the error `kind`; `None` if nobody
/// may be told.
///
/// Never answered are ICMP errors and redirects, fragments other than the first, packets to multicast
/// or broadcast addresses, and packets from an address that does not name one host (RFC 1122 section
/// 3.2.2, RFC 1812 section 4.3.2.7, RFC 4443 section 2.4 (e)). Two errors pass for IPv6 multicast: too
/// big, and an option that asks for it.
// req: RFC1122-26, RFC1122-27, RFC1122-29, RFC1122-30, RFC4443-07, RFC4443-08, RFC4443-09
pub(crate) fn recipient(
    kind: IcmpError,
    original: &Packet,
    addresses: &Addresses,
) -> Option<IpAddr> {
    let quoted = quote::read(original, 0)?;
    let (src, dst) = (quoted.src.ip(), quoted.dst.ip());
    let multicast_passes = matches!(kind, IcmpError::TooBig { .. })
        || matches!(
            kind,
            IcmpError::ParameterProblem {
                problem: Problem::Option {
                    even_multicast: true
                },
                ..
            }
        );
    let multicast_passes = multicast_passes && dst.is_ipv6();
    let silent = quoted.later_fragment
        || !classify::names_one_host(src)
        || addresses.is_broadcast(src)
        || addresses.is_broadcast(dst)
        || (dst.is_multicast() && !multicast_passes)
        || quoted.is_icmp_error();
    (!silent).then_some(src)
}

/// A complete packet that tells `to`, the [`recipient`], of the error `kind` that `original` met, or `None` if the host
/// has no address to tell it from, or memory is out.
///
/// It quotes as much of `original` as fits into 576 bytes in IPv4 (RFC 1812 section 4.3.2.3) and 1280 in
/// IPv6 (RFC 4443 section 2.4 (c)); the quotation is copied into `small`, so that an answer pins nothing
/// of what it answers. It comes from the address the original was sent to if that is this host's, else
/// from one of `iface`. `ident` is the IPv4 identification.
// req: RFC792-01, RFC1122-23, RFC4443-06
pub(crate) fn error(
    kind: IcmpError,
    original: &Packet,
    to: IpAddr,
    iface: IfaceId,
    addresses: &Addresses,
    ident: u16,
    small: &mut Chain,
) -> Option<Packet> {
    let sent_to = quote::read(original, 0)?.dst.ip();
    let from = match addresses.owns(sent_to) {
        true => sent_to,
        false => addresses.select_source(iface, to, None)?,
    };
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => icmp4::error(kind, original, from, to, ident, small),
        (IpAddr::V6(from), IpAddr::V6(to)) => icmp6::error(kind, original, from, to, small),
        _ => None,
    }
}

/// Bytes of an ICMP header with its second word.
pub(super) const HEADER: usize = 8;
/// Where in it the checksum is.
pub(super) const CHECKSUM_AT: u16 = 2;

/// The header of a message whose checksum, over `pseudo` too, is right.
// req: RFC4443-01
fn message_header(
    header: &IpHeader,
    packet: &Packet,
    pseudo: u16,
) -> Result<[u8; HEADER], IcmpDrop> {
    if header.payload_len < HEADER {
        return Err(IcmpDrop::Truncated);
    }
    match pseudo::verify(packet, header.header_len, CHECKSUM_AT, pseudo) {
        Ok(Trust::Good) => {}
        Ok(Trust::Bad) => return Err(IcmpDrop::BadChecksum),
        Err(_) => return Err(IcmpDrop::Unreadable),
    }
    let mut bytes = [0; HEADER];
    let copied = packet
        .copy_to(header.header_len, &mut bytes)
        .map_err(|_| IcmpDrop::Unreadable)?;
    if copied < HEADER {
        return Err(IcmpDrop::Truncated);
    }
    Ok(bytes)
}

/// The packet that `message`, an error, is about, of the same IP version as `header`.
pub(super) fn quoted(header: &IpHeader, packet: &Packet) -> Result<Quoted, IcmpDrop> {
    quote::read(packet, header.header_len + HEADER)
        .filter(|quoted| quoted.src.is_ipv4() == header.is_v4())
        .ok_or(IcmpDrop::BadQuote)
}

/// A message without IP header: type, code, checksum, a word, and of `original` as much as fits into `most` bytes.
/// `pseudo` gives the sum of the pseudo-header of so many bytes.
pub(super) fn quoting(
    (kind, code, word): (u8, u8, u32),
    original: &Packet,
    most: usize,
    pseudo: impl FnOnce(usize) -> u16,
    small: &mut Chain,
) -> Option<Packet> {
    let quoted = quote::copy(original, most - HEADER, small)?;
    let sum = quoted.checksum().ok()?;
    let mut packet = Packet::with_payload(quoted);
    let mut head = [0; HEADER];
    head[..2].copy_from_slice(&[kind, code]);
    head[4..].copy_from_slice(&word.to_be_bytes());
    let pseudo = pseudo(HEADER + packet.len());
    let head_sum = checksum::combine(pseudo, checksum::sum(&head), false);
    let check = !checksum::combine(head_sum, sum, false);
    head[2..4].copy_from_slice(&check.to_be_bytes());
    packet.push(HEADER).ok()?.copy_from_slice(&head);
    Some(packet)
}

#[cfg(test)]
mod tests;
