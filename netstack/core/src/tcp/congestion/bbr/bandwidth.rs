//! The most that the path delivered of late: a windowed maximum, by round trips.

/// Round trips for which a sample counts.
const ROUNDS: usize = 10;

/// The maximum of the last ten round trips in which anything was measured.
#[derive(Clone, Debug, Default)]
pub(super) struct MaxBandwidth {
    /// The best of each round trip, by its number.
    best: [u64; ROUNDS],
    latest: u64,
}

impl MaxBandwidth {
    /// Takes a sample of round trip number `round`; the numbers do not fall. Time in which nothing is measured does
    /// not count until something is.
    pub(super) fn take(&mut self, round: u64, rate: u64) {
        let passed = round.saturating_sub(self.latest).min(ROUNDS as u64);
        for back in 0..passed {
            self.best[slot(round - back)] = 0;
        }
        self.latest = round;
        let best = &mut self.best[slot(round)];
        *best = rate.max(*best);
    }

    /// The maximum; zero before the first sample.
    pub(super) fn most(&self) -> u64 {
        self.best.iter().copied().max().unwrap_or_default()
    }
}

fn slot(round: u64) -> usize {
    (round % ROUNDS as u64) as usize
}

#[cfg(test)]
mod tests;
