//! Packets: `< [ect0] S 0:0(0) win 65535 <mss 1460>`, `udp (100)`, `icmp unreachable frag_needed mtu 1200 [1:1461(1460)]`.

use winnow::stream::Stream;

use super::input::{
    Input, Parsed, expected, hex_bytes, looks_at, need, number, place, refused, skip, take,
    take_word, word,
};
use super::ip::ip;
use super::options;
use crate::ast::{
    Body, Echo, GroupMessage, Icmp, IpSpec, Packet, Quote, Segment, Settings, TcpOption,
};
use crate::names;

/// Flags by their letters, and their bits in the header.
const FLAGS: [(char, u16); 10] = [
    ('F', 0x01),
    ('S', 0x02),
    ('R', 0x04),
    ('P', 0x08),
    ('.', 0x10),
    ('U', 0x20),
    ('E', 0x40),
    ('W', 0x80),
    ('C', 0x80),
    ('A', 0x100),
];

/// What tunnels are called in the language.
const TUNNELS: [&str; 4] = ["ipv4", "ipv6", "gre", "mpls"];

/// A packet behind `<` or `>`.
pub(super) fn packet(input: &mut Input<'_>, settings: &Settings, outbound: bool) -> Parsed<Packet> {
    let ip = if take(input, "[")? {
        ip(input, settings, outbound)?
    } else {
        IpSpec::default()
    };
    let begin = place(input);
    if TUNNELS
        .iter()
        .any(|tunnel| super::input::looks_at_word(input, tunnel))
    {
        return refused(begin, "packets in tunnels are not part of this runner");
    }
    let body = if take_word(input, "udp")? {
        need(input, "(", "and the length behind `udp`")?;
        let len = number(input, "the length of a datagram")?;
        need(input, ")", "behind the length")?;
        Body::Udp(len)
    } else if take_word(input, "icmp")? {
        icmp(input, begin, settings, false)?
    } else if take_word(input, "icmpv6")? {
        icmp(input, begin, settings, true)?
    } else if take_word(input, "igmp")? {
        Body::Group(group(input, begin, settings, false)?)
    } else if take_word(input, "mld")? {
        Body::Group(group(input, begin, settings, true)?)
    } else {
        Body::Tcp(segment(input, outbound)?)
    };
    let room = 65_535 - if settings.local.is_ipv4() { 20 } else { 0 };
    if length(&body) > room {
        return refused(
            begin,
            format!("there is no such packet: IP carries at most {room} bytes here"),
        );
    }
    Ok(Packet { ip, body })
}

/// What IP has to carry. A quote is cut to what fits when it is sent.
fn length(body: &Body) -> usize {
    match body {
        Body::Udp(len) => 8 + usize::from(*len),
        Body::Tcp(segment) => {
            let options = segment.options.as_deref().unwrap_or_default();
            let options: usize = options.iter().map(TcpOption::size).sum();
            20 + options + segment.len as usize
        }
        Body::Icmp(_) => 0,
        Body::Echo(echo) => 8 + usize::from(echo.len),
        Body::Group(message) => 4 + message.rest.len(),
    }
}

fn segment(input: &mut Input<'_>, outbound: bool) -> Parsed<Segment> {
    let flags = flags(input)?;
    let (seq, len) = range(input)?;
    let mut segment = Segment {
        flags,
        seq,
        len,
        ack: None,
        window: None,
        urgent: None,
        options: Some(Vec::new()),
    };
    let begin = place(input);
    if take_word(input, "ack")? {
        segment.ack = Some(number(input, "an acknowledgement number")?);
    }
    if segment.ack.is_some() && flags & 0x10 == 0 {
        return refused(begin, "this acknowledges without the flag `.`");
    }
    if take_word(input, "win")? {
        segment.window = Some(number(input, "a window")?);
    }
    if take_word(input, "urg")? {
        segment.urgent = Some(number(input, "an urgent pointer")?);
    }
    if looks_at(input, "<") {
        let begin = place(input);
        take(input, "<")?;
        if take(input, "...")? {
            if !outbound {
                return refused(
                    begin,
                    "only of a packet that the host sends may options be left open",
                );
            }
            need(input, ">", "behind the options")?;
            segment.options = None;
        } else {
            segment.options = Some(options::options(input)?);
        }
    }
    Ok(segment)
}

fn flags(input: &mut Input<'_>) -> Parsed<u16> {
    if take(input, "-")? {
        return Ok(0);
    }
    let mut flags = 0;
    loop {
        let rest: &str = input.as_ref();
        let Some(c) = rest.chars().next() else {
            break;
        };
        let Some((_, bit)) = FLAGS.iter().find(|(letter, _)| *letter == c) else {
            break;
        };
        flags |= bit;
        input.next_slice(1);
    }
    if flags == 0 {
        return expected(
            input,
            "flags of a segment (`S`, `.`, `P.`, `F.`, `R`, ...), `udp`, `icmp`, `icmpv6`, `igmp` or `mld`",
        );
    }
    skip(input)?;
    Ok(flags)
}

/// `first:last(length)`.
fn range(input: &mut Input<'_>) -> Parsed<(u32, u32)> {
    let begin = place(input);
    let first: u32 = number(input, "a sequence number, as in `1:1001(1000)`")?;
    need(
        input,
        ":",
        "between the sequence numbers, as in `1:1001(1000)`",
    )?;
    let last: u32 = number(input, "the sequence number behind the data")?;
    need(input, "(", "and the length of the data")?;
    let len: u16 = number(input, "the length of the data")?;
    need(input, ")", "behind the length")?;
    let between = last.wrapping_sub(first);
    if between != u32::from(len) {
        return refused(
            begin,
            format!("from {first} to {last} are {between} bytes, and not {len}"),
        );
    }
    Ok((first, u32::from(len)))
}

/// A message has to be of the script's version of IP.
fn check_version(begin: usize, settings: &Settings, v6: bool) -> Parsed<()> {
    if settings.remote.is_ipv6() == v6 {
        return Ok(());
    }
    refused(
        begin,
        "this message is of another version of IP than the script",
    )
}

/// What kind a message is of: a number, or one of the names that `by_name` knows.
fn kind(input: &mut Input<'_>, what: &str, by_name: impl Fn(&str) -> Option<u8>) -> Parsed<u8> {
    let at = place(input);
    let of = format!("a {what}");
    if input.as_ref().starts_with(|c: char| c.is_ascii_digit()) {
        return number(input, &of);
    }
    let name = word(input, &of)?;
    match by_name(name) {
        Some(kind) => Ok(kind),
        None => refused(at, format!("`{name}` is no {what} that is known here")),
    }
}

/// `query code 100 e0000001`: a type, the byte behind it, and what stands behind the checksum.
fn group(
    input: &mut Input<'_>,
    begin: usize,
    settings: &Settings,
    v6: bool,
) -> Parsed<GroupMessage> {
    check_version(begin, settings, v6)?;
    let kind = kind(input, "message about groups", |name| {
        names::group_type(v6, name)
    })?;
    let code = match take_word(input, "code")? {
        true => number(input, "the byte behind the type")?,
        false => 0,
    };
    let rest = hex_bytes(input)?;
    Ok(GroupMessage {
        v6,
        kind,
        code,
        rest,
    })
}

fn icmp(input: &mut Input<'_>, begin: usize, settings: &Settings, v6: bool) -> Parsed<Body> {
    check_version(begin, settings, v6)?;
    let kind = kind(input, "type of ICMP", |name| names::icmp_type(v6, name))?;
    if super::input::looks_at_word(input, "id") {
        return echo(input, kind);
    }
    let at = place(input);
    let mut code = 0;
    let is_word = |word| super::input::looks_at_word(input, word);
    if input.as_ref().starts_with(|c: char| c.is_ascii_digit()) {
        code = number(input, "a code of ICMP")?;
    } else if !is_word("mtu")
        && !is_word("pointer")
        && input
            .as_ref()
            .starts_with(|c: char| c.is_ascii_alphabetic())
    {
        let name = word(input, "a code of ICMP")?;
        code = match names::icmp_code(v6, kind, name) {
            Some(code) => code,
            None => {
                return refused(
                    at,
                    format!("`{name}` is no code of ICMP type {kind} that is known here"),
                );
            }
        };
    }
    let mtu = if take_word(input, "mtu")? {
        let at = place(input);
        let mtu: u32 = number(input, "an MTU")?;
        if !v6 && mtu > u32::from(u16::MAX) {
            return refused(at, format!("{mtu} is too large for an MTU in ICMP of IPv4"));
        }
        Some(mtu)
    } else {
        None
    };
    let pointer = if take_word(input, "pointer")? {
        Some(number(input, "a place in the packet")?)
    } else {
        None
    };
    let mut quote = Quote::Tcp { range: None };
    if take(input, "[")? {
        quote = if take_word(input, "udp")? {
            need(input, "(", "and the length behind `udp`")?;
            let len = number(input, "the length of a datagram")?;
            need(input, ")", "behind the length")?;
            Quote::Udp(len)
        } else {
            Quote::Tcp {
                range: Some(range(input)?),
            }
        };
        need(input, "]", "behind the quoted packet")?;
    }
    Ok(Body::Icmp(Icmp {
        v6,
        kind,
        code,
        mtu,
        pointer,
        quote,
    }))
}

/// `id 1 seq 2 (56)` behind the type of a ping or of its answer.
fn echo(input: &mut Input<'_>, kind: u8) -> Parsed<Body> {
    take_word(input, "id")?;
    let id = number(input, "the identifier of a ping")?;
    need(input, "seq", "behind the identifier of a ping")?;
    let seq = number(input, "the sequence number of a ping")?;
    need(input, "(", "and the length of a ping's data")?;
    let len = number(input, "the length of a ping's data")?;
    need(input, ")", "behind the length")?;
    Ok(Body::Echo(Echo { kind, id, seq, len }))
}
