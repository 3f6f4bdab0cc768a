//! Randomness: a stream of numbers that is a function of the seed alone.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// The stack's source of random numbers.
///
/// The caller seeds it once, from the operating system in production and from a test's number in a
/// simulation; after that the same inputs give the same packets, bit for bit.
#[derive(Clone, Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// A generator whose whole output follows from `seed`.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Random(ChaCha8Rng::from_seed(seed))
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        // The multiply-shift of Lemire without its rejection step: a bias below 2^-16 for the
        // bounds used here (ports, jitter) is of no consequence.
        ((u64::from(self.next_u32()) * u64::from(bound)) >> 32) as u32
    }
}
