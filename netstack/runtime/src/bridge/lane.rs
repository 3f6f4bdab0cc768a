//! One direction of a bridge: what packets meet on their way to one side, and those that wait for its device.

use std::collections::VecDeque;
use std::time::Duration;

use drivers::impair::Pipeline;
use netstack_core::Instant;
use txbuf::Packet;

use super::DirectionReport;

/// Packets that wait for a device before nothing more is read for it.
const ROOM: usize = 256;
/// Bytes that do: what was just read is still in a core's cache.
const ROOM_BYTES: usize = 512 << 10;

pub(super) struct Lane {
    pipeline: Option<Pipeline>,
    /// What has come out and waits for the device.
    ready: VecDeque<Packet>,
    /// Bytes of that.
    bytes: usize,
}

impl Lane {
    pub(super) fn new(pipeline: Option<Pipeline>) -> Lane {
        Lane {
            pipeline,
            ready: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Whether to send more this way. Without room the device is behind, and what comes in waits where it comes from.
    pub(super) fn has_room(&self) -> bool {
        self.ready.len() < ROOM && self.bytes < ROOM_BYTES
    }

    pub(super) fn push(&mut self, now: Instant, packet: Packet) {
        let before = self.ready.len();
        match &mut self.pipeline {
            Some(pipeline) => pipeline.push(since_start(now), packet, &mut self.ready),
            None => self.ready.push_back(packet),
        }
        self.count(before);
    }

    /// The next packet for the device.
    pub(super) fn pop(&mut self) -> Option<Packet> {
        let packet = self.ready.pop_front()?;
        self.bytes -= packet.len();
        Some(packet)
    }

    /// Lets out what is due.
    pub(super) fn poll(&mut self, now: Instant) {
        if self.has_room()
            && let Some(pipeline) = &mut self.pipeline
        {
            let before = self.ready.len();
            pipeline.poll(since_start(now), &mut self.ready);
            self.count(before);
        }
    }

    /// Adds what has come out behind the first `before` packets.
    fn count(&mut self, before: usize) {
        self.bytes += self.ready.range(before..).map(Packet::len).sum::<usize>();
    }

    /// When something is due.
    pub(super) fn poll_at(&self) -> Option<Instant> {
        let pipeline = self.pipeline.as_ref().filter(|_| self.has_room())?;
        Some(Instant::ZERO + pipeline.poll_at()?)
    }

    pub(super) fn report(&self) -> DirectionReport {
        DirectionReport {
            impairments: self
                .pipeline
                .as_ref()
                .map(Pipeline::counters)
                .unwrap_or_default(),
        }
    }
}

fn since_start(now: Instant) -> Duration {
    now.since(Instant::ZERO)
}
