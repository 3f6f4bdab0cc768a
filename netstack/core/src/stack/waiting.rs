//! Whole packets that wait for a device: bounded in number, bytes and time.

use crate::Instant;
use core::time::Duration;
use std::collections::VecDeque;
use txbuf::Packet;

/// What may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) packets: usize,
    /// One packet may reach beyond it.
    pub(super) bytes: usize,
    /// What has waited longer is of no use to anybody any more.
    pub(super) time: Duration,
}

/// A queue that drops at its end what is too much, and at its front what is too old.
#[derive(Debug)]
pub(super) struct Waiting {
    packets: VecDeque<(Instant, Packet)>,
    bytes: usize,
    limits: Limits,
}

impl Waiting {
    pub(super) fn new(limits: Limits) -> Self {
        Waiting {
            packets: VecDeque::new(),
            bytes: 0,
            limits,
        }
    }

    /// Queues a packet. Returns false, and drops it, when too much waits.
    #[must_use]
    pub(super) fn push(&mut self, now: Instant, packet: Packet) -> bool {
        if self.packets.len() >= self.limits.packets || self.bytes >= self.limits.bytes {
            return false;
        }
        self.bytes += packet.len();
        self.packets.push_back((now, packet));
        true
    }

    /// The packet that has waited longest, but not too long: those that did are dropped, and counted in `late`.
    pub(super) fn pop(&mut self, now: Instant, late: &mut u64) -> Option<Packet> {
        loop {
            let (since, packet) = self.packets.pop_front()?;
            self.bytes -= packet.len();
            if now <= since + self.limits.time {
                return Some(packet);
            }
            *late += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}

#[cfg(test)]
mod tests;
