//! What the window-based algorithms share: the window, the threshold, and slow start (RFC 5681, RFC 6928).

use super::Sign;

/// Segments that may be sent before the first acknowledgement.
const INITIAL_SEGMENTS: usize = 10;

/// A congestion window. Sizes are in bytes.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) mss: usize,
    pub(super) size: usize,
    pub(super) threshold: usize,
    /// Set by a timeout: until the threshold is reached, one segment per acknowledgement (RFC 3465,
    /// 2.3), because what is acknowledged may have been received before the timeout.
    after_timeout: bool,
}

impl Window {
    // req: RFC5681-08
    pub(super) fn new(mss: usize) -> Self {
        Window::resume(mss, initial(mss), usize::MAX)
    }

    pub(super) fn resume(mss: usize, size: usize, threshold: usize) -> Self {
        Window {
            mss,
            size,
            threshold,
            after_timeout: false,
        }
    }

    // req: RFC9438-17
    pub(super) fn in_slow_start(&self) -> bool {
        self.size < self.threshold
    }

    /// Slow start: grows by what was acknowledged divided by `divisor`, up to the threshold.
    // req: RFC5681-10, RFC3465-05, MUST-19, RFC3465-02
    pub(super) fn slow_start(&mut self, acked: usize, divisor: usize) {
        let limit = if self.after_timeout {
            self.mss
        } else {
            usize::MAX
        };
        let grown = self.size.saturating_add(acked.min(limit) / divisor);
        self.size = grown.min(self.threshold.max(self.size));
        if !self.in_slow_start() {
            self.after_timeout = false;
        }
    }

    /// Sets threshold and window for a congestion. Marks bring the window down to one segment.
    // req: RFC9438-10, RFC9438-12
    pub(super) fn reduce(&mut self, threshold: usize, sign: Sign) {
        self.threshold = threshold.max(2 * self.mss);
        self.size = match sign {
            Sign::Loss => self.threshold,
            Sign::Mark => threshold.max(self.mss),
        };
        self.after_timeout = false;
    }

    /// One segment, after a timeout.
    // req: RFC5681-14, RFC6928-04
    pub(super) fn collapse(&mut self) {
        self.size = self.mss;
        self.after_timeout = true;
    }

    // req: RFC5682-04
    pub(super) fn resume_at(&mut self, size: usize) {
        self.size = size.min(self.threshold).max(self.mss);
    }

    // req: RFC5681-28, RFC6928-03
    pub(super) fn restart(&mut self) {
        self.size = self.size.min(initial(self.mss));
    }

    // req: RFC5681-06
    pub(super) fn on_handshake_loss(&mut self) {
        self.size = self.mss;
    }

    // req: RFC5681-07
    pub(super) fn set_mss(&mut self, mss: usize) {
        // Larger segments do not make the window larger (RFC 4821, 4). Smaller ones make a window smaller where it
        // begins; a recovery whose window happens to be as large keeps what it was given.
        // req: RFC4821-03, RFC8899-08
        if mss < self.mss && self.in_slow_start() && self.size == initial(self.mss) {
            self.size = initial(mss);
        }
        self.mss = mss;
        // Less than a segment is no window, nor one to go back to.
        self.size = self.size.max(mss);
        self.threshold = self.threshold.max(mss);
    }
}

/// The initial window of RFC 6928, 2.
// req: RFC6928-01, RFC5681-04, RFC5681-05
pub(super) fn initial(mss: usize) -> usize {
    (INITIAL_SEGMENTS * mss).min((2 * mss).max(14_600)).max(mss)
}

#[cfg(test)]
mod tests;
