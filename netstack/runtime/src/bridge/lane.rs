//! One direction of a bridge: what packets meet on their way to one side, and those that wait for its device.

use std::collections::VecDeque;
use std::time::Duration;

use drivers::impair::Pipeline;
use netstack_core::Instant;
use txbuf::Packet;

use super::report::DirectionReport;
use crate::event_loop::LONGEST_WAIT;

/// Packets that wait for a device before nothing more is read for it.
const ROOM: usize = 256;
/// Bytes that do: what was just read is still in a core's cache.
const ROOM_BYTES: usize = 512 << 10;

pub(super) struct Lane {
    pipeline: Option<Pipeline>,
    /// What the pipeline lets out. Empty between calls; kept for its allocation.
    coming: VecDeque<Packet>,
    /// What waits for the device, with the time at which it came.
    ready: VecDeque<(Instant, Packet)>,
    /// Bytes of that.
    bytes: usize,
    /// Packets that were dropped because they had waited too long.
    late: u64,
}

impl Lane {
    pub(super) fn new(pipeline: Option<Pipeline>) -> Lane {
        Lane {
            pipeline,
            coming: VecDeque::new(),
            ready: VecDeque::new(),
            bytes: 0,
            late: 0,
        }
    }

    /// Whether to send more this way. Without room the device is behind, and what comes in waits where it comes from.
    pub(super) fn has_room(&self) -> bool {
        self.ready.len() < ROOM && self.bytes < ROOM_BYTES
    }

    pub(super) fn push(&mut self, now: Instant, packet: Packet) {
        match &mut self.pipeline {
            Some(pipeline) => {
                pipeline.push(since_start(now), packet, &mut self.coming);
                self.arrive(now);
            }
            None => self.wait(now, packet),
        }
    }

    /// The next packet for the device.
    pub(super) fn pop(&mut self) -> Option<Packet> {
        let (_, packet) = self.ready.pop_front()?;
        self.bytes -= packet.len();
        Some(packet)
    }

    /// Lets out what is due.
    pub(super) fn poll(&mut self, now: Instant) {
        if self.has_room()
            && let Some(pipeline) = &mut self.pipeline
        {
            pipeline.poll(since_start(now), &mut self.coming);
            self.arrive(now);
        }
    }

    /// Drops and counts what has waited too long for the device. While that is `stuck`, what comes takes the place of
    /// what came first.
    pub(super) fn expire(&mut self, now: Instant, stuck: bool) {
        while let Some((came, _)) = self.ready.front()
            && (now.since(*came) > LONGEST_WAIT || stuck && !self.has_room())
        {
            self.pop();
            self.late += 1;
        }
    }

    /// Counts packets of this direction that waited too long elsewhere.
    pub(super) fn count_late(&mut self, packets: usize) {
        self.late += packets as u64;
    }

    fn arrive(&mut self, now: Instant) {
        while let Some(packet) = self.coming.pop_front() {
            self.wait(now, packet);
        }
    }

    fn wait(&mut self, now: Instant, packet: Packet) {
        self.bytes += packet.len();
        self.ready.push_back((now, packet));
    }

    /// When something is due.
    pub(super) fn poll_at(&self) -> Option<Instant> {
        let pipeline = self.pipeline.as_ref().filter(|_| self.has_room())?;
        Some(Instant::ZERO + pipeline.poll_at()?)
    }

    /// What became of packets, of which so many are with the device's port.
    pub(super) fn report(&self, with_port: usize) -> DirectionReport {
        let held = self.pipeline.as_ref().map_or(0, Pipeline::held);
        DirectionReport {
            impairments: self
                .pipeline
                .as_ref()
                .map(Pipeline::counters)
                .unwrap_or_default(),
            late_dropped: self.late,
            under_way: (held + self.ready.len() + with_port) as u64,
        }
    }
}

fn since_start(now: Instant) -> Duration {
    now.since(Instant::ZERO)
}
