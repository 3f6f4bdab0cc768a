//! What ICMP says, in terms that are the same for IPv4 and IPv6.
//!
//! `message` has the terms; `icmp4` and `icmp6` translate between these and their wire formats, of which `body` is what
//! both have in common.

use std::net::IpAddr;

use smoltcp::wire::{Icmpv4Message, Icmpv6Message, IpProtocol};
use txbuf::{Chain, Packet, Span, checksum};

use super::address::Addresses;
use super::{IfaceId, IpHeader, classify, icmp4, icmp6, pseudo_header_sum, quote};

pub(super) mod body;
pub(super) mod message;

use body::message_header;
pub(crate) use body::{CHECKSUM_AT, HEADER};
pub(crate) use message::{
    IcmpDrop, IcmpError, IcmpIn, Problem, ReplyFrom, TimeExceeded, Unreachable,
};

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

/// The protocol of ICMP messages.
pub(crate) fn protocol(is_v4: bool) -> IpProtocol {
    if is_v4 {
        IpProtocol::Icmp
    } else {
        IpProtocol::Icmpv6
    }
}

/// The sum of what else than itself a message of `len` bytes is summed with: a pseudo-header, in IPv6.
pub(crate) fn pseudo_sum(src: IpAddr, dst: IpAddr, len: usize) -> u16 {
    if src.is_ipv4() {
        0
    } else {
        pseudo_header_sum(src, dst, IpProtocol::Icmpv6, len)
    }
}

/// The packet, without IP header, that `message` is with its checksum, made over `pseudo` too, and with `ident` if it is
/// an echo message. The bytes behind the header stay where they are. `None` if it is shorter than a header, or cannot
/// be read.
pub(crate) fn seal(mut message: Span, ident: Option<u16>, pseudo: u16) -> Option<Packet> {
    let mut head = [0; HEADER];
    if message.copy_to(0, &mut head).ok()? < HEADER {
        return None;
    }
    message.advance(HEADER).ok()?;
    let sum = message.checksum().ok()?;
    head[2..4].fill(0);
    if let Some(ident) = ident {
        head[4..6].copy_from_slice(&ident.to_be_bytes());
    }
    let head_sum = checksum::combine(pseudo, checksum::sum(&head), false);
    let check = !checksum::combine(head_sum, sum, false);
    head[2..4].copy_from_slice(&check.to_be_bytes());
    let mut packet = match message.is_empty() {
        true => Packet::new(),
        false => Packet::with_payload(message),
    };
    packet.push(HEADER).ok()?.copy_from_slice(&head);
    Some(packet)
}

/// The ICMP type of an echo request.
pub(crate) fn echo_request_type(is_v4: bool) -> u8 {
    match is_v4 {
        true => Icmpv4Message::EchoRequest.into(),
        false => Icmpv6Message::EchoRequest.into(),
    }
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
/// Never answered are ICMP errors and redirects, IPv4 fragments other than the first, packets to multicast
/// or broadcast addresses, and packets from an address that does not name one host (RFC 1122 section
/// 3.2.2, RFC 1812 section 4.3.2.7, RFC 4443 section 2.4 (e)). Two errors pass for IPv6 multicast: too
/// big, and an option that asks for it. Of later IPv6 fragments only what is wrong with them as fragments is told
/// (RFC 8200 section 4.5): what they are part of may be an ICMP error.
// req: RFC1122-26, RFC1122-27, RFC1122-29, RFC1122-30, RFC4443-07, RFC4443-08, RFC4443-09
pub(crate) fn recipient(
    kind: IcmpError,
    original: &Packet,
    addresses: &Addresses,
) -> Option<IpAddr> {
    let quoted = offender(kind, original)?;
    let (src, dst) = (quoted.src.ip(), quoted.dst.ip());
    let of_fragment = src.is_ipv6()
        && matches!(
            kind,
            IcmpError::ParameterProblem {
                problem: Problem::Header,
                ..
            }
        );
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
    let silent = (quoted.later_fragment && !of_fragment)
        || !classify::names_one_host(src)
        || addresses.is_broadcast(src)
        || addresses.is_broadcast(dst)
        || (dst.is_multicast() && !multicast_passes)
        || quoted.is_icmp_error();
    (!silent).then_some(src)
}

/// What is known of `original`, which met the error `kind`.
fn offender(kind: IcmpError, original: &Packet) -> Option<quote::Quoted> {
    match kind {
        // Its headers are not all there, which is what is wrong with it.
        IcmpError::ParameterProblem {
            problem: Problem::HeaderChain,
            ..
        } => quote::read(original, 0).or_else(|| quote::read_fixed(original)),
        _ => quote::read(original, 0),
    }
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
    let sent_to = offender(kind, original)?.dst.ip();
    let from = match addresses.owns(sent_to) {
        true => sent_to,
        false => addresses.select_source(iface, to, None)?,
    };
    error_from(kind, original, from, to, ident, small)
}

/// As [`error`], from whom `original` was sent to, whose place this host takes.
pub(crate) fn error_in_place(
    kind: IcmpError,
    original: &Packet,
    ident: u16,
    small: &mut Chain,
) -> Option<Packet> {
    let quoted = quote::read(original, 0)?;
    let (from, to) = (quoted.dst.ip(), quoted.src.ip());
    error_from(kind, original, from, to, ident, small)
}

fn error_from(
    kind: IcmpError,
    original: &Packet,
    from: IpAddr,
    to: IpAddr,
    ident: u16,
    small: &mut Chain,
) -> Option<Packet> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => icmp4::error(kind, original, from, to, ident, small),
        (IpAddr::V6(from), IpAddr::V6(to)) => icmp6::error(kind, original, from, to, small),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
