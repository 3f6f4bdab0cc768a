//! How fast data arrives: samples of the delivery rate (draft-cheng-iccrg-delivery-rate-estimation).
//!
//! A sample compares what was delivered when something is acknowledged with what had been when it left. Only the time
//! at which something left last is needed to find that again: what left at one time left under the same circumstances.

use crate::Instant;
use crate::socket::Congestion;
use crate::tcp::seq::Seq;
use core::time::Duration;
use std::collections::VecDeque;

/// The most snapshots kept. Beyond it, what is sent shares the newest.
const MAX_SNAPSHOTS: usize = 1 << 14;

/// What was known when something left.
#[derive(Clone, Copy, Debug)]
struct Snapshot {
    at: Instant,
    /// Behind what left then, or later under this snapshot.
    end: Seq,
    delivered: u64,
    delivered_at: Instant,
    first_sent: Instant,
    app_limited: bool,
}

/// The deliveries of one connection.
#[derive(Debug)]
pub(crate) struct Deliveries {
    delivered: u64,
    delivered_at: Instant,
    /// When what was delivered last had left: the flight that is measured next begins there.
    first_sent: Instant,
    /// Until so much is delivered, the application and not the path says how fast data leaves.
    limited_until: u64,
    snapshots: VecDeque<Snapshot>,
}

/// What one acknowledgement says. Sizes are in bytes, rates in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Everything delivered so far, and what had been when the newest of what is acknowledged left.
    pub(crate) delivered: u64,
    pub(crate) prior: u64,
    /// The delivery rate, unless the time was too short to tell.
    pub(crate) rate: Option<u64>,
    pub(crate) app_limited: bool,
}

impl Deliveries {
    /// Nothing is measured for algorithms that have no use for it.
    pub(crate) fn wanted_by(algorithm: Congestion, now: Instant) -> Option<Box<Self>> {
        let wanted = algorithm.is_model_based();
        wanted.then(|| Box::new(Deliveries::new(now)))
    }

    pub(crate) fn new(now: Instant) -> Self {
        Deliveries {
            delivered: 0,
            delivered_at: now,
            first_sent: now,
            limited_until: 0,
            snapshots: VecDeque::new(),
        }
    }

    /// Something up to `end` leaves; `idle` when nothing else is in the network.
    pub(crate) fn on_send(&mut self, now: Instant, end: Seq, idle: bool) {
        if idle {
            self.first_sent = now;
            self.delivered_at = now;
        }
        let full = self.snapshots.len() >= MAX_SNAPSHOTS;
        if let Some(last) = self.snapshots.back_mut()
            && (full || last.at == now)
        {
            last.end = last.end.later(end);
            return;
        }
        self.snapshots.push_back(Snapshot {
            at: now,
            end,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent: self.first_sent,
            app_limited: self.limited_until > 0,
        });
    }

    /// The application offers nothing more while `pipe` bytes are in the network, and there is room for more.
    pub(crate) fn on_nothing_to_send(&mut self, pipe: usize) {
        self.limited_until = (self.delivered + pipe as u64).max(1);
    }

    /// `bytes` were delivered, of which the newest had left at `left`, and everything before `una` is acknowledged. A
    /// rate over less time than `least`, the smallest round-trip time, says nothing.
    pub(crate) fn on_delivered(
        &mut self,
        now: Instant,
        bytes: usize,
        left: Instant,
        una: Seq,
        least: Duration,
    ) -> Option<Measured> {
        self.delivered += bytes as u64;
        self.delivered_at = now;
        if self.delivered > self.limited_until {
            self.limited_until = 0;
        }
        let newer = self.snapshots.partition_point(|then| then.at <= left);
        let then = newer
            .checked_sub(1)
            .and_then(|index| self.snapshots.get(index).copied());
        while self
            .snapshots
            .front()
            .is_some_and(|front| front.end.at_or_before(una))
        {
            self.snapshots.pop_front();
        }
        let then = then?;
        self.first_sent = self.first_sent.max(left);
        let sending = left.since(then.first_sent);
        let interval = sending.max(now.since(then.delivered_at));
        let gained = u128::from(self.delivered - then.delivered);
        let known = interval >= least && !interval.is_zero();
        let rate = known.then(|| gained * 1_000_000_000 / interval.as_nanos());
        Some(Measured {
            delivered: self.delivered,
            prior: then.delivered,
            rate: rate.map(|rate| u64::try_from(rate).unwrap_or(u64::MAX)),
            app_limited: then.app_limited,
        })
    }
}

#[cfg(test)]
mod tests;
