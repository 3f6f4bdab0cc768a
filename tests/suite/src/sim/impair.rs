//! What a link does to packets: seeded loss, duplication, reordering, corruption and delay.

use core::time::Duration;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use txbuf::{Checksum, Ledger, Packet, Span};

/// How a link treats each packet; probabilities are in parts per thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Impairment {
    /// Time every packet takes.
    pub delay: Duration,
    /// Lost.
    pub loss: u32,
    /// Delivered twice.
    pub duplicate: u32,
    /// Held back by up to five times the delay, so that later packets overtake it.
    pub reorder: u32,
    /// Damaged by a burst of at most 15 bits, which the Internet checksum always detects.
    pub corrupt: u32,
}

/// One direction of a link.
pub struct Direction {
    impairment: Impairment,
    random: ChaCha8Rng,
    /// Where damaged copies live: apart from the stacks' own storage.
    ledger: Ledger,
}

impl Direction {
    /// A direction whose every decision follows from `seed`.
    pub fn new(impairment: Impairment, seed: u64) -> Self {
        Direction {
            impairment,
            random: ChaCha8Rng::seed_from_u64(seed),
            ledger: Ledger::new(),
        }
    }

    /// What arrives of `packet` at the other end, and after what time.
    ///
    /// # Panics
    ///
    /// When the packet lies in memory that cannot be read, or is empty.
    pub fn carry(&mut self, packet: Packet) -> Vec<(Duration, Packet)> {
        if self.happens(self.impairment.loss) {
            return Vec::new();
        }
        let copies = 1 + usize::from(self.happens(self.impairment.duplicate));
        let mut arrivals = Vec::with_capacity(copies);
        for _ in 0..copies {
            let mut delay = self.impairment.delay;
            if self.happens(self.impairment.reorder) {
                delay += self.impairment.delay * (1 + self.random.next_u32() % 5);
            }
            let packet = if self.happens(self.impairment.corrupt) {
                self.damage(&packet)
            } else {
                packet.clone()
            };
            arrivals.push((delay, packet));
        }
        arrivals
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
