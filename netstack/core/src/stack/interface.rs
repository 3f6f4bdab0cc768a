//! One interface: its size, and what waits to leave by it.

use super::config::InterfaceConfig;
use crate::socket::SocketId;
use std::collections::VecDeque;
use txbuf::Packet;

/// Packets without a socket (answers, errors, fragments) that may wait for one device.
const CONTROL_LIMIT: usize = 1024;
/// Forwarded packets that may wait for one device, and their bytes: a few turns of super-packets.
const TRANSIT_LIMIT: usize = 4096;
const TRANSIT_BYTES: usize = 16 << 20;

/// Who has something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// A socket; it is asked for its packets one at a time.
    Socket(SocketId),
    /// The half-open connection with this number has a SYN-ACK to send.
    Request(u32),
    /// Forwarded packets wait.
    Transit,
}

/// The state of one interface.
pub(super) struct Interface {
    config: InterfaceConfig,
    /// Whole packets that belong to no socket.
    control: VecDeque<Packet>,
    /// Whole packets that were injected: they leave first and are shown to nobody.
    pub(super) injected: VecDeque<Packet>,
    /// Forwarded packets, and their bytes.
    transit: VecDeque<Packet>,
    transit_bytes: usize,
    /// Who is to be asked for packets, in turn. Each stands here at most once.
    pub(super) ready: VecDeque<Ready>,
}

impl Interface {
    pub(super) fn new(config: InterfaceConfig) -> Self {
        Interface {
            config,
            control: VecDeque::new(),
            injected: VecDeque::new(),
            transit: VecDeque::new(),
            transit_bytes: 0,
            ready: VecDeque::new(),
        }
    }

    /// The largest packet on the wire.
    pub(super) fn mtu(&self) -> usize {
        self.config.mtu
    }

    /// Queues a packet that belongs to no socket. Returns false, and drops it, when too many wait.
    #[must_use]
    pub(super) fn push_control(&mut self, packet: Packet) -> bool {
        if self.control.len() >= CONTROL_LIMIT {
            return false;
        }
        self.control.push_back(packet);
        true
    }

    /// The next packet that belongs to no socket.
    pub(super) fn pop_control(&mut self) -> Option<Packet> {
        self.control.pop_front()
    }

    /// Queues a forwarded packet. Returns false, and drops it, when too many wait.
    #[must_use]
    pub(super) fn push_transit(&mut self, packet: Packet) -> bool {
        if self.transit.len() >= TRANSIT_LIMIT || self.transit_bytes >= TRANSIT_BYTES {
            return false;
        }
        if self.transit.is_empty() {
            self.ready.push_back(Ready::Transit);
        }
        self.transit_bytes += packet.len();
        self.transit.push_back(packet);
        true
    }

    /// The next forwarded packet; if there are more, sockets have their turn before them.
    pub(super) fn pop_transit(&mut self) -> Option<Packet> {
        let packet = self.transit.pop_front()?;
        self.transit_bytes -= packet.len();
        if !self.transit.is_empty() {
            self.ready.push_back(Ready::Transit);
        }
        Some(packet)
    }

    /// Whether anything may be there to send.
    pub(super) fn has_output(&self) -> bool {
        !self.injected.is_empty() || !self.control.is_empty() || !self.ready.is_empty()
    }
}
