//! What held sending back, and for how long: the path, the peer's window, or the send buffer.

use super::Sender;
use crate::Instant;
use core::time::Duration;

/// A window of fewer bytes says nothing of the path: four segments on common links, and no model of a path goes below
/// four.
const ALL_BUT_SHUT: usize = 4 * 1460;

/// What a connection that sends is waiting for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Nothing is to be sent, and nothing is outstanding.
    #[default]
    Idle,
    /// The path, or congestion control.
    Path,
    /// The peer's window.
    Window,
    /// The send buffer, which the application would like to be larger.
    Buffer,
}

/// How long each of them did, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    now: Limit,
    since: u32,
    path: u32,
    window: u32,
    buffer: u32,
}

/// How long a connection had something to send or outstanding, and of that, what else than the path held it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) busy: Duration,
    pub(crate) by_window: Duration,
    pub(crate) by_buffer: Duration,
}

impl Limits {
    /// From `now` on it is `limit`.
    pub(crate) fn set(&mut self, now: Instant, limit: Limit) {
        if limit == self.now {
            return;
        }
        let millis = now.as_millis() as u32;
        let time = millis.wrapping_sub(self.since);
        let spent = match self.now {
            Limit::Idle => None,
            Limit::Path => Some(&mut self.path),
            Limit::Window => Some(&mut self.window),
            Limit::Buffer => Some(&mut self.buffer),
        };
        if let Some(spent) = spent {
            *spent = spent.saturating_add(time);
        }
        (self.now, self.since) = (limit, millis);
    }

    /// The sums up to the latest change.
    pub(crate) fn held(&self) -> Held {
        let millis = |sum: u32| Duration::from_millis(u64::from(sum));
        Held {
            busy: millis(self.path) + millis(self.window) + millis(self.buffer),
            by_window: millis(self.window),
            by_buffer: millis(self.buffer),
        }
    }
}

impl Sender {
    /// Nothing leaves now: where neither windows nor losses are why, the application is. A peer's window that is all but
    /// shut counts as the application: neither says anything of the path.
    pub(crate) fn on_nothing_to_send(&mut self, now: Instant) {
        let shut = self.wnd() < ALL_BUT_SHUT && self.window_room() < self.mss;
        let waits = self.unsent() >= self.mss && (!shut || self.paced_until(now).is_some());
        if !self.is_model_based() || waits || self.board.totals().lost > 0 {
            return;
        }
        let (pipe, window) = (self.pipe(), self.congestion.window());
        if let Some(deliveries) = &mut self.deliveries
            && pipe < window
        {
            deliveries.on_nothing_to_send(pipe);
        }
    }

    /// Notes what holds sending back now; `starved` when the application waits for room.
    pub(crate) fn note_limit(&mut self, now: Instant, starved: bool) {
        let unsent = self.unsent();
        let limit = if unsent == 0 && !self.outstanding() {
            Limit::Idle
        } else if unsent > 0 && self.window_room() < self.mss {
            Limit::Window
        } else if unsent == 0 && starved {
            Limit::Buffer
        } else {
            Limit::Path
        };
        self.limits.set(now, limit);
    }

    /// What the peer's window still takes.
    fn window_room(&self) -> usize {
        self.wnd().saturating_sub(self.nxt.since(self.una))
    }

    /// How long what held sending back.
    pub(crate) fn held(&self) -> Held {
        self.limits.held()
    }
}
