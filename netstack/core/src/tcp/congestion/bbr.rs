//! A model of the path instead of losses: BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00).
//!
//! The model is the largest delivery rate and the smallest round-trip time of late. Packets are paced at the rate, a
//! little above and a little below it in turn, and twice the product may be in the network. The smallest round-trip
//! time is measured anew by letting the network drain.

mod bandwidth;

use super::window::initial;
use super::{Acked, Congestion, CongestionControl, Flight, Sample, Sign};
use crate::Instant;
use bandwidth::MaxBandwidth;
use core::time::Duration;

/// Gains are in parts of this.
const UNIT: u64 = 1_000;
/// 2 / ln 2: the least gain with which a rate that is measured doubles each round trip.
const HIGH_GAIN: u64 = 2_885;
/// Its inverse drains in one round trip what it has queued.
const DRAIN_GAIN: u64 = 347;
/// The cycle of gains around the measured rate: more, to see whether there is more; less, to drain what that queued.
const CYCLE: [u64; 8] = [1_250, 750, UNIT, UNIT, UNIT, UNIT, UNIT, UNIT];
/// The window in rate-delay products while the rate is known: acknowledgements may be delayed or come together.
const WINDOW_GAIN: u64 = 2_000;
/// Packets are paced one per cent below the measured rate, so that no queue stays.
const MARGIN: u64 = 990;
/// The window while the smallest round-trip time is measured, and the smallest at all, in segments.
const LEAST_SEGMENTS: usize = 4;
/// How long a smallest round-trip time is believed.
const RTT_LIFETIME: Duration = Duration::from_secs(10);
/// How long the window is small to measure it.
const RTT_PROBE: Duration = Duration::from_millis(200);
/// The round-trip time before the first is measured.
const FIRST_RTT: Duration = Duration::from_millis(1);
/// Growth that shows that the path may take more, in parts of [`UNIT`], and rounds without it that show the opposite.
const GROWTH: u64 = 1_250;
const ROUNDS_WITHOUT_GROWTH: u32 = 3;

/// What is being done about the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The rate is doubled each round trip until it is delivered no faster.
    Startup,
    /// What that queued is drained.
    Drain,
    /// The rate is held, and sometimes more is tried: the place in [`CYCLE`], and since when.
    Cruise { phase: usize, since: Instant },
    /// The window is small, so that the smallest round-trip time shows.
    ProbeRtt { end: Option<Instant> },
}

/// The state of BBR for one connection. Sizes are in bytes, rates in bytes a second.
#[derive(Debug)]
pub(crate) struct Bbr {
    mss: usize,
    window: usize,
    /// The window before a recovery or a measurement of the round-trip time.
    prior_window: usize,
    mode: Mode,
    bandwidth: MaxBandwidth,
    min_rtt: Option<Duration>,
    min_rtt_at: Instant,
    pacing_rate: u64,
    /// Whether the pacing rate follows from a round-trip time.
    paced_by_rtt: bool,
    /// Round trips so far, and whether one has just begun. It is over when something is acknowledged before whose
    /// leaving so much had been delivered; without that, the next one begins with the next sample.
    rounds: u64,
    round_begins: bool,
    round_end: Option<u64>,
    /// Whether the path takes no more, how much it took when it last took more, and for how many rounds it has not.
    full: bool,
    full_bandwidth: u64,
    rounds_without_growth: u32,
    /// Until what has left so far is delivered, the small window says how fast data leaves.
    limited_until: u64,
    /// Something is lost and not yet made up for; in its first round trip no more leaves than arrives.
    recovering: bool,
    conserving: bool,
    /// Nothing was in the network for a while: that is no reason to drain it.
    restarted: bool,
}

impl Bbr {
    pub(crate) fn new(mss: usize) -> Self {
        Bbr::resume(mss, initial(mss))
    }

    /// Goes on where another algorithm was.
    pub(crate) fn resume(mss: usize, window: usize) -> Self {
        let mut bbr = Bbr {
            mss,
            window,
            prior_window: 0,
            mode: Mode::Startup,
            bandwidth: MaxBandwidth::default(),
            min_rtt: None,
            min_rtt_at: Instant::ZERO,
            pacing_rate: 0,
            paced_by_rtt: false,
            rounds: 0,
            round_begins: false,
            round_end: Some(0),
            full: false,
            full_bandwidth: 0,
            rounds_without_growth: 0,
            limited_until: 0,
            recovering: false,
            conserving: false,
            restarted: false,
        };
        bbr.pacing_rate = bbr.first_rate(FIRST_RTT);
        bbr
    }

    /// The window in a round trip, with the gain of startup.
    fn first_rate(&self, rtt: Duration) -> u64 {
        let rate = per_second(self.window, rtt);
        scaled(rate, HIGH_GAIN)
    }

    fn least_window(&self) -> usize {
        LEAST_SEGMENTS * self.mss
    }

    fn pacing_gain(&self) -> u64 {
        match self.mode {
            Mode::Startup => HIGH_GAIN,
            Mode::Drain => DRAIN_GAIN,
            Mode::Cruise { phase, .. } => CYCLE[phase % CYCLE.len()],
            Mode::ProbeRtt { .. } => UNIT,
        }
    }

    fn window_gain(&self) -> u64 {
        match self.mode {
            Mode::Startup | Mode::Drain => HIGH_GAIN,
            Mode::Cruise { .. } => WINDOW_GAIN,
            Mode::ProbeRtt { .. } => UNIT,
        }
    }

    /// What is in the network when `gain` times the measured rate leaves for the smallest round-trip time, and three
    /// packets of `packet` bytes: what this side, the far one and acknowledgements that wait hold back.
    fn target(&self, gain: u64, packet: usize) -> usize {
        let Some(rtt) = self.min_rtt else {
            return initial(self.mss);
        };
        let product = u128::from(self.bandwidth.most()) * rtt.as_nanos() / 1_000_000_000;
        let product = u64::try_from(product).unwrap_or(u64::MAX);
        let product = usize::try_from(scaled(product, gain)).unwrap_or(usize::MAX);
        product.saturating_add(3 * packet)
    }

    fn begin_cruise(&mut self, now: Instant) {
        // Where in the cycle to begin is left to chance, so that flows do not probe together; but not by draining.
        let chance = now.as_micros() as usize % (CYCLE.len() - 1);
        let phase = if chance == 0 { 0 } else { chance + 1 };
        self.mode = Mode::Cruise { phase, since: now };
    }

    fn note_round(&mut self, sample: &Sample) {
        self.round_begins = self.round_end.is_some_and(|end| sample.prior >= end);
        if self.round_end.is_none() || self.round_begins {
            self.round_end = Some(sample.delivered);
        }
        if self.round_begins {
            self.rounds += 1;
            self.conserving = false;
        }
    }

    fn note_bandwidth(&mut self, sample: &Sample) {
        let Some(rate) = sample.rate else { return };
        if !self.is_limited(sample) || rate >= self.bandwidth.most() {
            self.bandwidth.take(self.rounds, rate);
        }
    }

    /// Whether the sample says how fast this side was, not the path.
    fn is_limited(&self, sample: &Sample) -> bool {
        sample.app_limited || sample.prior < self.limited_until
    }

    fn advance_cycle(&mut self, sample: &Sample) {
        let Mode::Cruise { phase, since } = self.mode else {
            return;
        };
        let gain = self.pacing_gain();
        let long = sample.now.since(since) > self.min_rtt.unwrap_or_default();
        let over = match gain {
            UNIT => long,
            // Long enough for the queue to show, or for the path to drop what is too much.
            more if more > UNIT => {
                long && (sample.lost > 0
                    || sample.in_flight_before >= self.target(gain, sample.packet))
            }
            _ => long || sample.in_flight_before <= self.target(UNIT, sample.packet),
        };
        if over {
            let phase = (phase + 1) % CYCLE.len();
            let since = sample.now;
            self.mode = Mode::Cruise { phase, since };
        }
    }

    /// The path is full when three round trips in a row deliver no faster than before.
    fn judge_growth(&mut self, sample: &Sample) {
        if self.full || !self.round_begins || self.is_limited(sample) {
            return;
        }
        let bandwidth = self.bandwidth.most();
        if bandwidth >= scaled(self.full_bandwidth, GROWTH) {
            self.full_bandwidth = bandwidth;
            self.rounds_without_growth = 0;
            return;
        }
        self.rounds_without_growth += 1;
        self.full = self.rounds_without_growth >= ROUNDS_WITHOUT_GROWTH;
    }

    fn leave_startup(&mut self, sample: &Sample) {
        if self.mode == Mode::Startup && self.full {
            self.mode = Mode::Drain;
        }
        if self.mode == Mode::Drain && sample.in_flight <= self.target(UNIT, sample.packet) {
            self.begin_cruise(sample.now);
        }
    }

    fn note_rtt(&mut self, sample: &Sample) {
        let now = sample.now;
        let stale = self.min_rtt.is_some() && now.since(self.min_rtt_at) > RTT_LIFETIME;
        if let Some(rtt) = sample.rtt
            && (stale || self.min_rtt.is_none_or(|least| rtt <= least))
        {
            self.min_rtt = Some(rtt);
            self.min_rtt_at = now;
        }
        if stale && !self.restarted && !matches!(self.mode, Mode::ProbeRtt { .. }) {
            self.save_window();
            self.mode = Mode::ProbeRtt { end: None };
        }
        if let Mode::ProbeRtt { end } = self.mode {
            self.probe_rtt(sample, end);
        }
        self.restarted = false;
    }

    /// Holds the window small for a round trip, but for 200 ms at least.
    fn probe_rtt(&mut self, sample: &Sample, end: Option<Instant>) {
        self.limited_until = sample.delivered + sample.in_flight as u64;
        match end {
            None if sample.in_flight <= self.least_window() => {
                let rtt = self.min_rtt.unwrap_or_default();
                let end = Some(sample.now + RTT_PROBE.max(rtt));
                self.mode = Mode::ProbeRtt { end };
            }
            Some(end) if sample.now > end => {
                self.min_rtt_at = sample.now;
                self.window = self.window.max(self.prior_window);
                if self.full {
                    self.begin_cruise(sample.now);
                } else {
                    self.mode = Mode::Startup;
                }
            }
            _ => {}
        }
    }

    fn set_pacing_rate(&mut self, srtt: Duration) {
        if !self.paced_by_rtt && !srtt.is_zero() {
            self.paced_by_rtt = true;
            self.pacing_rate = self.first_rate(srtt);
        }
        let rate = scaled(scaled(self.bandwidth.most(), self.pacing_gain()), MARGIN);
        // Until the path is full, a slow sample says little.
        if self.full || rate > self.pacing_rate {
            self.pacing_rate = rate.max(self.mss as u64);
        }
    }

    fn set_window(&mut self, sample: &Sample) {
        if self.recovering && !sample.in_recovery {
            self.recovering = false;
            self.conserving = false;
            self.window = self.window.max(self.prior_window);
        }
        if sample.lost > 0 {
            self.window = self.window.saturating_sub(sample.lost).max(self.mss);
        }
        let arrived = sample.in_flight + sample.acked.max(self.mss);
        if self.conserving {
            self.window = self.window.max(arrived);
        } else {
            let target = self.target(self.window_gain(), sample.packet);
            if self.full {
                self.window = (self.window + sample.acked).min(target);
            } else if self.window < target || sample.delivered < initial(self.mss) as u64 {
                self.window += sample.acked;
            }
            self.window = self.window.max(self.least_window());
        }
        if matches!(self.mode, Mode::ProbeRtt { .. }) {
            self.window = self.window.min(self.least_window());
        }
    }

    /// Remembers the window, unless it is made small already.
    fn save_window(&mut self) {
        let small = self.recovering || matches!(self.mode, Mode::ProbeRtt { .. });
        self.prior_window = match small {
            true => self.prior_window.max(self.window),
            false => self.window,
        };
    }
}

impl CongestionControl for Bbr {
    fn algorithm(&self) -> Congestion {
        Congestion::Bbr
    }

    fn window(&self) -> usize {
        self.window
    }

    fn threshold(&self) -> usize {
        usize::MAX
    }

    fn pacing_rate(&self) -> Option<u64> {
        Some(self.pacing_rate)
    }

    fn on_ack(&mut self, _: &Acked) {}

    fn on_sample(&mut self, sample: &Sample) {
        self.note_round(sample);
        self.note_bandwidth(sample);
        self.advance_cycle(sample);
        self.judge_growth(sample);
        self.leave_startup(sample);
        self.note_rtt(sample);
        self.set_pacing_rate(sample.srtt);
        self.set_window(sample);
    }

    /// A loss says nothing about the model, but for a round trip no more leaves than arrives.
    fn on_congestion(&mut self, _: Instant, flight: Flight, sign: Sign) {
        if sign == Sign::Mark || self.recovering {
            return;
        }
        self.save_window();
        self.recovering = true;
        self.conserving = true;
        self.window = flight.pipe.max(self.mss);
        self.round_end = None;
    }

    fn on_recovered(&mut self, _: usize) {}

    fn on_timeout(&mut self, _: Flight, _: bool) {
        self.save_window();
        self.recovering = true;
        self.conserving = false;
        self.full_bandwidth = 0;
        self.round_end = None;
        self.window = self.mss;
    }

    fn checkpoint(&mut self) {}

    fn undo(&mut self) {
        self.recovering = false;
        self.conserving = false;
        self.window = self.window.max(self.prior_window);
    }

    fn resume_at(&mut self, _: usize) {}

    fn on_idle(&mut self) {
        self.restarted = true;
        if matches!(self.mode, Mode::Cruise { .. }) {
            self.pacing_rate = self.bandwidth.most().max(self.mss as u64);
        }
    }

    fn on_handshake_loss(&mut self) {
        self.window = self.mss;
    }

    fn set_mss(&mut self, mss: usize) {
        if mss < self.mss && self.window == initial(self.mss) {
            self.window = initial(mss);
        }
        self.mss = mss;
        self.window = self.window.max(mss);
    }
}

fn scaled(rate: u64, gain: u64) -> u64 {
    u64::try_from(u128::from(rate) * u128::from(gain) / u128::from(UNIT)).unwrap_or(u64::MAX)
}

fn per_second(bytes: usize, time: Duration) -> u64 {
    let rate = bytes as u128 * 1_000_000_000 / time.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
