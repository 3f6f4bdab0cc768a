//! Fragments of one datagram among each other.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use etherparse::ip_number;

use crate::bounded::Bounded;
use crate::out::{Accused, Out, Scope};
use crate::parse::ip::{Fragment, Ip};
use crate::parse::{Packet, SEC, ms};
use crate::rule::rules;

/// Datagrams in pieces that are followed at a time.
const DATAGRAMS: usize = 256;
/// Pieces of one datagram that are remembered.
const PIECES: usize = 64;
/// A datagram lives no longer than this (RFC 791, RFC 6864).
const LIFETIME: u64 = 120 * SEC;
/// A receiver gives up after this (RFC 1122, RFC 8200).
const REASSEMBLY: u64 = 60 * SEC;

rules! {
    OVERLAP4 = Error "W-IP4-09", "791; 6274; 1858", "Fragments of one datagram do not overlap with different bytes";
    ID_REUSED = Warning "W-IP4-10", "6864 section 4.1", "An ID is not used again for another datagram within its lifetime" [time];
    INCOMPLETE = Note "W-IP4-12", "1122; 8200", "All fragments come within 60 s, or Time Exceeded follows" [time];
    OVERLAP6 = Error "W-IP6-05", "5722; 8200", "Fragments of one datagram do not overlap";
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    id: u32,
}

impl Key {
    fn of(ip: &Ip<'_>) -> Key {
        Key {
            source: ip.source,
            destination: ip.destination,
            protocol: ip.protocol.0,
            id: ip.id,
        }
    }
}

struct Datagram {
    began: u64,
    first_packet: u64,
    pieces: Vec<Piece>,
    total: Option<usize>,
    complete: bool,
    timed: bool,
}

struct Piece {
    offset: usize,
    bytes: Box<[u8]>,
    digest: u64,
    packet: u64,
}

pub(super) struct State {
    datagrams: Bounded<Key, Datagram>,
}

impl Default for State {
    fn default() -> State {
        State {
            datagrams: Bounded::new(DATAGRAMS),
        }
    }
}

impl State {
    pub(super) fn judge(&mut self, packet: &Packet<'_>, out: &mut Out) {
        let ip = &packet.ip;
        let Some(fragment) = ip.fragment else {
            self.forget_answered(packet);
            return;
        };
        let now = packet.now;
        while let Some((_, old)) = self
            .datagrams
            .pop_if(|old| now.saturating_sub(old.began) > LIFETIME)
        {
            old.report(now, out);
        }
        if ip.is_cut() {
            return;
        }
        let key = Key::of(ip);
        let digest = digest(ip.payload);
        let reused = self.datagrams.get(&key).and_then(|known| {
            let twin = known
                .pieces
                .iter()
                .find(|piece| piece.offset == fragment.offset)?;
            (known.complete && twin.digest != digest).then_some(twin.packet)
        });
        if let Some(before) = reused {
            out.add(
                &ID_REUSED,
                Scope::of_packet(packet.timed),
                &[packet.number, before],
                format_args!("ID {:#x} was used for a complete datagram before", ip.id),
            );
            self.datagrams.remove(&key);
        }
        let new = || Datagram {
            began: now,
            first_packet: packet.number,
            pieces: Vec::new(),
            total: None,
            complete: false,
            timed: packet.timed,
        };
        if let Some(datagram) = self.datagrams.entry(key, new) {
            datagram.take(packet, fragment, digest, out);
        }
    }

    pub(super) fn end(&mut self, now: u64, out: &mut Out) {
        while let Some((_, datagram)) = self.datagrams.pop() {
            datagram.report(now, out);
        }
    }

    /// Time Exceeded for a datagram in pieces says why there are no more.
    fn forget_answered(&mut self, packet: &Packet<'_>) {
        if self.datagrams.is_empty() {
            return;
        }
        let ip = &packet.ip;
        let exceeded = match ip.protocol {
            ip_number::ICMP => [11, 1],
            ip_number::IPV6_ICMP => [3, 1],
            _ => return,
        };
        if ip.payload.get(..2) == Some(&exceeded)
            && let Some(quote) = ip.payload.get(8..)
            && let Ok(quoted) = Ip::parse(quote, usize::MAX)
        {
            self.datagrams.remove(&Key::of(&quoted));
        }
    }
}

impl Datagram {
    fn take(&mut self, packet: &Packet<'_>, fragment: Fragment, digest: u64, out: &mut Out) {
        let bytes = packet.ip.payload;
        let end = fragment.offset + bytes.len();
        let is_known = self
            .pieces
            .iter()
            .any(|piece| piece.offset == fragment.offset && piece.digest == digest);
        if is_known || self.complete || self.pieces.len() >= PIECES {
            return;
        }
        if let Some(other) = self
            .pieces
            .iter()
            .find(|piece| piece.overlaps(fragment.offset, bytes, packet.ip.is_v4()))
        {
            let rule = if packet.ip.is_v4() {
                &OVERLAP4
            } else {
                &OVERLAP6
            };
            out.add(
                rule,
                Scope::of_packet(packet.timed),
                &[packet.number, other.packet],
                format_args!(
                    "bytes {} to {end} of datagram {:#x} overlap those from {} to {}",
                    fragment.offset,
                    packet.ip.id,
                    other.offset,
                    other.offset + other.bytes.len()
                ),
            );
        }
        if !fragment.more {
            self.total = Some(end);
        }
        self.pieces.push(Piece {
            offset: fragment.offset,
            bytes: bytes.into(),
            digest,
            packet: packet.number,
        });
        if self.is_complete() {
            self.complete = true;
            for piece in &mut self.pieces {
                piece.bytes = Box::default();
            }
        }
    }

    fn is_complete(&self) -> bool {
        let Some(total) = self.total else {
            return false;
        };
        let mut order: Vec<(usize, usize)> = self
            .pieces
            .iter()
            .map(|piece| (piece.offset, piece.bytes.len()))
            .collect();
        order.sort_unstable();
        let mut reached = 0;
        for (offset, length) in order {
            if offset > reached {
                return false;
            }
            reached = reached.max(offset + length);
        }
        reached >= total
    }

    fn report(&self, now: u64, out: &mut Out) {
        let age = now.saturating_sub(self.began);
        // Without the first fragment nobody has to say so (RFC 792).
        let first = self.pieces.iter().any(|piece| piece.offset == 0);
        if self.complete || age < REASSEMBLY || !first {
            return;
        }
        out.add(
            &INCOMPLETE,
            Scope::of_packet(self.timed).against(Accused::Unknown),
            &[self.first_packet],
            format_args!(
                "{} fragments came in {:.0} s, not all",
                self.pieces.len(),
                ms(age) / 1e3
            ),
        );
    }
}

impl Piece {
    /// Whether it shares places with `bytes` at `offset`; in IPv4 only sharing with other bytes counts.
    fn overlaps(&self, offset: usize, bytes: &[u8], must_differ: bool) -> bool {
        let from = self.offset.max(offset);
        let end = (self.offset + self.bytes.len()).min(offset + bytes.len());
        if from >= end {
            return false;
        }
        !must_differ
            || self.bytes[from - self.offset..end - self.offset]
                != bytes[from - offset..end - offset]
    }
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
