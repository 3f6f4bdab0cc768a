//! A listener: a SYN queue, an accept queue, and a backlog that bounds both.

use super::cookie;
use crate::Instant;
use crate::ip::output::Marks;
use crate::socket::SocketId;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// What a listener holds. Half-open connections themselves stand in the stack's table; here they are
/// counted.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) local: SocketAddr,
    /// Whether its application knows IPv4 addresses in mapped form.
    pub(crate) dual: bool,
    /// Of its answers to SYNs, and of the packets of the connections that it accepts.
    pub(crate) marks: Marks,
    /// The most connections that wait to be accepted.
    backlog: usize,
    /// The most connections that are half open, not counting those that came back with a cookie.
    syn_backlog: usize,
    /// Half-open connections.
    half_open: usize,
    /// Connections that wait to be accepted. One that the peer resets meanwhile waits on, as with Linux: what came before
    /// the reset is the application's, and so is the error.
    ready: VecDeque<SocketId>,
    /// Until when SYN cookies that were handed out may come back.
    cookies_until: Option<Instant>,
    /// The most connections whose SYN brought data and whose handshake is not through (RFC 7413, 5.1), and how many
    /// there are.
    early_most: usize,
    early: usize,
    /// When each of those that the peer reset meanwhile counts no more; at most as many as may be pending.
    early_reset: VecDeque<Instant>,
}

impl Listener {
    /// A listener on `local` that holds `backlog` connections (at least one) in each queue, or `syn_backlog` half-open
    /// ones if that is more.
    // req: RFC4987-06, RFC4987-09
    pub(crate) fn new(local: SocketAddr, backlog: usize, syn_backlog: usize) -> Self {
        let backlog = backlog.clamp(1, 65_535);
        Listener {
            local,
            dual: false,
            marks: Marks::default(),
            backlog,
            syn_backlog: syn_backlog.clamp(backlog, 65_535),
            half_open: 0,
            ready: VecDeque::new(),
            cookies_until: None,
            early_most: 0,
            early: 0,
            early_reset: VecDeque::new(),
        }
    }

    /// How many connections wait to be accepted, and how many may.
    pub(crate) fn backlog(&self) -> (usize, usize) {
        (self.ready.len(), self.backlog)
    }

    /// Changes both limits, as [`new`](Self::new) sets them.
    pub(crate) fn set_backlog(&mut self, backlog: usize, syn_backlog: usize) {
        self.backlog = backlog.clamp(1, 65_535);
        self.syn_backlog = syn_backlog.clamp(self.backlog, 65_535);
        self.early_most = self.early_most.min(self.backlog);
    }

    /// Sets how many connections may be pending whose SYN brought data: no more than may wait to be accepted.
    pub(crate) fn set_early_most(&mut self, most: usize) {
        self.early_most = most.min(self.backlog);
    }

    /// Whether data that come with a SYN may be taken at all; of a listener that nobody said anything of, if `all` may.
    pub(crate) fn takes_early(&mut self, all: bool) -> bool {
        if self.early_most == 0 && all {
            self.early_most = self.backlog;
        }
        self.early_most > 0
    }

    /// Whether there is room for another connection whose SYN brought data.
    // req: RFC7413-14
    pub(crate) fn has_early_room(&mut self, now: Instant) -> bool {
        while self.early_reset.front().is_some_and(|until| *until <= now) {
            self.early_reset.pop_front();
        }
        self.early + self.early_reset.len() < self.early_most && !self.is_full()
    }

    /// The data of a SYN was taken.
    pub(crate) fn on_early(&mut self) {
        self.early += 1;
    }

    /// A connection whose SYN brought data has ended its handshake; if its peer reset it, it counts until `lingers`.
    pub(crate) fn on_early_settled(&mut self, lingers: Option<Instant>) {
        self.early = self.early.saturating_sub(1);
        self.early_reset.extend(lingers);
    }

    /// Whether another SYN may be remembered.
    pub(crate) fn remembers_syn(&self) -> bool {
        self.half_open < self.syn_backlog
    }

    /// Whether another handshake may be remembered whose peer has proven, with a cookie, to be where it says.
    pub(crate) fn remembers_proven(&self) -> bool {
        self.half_open < 2 * self.syn_backlog
    }

    /// A SYN was answered with a cookie.
    pub(crate) fn on_cookie(&mut self, now: Instant) {
        self.cookies_until = Some(now + cookie::LIFETIME);
    }

    /// Whether a cookie may come back. While none was handed out nobody may guess at them.
    pub(crate) fn expects_cookies(&self, now: Instant) -> bool {
        self.cookies_until.is_some_and(|until| now < until)
    }

    /// Whether the accept queue is full: then no handshake is begun or ended.
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
}
