//! Checksums of IPv4 headers.
//!
//! A wrong one is a fault at once. One that is empty may be left for hardware to fill in: it counts where the same host
//! has filled it in itself in packets of the same kind that were no shorter, and in more of them than not.

use std::net::IpAddr;

use crate::Offload;
use crate::bounded::Bounded;
use crate::out::{Accused, Out, Scope};
use crate::parse::{Packet, u16_at};
use crate::rule::rules;

/// So many kinds of packets are remembered.
const KINDS: usize = 4_096;
/// So many empty sums of one kind wait for their judgement.
const WAITING: usize = 64;

rules! {
    CHECKSUM = Error "W-IP4-01", "791 section 3.1", "The header checksum verifies" [wire];
}

/// What one host sends on one link by one protocol: hardware that completes packets does so for all of these, or for
/// those that it cuts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Kind {
    interface: u32,
    /// Of the frame, where the link has one: a router's are not those that the host sent.
    mac: Option<[u8; 6]>,
    host: IpAddr,
    protocol: u8,
}

#[derive(Default)]
struct Seen {
    complete: u64,
    /// The longest of these, in bytes.
    longest: usize,
    empty: u64,
    waiting: Vec<Waiting>,
}

/// A packet whose header has the sum 0, which is wrong.
struct Waiting {
    number: u64,
    length: usize,
    timed: bool,
}

pub(super) struct State {
    kinds: Bounded<Kind, Seen>,
}

impl Default for State {
    fn default() -> Self {
        State {
            kinds: Bounded::new(KINDS),
        }
    }
}

impl State {
    pub(super) fn judge(&mut self, packet: &Packet<'_>, out: &mut Out) {
        let is_right = packet.ip.has_right_sum();
        let checksum = u16_at(packet.ip.header, 10);
        match packet.offload {
            Offload::Auto if is_right || checksum == 0 => self.note(packet, is_right, out),
            _ if is_right => {}
            offload => {
                let has_wire = offload != Offload::Before;
                tell(
                    packet.number,
                    packet.timed,
                    has_wire,
                    checksum,
                    Accused::Sender,
                    out,
                );
            }
        }
    }

    fn note(&mut self, packet: &Packet<'_>, is_right: bool, out: &mut Out) {
        let kind = Kind {
            interface: packet.interface,
            mac: packet.frame.macs.map(|(from, _)| from),
            host: packet.ip.source,
            protocol: packet.ip.protocol.0,
        };
        if let Some(seen) = self.kinds.get_mut(&kind) {
            seen.note(packet, is_right, out);
            return;
        }
        let mut seen = Seen::default();
        seen.note(packet, is_right, out);
        if let Some((old, gone)) = self.kinds.insert(kind, seen) {
            gone.tell(old.host, out);
        }
    }

    /// Judges what waits.
    pub(super) fn end(&mut self, out: &mut Out) {
        while let Some((kind, seen)) = self.kinds.pop() {
            seen.tell(kind.host, out);
        }
    }
}

impl Seen {
    fn note(&mut self, packet: &Packet<'_>, is_right: bool, out: &mut Out) {
        let length = packet.ip.total_len;
        if is_right {
            self.complete += 1;
            self.longest = self.longest.max(length);
            return;
        }
        self.empty += 1;
        if self.waiting.len() < WAITING {
            self.waiting.push(Waiting {
                number: packet.number,
                length,
                timed: packet.timed,
            });
        } else {
            tell(packet.number, packet.timed, false, 0, Accused::Sender, out);
        }
    }

    fn tell(self, host: IpAddr, out: &mut Out) {
        let fills_in = self.complete > self.empty;
        for packet in self.waiting {
            let has_wire = fills_in && packet.length <= self.longest;
            tell(
                packet.number,
                packet.timed,
                has_wire,
                0,
                Accused::Host(host),
                out,
            );
        }
    }
}

fn tell(number: u64, timed: bool, has_wire: bool, checksum: u16, accused: Accused, out: &mut Out) {
    let mut scope = Scope::of_packet(timed).against(accused);
    scope.has.wire = has_wire;
    out.add(
        &CHECKSUM,
        scope,
        &[number],
        format_args!("IPv4 header checksum {checksum:#06x} is wrong"),
    );
}
