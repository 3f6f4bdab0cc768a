//! Packets that take their time, and some that take longer and are overtaken.

use std::collections::BTreeMap;
use std::time::Duration;

use txbuf::Packet;

use super::{Chance, Dice, HELD_PACKETS, Released, Stage};

/// Holds every packet for a time. Super-packets go through whole unless packets are to be reordered.
#[derive(Debug)]
pub struct Delay {
    delay: Duration,
    jitter: Duration,
    reorder: Chance,
    hold: Duration,
    dice: Dice,
    /// By the time at which they leave; what leaves at the same time stays in order.
    held: BTreeMap<(Duration, u64), Packet>,
    /// Bytes in `held`.
    bytes: usize,
    limit: usize,
    /// When the last packet leaves that is not overtaken.
    last: Duration,
    pushed: u64,
    reordered: u64,
    dropped: u64,
}

impl Delay {
    /// Holds packets for `delay`, more or less by up to `jitter`, in order. Of what would make it hold more than
    /// `limit` bytes (or 65,536 packets) it lets nothing in.
    pub fn new(delay: Duration, jitter: Duration, dice: Dice, limit: usize) -> Delay {
        Delay {
            delay,
            jitter,
            reorder: Chance::NEVER,
            hold: Duration::ZERO,
            dice,
            held: BTreeMap::new(),
            bytes: 0,
            limit,
            last: Duration::ZERO,
            pushed: 0,
            reordered: 0,
            dropped: 0,
        }
    }

    /// Holds some packets for up to `hold` longer, so that those behind overtake them.
    #[must_use]
    pub fn reordering(self, chance: Chance, hold: Duration) -> Delay {
        Delay {
            reorder: chance,
            hold,
            ..self
        }
    }

    fn due(&mut self, now: Duration) -> Duration {
        let mut due = now.saturating_add(self.delay);
        if !self.jitter.is_zero() {
            let drawn = self.dice.time_up_to(self.jitter.saturating_mul(2));
            due = due.saturating_add(drawn).saturating_sub(self.jitter);
        }
        // Jitter beyond the delay cannot make a packet arrive before it was sent.
        let due = due.max(now);
        if self.dice.happens(self.reorder) {
            self.reordered += 1;
            return due
                .max(self.last)
                .saturating_add(self.dice.time_up_to(self.hold));
        }
        self.last = self.last.max(due);
        self.last
    }
}

impl Stage for Delay {
    fn push(&mut self, now: Duration, packet: Packet, out: &mut Released) {
        let length = packet.len();
        let is_full =
            self.held.len() >= HELD_PACKETS || self.bytes.saturating_add(length) > self.limit;
        if is_full && !self.held.is_empty() {
            self.dropped += 1;
            return;
        }
        let due = self.due(now);
        self.pushed += 1;
        self.bytes += length;
        self.held.insert((due, self.pushed), packet);
        self.release(now, out);
    }

    fn release(&mut self, now: Duration, out: &mut Released) {
        while let Some(entry) = self.held.first_entry()
            && entry.key().0 <= now
        {
            let ((at, _), packet) = entry.remove_entry();
            self.bytes -= packet.len();
            out.push_back((at, packet));
        }
    }

    fn release_at(&self) -> Option<Duration> {
        self.held.first_key_value().map(|((at, _), _)| *at)
    }

    fn held(&self) -> usize {
        self.held.len()
    }

    fn counts_packets(&self) -> bool {
        !self.reorder.is_never()
    }

    fn counters(&self, tell: &mut dyn FnMut(&'static str, u64)) {
        tell("reordered", self.reordered);
        tell("delay_queue_dropped", self.dropped);
    }
}
