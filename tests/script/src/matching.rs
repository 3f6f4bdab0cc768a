//! Whether a packet of the host is the one that the script expects.

use crate::ast::{Body, Class, Echo, Icmp, Packet, Quote, Segment, TcpOption};
use crate::capture::{Direction, Record};
use crate::flow::Flow;
use crate::pattern;
use crate::show;
use crate::wire::{Carried, Seen, TcpSeen};

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

fn ip(expected: &Packet, seen: &Seen, flow: &Flow) -> Vec<String> {
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
    if expected.ip.whole && !seen.whole {
        wrong.push("routers may fragment it".into());
    }
    if let Some(label) = expected.ip.flow_label.filter(|label| *label != seen.label) {
        wrong.push(format!(
            "its flow label is {:#x}, and not {label:#x}",
            seen.label
        ));
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
