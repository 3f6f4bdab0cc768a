//! How large a receive buffer should be: twice what the application reads in a round trip (dynamic right-sizing).
//!
//! Then a sender whose window doubles each round trip is never held back by this side, and a reader that lags is not
//! sent more than it reads.

use crate::Instant;
use crate::tcp::seq::Seq;
use core::time::Duration;

/// Segments beyond twice what was read: for a sender that begins.
const SPARE_SEGMENTS: usize = 16;
/// The part of a new measurement that goes into the round-trip time when it is longer.
const SHARE: u32 = 8;

/// What the receiver knows of one connection's pace.
#[derive(Debug, Default)]
pub(crate) struct Tuning {
    /// The round-trip time as this side sees it, in microseconds; zero before it is known.
    rtt: u32,
    /// The window as the peer knew it when it began to be filled, and since when ([`clock`]), once it did.
    window_end: Seq,
    window_since: u32,
    /// When the latest round trip began, and up to where the application had read.
    round_since: u32,
    read: Seq,
    /// The most that it read in a round trip.
    space: u32,
}

/// In-order data that has just arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) now: Instant,
    /// RCV.NXT, the right edge that the peer knows, and up to where the application has read.
    pub(crate) nxt: Seq,
    pub(crate) edge: Seq,
    pub(crate) read: Seq,
    /// How long ago the acknowledgement left that the peer heard last, where timestamps tell.
    pub(crate) echo: Option<Duration>,
    pub(crate) mss: usize,
}

impl Tuning {
    /// Takes note of an arrival. Returns how many bytes the buffer should have, once a round trip in which the
    /// application has read more than ever before.
    pub(crate) fn on_data(&mut self, arrival: &Arrival) -> Option<usize> {
        self.measure(arrival);
        if self.rtt == 0 {
            return None;
        }
        if self.round_since == 0 {
            self.begin_round(arrival);
            return None;
        }
        if clock(arrival.now).wrapping_sub(self.round_since) < self.rtt {
            return None;
        }
        let copied = arrival.read.since(self.read);
        self.begin_round(arrival);
        let before = (self.space as usize).max(SPARE_SEGMENTS * arrival.mss);
        if copied <= before {
            return None;
        }
        self.space = u32::try_from(copied).unwrap_or(u32::MAX);
        let wanted = 2 * copied + SPARE_SEGMENTS * arrival.mss;
        // As fast as it grew, it may grow again before the next look.
        let growth = wanted as u128 * (copied - before) as u128 / before as u128;
        Some(wanted.saturating_add(usize::try_from(2 * growth).unwrap_or(usize::MAX)))
    }

    /// The round-trip time as this side sees it, and the most that was read in one; zero before they are known.
    pub(crate) fn measured(&self) -> (Duration, usize) {
        let rtt = Duration::from_micros(u64::from(self.rtt));
        (rtt, self.space as usize)
    }

    fn begin_round(&mut self, arrival: &Arrival) {
        self.round_since = clock(arrival.now);
        self.read = arrival.read;
    }

    /// The time from an acknowledgement to the data that it let out; without timestamps the time in which a window
    /// arrives, which is no shorter.
    fn measure(&mut self, arrival: &Arrival) {
        if let Some(echo) = arrival.echo {
            let echo = micros(echo);
            self.rtt = match self.rtt {
                rtt if rtt == 0 || echo < rtt => echo,
                rtt => rtt + (echo - rtt) / SHARE,
            };
            return;
        }
        if self.window_since != 0 {
            if arrival.nxt.before(self.window_end) {
                return;
            }
            let time = clock(arrival.now).wrapping_sub(self.window_since).max(1);
            if self.rtt == 0 || time < self.rtt {
                self.rtt = time;
            }
        }
        self.window_since = clock(arrival.now);
        self.window_end = arrival.edge;
    }
}

/// Microseconds that come round in an hour and some minutes; never zero.
fn clock(now: Instant) -> u32 {
    (now.as_micros() as u32).max(1)
}

/// At least one, at most an hour and some minutes.
fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests;
