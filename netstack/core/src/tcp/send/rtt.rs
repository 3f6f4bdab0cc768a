//! Round-trip time and the retransmission timeout (RFC 6298).

use crate::Instant;
use crate::time::Lapse;
use core::time::Duration;

/// The timeout before the first measurement (RFC 6298, 2.1).
const INITIAL_RTO: Duration = Duration::from_secs(1);
/// The timeout before the first measurement when the SYN was lost (RFC 6298, 5.7).
const RTO_AFTER_SYN_LOSS: Duration = Duration::from_secs(3);
/// The smallest timeout. RFC 6298 says one second SHOULD be the least; Linux and its kin use 200 ms,
/// which a delayed acknowledgement of 40 ms does not meet.
const MIN_RTO: Duration = Duration::from_millis(200);
/// The largest timeout (RFC 6298, 2.5 asks for at least 60 s).
const MAX_RTO: Duration = Duration::from_secs(120);
/// How long a smallest round-trip time is believed: then the path may be another one.
const LEAST_LIFETIME: Duration = Duration::from_secs(60);
/// The granularity of the clock, G.
const GRANULARITY: Duration = Duration::from_millis(1);

/// The estimator of one connection.
#[derive(Debug, Default)]
pub(crate) struct RttEstimator {
    smoothed: Option<Lapse>,
    variation: Option<Lapse>,
    /// How often the timeout was doubled since the last measurement.
    backoff: u32,
    /// The handshake lost a packet.
    distrusted: bool,
    /// The smallest round-trip time of the present and of the previous lifetime.
    least: Option<Lapse>,
    previous_least: Option<Lapse>,
    /// When the present lifetime began.
    least_since: Instant,
}

impl RttEstimator {
    /// Takes a measurement (RFC 6298, 2.2 and 2.3).
    ///
    /// The caller must not measure data that was sent more than once (Karn's algorithm, RFC 6298, 3).
    // req: MUST-18, RFC6298-02, RFC6298-03, RFC6298-04, RFC8961-02, RFC8961-04
    pub(crate) fn measure(&mut self, rtt: Duration) {
        let (smoothed, variation) = match self.smoothed() {
            None => (rtt, rtt / 2),
            Some(smoothed) => (
                (smoothed * 7 + rtt) / 8,
                (self.variation() * 3 + smoothed.abs_diff(rtt)) / 4,
            ),
        };
        self.smoothed = Some(smoothed.into());
        self.variation = Some(variation.into());
        self.backoff = 0;
    }

    /// Takes any round-trip time for the smallest.
    // req: RFC8985-08
    pub(crate) fn note_least(&mut self, now: Instant, rtt: Duration) {
        if self.least.is_some() && now.since(self.least_since) >= LEAST_LIFETIME {
            self.previous_least = self.least.take();
        }
        if self.least.is_none() {
            self.least_since = now;
        }
        let rtt = Lapse::from(rtt);
        self.least = Some(self.least.map_or(rtt, |least| least.min(rtt)));
    }

    /// The smallest round-trip time of late; zero before the first.
    pub(crate) fn least(&self) -> Duration {
        let both = [self.least, self.previous_least];
        let least = both.into_iter().flatten().min();
        least.map(Duration::from).unwrap_or_default()
    }

    /// Whether the timeout was doubled since the last measurement.
    pub(crate) fn is_backed_off(&self) -> bool {
        self.backoff > 0
    }

    /// The timeout in force, with its back-off.
    // req: RFC6298-01, RFC6298-05, RFC6298-06, RFC6298-09, RFC8961-01, RFC8961-09, MUST-19
    pub(crate) fn rto(&self) -> Duration {
        let base = match self.smoothed() {
            None if self.distrusted => RTO_AFTER_SYN_LOSS,
            None => INITIAL_RTO,
            Some(smoothed) => smoothed + (self.variation() * 4).max(GRANULARITY),
        };
        base.clamp(MIN_RTO, MAX_RTO)
            .saturating_mul(1 << self.backoff.min(16))
            .min(MAX_RTO)
    }

    /// The handshake lost a packet: begins again, with a longer timeout until there is a measurement.
    // req: RFC6298-16
    pub(crate) fn distrust(&mut self) {
        self.distrusted = true;
        self.backoff = 0;
    }

    /// Doubles the timeout (RFC 6298, 5.5).
    // req: RFC8961-07
    pub(crate) fn back_off(&mut self) {
        self.backoff += 1;
    }

    /// Ends the back-off: new data was acknowledged.
    pub(crate) fn end_backoff(&mut self) {
        self.backoff = 0;
    }

    /// The smoothed round-trip time, once measured.
    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.smoothed.map(Duration::from)
    }

    /// The mean deviation of the round-trip time.
    pub(crate) fn variation(&self) -> Duration {
        self.variation.map(Duration::from).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
