//! Chances, and the dice that decide.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// How often something happens, as a part of 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chance(u64);

const ALWAYS: u64 = 1 << 32;

impl Chance {
    /// It never happens.
    pub const NEVER: Chance = Chance(0);

    /// `n` times in a thousand; more than a thousand count as a thousand.
    pub const fn per_mille(n: u32) -> Chance {
        let n = if n < 1000 { n } else { 1000 };
        Chance(n as u64 * ALWAYS / 1000)
    }

    /// So many times in a hundred. `None` for what is no number from 0 to 100.
    pub fn percent(percent: f64) -> Option<Chance> {
        (0.0..=100.0)
            .contains(&percent)
            .then(|| Chance((percent / 100.0 * ALWAYS as f64).round() as u64))
    }

    /// Whether it cannot happen.
    pub const fn is_never(self) -> bool {
        self.0 == 0
    }
}

/// A source of numbers that follow from a seed.
#[derive(Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of one stage of one direction: each gives other numbers than those of the same seed for another.
    pub fn new(seed: u64, direction: u32, stage: u32) -> Dice {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(u64::from(direction) << 32 | u64::from(stage));
        Dice(random)
    }

    /// Whether it happens this time. What never happens draws no number.
    pub fn happens(&mut self, chance: Chance) -> bool {
        !chance.is_never() && u64::from(self.0.next_u32()) < chance.0
    }

    /// A number from 0 to `most`, all of them alike.
    pub fn up_to(&mut self, most: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * (u128::from(most) + 1)) >> 64) as u64
    }

    /// A time from zero to `most`.
    pub fn time_up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.up_to(most))
    }
}
