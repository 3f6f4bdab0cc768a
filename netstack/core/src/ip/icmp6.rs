//! ICMP for IPv6 (RFC 4443): errors and echo. Neighbour discovery and multicast listener messages are
//! for links that need them.

use std::net::{IpAddr, Ipv6Addr};

use smoltcp::wire::{Icmpv6Message, Icmpv6Packet, IpProtocol};
use txbuf::{Chain, Checksum, Meta, Packet, checksum};

use super::icmp::body::{self, CHECKSUM_AT, HEADER};
use super::icmp::message::{
    IcmpDrop, IcmpError, IcmpIn, Problem, ReplyFrom, TimeExceeded, Unreachable,
};
use super::membership::QUERY6;
use super::output::{OutHeader, push_header};
use super::pseudo;
use super::{HOP_LIMIT, IPV6_HEADER, IpHeader, pseudo_header_sum};

/// Turns an accepted echo request into its reply; see [`super::icmp::echo_reply`].
// req: RFC4443-20, RFC4443-23
pub(crate) fn echo_reply(
    header: &IpHeader,
    mut packet: Packet,
    from: &ReplyFrom,
) -> Result<Packet, IcmpDrop> {
    packet
        .strip(header.header_len)
        .map_err(|_| IcmpDrop::Truncated)?;
    let trusted = matches!(packet.meta.checksum, Checksum::Partial { .. });
    let asked = header.pseudo_sum();
    let answers = pseudo_header_sum(
        from.source,
        header.src,
        IpProtocol::Icmpv6,
        header.payload_len,
    );
    let bytes = packet
        .headers_mut()
        .get_mut(..HEADER)
        .ok_or(IcmpDrop::Truncated)?;
    let old = u16::from_be_bytes([bytes[0], bytes[1]]);
    let mut view = Icmpv6Packet::new_unchecked(bytes);
    view.set_msg_type(Icmpv6Message::EchoReply);
    view.set_msg_code(0);
    let new = u16::from_be_bytes([u8::from(Icmpv6Message::EchoReply), 0]);
    if trusted {
        view.set_checksum(answers);
    } else {
        // The source differs from what was pinged if that was a multicast address.
        let check = checksum::update(view.checksum(), old, new);
        view.set_checksum(checksum::update(check, asked, answers));
    }
    packet.meta = Meta {
        checksum: pseudo::reply_state(trusted, CHECKSUM_AT),
        ..Meta::default()
    };
    let out = OutHeader {
        src: from.source,
        dst: header.src,
        protocol: IpProtocol::Icmpv6,
        hop_limit: from.hop_limit,
        traffic_class: header.traffic_class,
        ident: 0,
        dont_fragment: false,
        flow_label: 0,
    };
    push_header(&mut packet, &out).map_err(|_| IcmpDrop::NoRoom)?;
    Ok(packet)
}

/// Builds the error `kind` about `original`; `None` if IPv6 has no such error or memory is out.
/// Whether it may be sent is [`super::icmp::recipient`]'s to say.
pub(crate) fn error(
    kind: IcmpError,
    original: &Packet,
    from: Ipv6Addr,
    to: Ipv6Addr,
    small: &mut Chain,
) -> Option<Packet> {
    let (message, code, word) = encode(kind)?;
    let message = (message.into(), code, word);
    let (from, to) = (IpAddr::V6(from), IpAddr::V6(to));
    let pseudo = |len| pseudo_header_sum(from, to, IpProtocol::Icmpv6, len);
    let mut packet = body::quoting(message, original, ERROR_LIMIT - IPV6_HEADER, pseudo, small)?;
    let out = OutHeader {
        src: from,
        dst: to,
        protocol: IpProtocol::Icmpv6,
        hop_limit: HOP_LIMIT,
        traffic_class: 0,
        ident: 0,
        dont_fragment: false,
        flow_label: 0,
    };
    push_header(&mut packet, &out).ok()?;
    Some(packet)
}

/// The largest error packet: the minimum IPv6 MTU.
const ERROR_LIMIT: usize = 1280;

/// Reads the message in `packet` whose header is `bytes`.
pub(super) fn read(
    header: &IpHeader,
    packet: &mut Packet,
    bytes: [u8; HEADER],
) -> Result<IcmpIn, IcmpDrop> {
    let view = Icmpv6Packet::new_unchecked(&bytes[..]);
    let error = match view.msg_type() {
        Icmpv6Message::EchoRequest => {
            packet
                .pull(header.header_len + HEADER)
                .map_err(|_| IcmpDrop::NoRoom)?;
            return Ok(IcmpIn::EchoRequest);
        }
        Icmpv6Message::EchoReply => return Ok(IcmpIn::EchoReply),
        message if u8::from(message) == QUERY6 => return Ok(IcmpIn::GroupQuery),
        message if message.is_error() => decode(message, view.msg_code(), bytes),
        _ => return Err(IcmpDrop::UnknownType),
    };
    Ok(IcmpIn::Error(error, body::quoted(header, packet)?))
}

fn decode(message: Icmpv6Message, code: u8, bytes: [u8; HEADER]) -> IcmpError {
    let word = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    let unknown = IcmpError::Unknown {
        kind: message.into(),
        code,
    };
    match message {
        Icmpv6Message::DstUnreachable => IcmpError::Unreachable(match code {
            0 => Unreachable::Network,
            1 | 5 | 6 => Unreachable::Prohibited,
            2 => Unreachable::BeyondScope,
            3 => Unreachable::Host,
            4 => Unreachable::Port,
            other => Unreachable::Other(other),
        }),
        Icmpv6Message::PktTooBig => IcmpError::TooBig { mtu: word },
        Icmpv6Message::TimeExceeded => match code {
            0 => IcmpError::TimeExceeded(TimeExceeded::HopLimit),
            1 => IcmpError::TimeExceeded(TimeExceeded::Reassembly),
            _ => unknown,
        },
        Icmpv6Message::ParamProblem => {
            let problem = match code {
                0 => Problem::Header,
                1 => Problem::NextHeader,
                2 => Problem::Option {
                    even_multicast: false,
                },
                3 => Problem::HeaderChain,
                _ => return unknown,
            };
            IcmpError::ParameterProblem {
                problem,
                pointer: word,
            }
        }
        _ => unknown,
    }
}

/// Type, code and second word.
fn encode(kind: IcmpError) -> Option<(Icmpv6Message, u8, u32)> {
    Some(match kind {
        IcmpError::Unreachable(reason) => {
            let code = match reason {
                Unreachable::Network => 0,
                Unreachable::Prohibited => 1,
                Unreachable::BeyondScope => 2,
                Unreachable::Host => 3,
                Unreachable::Port => 4,
                Unreachable::Protocol | Unreachable::Other(_) => return None,
            };
            (Icmpv6Message::DstUnreachable, code, 0)
        }
        IcmpError::TooBig { mtu } => (Icmpv6Message::PktTooBig, 0, mtu),
        IcmpError::TimeExceeded(TimeExceeded::HopLimit) => (Icmpv6Message::TimeExceeded, 0, 0),
        IcmpError::TimeExceeded(TimeExceeded::Reassembly) => (Icmpv6Message::TimeExceeded, 1, 0),
        IcmpError::ParameterProblem { problem, pointer } => {
            let code = match problem {
                Problem::Header => 0,
                Problem::NextHeader => 1,
                Problem::Option { .. } => 2,
                Problem::HeaderChain => 3,
            };
            (Icmpv6Message::ParamProblem, code, pointer)
        }
        IcmpError::Unknown { .. } => return None,
    })
}

#[cfg(test)]
mod tests;
