//! Who looks at the wire between two hosts, and knows of their connections what the wire says and nothing else.
//!
//! What each host has sent, and what has reached it, bounds what it may send: numbers follow each other, nothing
//! goes beyond the right edge that it was told, nothing is acknowledged that was not sent, nothing is taken back.

use crate::wire::{ACK, FIN, RST, SYN, Tcp};
use core::time::Duration;
use netstack_core::Instant;
use std::collections::BTreeMap;

/// How long an acknowledgement may be delayed (RFC 9293, 3.8.6.3).
const DELAY: Duration = Duration::from_millis(500);

/// How far `seq` is past `earlier` on the circle.
fn past(seq: u32, earlier: u32) -> i32 {
    seq.wrapping_sub(earlier) as i32
}

/// The later of what was known and `seq`.
fn later(known: Option<u32>, seq: u32) -> Option<u32> {
    match known {
        Some(known) if past(seq, known) <= 0 => Some(known),
        _ => Some(seq),
    }
}

/// What the wire says of one host's half of a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    iss: Option<u32>,
    scale: Option<u8>,
    /// Behind everything it has sent, and where its FIN stood.
    nxt: u32,
    fin: Option<u32>,
    /// What it has acknowledged, and the right edge that it has told.
    told: Option<u32>,
    edge: Option<u32>,
    /// What it surely knows to be acknowledged, and the furthest right edge that it may know.
    una: Option<u32>,
    limit: Option<u32>,
    /// Up to where it may have everything, and until when it has to answer what has reached it.
    has: Option<u32>,
    owes: Option<Instant>,
}

/// Looks at every packet between two hosts.
#[derive(Debug, Default)]
pub(super) struct Observer {
    seed: u64,
    /// By version and the ports of both hosts.
    connections: BTreeMap<(bool, u16, u16), [Side; 2]>,
}

/// A segment as it left.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    key: (bool, u16, u16),
    tcp: Tcp,
    /// Behind it. What has sequence numbers is acknowledged.
    end: u32,
}

impl Observer {
    /// Of a world with `seed`, which every complaint names.
    pub(super) fn new(seed: u64) -> Observer {
        Observer {
            seed,
            connections: BTreeMap::new(),
        }
    }

    /// Host `from` sends a packet. Returns it if it is a segment.
    ///
    /// # Panics
    ///
    /// When the host may not send it, or sends it late.
    pub(super) fn on_send(&mut self, now: Instant, from: usize, packet: &[u8]) -> Option<Seen> {
        let mut tcp = Tcp::parse(packet)?;
        let ports = [tcp.src.port(), tcp.dst.port()];
        let key = (tcp.src.is_ipv4(), ports[from], ports[1 - from]);
        let sides = self.connections.entry(key).or_default();
        let seed = self.seed;
        if sides[from].is_late(now) {
            panic!("seed {seed}: it answers late: at {now:?} host {from} sends {tcp:?}, {sides:?}");
        }
        if tcp.has(ACK) || tcp.has(RST) {
            sides[from].owes = None;
        }
        if !tcp.has(RST)
            && let Err(rule) = check(sides, from, &tcp)
        {
            panic!("seed {seed}: {rule}: host {from} sends {tcp:?}, {sides:?}");
        }
        let end = tcp.end();
        tcp.payload = Vec::new();
        Some(Seen { key, tcp, end })
    }

    /// What was sent reaches host `to`, `intact` or damaged.
    ///
    /// # Panics
    ///
    /// When the host has not answered in time what reached it before.
    pub(super) fn on_arrive(&mut self, now: Instant, to: usize, seen: &Seen, intact: bool) {
        let (key, tcp) = (seen.key, &seen.tcp);
        let Some(sides) = self.connections.get_mut(&key) else {
            return;
        };
        if tcp.has(RST) || !tcp.has(ACK) {
            return;
        }
        let (host, seed) = (&mut sides[to], self.seed);
        if host.is_late(now) {
            panic!("seed {seed}: it does not answer: at {now:?} host {to} gets {tcp:?}, {sides:?}");
        }
        if seen.end != tcp.seq && intact && host.expects(tcp) {
            host.owes.get_or_insert(now + DELAY);
        }
        let scale = scale_of(sides, 1 - to, tcp);
        let host = &mut sides[to];
        let edge = tcp.ack.wrapping_add(u32::from(tcp.window) << scale);
        host.limit = later(host.limit, edge);
        let (Some(told), Some(edge)) = (host.told, host.edge) else {
            return;
        };
        // What lies in the window is not turned away; what does not may have been. It begins behind what has arrived,
        // though the host has not said so.
        let nxt = later(host.has, told).unwrap_or(told);
        let taken = tcp.seq == nxt || past(tcp.seq, nxt) > 0 && past(tcp.seq, edge) < 0;
        if intact && taken && !tcp.has(SYN) {
            host.una = later(host.una, tcp.ack);
        }
        if intact && past(tcp.seq, nxt) <= 0 {
            host.has = later(Some(nxt), seen.end);
        }
    }
}

/// Looks at a segment of host `from`, and notes what it says.
fn check(sides: &mut [Side; 2], from: usize, tcp: &Tcp) -> Result<(), &'static str> {
    // A listener that has heard nothing for long forgets, and answers the next SYN anew.
    let anew = tcp.has(SYN) && tcp.has(ACK) && sides[from].iss != Some(tcp.seq);
    if anew && sides[1 - from].told.is_none() {
        sides[from] = Side::default();
    }
    sides[from].number(tcp)?;
    if !tcp.has(ACK) {
        return Ok(());
    }
    let (scale, peer) = (scale_of(sides, from, tcp), sides[1 - from].nxt);
    sides[from].tell(tcp, scale, peer)
}

/// The shift of the window field of a segment that host `from` sends.
fn scale_of(sides: &[Side; 2], from: usize, tcp: &Tcp) -> u8 {
    match (sides[from].scale, sides[1 - from].scale) {
        (Some(scale), Some(_)) if !tcp.has(SYN) => scale,
        _ => 0,
    }
}

impl Side {
    /// Whether a segment is no guess to it (RFC 5961, 5.2 and 7), for what it says was received and acknowledges.
    fn expects(&self, tcp: &Tcp) -> bool {
        let near = |told| past(told, tcp.seq) < 1 << 16;
        let news = |una| past(tcp.ack, una) >= 0;
        self.iss.is_some() && self.told.is_none_or(near) && self.una.is_none_or(news)
    }

    /// Whether it should have answered before.
    fn is_late(&self, now: Instant) -> bool {
        self.owes.is_some_and(|by| now > by)
    }

    /// The numbers of a segment that the host sends.
    fn number(&mut self, tcp: &Tcp) -> Result<(), &'static str> {
        if tcp.has(SYN) {
            match self.iss {
                Some(iss) if iss != tcp.seq => return Err("a SYN with another number"),
                Some(_) => {}
                None => {
                    self.iss = Some(tcp.seq);
                    self.scale = tcp.window_scale();
                    self.nxt = tcp.end();
                }
            }
            return Ok(());
        }
        if self.iss.is_none() {
            return Err("a segment before any SYN");
        }
        let data_end = tcp.seq.wrapping_add(tcp.payload.len() as u32);
        if past(tcp.seq, self.nxt) > 0 {
            return Err("a gap before it");
        }
        if self.una.is_some_and(|una| past(tcp.seq, una) < -1) {
            return Err("it was acknowledged before");
        }
        if self.limit.is_some_and(|limit| past(data_end, limit) > 1) {
            return Err("it lies beyond the window and is no probe");
        }
        let behind = |fin| !tcp.payload.is_empty() && past(data_end, fin) > 0;
        if self.fin.is_some_and(behind) {
            return Err("data behind a FIN");
        }
        if tcp.has(FIN) {
            if self.fin.is_some_and(|fin| fin != data_end) {
                return Err("a FIN elsewhere");
            }
            self.fin = Some(data_end);
        }
        self.nxt = later(Some(self.nxt), tcp.end()).unwrap_or(self.nxt);
        Ok(())
    }

    /// What a segment that the host sends says of what it has received, while the other has sent everything before
    /// `peer`.
    fn tell(&mut self, tcp: &Tcp, scale: u8, peer: u32) -> Result<(), &'static str> {
        if past(tcp.ack, peer) > 0 {
            return Err("it acknowledges what was not sent");
        }
        if self.told.is_some_and(|told| past(tcp.ack, told) < 0) {
            return Err("it takes an acknowledgement back");
        }
        let edge = tcp.ack.wrapping_add(u32::from(tcp.window) << scale);
        // What the scale cannot say may seem to be taken back (RFC 7323, 2.4).
        let retreat = self.edge.map_or(0, |known| past(known, edge));
        if retreat >= 1 << scale {
            return Err("it takes room back");
        }
        for (number, (left, right)) in tcp.sack().into_iter().enumerate() {
            if past(right, left) <= 0 || past(right, peer) > 0 {
                return Err("a block of what was not sent");
            }
            // The first may report what arrived twice.
            if number > 0 && past(left, tcp.ack) <= 0 {
                return Err("a block without a hole");
            }
        }
        self.told = Some(tcp.ack);
        self.edge = later(self.edge, edge);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
