//! How fast an application reads or writes, and in what pieces.

use core::time::Duration;
use netstack_core::Instant;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// The most bytes at a time of what keeps to a rate.
const STEP: u64 = 4_000;

/// When an application reads or writes how much.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// All that can be, as soon as it can be.
    AtOnce,
    /// A piece, then nothing for a time, over and over.
    Pieces {
        /// The most bytes of a piece.
        most: u64,
        /// The longest time between two.
        rest: Duration,
    },
    /// No more than so many bytes in a second, and little at a time.
    Rate(u64),
}

/// An application that keeps to a [`Pace`].
#[derive(Debug)]
pub(super) struct Turns {
    pace: Pace,
    /// Of the piece that is under way.
    left: u64,
    rests_until: Instant,
    random: ChaCha8Rng,
}

impl Turns {
    /// Whose pieces and rests follow from `seed`.
    pub(super) fn new(pace: Pace, seed: u64) -> Turns {
        Turns {
            pace,
            left: 0,
            rests_until: Instant::ZERO,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// How many bytes may be read or written now.
    pub(super) fn allowed(&mut self, now: Instant) -> u64 {
        if now < self.rests_until {
            return 0;
        }
        match self.pace {
            Pace::AtOnce => u64::MAX,
            Pace::Rate(_) => STEP,
            Pace::Pieces { most, .. } => {
                if self.left == 0 {
                    self.left = 1 + self.random.next_u64() % most.max(1);
                }
                self.left
            }
        }
    }

    /// So many were.
    pub(super) fn took(&mut self, now: Instant, bytes: u64) {
        let rest = match self.pace {
            Pace::AtOnce => return,
            Pace::Rate(rate) => Duration::from_nanos(bytes * 1_000_000_000 / rate.max(1)),
            Pace::Pieces { rest, .. } => {
                self.left -= bytes;
                if self.left > 0 {
                    return;
                }
                let most = rest.as_nanos() as u64;
                Duration::from_nanos(self.random.next_u64() % (most + 1))
            }
        };
        self.rests_until = now + rest;
    }

    /// When there is something to do again though nothing happens.
    pub(super) fn resumes(&self) -> Instant {
        self.rests_until
    }
}
