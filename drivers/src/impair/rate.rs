//! A link that takes time for each bit.

use std::collections::VecDeque;
use std::time::Duration;

use txbuf::{Packet, checksum};

use super::{HELD_PACKETS, Released, Stage};

/// Lets packets out one after the other, each once the time for its bits is over, with a bounded queue in front.
#[derive(Debug)]
pub struct Rate {
    bits_per_second: u64,
    limit: usize,
    mark: Option<usize>,
    /// With the time at which the last bit of each has left.
    queue: VecDeque<(Duration, Packet)>,
    /// When the link has sent all that is in the queue.
    free_at: Duration,
    marked: u64,
    dropped: u64,
}

impl Rate {
    /// A link for `bits_per_second` of IP packets (0 counts as 1), in front of which at most `limit` bytes
    /// (and 65,536 packets) wait. An empty queue takes any packet.
    pub fn new(bits_per_second: u64, limit: usize) -> Rate {
        Rate {
            bits_per_second: bits_per_second.max(1),
            limit,
            mark: None,
            queue: VecDeque::new(),
            free_at: Duration::ZERO,
            marked: 0,
            dropped: 0,
        }
    }

    /// Marks packets of senders that speak ECN when they find so many bytes waiting (RFC 3168 section 5).
    #[must_use]
    pub fn marking(self, mark: Option<usize>) -> Rate {
        Rate { mark, ..self }
    }

    /// Bytes that have not left, of a packet that is leaving the rest.
    fn waiting(&self, now: Duration) -> usize {
        let nanos = self.free_at.saturating_sub(now).as_nanos();
        let bytes = nanos * u128::from(self.bits_per_second) / 8_000_000_000;
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    fn time_of(&self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 8 * 1_000_000_000 / u128::from(self.bits_per_second);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Stage for Rate {
    fn push(&mut self, now: Duration, mut packet: Packet, out: &mut Released) {
        self.release(now, out);
        let length = packet.len();
        let waiting = self.waiting(now);
        let full = waiting.saturating_add(length) > self.limit || self.queue.len() >= HELD_PACKETS;
        if full && !self.queue.is_empty() {
            self.dropped += 1;
            return;
        }
        if self.mark.is_some_and(|mark| waiting >= mark) && congestion_experienced(&mut packet) {
            self.marked += 1;
        }
        self.free_at = self.free_at.max(now).saturating_add(self.time_of(length));
        self.queue.push_back((self.free_at, packet));
        self.release(now, out);
    }

    fn release(&mut self, now: Duration, out: &mut Released) {
        while let Some(sent) = self.queue.pop_front_if(|(at, _)| *at <= now) {
            out.push_back(sent);
        }
    }

    fn release_at(&self) -> Option<Duration> {
        self.queue.front().map(|(at, _)| *at)
    }

    fn held(&self) -> usize {
        self.queue.len()
    }

    fn counters(&self, tell: &mut dyn FnMut(&'static str, u64)) {
        tell("marked", self.marked);
        tell("rate_queue_dropped", self.dropped);
    }
}

/// Marks a packet whose sender speaks ECN. False: it does not, or there is no IP header.
fn congestion_experienced(packet: &mut Packet) -> bool {
    if packet.pull(IPV4_HEADER).is_err() {
        return false;
    }
    let head = packet.headers_mut();
    match head[0] >> 4 {
        4 if head[1] & ECN != 0 => {
            let old = u16::from_be_bytes([head[0], head[1]]);
            head[1] |= ECN;
            let new = u16::from_be_bytes([head[0], head[1]]);
            let check = u16::from_be_bytes([head[10], head[11]]);
            head[10..12].copy_from_slice(&checksum::update(check, old, new).to_be_bytes());
            true
        }
        6 if head[1] >> 4 & ECN != 0 => {
            head[1] |= ECN << 4;
            true
        }
        _ => false,
    }
}

/// The two bits of ECN, as they stand when congestion was experienced.
const ECN: u8 = 0b11;
/// No IP packet is shorter.
const IPV4_HEADER: usize = 20;
