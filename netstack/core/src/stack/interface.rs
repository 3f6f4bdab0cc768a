//! One interface: its size, and what waits to leave by it.

use super::config::InterfaceConfig;
use crate::socket::SocketId;
use std::collections::VecDeque;
use txbuf::Packet;

/// Packets without a socket (answers, errors, fragments) that may wait for one device.
const CONTROL_LIMIT: usize = 1024;

/// Who has something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// A socket; it is asked for its packets one at a time.
    Socket(SocketId),
    /// The half-open connection with this number has a SYN-ACK to send.
    Request(usize),
}

/// The state of one interface.
pub(super) struct Interface {
    config: InterfaceConfig,
    /// Whole packets that belong to no socket.
    control: VecDeque<Packet>,
    /// Who is to be asked for packets, in turn. Each stands here at most once.
    pub(super) ready: VecDeque<Ready>,
}

impl Interface {
    pub(super) fn new(config: InterfaceConfig) -> Self {
        Interface {
            config,
            control: VecDeque::new(),
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

    /// Whether anything may be there to send.
    pub(super) fn has_output(&self) -> bool {
        !self.control.is_empty() || !self.ready.is_empty()
    }
}
