//! What ICMP errors quote is what was sent.

use std::collections::VecDeque;

use etherparse::{IpNumber, ip_number};

use super::icmp;
use crate::out::{Out, Scope};
use crate::parse::Packet;
use crate::parse::ip::Ip;
use crate::rule::rules;

/// How many packets are remembered, and how much of each.
const PACKETS: usize = 512;
const BYTES: usize = 96;
/// An error quotes at least so much of the payload.
const LEAST: usize = 8;

rules! {
    QUOTE = Error "W-ICMP-02", "792; 1122 section 3.2.2", "An error quotes the whole header and at least 8 bytes, as they were";
}

struct Kept {
    number: u64,
    length: usize,
    bytes: [u8; BYTES],
}

#[derive(Default)]
pub(super) struct State {
    recent: VecDeque<Kept>,
}

impl State {
    pub(super) fn judge(&mut self, packet: &Packet<'_>, out: &mut Out) {
        let ip = &packet.ip;
        if ip.fragment.is_none()
            && let Some((bytes, is_v4)) = icmp::message(ip)
            && bytes.len() >= 8
            && icmp::is_error(is_v4, bytes[0])
            && !ip.is_cut()
        {
            self.judge_quote(packet, &bytes[8..], out);
        }
        self.keep(packet);
    }

    fn keep(&mut self, packet: &Packet<'_>) {
        let whole = packet.frame.payload;
        let length = whole.len().min(BYTES);
        let mut kept = if self.recent.len() >= PACKETS {
            self.recent.pop_front()
        } else {
            None
        }
        .unwrap_or(Kept {
            number: 0,
            length: 0,
            bytes: [0; BYTES],
        });
        kept.number = packet.number;
        kept.length = length;
        kept.bytes[..length].copy_from_slice(&whole[..length]);
        self.recent.push_back(kept);
    }

    fn judge_quote(&self, packet: &Packet<'_>, quote: &[u8], out: &mut Out) {
        let scope = Scope::of_packet(packet.timed);
        let Ok(quoted) = Ip::parse(quote, usize::MAX) else {
            out.add(
                &QUOTE,
                scope,
                &[packet.number],
                format_args!(
                    "the error quotes {} bytes, which are no whole header",
                    quote.len()
                ),
            );
            return;
        };
        if quoted.payload.len() < LEAST.min(quoted.payload_len) {
            out.add(
                &QUOTE,
                scope,
                &[packet.number],
                format_args!(
                    "the error quotes {} bytes after the header",
                    quoted.payload.len()
                ),
            );
            return;
        }
        let mut nearest = None;
        for kept in self.recent.iter().rev() {
            match compare(&quoted, quote, kept) {
                Match::Same => return,
                Match::Altered(at) => nearest = nearest.or(Some((kept.number, at))),
                Match::Another => {}
            }
        }
        if let Some((number, at)) = nearest {
            out.add(
                &QUOTE,
                scope,
                &[packet.number, number],
                format_args!("byte {at} of what is quoted is not as it was sent"),
            );
        }
    }
}

enum Match {
    Same,
    /// The same packet by all signs, but for the byte at this place.
    Altered(usize),
    Another,
}

/// Holds a quote against a packet: the fields that change on the way, and checksums that hardware makes, aside.
fn compare(quoted: &Ip<'_>, quote: &[u8], kept: &Kept) -> Match {
    let sent = &kept.bytes[..kept.length];
    let Ok(original) = Ip::parse(sent, usize::MAX) else {
        return Match::Another;
    };
    // Fragments of one datagram have all but their place in common.
    let place = |ip: &Ip<'_>| ip.fragment.as_ref().map_or(0, |fragment| fragment.offset);
    let is_kin = original.source == quoted.source
        && original.destination == quoted.destination
        && place(&original) == place(quoted)
        && original.protocol == quoted.protocol
        && original.total_len == quoted.total_len;
    if !is_kin {
        return Match::Another;
    }
    let header_len = quoted.header.len();
    let changes = |at: usize| {
        let in_header = if quoted.is_v4() {
            matches!(at, 1 | 8 | 10 | 11)
        } else {
            matches!(at, 0..=3 | 7)
        };
        in_header && at < header_len || is_checksum(quoted.protocol, at, header_len)
    };
    let differs =
        (0..sent.len().min(quote.len())).find(|&at| !changes(at) && sent[at] != quote[at]);
    match differs {
        None => Match::Same,
        // One of two signs must hold for it to be the same packet: the ID, or the ports with what follows them.
        Some(at) => {
            let ports = |ip: &Ip<'_>| ip.payload.get(..6).map(<[u8]>::to_vec);
            let same_id = quoted.is_v4() && quoted.id != 0 && quoted.id == original.id;
            if same_id || ports(quoted) == ports(&original) {
                Match::Altered(at)
            } else {
                Match::Another
            }
        }
    }
}

fn is_checksum(protocol: IpNumber, at: usize, header_len: usize) -> bool {
    let field = match protocol {
        ip_number::TCP => 16,
        ip_number::UDP => 6,
        _ => return false,
    };
    at.checked_sub(header_len)
        .is_some_and(|place| place == field || place == field + 1)
}
