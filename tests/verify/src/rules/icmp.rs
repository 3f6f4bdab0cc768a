//! One ICMP message.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::ip_number;

use crate::bounded::Bounded;
use crate::out::{Out, Scope};
use crate::parse::ip::{Ip, Sum, is_unicast};
use crate::parse::{Packet, SEC, u16_at};
use crate::rule::rules;

/// The longest error of a router over IPv4, and the shortest MTU of IPv6.
const LONGEST4: usize = 576;
const LONGEST6: usize = 1280;
/// More errors than this in each of two seconds are unbounded.
const RATE: u32 = 1000;
const SENDERS: usize = 1024;

rules! {
    CHECKSUM = Error "W-ICMP-01", "792; 4443 section 2.3", "The checksum verifies, in ICMPv6 with the pseudo-header" [wire];
    SHORT = Error "J-ICMP-01", "792; 4443", "A message is at least as long as its header";
    LONG4 = Note "W-ICMP-03", "1812 section 4.3.2.3", "An ICMPv4 error is no longer than 576 bytes";
    LENGTH6 = Warning "W-ICMP-04", "4443 section 2.4", "An ICMPv6 error quotes as much as fits into 1280 bytes";
    ABOUT_ERROR = Error "W-ICMP-05", "1122 section 3.2.2; 4443 section 2.4", "No error is about an error, or about a redirect of IPv6";
    ABOUT_GROUP = Error "W-ICMP-06", "1122 section 3.2.2; 4443 section 2.4", "No error is about a packet to many";
    ABOUT_FRAGMENT = Error "W-ICMP-07", "1122 section 3.2.2", "No error is about a fragment other than the first";
    TO_NOBODY = Error "W-ICMP-08", "1122 section 3.2.2; 4443 section 2.4", "No error goes to what is not one host's address";
    TOO_MANY = Note "W-ICMP-09", "4443 section 2.4; 1812 section 4.3.2.8", "The rate of errors is bounded" [time];
    QUENCH = Error "W-ICMP-12", "6633", "Source Quench is not sent";
    REDIRECT = Warning "W-ICMP-13", "1812 section 5.2.7.2", "Redirects are for hosts";
}

#[derive(Clone, Copy, Default)]
struct Rate {
    second: u64,
    count: u32,
    before: u32,
}

pub(super) struct State {
    rates: Bounded<IpAddr, Rate>,
}

impl Default for State {
    fn default() -> State {
        State {
            rates: Bounded::new(SENDERS),
        }
    }
}

/// Whether a type of message tells of an error.
pub(super) fn is_error(is_v4: bool, kind: u8) -> bool {
    if is_v4 {
        matches!(kind, 3 | 4 | 5 | 11 | 12)
    } else {
        kind < 128
    }
}

/// The ICMP message in a packet, with whether it is of version 4.
pub(super) fn message<'a>(ip: &Ip<'a>) -> Option<(&'a [u8], bool)> {
    match ip.protocol {
        ip_number::ICMP if ip.is_v4() => Some((ip.payload, true)),
        ip_number::IPV6_ICMP if !ip.is_v4() => Some((ip.payload, false)),
        _ => None,
    }
}

impl State {
    pub(super) fn judge(&mut self, packet: &Packet<'_>, out: &mut Out) {
        let ip = &packet.ip;
        let Some((bytes, is_v4)) = message(ip) else {
            return;
        };
        let scope = Scope::of_packet(packet.timed);
        let number = &[packet.number];
        let least = if is_v4 { 8 } else { 4 };
        if bytes.len() < least {
            if !ip.is_cut() {
                out.add(
                    &SHORT,
                    scope,
                    number,
                    format_args!("an ICMP message of {} bytes", bytes.len()),
                );
            }
            return;
        }
        if checksum(ip, bytes, is_v4) == Sum::Wrong {
            out.add(
                &CHECKSUM,
                scope,
                number,
                format_args!("ICMP checksum {:#06x} is wrong", u16_at(bytes, 2)),
            );
        }
        let (kind, code) = (bytes[0], bytes[1]);
        if is_v4 && kind == 4 {
            out.add(&QUENCH, scope, number, format_args!("Source Quench"));
        }
        if is_v4 && kind == 5 && matches!(code, 0 | 2) {
            out.add(
                &REDIRECT,
                scope,
                number,
                format_args!("a redirect with code {code}, for a network"),
            );
        }
        if is_error(is_v4, kind) {
            self.judge_error(packet, bytes, is_v4, out);
        }
    }

    fn judge_error(&mut self, packet: &Packet<'_>, bytes: &[u8], is_v4: bool, out: &mut Out) {
        let ip = &packet.ip;
        let scope = Scope::of_packet(packet.timed);
        let number = &[packet.number];
        if is_v4 && ip.total_len > LONGEST4 {
            let length = ip.total_len;
            out.add(
                &LONG4,
                scope,
                number,
                format_args!("an ICMP error of {length} bytes"),
            );
        }
        let to = ip.destination;
        let leaves_host = to.is_loopback() && !ip.source.is_loopback();
        if !is_unicast(to) || leaves_host {
            out.add(&TO_NOBODY, scope, number, format_args!("an error to {to}"));
        }
        self.count(packet, out);
        if let Ok(quoted) = Ip::parse(bytes.get(8..).unwrap_or_default(), usize::MAX) {
            judge_quoted(packet, bytes, &quoted, out);
        }
    }

    fn count(&mut self, packet: &Packet<'_>, out: &mut Out) {
        let second = packet.now / SEC;
        let Some(rate) = self.rates.entry(packet.ip.source, Rate::default) else {
            return;
        };
        if rate.second != second {
            let before = if rate.second + 1 == second {
                rate.count
            } else {
                0
            };
            *rate = Rate {
                second,
                count: 0,
                before,
            };
        }
        rate.count += 1;
        if rate.count == RATE + 1 && rate.before > RATE {
            out.add(
                &TOO_MANY,
                Scope::of_packet(packet.timed),
                &[packet.number],
                format_args!(
                    "{} sent {} errors in a second and more than {RATE} in the next",
                    packet.ip.source, rate.before
                ),
            );
        }
    }
}

/// Whether the checksum holds; that of version 4 has no pseudo-header.
fn checksum(ip: &Ip<'_>, bytes: &[u8], is_v4: bool) -> Sum {
    if !is_v4 {
        return ip.transport_checksum(bytes, 2);
    }
    if ip.is_cut() {
        return Sum::Unknown;
    }
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(bytes);
    if sum.ones_complement() == 0 {
        Sum::Right
    } else {
        Sum::Wrong
    }
}

/// What an error may be about.
fn judge_quoted(packet: &Packet<'_>, bytes: &[u8], quoted: &Ip<'_>, out: &mut Out) {
    let ip = &packet.ip;
    let scope = Scope::of_packet(packet.timed);
    let number = &[packet.number];
    let (kind, code) = (bytes[0], bytes[1]);
    let about = quoted.payload.first().copied().unwrap_or(u8::MAX);
    let is_first = quoted.fragment.is_none_or(|fragment| fragment.offset == 0);
    if is_first && let Some((_, v4)) = message(quoted) {
        let is_redirect = !v4 && about == 137;
        if !quoted.payload.is_empty() && (is_error(v4, about) || is_redirect) {
            out.add(
                &ABOUT_ERROR,
                scope,
                number,
                format_args!("an error about a message of type {about}"),
            );
        }
    }
    let many = match quoted.destination {
        IpAddr::V4(to) => to.is_multicast() || to == Ipv4Addr::BROADCAST,
        IpAddr::V6(to) => to.is_multicast() && kind != 2 && !(kind == 4 && code == 2),
    };
    if many {
        let to = quoted.destination;
        out.add(
            &ABOUT_GROUP,
            scope,
            number,
            format_args!("an error about a packet to {to}"),
        );
    }
    if ip.is_v4() && !is_first {
        out.add(
            &ABOUT_FRAGMENT,
            scope,
            number,
            format_args!("an error about a fragment that is not the first"),
        );
    }
    if !ip.is_v4() && !quoted.is_v4() && !quoted.extensions.jumbo {
        let expected = LONGEST6.min(48 + quoted.total_len);
        let length = ip.total_len;
        if length != expected {
            out.add(
                &LENGTH6,
                scope,
                number,
                format_args!(
                    "an error of {length} bytes about a packet of {}, not {expected}",
                    quoted.total_len
                ),
            );
        }
    }
}
