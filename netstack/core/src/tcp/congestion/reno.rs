//! Reno: slow start and congestion avoidance (RFC 5681), with an initial window of ten (RFC 6928).

use super::CongestionControl;

/// Segments that may be sent before the first acknowledgement.
const INITIAL_SEGMENTS: usize = 10;

/// The state of Reno for one connection.
#[derive(Debug)]
pub(crate) struct Reno {
    mss: usize,
    window: usize,
    threshold: usize,
    /// Bytes acknowledged since the window last grew in congestion avoidance.
    credit: usize,
    /// Set by a timeout: until the threshold is reached, one segment per acknowledgement (RFC 3465,
    /// 2.3), because what is acknowledged may have been received before the timeout.
    after_timeout: bool,
}

impl Reno {
    pub(crate) fn new(mss: usize) -> Self {
        Reno {
            mss,
            window: initial_window(mss),
            threshold: usize::MAX,
            credit: 0,
            after_timeout: false,
        }
    }

    fn halved(&self, flight: usize) -> usize {
        (flight / 2).max(2 * self.mss)
    }
}

/// The initial window of RFC 6928, 2.
fn initial_window(mss: usize) -> usize {
    (INITIAL_SEGMENTS * mss).min((2 * mss).max(14_600)).max(mss)
}

impl CongestionControl for Reno {
    fn window(&self) -> usize {
        self.window
    }

    fn threshold(&self) -> usize {
        self.threshold
    }

    fn on_ack(&mut self, acked: usize, flight: usize) {
        // A window that was not used says nothing about the path (RFC 7661, 4.1, in its simplest form).
        if flight + self.mss < self.window / 2 {
            return;
        }
        if self.window < self.threshold {
            let limit = if self.after_timeout {
                self.mss
            } else {
                usize::MAX
            };
            self.window = self
                .window
                .saturating_add(acked.min(limit))
                .min(self.threshold.max(self.window));
        } else {
            self.after_timeout = false;
            self.credit += acked;
            if self.credit >= self.window {
                self.credit -= self.window;
                self.window = self.window.saturating_add(self.mss);
            }
        }
    }

    fn on_loss(&mut self, flight: usize) {
        self.threshold = self.halved(flight);
        self.window = self.threshold;
        self.credit = 0;
    }

    fn on_recovered(&mut self, flight: usize) {
        self.window = self.threshold.min(flight.max(self.mss) + self.mss);
    }

    fn on_timeout(&mut self, flight: usize, again: bool) {
        if !again {
            self.threshold = self.halved(flight);
        }
        self.window = self.mss;
        self.credit = 0;
        self.after_timeout = true;
    }

    fn on_idle(&mut self) {
        self.window = self.window.min(initial_window(self.mss));
    }

    fn on_handshake_loss(&mut self) {
        self.window = self.mss;
    }

    fn set_mss(&mut self, mss: usize) {
        if self.window == initial_window(self.mss) {
            self.window = initial_window(mss);
        }
        self.mss = mss;
        self.window = self.window.max(mss);
    }
}

#[cfg(test)]
mod tests;
