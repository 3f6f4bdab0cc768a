//! A listener: a SYN queue, an accept queue, and a backlog that bounds both.

use crate::socket::SocketId;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// What a listener holds. Half-open connections themselves stand in the stack's table; here they are
/// counted.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) local: SocketAddr,
    backlog: usize,
    /// Half-open connections.
    half_open: usize,
    /// Connections that wait to be accepted.
    ready: VecDeque<SocketId>,
}

impl Listener {
    /// A listener on `local` that holds `backlog` connections (at least one) in each queue.
    pub(crate) fn new(local: SocketAddr, backlog: usize) -> Self {
        Listener {
            local,
            backlog: backlog.clamp(1, 65_535),
            half_open: 0,
            ready: VecDeque::new(),
        }
    }

    /// Whether another SYN may be remembered. With the accept queue full none is: its connection could
    /// not be handed over.
    pub(crate) fn takes_syn(&self) -> bool {
        self.half_open < self.backlog && !self.is_full()
    }

    /// Whether the accept queue is full.
    pub(crate) fn is_full(&self) -> bool {
        self.ready.len() >= self.backlog
    }

    /// A SYN was remembered.
    pub(crate) fn on_half_open(&mut self) {
        self.half_open += 1;
    }

    /// A half-open connection is gone, established or not.
    pub(crate) fn on_settled(&mut self) {
        self.half_open = self.half_open.saturating_sub(1);
    }

    /// An established connection waits.
    pub(crate) fn push(&mut self, id: SocketId) {
        self.ready.push_back(id);
    }

    /// The connection that waits longest.
    pub(crate) fn pop(&mut self) -> Option<SocketId> {
        self.ready.pop_front()
    }

    /// Whether a connection waits.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes `id` out of the queue: it ended before it was accepted.
    pub(crate) fn forget(&mut self, id: SocketId) {
        self.ready.retain(|waiting| *waiting != id);
    }
}
