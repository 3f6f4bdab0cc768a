//! How many segments a connection has sent and received, and when the latest were: for those who ask (`TCP_INFO`).
//!
//! Segments are those on the wire: a super-packet counts as many as it is cut into. One that comes counts as segments of the
//! longest size that this side takes; whether it was joined of more, nobody knows any more.

use crate::Instant;
use core::time::Duration;

/// Segments of one connection. Every connection has this: numbers are short and come round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    sent: u32,
    sent_with_data: u32,
    received: u32,
    received_with_data: u32,
    /// When data was received last, in milliseconds of the clock; at first when the connection began.
    data_received: u32,
}

/// What is told of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentCounts {
    /// Segments sent, the first time or again, with data or not.
    pub sent: u32,
    /// Of these, those with data.
    pub sent_with_data: u32,
    /// Segments received, duplicates and others that were refused among them.
    pub received: u32,
    /// Of these, those with data.
    pub received_with_data: u32,
    /// How long ago anything but acknowledgements was sent last.
    pub since_data_sent: Duration,
    /// How long ago data was received last, or the connection began.
    pub since_data_received: Duration,
}

impl Traffic {
    pub(crate) fn new(now: Instant) -> Traffic {
        Traffic {
            sent: 0,
            sent_with_data: 0,
            received: 0,
            received_with_data: 0,
            data_received: clock(now),
        }
    }

    /// `len` bytes leave, in segments of `mss` bytes; none are one segment.
    pub(crate) fn on_sent(&mut self, len: usize, mss: usize) {
        let segments = segments(len, mss);
        self.sent = self.sent.wrapping_add(segments);
        if len > 0 {
            self.sent_with_data = self.sent_with_data.wrapping_add(segments);
        }
    }

    /// `len` bytes came, in segments of `mss` bytes.
    pub(crate) fn on_received(&mut self, now: Instant, len: usize, mss: usize) {
        let segments = segments(len, mss);
        self.received = self.received.wrapping_add(segments);
        if len > 0 {
            self.received_with_data = self.received_with_data.wrapping_add(segments);
            self.data_received = clock(now);
        }
    }

    /// What is told at `now`, if data was sent at `data_sent` last.
    pub(crate) fn counts(&self, now: Instant, data_sent: Instant) -> SegmentCounts {
        let received = clock(now).wrapping_sub(self.data_received);
        SegmentCounts {
            sent: self.sent,
            sent_with_data: self.sent_with_data,
            received: self.received,
            received_with_data: self.received_with_data,
            since_data_sent: now.since(data_sent),
            since_data_received: Duration::from_millis(received.into()),
        }
    }
}

fn segments(len: usize, mss: usize) -> u32 {
    u32::try_from(len.div_ceil(mss.max(1)).max(1)).unwrap_or(u32::MAX)
}

fn clock(now: Instant) -> u32 {
    now.as_millis() as u32
}

#[cfg(test)]
mod tests;
