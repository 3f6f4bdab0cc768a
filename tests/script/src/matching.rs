//! Whether a packet of the host is the one that the script expects.

use crate::ast::{
    Body, Class, Echo, FlowLabel, GroupMessage, Icmp, Packet, Quote, Segment, Shape, TcpOption,
};
use crate::capture::{Direction, Record};
use crate::flow::Flow;
use crate::pattern;
use crate::show;
use crate::wire::{self, Address, Carried, Layers, Seen, TcpSeen};

const SYN: u16 = 0x02;
const RST: u16 = 0x04;
const ACK: u16 = 0x10;

/// What differs; nothing when it is the packet. What a matching SYN or timestamp teaches is learned. `packets` are those
/// of the run: what the host quotes has to be one that it received.
pub(crate) fn differences(
    expected: &Packet,
    seen: &Seen,
    flow: &mut Flow,
    packets: &[Record],
) -> Vec<String> {
    let mut wrong = ip(expected, seen, flow);
    if let Some(shape) = &expected.ip.shape {
        headers(shape, seen, flow, &mut wrong);
        if let Some(part) = shape.part {
            fragment(&expected.body, part, seen, flow, &mut wrong);
            return wrong;
        }
    }
    match (&expected.body, &seen.carried) {
        (Body::Tcp(expected), Carried::Tcp(segment)) => tcp(expected, segment, flow, &mut wrong),
        (
            Body::Udp(len),
            Carried::Udp {
                src_port,
                dst_port,
                payload,
            },
        ) => {
            ports((*src_port, *dst_port), flow, &mut wrong);
            if usize::from(*len) != payload.len() {
                wrong.push(format!("it carries {} bytes, and not {len}", payload.len()));
            }
            wrong.extend(pattern::fault(0, payload));
        }
        (
            Body::Icmp(expected),
            Carried::Icmp {
                kind,
                code,
                word,
                quoted,
            },
        ) => {
            icmp(expected, (*kind, *code, *word), &mut wrong);
            wrong.extend(quote(expected, quoted, packets));
        }
        (
            Body::Echo(expected),
            Carried::Icmp {
                kind,
                code,
                word,
                quoted,
            },
        ) => echo(expected, (*kind, *code, *word), quoted, &mut wrong),
        (Body::Group(expected), Carried::Igmp { .. } | Carried::Icmp { .. }) => {
            group(expected, &seen.layers, &mut wrong);
        }
        _ => wrong.push("it is of another protocol".into()),
    }
    wrong
}

/// A ping or its answer: what it carries is the pattern of all data, from the beginning.
fn echo(expected: &Echo, head: (u8, u8, u32), data: &[u8], wrong: &mut Vec<String>) {
    let (kind, code, word) = head;
    if (expected.kind, 0) != (kind, code) {
        let wanted = expected.kind;
        wrong.push(format!(
            "it is of type {kind} and code {code}, and not {wanted} and 0"
        ));
    }
    let (id, seq) = (word >> 16, word & 0xffff);
    if (u32::from(expected.id), u32::from(expected.seq)) != (id, seq) {
        wrong.push(format!(
            "its identifier and number are {id} and {seq}, and not {} and {}",
            expected.id, expected.seq
        ));
    }
    if usize::from(expected.len) != data.len() {
        let len = expected.len;
        wrong.push(format!("it carries {} bytes, and not {len}", data.len()));
    }
    wrong.extend(pattern::fault(0, data));
}

/// A message about groups, byte for byte.
fn group(expected: &GroupMessage, seen: &Layers, wrong: &mut Vec<String>) {
    let head = [expected.kind, expected.code];
    if seen.body.get(..2) != Some(&head[..]) {
        wrong.push(format!(
            "it is not of type {} and code {}",
            expected.kind, expected.code
        ));
    }
    let rest = seen.body.get(4..).unwrap_or_default();
    if rest != expected.rest {
        wrong.push(format!(
            "behind its checksum stand {rest:02x?}, and not {:02x?}",
            expected.rest
        ));
    }
}

/// What a script says about the headers between that of IP and what it carries, and bytes at their places.
fn headers(shape: &Shape, seen: &Seen, flow: &mut Flow, wrong: &mut Vec<String>) {
    let layers = &seen.layers;
    match (shape.id, layers.id) {
        (Some(script), Some(live)) => wrong.extend(flow.learn_id(script, live)),
        (Some(_), None) => wrong.push("it has no identification".into()),
        (None, _) => {}
    }
    if !shape.options.is_empty() && shape.options != layers.options {
        wrong.push(format!(
            "its IP options are {:02x?}, and not {:02x?}",
            layers.options, shape.options
        ));
    }
    if !shape.extensions.is_empty() && shape.extensions != layers.extensions {
        wrong.push(format!(
            "its extension headers are {:02x?}, and not {:02x?}",
            layers.extensions, shape.extensions
        ));
    }
    for (at, bytes) in &shape.bytes {
        let from = usize::from(*at);
        let there = seen.bytes.get(from..from + bytes.len());
        if there != Some(bytes) {
            wrong.push(format!(
                "at byte {at} stand {there:02x?}, and not {bytes:02x?}"
            ));
        }
    }
}

/// A fragment has to carry just these bytes of what the host sends, and to say so.
fn fragment(
    body: &Body,
    (from, to): (u16, u16),
    seen: &Seen,
    flow: &mut Flow,
    wrong: &mut Vec<String>,
) {
    let Some((offset, more)) = seen.layers.fragment else {
        return wrong.push("it is no fragment".into());
    };
    let Some(whole) = whole(body, seen, flow) else {
        return wrong.push("only of datagrams and pings can parts be expected".into());
    };
    let (begin, end) = (usize::from(from), usize::from(to));
    let follows = end < whole.len();
    if (offset, more) != (from, follows) {
        wrong.push(format!(
            "it begins at byte {offset} and others {}, and not at {from}",
            if more { "follow" } else { "do not follow" }
        ));
    }
    let part = whole.get(begin..end.min(whole.len())).unwrap_or_default();
    if part.len() != seen.layers.body.len() {
        let (len, wanted) = (seen.layers.body.len(), part.len());
        wrong.push(format!("it carries {len} bytes, and not {wanted}"));
    } else if let Some(at) = (0..part.len()).find(|&at| part[at] != seen.layers.body[at]) {
        wrong.push(format!("byte {} of the datagram is another", begin + at));
    }
}

/// All that IP has to carry of what the host sends in parts.
fn whole(body: &Body, seen: &Seen, flow: &Flow) -> Option<Vec<u8>> {
    let address = Address {
        src: seen.src,
        dst: seen.dst,
        class: 0,
        ttl: 0,
        label: 0,
    };
    let packet = match body {
        Body::Udp(len) => {
            let data = pattern::bytes(0, usize::from(*len));
            wire::udp(address, flow.local.port(), flow.remote.port(), &data)
        }
        Body::Echo(echo) => {
            let data = pattern::bytes(0, usize::from(echo.len));
            let word = u32::from(echo.id) << 16 | u32::from(echo.seq);
            wire::icmp(address, echo.kind, 0, word, &data)
        }
        _ => return None,
    };
    let header = if seen.src.is_ipv4() { 20 } else { 40 };
    packet.get(header..).map(<[u8]>::to_vec)
}

fn ip(expected: &Packet, seen: &Seen, flow: &mut Flow) -> Vec<String> {
    let mut wrong = Vec::new();
    if !seen.intact {
        wrong.push("its checksum is wrong".into());
    }
    let src = expected.ip.src.unwrap_or(flow.local.ip());
    if seen.src != src {
        wrong.push(format!("it comes from {}, and not from {src}", seen.src));
    }
    let dst = expected.ip.dst.unwrap_or(flow.remote.ip());
    if seen.dst != dst {
        wrong.push(format!("it goes to {}, and not to {dst}", seen.dst));
    }
    let ecn = seen.class & 3;
    match expected.ip.class {
        Some(Class::Tos(tos)) if tos != seen.class => {
            wrong.push(format!(
                "its type of service is {:#x}, and not {tos:#x}",
                seen.class
            ));
        }
        Some(Class::Ecn(wanted)) if wanted != ecn => {
            wrong.push(format!("its ECN bits are {ecn:02b}, and not {wanted:02b}"));
        }
        Some(Class::Ect01) if ecn != 1 && ecn != 2 => {
            wrong.push(format!("its ECN bits are {ecn:02b}, which is not ECT"));
        }
        _ => {}
    }
    if let Some(ttl) = expected.ip.ttl.filter(|ttl| *ttl != seen.ttl) {
        wrong.push(format!("its hop limit is {}, and not {ttl}", seen.ttl));
    }
    match expected.ip.flow_label {
        Some(FlowLabel::Is(label)) if label != seen.label => wrong.push(format!(
            "its flow label is {:#x}, and not {label:#x}",
            seen.label
        )),
        Some(FlowLabel::Chosen) => wrong.extend(flow.learn_label(seen.label)),
        _ => {}
    }
    if seen.layers.reserved {
        wrong.push("its reserved flag is set".into());
    }
    let forbids = seen.layers.dont_fragment;
    if expected
        .ip
        .dont_fragment
        .is_some_and(|wanted| wanted != forbids)
    {
        wrong.push(match forbids {
            true => "it forbids its fragmentation".into(),
            false => "it does not forbid its fragmentation".into(),
        });
    }
    wrong
}

fn tcp(expected: &Segment, segment: &TcpSeen, flow: &mut Flow, wrong: &mut Vec<String>) {
    ports((segment.src_port, segment.dst_port), flow, wrong);
    if expected.flags != segment.flags {
        wrong.push(format!(
            "its flags are {}, and not {}",
            show::flags(segment.flags),
            show::flags(expected.flags)
        ));
        return;
    }
    if segment.flags & SYN != 0 {
        flow.learn_isn(expected.seq, segment.seq);
    }
    let seq = flow.to_script(segment.seq);
    if seq != expected.seq {
        wrong.push(format!(
            "its sequence number is {seq}, and not {}",
            expected.seq
        ));
    }
    if segment.payload.len() != expected.len as usize {
        wrong.push(format!(
            "it carries {} bytes, and not {}",
            segment.payload.len(),
            expected.len
        ));
    }
    if segment.flags & (SYN | RST) == 0 {
        wrong.extend(pattern::fault(flow.host_place(seq), &segment.payload));
    }
    let acknowledges = (segment.flags & ACK != 0).then_some(segment.ack);
    if let Some(ack) = expected.ack.filter(|ack| acknowledges != Some(*ack)) {
        wrong.push(format!("it acknowledges {}, and not {ack}", segment.ack));
    }
    if let Some(window) = expected.window.filter(|window| *window != segment.window) {
        wrong.push(format!(
            "its window is {}, and not {window}",
            segment.window
        ));
    }
    let urgent = expected.urgent.unwrap_or(0);
    if urgent != segment.urgent {
        wrong.push(format!(
            "its urgent pointer is {}, and not {urgent}",
            segment.urgent
        ));
    }
    if let Some(expected) = &expected.options {
        options(expected, segment, flow, wrong);
    }
}

fn ports((src, dst): (u16, u16), flow: &mut Flow, wrong: &mut Vec<String>) {
    if flow.local.port() == 0 {
        flow.local.set_port(src);
    }
    if src == 0 {
        wrong.push("it comes from port 0".into());
    }
    let (local, remote) = (flow.local.port(), flow.remote.port());
    if (src, dst) != (local, remote) {
        wrong.push(format!(
            "its ports are {src} and {dst}, and not {local} and {remote}"
        ));
    }
}

fn options(expected: &[TcpOption], segment: &TcpSeen, flow: &mut Flow, wrong: &mut Vec<String>) {
    let seen = match &segment.options {
        Ok(seen) => seen,
        Err(why) => return wrong.push(why.clone()),
    };
    let mut same = expected.len() == seen.len();
    for (expected, seen) in expected.iter().zip(seen) {
        same &= match (expected, seen) {
            (
                TcpOption::Timestamps { val, ecr },
                TcpOption::Timestamps {
                    val: live,
                    ecr: echoed,
                },
            ) => {
                if let Some(known) = flow.learn_clock(*val, *live) {
                    wrong.push(format!("its timestamp is not the one that was {val} before: {live}, and not {known}"));
                }
                ecr == echoed
            }
            (expected, seen) => expected == seen,
        };
    }
    if !same {
        wrong.push(format!(
            "its options are <{}>, and not <{}>",
            show::options(seen, Some(flow)),
            show::options(expected, None)
        ));
    }
}

fn icmp(expected: &Icmp, (kind, code, word): (u8, u8, u32), wrong: &mut Vec<String>) {
    if (expected.kind, expected.code) != (kind, code) {
        wrong.push(format!(
            "it is of type {kind} and code {code}, and not {} and {}",
            expected.kind, expected.code
        ));
    }
    let mtu = if expected.v6 { word } else { word & 0xffff };
    if let Some(wanted) = expected.mtu.filter(|wanted| *wanted != mtu) {
        wrong.push(format!("it says an MTU of {mtu}, and not {wanted}"));
    }
    let pointer = if expected.v6 { word } else { word >> 24 };
    if let Some(wanted) = expected.pointer.filter(|wanted| *wanted != pointer) {
        wrong.push(format!("it points at byte {pointer}, and not at {wanted}"));
    }
    // What is of no use is zero (RFC 792; RFC 4443, 3).
    let unused = match (expected.v6, kind, code) {
        (false, 3, 4) => word >> 16,
        (false, 12, _) => word & 0xff_ffff,
        (false, 3 | 4 | 11, _) | (true, 1 | 3, _) => word,
        _ => 0,
    };
    if unused != 0 {
        wrong.push(format!("bits that mean nothing are set: {unused:#x}"));
    }
}

/// What an error quotes has to be the packet that the script means, byte for byte as the host received it, and as much
/// of it as there must be: eight bytes behind the header (RFC 792), over IPv6 what fits into 1280 bytes (RFC 4443, 2.4).
fn quote(expected: &Icmp, quoted: &[u8], packets: &[Record]) -> Option<String> {
    let received = packets.iter().rev();
    let mut received = received.filter(|record| record.direction == Direction::Received);
    let Some(original) = received.find(|record| is_meant(expected, &record.bytes)) else {
        return Some("it is an error about a packet that was not sent to the host".into());
    };
    let original = &original.bytes;
    let least = if expected.v6 {
        original.len().min(1280 - 48)
    } else {
        original.len().min(28)
    };
    if quoted.len() < least {
        return Some(format!(
            "it quotes {} bytes, which have to be {least} at least",
            quoted.len()
        ));
    }
    let differs = (0..quoted.len()).find(|&at| original.get(at) != quoted.get(at))?;
    Some(match original.get(differs) {
        None => format!("it quotes more than the {differs} bytes that there were"),
        Some(byte) => format!(
            "byte {differs} of what it quotes is {:#04x}, and was {byte:#04x}",
            quoted[differs]
        ),
    })
}

/// Whether `packet` is what an error is to be about.
fn is_meant(expected: &Icmp, packet: &[u8]) -> bool {
    let (at, header) = if expected.v6 { (6, 40) } else { (9, 20) };
    let word = |from: usize, len: usize| {
        let bytes = packet.get(header + from..header + from + len)?;
        Some(
            bytes
                .iter()
                .fold(0u32, |word, byte| word << 8 | u32::from(*byte)),
        )
    };
    match expected.quote {
        Quote::Udp(len) => packet.get(at) == Some(&17) && word(4, 2) == Some(u32::from(len) + 8),
        Quote::Tcp { range: None } => true,
        Quote::Tcp {
            range: Some((seq, _)),
        } => packet.get(at) == Some(&6) && word(4, 4) == Some(seq),
    }
}

#[cfg(test)]
mod tests;
