//! CUBIC (RFC 9438): after a congestion the window returns to where it was as a cubic function of time.

use super::hystart::{Advice, HyStart};
use super::window::Window;
use super::{Acked, Congestion, CongestionControl, Flight, Sign};
use crate::Instant;
use core::time::Duration;

/// C, in segments per second cubed.
// req: RFC9438-19
const C: f64 = 0.4;
/// What a congestion leaves of the window.
// req: RFC9438-09
const BETA: f64 = 0.7;
/// The growth in segments per round trip that makes AIMD with [`BETA`] as fast as Reno.
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

/// One stage of congestion avoidance. Windows are in segments; names are those of RFC 9438, 4.1.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    /// t_epoch, moved on by the time in which the application did not fill the window.
    start: Instant,
    k: f64,
    origin: f64,
    w_est: f64,
    /// cwnd with its fraction of a segment.
    cwnd: f64,
    /// The last acknowledgement.
    latest: Instant,
}

/// What an undone response gives back.
#[derive(Clone, Debug)]
struct Before {
    size: usize,
    threshold: usize,
    w_max: f64,
    cwnd_prior: f64,
    epoch: Option<Box<Epoch>>,
}

/// The state of CUBIC for one connection.
#[derive(Debug)]
pub(crate) struct Cubic {
    window: Window,
    w_max: f64,
    cwnd_prior: f64,
    epoch: Option<Box<Epoch>>,
    /// Whether the stage to come begins on the plateau: after a timeout, or without any loss before.
    flat: bool,
    /// Whether this is the first slow start, which HyStart++ watches over.
    first: bool,
    hystart: HyStart,
    before: Option<Box<Before>>,
}

impl Cubic {
    pub(crate) fn new(mss: usize) -> Self {
        Cubic::of(Window::new(mss))
    }

    /// Goes on where another algorithm was.
    pub(crate) fn resume(mss: usize, window: usize, threshold: usize) -> Self {
        Cubic::of(Window::resume(mss, window, threshold))
    }

    fn of(window: Window) -> Self {
        let fresh = window.threshold == usize::MAX;
        Cubic {
            window,
            w_max: 0.0,
            cwnd_prior: 0.0,
            epoch: None,
            flat: true,
            hystart: HyStart::default(),
            first: fresh,
            before: None,
        }
    }

    fn segments(&self, bytes: usize) -> f64 {
        bytes as f64 / self.window.mss as f64
    }

    /// So many segments in bytes, to the nearest whole one: a part of a segment never leaves, so that all that windows
    /// have beyond whole ones would be lost.
    fn whole(&self, segments: f64) -> usize {
        (segments.round() as usize).saturating_mul(self.window.mss)
    }

    /// A stage begins with the first acknowledgement after a congestion.
    fn begin(&self, now: Instant) -> Epoch {
        let cwnd = self.segments(self.window.size);
        let (k, origin) = if self.flat || self.w_max <= cwnd {
            (0.0, cwnd)
        } else {
            (cube_root((self.w_max - cwnd) / C), self.w_max)
        };
        Epoch {
            start: now,
            k,
            origin,
            w_est: cwnd,
            cwnd,
            latest: now,
        }
    }

    // req: RFC9438-01, RFC9438-06, RFC9438-07
    fn avoid_congestion(&mut self, acked: &Acked) {
        let epoch = self.epoch.take();
        let mut epoch = epoch.unwrap_or_else(|| Box::new(self.begin(acked.now)));
        let segments = self.segments(acked.bytes);
        epoch.grow(acked.now, acked.srtt, segments, self.cwnd_prior);
        self.window.size = self.window.size.max(self.whole(epoch.cwnd));
        self.epoch = Some(epoch);
    }

    /// What a congestion leaves that was noticed with `flight` under way: of the window where that was used (RFC 9438,
    /// 4.6: it does not grow otherwise), else of the flight.
    // req: RFC9438-11
    fn remainder(&self, flight: Flight) -> usize {
        let used = if flight.full {
            self.window.size
        } else {
            flight.pipe
        };
        self.whole(self.segments(used) * BETA)
    }

    /// W_max for a congestion that comes at the present window.
    // req: RFC9438-13
    fn note_congestion(&mut self) {
        let cwnd = self.segments(self.window.size);
        self.w_max = if cwnd < self.w_max {
            cwnd * (1.0 + BETA) / 2.0
        } else {
            cwnd
        };
        self.cwnd_prior = cwnd;
        self.epoch = None;
        self.first = false;
    }
}

impl Epoch {
    fn grow(&mut self, now: Instant, srtt: Duration, acked: f64, cwnd_prior: f64) {
        self.latest = now;
        // req: RFC9438-02
        let target = self
            .curve(now.since(self.start) + srtt)
            .clamp(self.cwnd, 1.5 * self.cwnd);
        // req: RFC9438-04, RFC9438-05
        let alpha = if self.w_est >= cwnd_prior { 1.0 } else { ALPHA };
        self.w_est += alpha * acked / self.cwnd;
        if self.curve(now.since(self.start)) < self.w_est {
            self.cwnd = self.cwnd.max(self.w_est);
        } else {
            self.cwnd += (target - self.cwnd) * (acked / self.cwnd).min(1.0);
        }
    }

    /// W_cubic.
    fn curve(&self, t: Duration) -> f64 {
        let t = t.as_secs_f64() - self.k;
        C * t * t * t + self.origin
    }
}

/// The cube root of `x`, which is not negative. By Newton's method with the operations that IEEE 754 defines to the
/// bit: every platform computes the same window.
fn cube_root(x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let mut y = x.max(1.0);
    for _ in 0..200 {
        let next = (2.0 * y + x / (y * y)) / 3.0;
        if (y - next).abs() <= y * 1e-12 {
            return next;
        }
        y = next;
    }
    y
}

impl CongestionControl for Cubic {
    fn algorithm(&self) -> Congestion {
        Congestion::Cubic
    }

    fn window(&self) -> usize {
        self.window.size
    }

    fn threshold(&self) -> usize {
        self.window.threshold
    }

    fn on_ack(&mut self, acked: &Acked) {
        if !acked.validated {
            // req: RFC9438-03
            if let Some(epoch) = &mut self.epoch {
                epoch.start += acked.now.since(epoch.latest);
                epoch.latest = acked.now;
            }
            return;
        }
        if !self.window.in_slow_start() {
            return self.avoid_congestion(acked);
        }
        let advice = match self.first {
            true => self.hystart.on_ack(acked.new_round, acked.rtt),
            false => Advice::Grow(1),
        };
        match advice {
            Advice::Grow(divisor) => self.window.slow_start(acked.bytes, divisor),
            Advice::Stop => {
                self.first = false;
                self.window.threshold = self.window.size;
                self.cwnd_prior = self.segments(self.window.size);
            }
        }
    }

    // req: RFC9438-08
    fn on_congestion(&mut self, _: Instant, flight: Flight, sign: Sign) {
        self.note_congestion();
        self.flat = false;
        self.window.reduce(self.remainder(flight), sign);
    }

    fn on_recovered(&mut self, limit: usize) {
        self.window.size = self.window.threshold.min(limit.max(self.window.mss));
    }

    // req: RFC9438-14
    fn on_timeout(&mut self, flight: Flight, again: bool) {
        if !again {
            self.note_congestion();
            self.window.reduce(self.remainder(flight), Sign::Loss);
        }
        self.epoch = None;
        self.flat = true;
        self.window.collapse();
    }

    fn checkpoint(&mut self) {
        self.before = Some(Box::new(Before {
            size: self.window.size,
            threshold: self.window.threshold,
            w_max: self.w_max,
            cwnd_prior: self.cwnd_prior,
            epoch: self.epoch.clone(),
        }));
    }

    // req: RFC9438-16
    fn undo(&mut self) {
        let Some(before) = self.before.take() else {
            return;
        };
        if self.window.size < before.size {
            self.window.size = before.size;
            self.window.threshold = before.threshold;
            self.w_max = before.w_max;
            self.cwnd_prior = before.cwnd_prior;
            self.epoch = before.epoch;
        }
    }

    fn resume_at(&mut self, window: usize) {
        self.window.resume_at(window);
    }

    fn on_idle(&mut self) {
        self.window.restart();
        self.epoch = None;
    }

    fn on_handshake_loss(&mut self) {
        self.window.on_handshake_loss();
    }

    fn set_mss(&mut self, mss: usize) {
        // Windows to go back to are as many bytes as they were.
        let scale = self.window.mss as f64 / mss as f64;
        self.w_max *= scale;
        self.cwnd_prior *= scale;
        self.epoch = None;
        if let Some(before) = &mut self.before {
            before.w_max *= scale;
            before.cwnd_prior *= scale;
            before.epoch = None;
        }
        self.window.set_mss(mss);
    }
}

#[cfg(test)]
mod tests;
