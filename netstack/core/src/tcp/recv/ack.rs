//! When to acknowledge (RFC 9293, 3.8.6.3; RFC 5681, 4.2).

use core::time::Duration;

/// How long an acknowledgement may wait for data to ride on. RFC 9293 allows half a second.
const DELAY: Duration = Duration::from_millis(40);

/// The shortest delay: what a scheduler may take between two segments of one burst.
const LEAST_DELAY: Duration = Duration::from_millis(1);

/// The part of a round trip that the rest of a burst may take to arrive.
const BURST: u32 = 16;

/// The acknowledgement state of one connection.
#[derive(Debug, Default)]
pub(crate) struct AckState {
    /// Bytes received since the last acknowledgement left.
    unacknowledged: usize,
    now: bool,
    /// Set while the application answers what it receives: its answers carry the acknowledgements.
    interactive: bool,
    /// Whether everything is acknowledged at once (`TCP_QUICKACK`).
    pub(crate) quick: bool,
}

/// What received data asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// An acknowledgement is due at once.
    Now,
    /// It may wait for [`DELAY`].
    Delayed,
}

impl AckState {
    /// `len` new bytes arrived in order; `pushed` when their sender will wait for an answer.
    ///
    /// Every second full segment is acknowledged at once, and the end of a burst unless the
    /// application tends to answer.
    // req: SHLD-18, SHLD-19, MUST-58, RFC5681-29, RFC5681-31
    pub(crate) fn on_data(&mut self, len: usize, mss: usize, pushed: bool) -> Urgency {
        self.unacknowledged += len;
        if self.quick || self.unacknowledged >= 2 * mss || (pushed && !self.interactive) {
            self.now = true;
        }
        if self.now {
            Urgency::Now
        } else {
            Urgency::Delayed
        }
    }

    /// How long an acknowledgement may wait on a path with the round-trip time `srtt`, where it is known. An answer of
    /// the application is worth [`DELAY`]; without one, waiting longer than the rest of a burst takes only holds back a
    /// sender whose window has an odd number of segments.
    // req: MUST-40, RFC5681-30
    pub(crate) fn delay(&self, srtt: Option<Duration>) -> Duration {
        match srtt {
            Some(srtt) if !self.interactive && !srtt.is_zero() => {
                (srtt / BURST).clamp(LEAST_DELAY, DELAY)
            }
            _ => DELAY,
        }
    }

    /// Asks for an acknowledgement at once if one waits and none may wait any more.
    pub(crate) fn catch_up(&mut self) {
        self.now |= self.quick && self.unacknowledged > 0;
    }

    /// Asks for an acknowledgement at once.
    pub(crate) fn demand(&mut self) {
        self.now = true;
    }

    /// The delay ran out: the application does not answer as fast as it was thought to.
    pub(crate) fn on_delay_over(&mut self) {
        self.now = true;
        self.interactive = false;
    }

    /// Whether an acknowledgement is due at once.
    pub(crate) fn due(&self) -> bool {
        self.now
    }

    /// A segment that acknowledges everything left; `with_data` when it carried an answer.
    pub(crate) fn on_sent(&mut self, with_data: bool) {
        if with_data && self.unacknowledged > 0 {
            self.interactive = true;
        }
        self.unacknowledged = 0;
        self.now = false;
    }
}

#[cfg(test)]
mod tests;
