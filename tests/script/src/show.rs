//! Packets as a script writes them.

use std::fmt::Write as _;

use crate::ast::TcpOption;
use crate::flow::Flow;
use crate::wire::{Carried, Seen, TcpSeen};

const LETTERS: [(u16, char); 9] = [
    (0x02, 'S'),
    (0x01, 'F'),
    (0x04, 'R'),
    (0x08, 'P'),
    (0x20, 'U'),
    (0x40, 'E'),
    (0x80, 'W'),
    (0x100, 'A'),
    (0x10, '.'),
];

/// The letters of flags.
pub(crate) fn flags(flags: u16) -> String {
    let set = LETTERS.iter().filter(|(bit, _)| flags & bit != 0);
    let letters: String = set.map(|(_, letter)| *letter).collect();
    if letters.is_empty() {
        "-".into()
    } else {
        letters
    }
}

/// A packet of the host, in the numbers of the script.
pub(crate) fn packet(seen: &Seen, flow: Option<&Flow>) -> String {
    let mut text = String::from("> ");
    match seen.class {
        0 => {}
        1 => text.push_str("[ect1] "),
        2 => text.push_str("[ect0] "),
        3 => text.push_str("[ce] "),
        other => {
            let _ = write!(text, "[tos {other:#x}] ");
        }
    }
    match &seen.carried {
        Carried::Tcp(segment) => text.push_str(&tcp(segment, flow)),
        Carried::Udp { payload, .. } => {
            let _ = write!(text, "udp ({})", payload.len());
        }
        Carried::Igmp { kind, code, rest } => {
            let _ = write!(text, "igmp {kind} code {code} {}", hex(rest));
        }
        Carried::Icmp {
            kind: kind @ (130..=132 | 143),
            code,
            ..
        } => {
            let rest = seen.layers.body.get(4..).unwrap_or_default();
            let _ = write!(text, "mld {kind} code {code} {}", hex(rest));
        }
        Carried::Icmp {
            kind, code, word, ..
        } => {
            let name = if seen.src.is_ipv4() { "icmp" } else { "icmpv6" };
            let _ = write!(text, "{name} {kind} {code}");
            if matches!(kind, 0 | 8 | 128 | 129) {
                let _ = write!(text, " id {} seq {}", word >> 16, word & 0xffff);
            } else if *word != 0 {
                let _ = write!(text, " mtu {}", word & 0xffff);
            }
        }
        Carried::Other(what) => match seen.layers.fragment {
            Some((offset, more)) => {
                let end = usize::from(offset) + seen.layers.body.len();
                let last = if more { "" } else { ", the last" };
                let _ = write!(text, "[part {offset}:{end}]{last}");
            }
            None => text.push_str(what),
        },
    }
    text
}

fn tcp(segment: &TcpSeen, flow: Option<&Flow>) -> String {
    let seq = flow.map_or(segment.seq, |flow| flow.to_script(segment.seq));
    let len = segment.payload.len();
    let end = seq.wrapping_add(u32::try_from(len).unwrap_or(0));
    let mut text = format!("{} {seq}:{end}({len})", flags(segment.flags));
    if segment.flags & 0x10 != 0 {
        let _ = write!(text, " ack {}", segment.ack);
    }
    let _ = write!(text, " win {}", segment.window);
    if segment.urgent != 0 {
        let _ = write!(text, " urg {}", segment.urgent);
    }
    match &segment.options {
        Ok(options) if options.is_empty() => {}
        Ok(options) => {
            let _ = write!(text, " <{}>", self::options(options, flow));
        }
        Err(why) => {
            let _ = write!(text, " <{why}>");
        }
    }
    text
}

/// Options, with the host's timestamps as the script counts.
pub(crate) fn options(options: &[TcpOption], flow: Option<&Flow>) -> String {
    let texts = options.iter().map(|option| option_text(option, flow));
    texts.collect::<Vec<_>>().join(",")
}

fn option_text(option: &TcpOption, flow: Option<&Flow>) -> String {
    match option {
        TcpOption::Eol => "eol".into(),
        TcpOption::Nop => "nop".into(),
        TcpOption::Mss(mss) => format!("mss {mss}"),
        TcpOption::Scale(shift) => format!("wscale {shift}"),
        TcpOption::SackOk => "sackOK".into(),
        TcpOption::Sack(blocks) => {
            let blocks = blocks
                .iter()
                .map(|(left, right)| format!(" {left}:{right}"));
            format!("sack{}", blocks.collect::<String>())
        }
        TcpOption::Timestamps { val, ecr } => {
            let val = flow.map_or(*val, |flow| flow.clock_to_script(*val));
            format!("TS val {val} ecr {ecr}")
        }
        TcpOption::Raw(bytes) => format!("raw {}", hex(bytes)),
        TcpOption::FastOpen(cookie) => format!("FO {}", hex(cookie)),
        TcpOption::FastOpenExperiment(cookie) => format!("FOEXP {}", hex(cookie)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
