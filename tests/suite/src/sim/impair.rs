//! What a link does to packets: a rate and a queue, seeded loss, duplication, reordering, corruption and delay.

use crate::wire::ip;
use core::time::Duration;
use netstack_core::Instant;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use txbuf::{Checksum, Ledger, Packet, Span};

/// How a link treats each packet; probabilities are in parts per thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Impairment {
    /// Time every packet takes.
    pub delay: Duration,
    /// What the link carries, where it is bounded.
    pub bottleneck: Option<Bottleneck>,
    /// Lost.
    pub loss: u32,
    /// Delivered twice.
    pub duplicate: u32,
    /// Held back by up to five times the delay, so that later packets overtake it.
    pub reorder: u32,
    /// Damaged by a burst of at most 15 bits, which the Internet checksum always detects.
    pub corrupt: u32,
    /// Times in which much is lost.
    pub bursts: Option<Bursts>,
    /// From when, and for how long, nothing arrives.
    pub blackout: Option<(Duration, Duration)>,
}

/// Loss in bursts, after Gilbert and Elliott: a link is good or bad.
#[derive(Clone, Copy, Debug)]
pub struct Bursts {
    /// The probability that a packet finds it turned bad.
    pub begin: u32,
    /// How long it is.
    pub last: Duration,
    /// The probability that a packet is lost meanwhile.
    pub loss: u32,
}

/// What arrives at the other end.
pub struct Arrival {
    /// How long after it left.
    pub after: Duration,
    /// The packet, a mark perhaps set.
    pub packet: Packet,
    /// Whether it is as it was but for that.
    pub intact: bool,
}

/// The rate of a link, and the queue in front of it: what finds it full is lost.
#[derive(Clone, Copy, Debug)]
pub struct Bottleneck {
    /// Bits in a second.
    pub rate: u64,
    /// Bytes that may wait.
    pub queue: usize,
    /// Packets that may be marked are, when so many bytes wait (RFC 3168, 5).
    pub mark: Option<usize>,
}

/// One direction of a link.
pub struct Direction {
    impairment: Impairment,
    /// Until when the link is busy with what it has taken.
    busy: Instant,
    /// Until when it is bad.
    bad: Instant,
    random: ChaCha8Rng,
    /// Where damaged copies live: apart from the stacks' own storage.
    ledger: Ledger,
}

impl Direction {
    /// A direction whose every decision follows from `seed`.
    pub fn new(impairment: Impairment, seed: u64) -> Self {
        Direction {
            impairment,
            busy: Instant::ZERO,
            bad: Instant::ZERO,
            random: ChaCha8Rng::seed_from_u64(seed),
            ledger: Ledger::new(),
        }
    }

    /// What arrives of `packet`, which leaves `now`.
    ///
    /// # Panics
    ///
    /// When the packet lies in memory that cannot be read, or is empty.
    pub fn carry(&mut self, now: Instant, packet: Packet) -> Vec<Arrival> {
        let waiting = self.busy.since(now);
        let Some(wait) = self.queue(now, packet.len()) else {
            return Vec::new();
        };
        let packet = self.mark(waiting, packet);
        if self.is_dark(now) || self.is_lost_in_burst(now) || self.happens(self.impairment.loss) {
            return Vec::new();
        }
        let copies = 1 + usize::from(self.happens(self.impairment.duplicate));
        let mut arrivals = Vec::with_capacity(copies);
        for _ in 0..copies {
            let mut delay = wait + self.impairment.delay;
            if self.happens(self.impairment.reorder) {
                delay += self.impairment.delay * (1 + self.random.next_u32() % 5);
            }
            let intact = !self.happens(self.impairment.corrupt);
            let packet = match intact {
                true => packet.clone(),
                false => self.damage(&packet),
            };
            arrivals.push(Arrival {
                after: delay,
                packet,
                intact,
            });
        }
        arrivals
    }

    /// How long a packet of `len` bytes waits and takes to leave; `None` when it finds the queue full.
    fn queue(&mut self, now: Instant, len: usize) -> Option<Duration> {
        let Some(bottleneck) = self.impairment.bottleneck else {
            return Some(Duration::ZERO);
        };
        let nanos = |bytes: usize| bytes as u64 * 8 * 1_000_000_000 / bottleneck.rate;
        let wait = self.busy.since(now);
        if wait > Duration::from_nanos(nanos(bottleneck.queue)) {
            return None;
        }
        self.busy = self.busy.max(now) + Duration::from_nanos(nanos(len));
        Some(self.busy.since(now))
    }

    /// The packet, marked if it may be and found so much waiting that it is to be.
    fn mark(&self, waiting: Duration, packet: Packet) -> Packet {
        let bottleneck = self.impairment.bottleneck;
        let Some((rate, mark)) = bottleneck.and_then(|b| Some((b.rate, b.mark?))) else {
            return packet;
        };
        if waiting < Duration::from_nanos(mark as u64 * 8 * 1_000_000_000 / rate) {
            return packet;
        }
        let mut bytes = packet.to_vec().expect("simulated memory is readable");
        if ip::ecn(&bytes) == 0 {
            return packet;
        }
        ip::set_ecn(&mut bytes, 3);
        let span = Span::from_bytes(&self.ledger, bytes.into()).expect("a packet is short");
        let mut marked = Packet::from_span(span);
        marked.meta = packet.meta;
        marked
    }

    fn is_dark(&self, now: Instant) -> bool {
        let dark = |(from, lasts)| {
            let since = now.since(Instant::ZERO);
            since >= from && since < from + lasts
        };
        self.impairment.blackout.is_some_and(dark)
    }

    fn is_lost_in_burst(&mut self, now: Instant) -> bool {
        let Some(bursts) = self.impairment.bursts else {
            return false;
        };
        if now >= self.bad && self.happens(bursts.begin) {
            self.bad = now + bursts.last;
        }
        now < self.bad && self.happens(bursts.loss)
    }

    fn happens(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.random.next_u32() % 1000 < per_mille
    }

    /// A copy with one burst of bits flipped; the first and the last bit of the burst always are.
    fn damage(&mut self, packet: &Packet) -> Packet {
        let mut bytes = packet.to_vec().expect("simulated memory is readable");
        let bits = bytes.len() as u64 * 8;
        let length = 1 + u64::from(self.random.next_u32() % 15);
        let start = self.random.next_u64() % (bits - length + 1);
        let middle = u64::from(self.random.next_u32());
        for i in 0..length {
            if i == 0 || i == length - 1 || middle >> i & 1 == 1 {
                let bit = start + i;
                bytes[(bit / 8) as usize] ^= 0x80 >> (bit % 8);
            }
        }
        let span = Span::from_bytes(&self.ledger, bytes.into()).expect("a packet is short");
        let mut damaged = Packet::from_span(span);
        damaged.meta = packet.meta;
        damaged.meta.checksum = Checksum::Complete;
        damaged
    }
}
