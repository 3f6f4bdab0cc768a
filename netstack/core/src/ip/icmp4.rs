//! ICMP for IPv4 (RFC 792, RFC 1122 section 3.2.2).

use std::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::{Icmpv4Message, Icmpv4Packet, IpProtocol};
use txbuf::{Chain, Checksum, Meta, Packet, checksum};

use super::icmp::body::{self, CHECKSUM_AT, HEADER};
use super::icmp::message::{
    IcmpDrop, IcmpError, IcmpIn, Problem, ReplyFrom, TimeExceeded, Unreachable,
};
use super::output::{OutHeader, push_header};
use super::pseudo;
use super::{HOP_LIMIT, IPV4_HEADER, IpHeader};

/// Turns an accepted echo request into its reply; see [`super::icmp::echo_reply`].
// req: RFC792-02, RFC792-03, RFC1122-40, RFC1122-42
pub(crate) fn echo_reply(
    header: &IpHeader,
    mut packet: Packet,
    from: &ReplyFrom,
) -> Result<Packet, IcmpDrop> {
    packet
        .strip(header.header_len)
        .map_err(|_| IcmpDrop::Truncated)?;
    let trusted = matches!(packet.meta.checksum, Checksum::Partial { .. });
    let bytes = packet
        .headers_mut()
        .get_mut(..HEADER)
        .ok_or(IcmpDrop::Truncated)?;
    let old = u16::from_be_bytes([bytes[0], bytes[1]]);
    let mut view = Icmpv4Packet::new_unchecked(bytes);
    view.set_msg_type(Icmpv4Message::EchoReply);
    view.set_msg_code(0);
    if !trusted {
        view.set_checksum(checksum::update(view.checksum(), old, 0));
    }
    packet.meta = Meta {
        checksum: pseudo::reply_state(trusted, CHECKSUM_AT),
        ..Meta::default()
    };
    let out = OutHeader {
        src: from.source,
        dst: header.src,
        protocol: IpProtocol::Icmp,
        hop_limit: from.hop_limit,
        traffic_class: header.traffic_class,
        ident: from.ident,
        dont_fragment: false,
        flow_label: 0,
    };
    push_header(&mut packet, &out).map_err(|_| IcmpDrop::NoRoom)?;
    Ok(packet)
}

/// Builds the error `kind` about `original`; `None` if IPv4 has no such error or memory is out.
/// Whether it may be sent is [`super::icmp::recipient`]'s to say.
pub(crate) fn error(
    kind: IcmpError,
    original: &Packet,
    from: Ipv4Addr,
    to: Ipv4Addr,
    ident: u16,
    small: &mut Chain,
) -> Option<Packet> {
    let (message, code, word) = encode(kind)?;
    let message = (message.into(), code, word);
    let mut packet = body::quoting(message, original, ERROR_LIMIT - IPV4_HEADER, |_| 0, small)?;
    let out = OutHeader {
        src: IpAddr::V4(from),
        dst: IpAddr::V4(to),
        protocol: IpProtocol::Icmp,
        hop_limit: HOP_LIMIT,
        traffic_class: 0,
        ident,
        dont_fragment: false,
        flow_label: 0,
    };
    push_header(&mut packet, &out).ok()?;
    Some(packet)
}

/// The largest error packet (RFC 1812 section 4.3.2.3).
const ERROR_LIMIT: usize = 576;

/// Reads the message in `packet` whose header is `bytes`.
pub(super) fn read(
    header: &IpHeader,
    packet: &mut Packet,
    bytes: [u8; HEADER],
) -> Result<IcmpIn, IcmpDrop> {
    let view = Icmpv4Packet::new_unchecked(&bytes[..]);
    let error = match view.msg_type() {
        Icmpv4Message::EchoRequest => {
            packet
                .pull(header.header_len + HEADER)
                .map_err(|_| IcmpDrop::NoRoom)?;
            return Ok(IcmpIn::EchoRequest);
        }
        Icmpv4Message::EchoReply => return Ok(IcmpIn::EchoReply),
        message => decode(message, view.msg_code(), bytes).ok_or(IcmpDrop::UnknownType)?,
    };
    Ok(IcmpIn::Error(error, body::quoted(header, packet)?))
}

// req: RFC6633-04, MUST-55, RFC6633-01, RFC6633-02, RFC6633-03, RFC6633-05, RFC6633-06
fn decode(message: Icmpv4Message, code: u8, bytes: [u8; HEADER]) -> Option<IcmpError> {
    Some(match message {
        Icmpv4Message::DstUnreachable if code == TOO_BIG => IcmpError::TooBig {
            mtu: u16::from_be_bytes([bytes[6], bytes[7]]).into(),
        },
        Icmpv4Message::DstUnreachable => IcmpError::Unreachable(match code {
            0 => Unreachable::Network,
            1 => Unreachable::Host,
            2 => Unreachable::Protocol,
            3 => Unreachable::Port,
            9 | 10 | 13 => Unreachable::Prohibited,
            other => Unreachable::Other(other),
        }),
        Icmpv4Message::TimeExceeded => IcmpError::TimeExceeded(match code {
            0 => TimeExceeded::HopLimit,
            1 => TimeExceeded::Reassembly,
            _ => {
                return Some(IcmpError::Unknown {
                    kind: message.into(),
                    code,
                });
            }
        }),
        Icmpv4Message::ParamProblem => IcmpError::ParameterProblem {
            problem: Problem::Header,
            pointer: bytes[4].into(),
        },
        _ => return None,
    })
}

/// Type, code and second word.
fn encode(kind: IcmpError) -> Option<(Icmpv4Message, u8, u32)> {
    Some(match kind {
        IcmpError::Unreachable(reason) => {
            let code = match reason {
                Unreachable::Network => 0,
                Unreachable::Host => 1,
                Unreachable::Protocol => 2,
                Unreachable::Port => 3,
                Unreachable::Prohibited => 13,
                Unreachable::BeyondScope | Unreachable::Other(_) => return None,
            };
            (Icmpv4Message::DstUnreachable, code, 0)
        }
        IcmpError::TooBig { mtu } => (Icmpv4Message::DstUnreachable, TOO_BIG, mtu.min(0xffff)),
        IcmpError::TimeExceeded(TimeExceeded::HopLimit) => (Icmpv4Message::TimeExceeded, 0, 0),
        IcmpError::TimeExceeded(TimeExceeded::Reassembly) => (Icmpv4Message::TimeExceeded, 1, 0),
        IcmpError::ParameterProblem {
            problem: Problem::Header,
            pointer,
        } => (Icmpv4Message::ParamProblem, 0, pointer.min(0xff) << 24),
        IcmpError::ParameterProblem {
            problem: Problem::NextHeader,
            ..
        } => (Icmpv4Message::DstUnreachable, 2, 0),
        IcmpError::ParameterProblem { .. } | IcmpError::Unknown { .. } => return None,
    })
}

/// Fragmentation needed, but forbidden.
const TOO_BIG: u8 = 4;

#[cfg(test)]
mod tests;
