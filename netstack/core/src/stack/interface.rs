//! One interface: its size, and what waits to leave by it.

use super::config::InterfaceConfig;
use super::turns::{Ready, Turn, Turns};
use super::waiting::{Limits, Waiting};
use crate::Instant;
use core::time::Duration;
use std::collections::VecDeque;
use txbuf::Packet;

/// Packets without a socket (answers, errors, fragments) that may wait for one device.
const CONTROL: Limits = Limits {
    packets: 1024,
    bytes: 16 << 20,
    time: LONGEST_WAIT,
};
/// Forwarded packets that may wait for one device: a few turns of super-packets.
const TRANSIT: Limits = Limits {
    packets: 4096,
    bytes: 16 << 20,
    time: LONGEST_WAIT,
};
/// A device that takes nothing for so long is down. Those who had sent to it will have sent again.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The state of one interface.
pub(super) struct Interface {
    config: InterfaceConfig,
    /// Whole packets that belong to no socket.
    pub(super) control: Waiting,
    /// Whole packets that were injected: they leave first and are shown to nobody.
    pub(super) injected: VecDeque<Packet>,
    /// Forwarded packets. As long as there are some, they have their turn.
    transit: Waiting,
    /// Who is to be asked for packets. Each stands here at most once.
    pub(super) turns: Turns,
}

impl Interface {
    pub(super) fn new(config: InterfaceConfig) -> Self {
        Interface {
            config,
            control: Waiting::new(CONTROL),
            injected: VecDeque::new(),
            transit: Waiting::new(TRANSIT),
            turns: Turns::default(),
        }
    }

    /// The name that it was given.
    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// The largest packet on the wire.
    pub(super) fn mtu(&self) -> usize {
        self.config.mtu
    }

    /// Queues a forwarded packet. Returns false, and drops it, when too many wait.
    #[must_use]
    pub(super) fn push_transit(&mut self, now: Instant, packet: Packet) -> bool {
        let waits = !self.transit.is_empty();
        let queued = self.transit.push(now, packet);
        if queued && !waits {
            self.turns.join(Ready::Transit);
        }
        queued
    }

    /// The next forwarded packet, whose turn it is. Those that came too late are counted in `late`.
    pub(super) fn pop_transit(
        &mut self,
        now: Instant,
        turn: Turn,
        late: &mut u64,
    ) -> Option<Packet> {
        let packet = self.transit.pop(now, late)?;
        if !self.transit.is_empty() {
            self.turns.go_on(turn, packet.len());
        }
        Some(packet)
    }

    /// Whether anything may be there to send.
    pub(super) fn has_output(&self) -> bool {
        !self.injected.is_empty() || !self.control.is_empty() || !self.turns.is_empty()
    }
}
