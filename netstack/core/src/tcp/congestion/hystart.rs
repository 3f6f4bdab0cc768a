//! HyStart++ (RFC 9406): the first slow start ends when the round-trip time rises, before the queue overflows.

use crate::time::Lapse;
use core::time::Duration;

const MIN_RTT_THRESHOLD: Duration = Duration::from_millis(4);
const MAX_RTT_THRESHOLD: Duration = Duration::from_millis(16);
const RTT_DIVISOR: u32 = 8;
/// Measurements that a round needs to be believed.
const SAMPLES: u32 = 8;
/// What growth is divided by in conservative slow start.
const GROWTH_DIVISOR: usize = 4;
/// Rounds that conservative slow start lasts.
const ROUNDS: u32 = 5;

/// The state of one connection's first slow start.
#[derive(Clone, Debug, Default)]
pub(super) struct HyStart {
    last_round: Option<Lapse>,
    this_round: Option<Lapse>,
    samples: u32,
    /// Rounds of conservative slow start so far.
    rounds: u32,
    /// While slow start is conservative: the smallest round-trip time of the round in which it became that.
    baseline: Option<Lapse>,
}

/// What slow start does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// Grow by what is acknowledged, divided by this.
    Grow(usize),
    /// Congestion avoidance begins.
    Stop,
}

impl HyStart {
    /// Takes an acknowledgement in slow start.
    // req: RFC9406-01, RFC9438-18
    pub(super) fn on_ack(&mut self, new_round: bool, rtt: Option<Duration>) -> Advice {
        if new_round {
            self.last_round = self.this_round.take();
            self.samples = 0;
            if self.baseline.is_some() {
                self.rounds += 1;
                if self.rounds >= ROUNDS {
                    return Advice::Stop;
                }
            }
        }
        if let Some(rtt) = rtt.map(Lapse::from) {
            self.this_round = Some(self.this_round.map_or(rtt, |least| least.min(rtt)));
            self.samples += 1;
        }
        self.judge_delay();
        Advice::Grow(match self.baseline {
            Some(_) => GROWTH_DIVISOR,
            None => 1,
        })
    }

    fn judge_delay(&mut self) {
        let Some(this) = self.this_round.filter(|_| self.samples >= SAMPLES) else {
            return;
        };
        if let Some(baseline) = self.baseline {
            // The rise was no queue: slow start goes on.
            if this < baseline {
                self.baseline = None;
            }
            return;
        }
        let Some(last) = self.last_round.map(Duration::from) else {
            return;
        };
        let threshold = (last / RTT_DIVISOR).clamp(MIN_RTT_THRESHOLD, MAX_RTT_THRESHOLD);
        if Duration::from(this) >= last + threshold {
            (self.baseline, self.rounds) = (Some(this), 0);
        }
    }
}

#[cfg(test)]
mod tests;
