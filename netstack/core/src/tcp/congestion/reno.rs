//! Reno: slow start and congestion avoidance (RFC 5681), with an initial window of ten (RFC 6928).

use super::window::Window;
use super::{Acked, Congestion, CongestionControl, Flight, Sign};
use crate::Instant;

/// The state of Reno for one connection.
#[derive(Debug)]
pub(crate) struct Reno {
    window: Window,
    /// Bytes acknowledged since the window last grew in congestion avoidance.
    credit: usize,
    /// Window and threshold before the last response.
    before: Option<(usize, usize)>,
}

impl Reno {
    pub(crate) fn new(mss: usize) -> Self {
        Reno::of(Window::new(mss))
    }

    /// Goes on where another algorithm was.
    pub(crate) fn resume(mss: usize, window: usize, threshold: usize) -> Self {
        Reno::of(Window::resume(mss, window, threshold))
    }

    fn of(window: Window) -> Self {
        Reno {
            window,
            credit: 0,
            before: None,
        }
    }
}

impl CongestionControl for Reno {
    fn algorithm(&self) -> Congestion {
        Congestion::Reno
    }

    fn window(&self) -> usize {
        self.window.size
    }

    fn threshold(&self) -> usize {
        self.window.threshold
    }

    // req: RFC5681-03, RFC5681-11, RFC5681-12, RFC3465-01, RFC7661-01
    fn on_ack(&mut self, acked: &Acked) {
        if !acked.validated {
            return;
        }
        if self.window.in_slow_start() {
            return self.window.slow_start(acked.bytes, 1);
        }
        self.credit += acked.bytes;
        if self.credit >= self.window.size {
            self.credit -= self.window.size;
            self.window.size = self.window.size.saturating_add(self.window.mss);
        }
    }

    // req: RFC5681-09, RFC5681-15
    fn on_congestion(&mut self, _: Instant, flight: Flight, sign: Sign) {
        self.window.reduce(flight.pipe / 2, sign);
        self.credit = 0;
    }

    fn on_recovered(&mut self, limit: usize) {
        self.window.size = self.window.threshold.min(limit.max(self.window.mss));
    }

    // req: RFC5681-13
    fn on_timeout(&mut self, flight: Flight, again: bool) {
        if !again {
            self.window.reduce(flight.pipe / 2, Sign::Loss);
        }
        self.window.collapse();
        self.credit = 0;
    }

    fn checkpoint(&mut self) {
        self.before = Some((self.window.size, self.window.threshold));
    }

    fn undo(&mut self) {
        if let Some((size, threshold)) = self.before.take() {
            self.window.size = self.window.size.max(size);
            self.window.threshold = self.window.threshold.max(threshold);
        }
    }

    fn resume_at(&mut self, window: usize) {
        self.window.resume_at(window);
    }

    fn on_idle(&mut self) {
        self.window.restart();
    }

    fn on_handshake_loss(&mut self) {
        self.window.on_handshake_loss();
    }

    fn set_mss(&mut self, mss: usize) {
        self.window.set_mss(mss);
    }
}

#[cfg(test)]
mod tests;
