//! What the whole stack answers doubtful segments with (RFC 5961, 7): a limit that nobody outside can know, beside that of
//! every connection.

use crate::Instant;
use crate::random::Random;
use core::time::Duration;

/// Challenge acknowledgements of all connections in a second, on average.
const RATE: u32 = 1_000;
const SECOND: Duration = Duration::from_secs(1);

/// The challenge acknowledgements that may still leave in this second.
pub(crate) struct Challenges {
    random: Random,
    left: u32,
    until: Instant,
}

impl Challenges {
    /// A limit whose every draw follows from `seed`, apart from everything else that does.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Challenges {
            random: Random::new(seed.map(|byte| !byte)),
            left: 0,
            until: Instant::ZERO,
        }
    }

    /// Whether one may leave now; if so it counts. How many may is drawn anew each second, from half to one and a half of
    /// the average: who counts answers to what is their own does not learn whether somebody else was answered.
    // req: RFC5961-09
    pub(crate) fn allow(&mut self, now: Instant) -> bool {
        if now >= self.until {
            self.until = now + SECOND;
            self.left = RATE / 2 + self.random.below(RATE);
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

#[cfg(test)]
mod tests;
