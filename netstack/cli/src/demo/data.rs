//! The bytes that are moved: made as they are needed, each place different from every other, and hashed.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// What is written at a time.
const CHUNK: usize = 256 << 10;
/// Each so many bytes carry their own number, so that nothing that is lost, doubled or moved hashes the same.
const STAMP_EVERY: usize = 512;

/// A stream of bytes that is a function of its seed.
pub(crate) struct Source {
    chunk: Vec<u8>,
    stamp: u64,
    remaining: u64,
}

impl Source {
    /// The first `length` bytes of the stream of `seed`.
    pub(crate) fn new(seed: u64, length: u64) -> Self {
        let mut state = seed;
        let chunk = (0..CHUNK / 8)
            .flat_map(|_| splitmix64(&mut state).to_le_bytes())
            .collect();
        Source {
            chunk,
            stamp: state,
            remaining: length,
        }
    }

    /// The next bytes, until there are none.
    pub(crate) fn next_chunk(&mut self) -> Option<&[u8]> {
        if self.remaining == 0 {
            return None;
        }
        for place in self.chunk.chunks_exact_mut(STAMP_EVERY) {
            self.stamp = self.stamp.wrapping_add(1);
            place[..8].copy_from_slice(&self.stamp.to_le_bytes());
        }
        let length = CHUNK.min(usize::try_from(self.remaining).unwrap_or(CHUNK));
        self.remaining -= length as u64;
        Some(&self.chunk[..length])
    }

    /// The hash of all that is left.
    pub(crate) fn digest(mut self) -> Fingerprint {
        let mut hasher = Hasher::default();
        while let Some(chunk) = self.next_chunk() {
            hasher.update(chunk);
        }
        hasher.finish()
    }
}

/// Hashes what arrives.
#[derive(Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Fingerprint {
        Fingerprint(self.0.finalize().into())
    }
}

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Steele, Lea and Flood's generator: nothing to guess here, only bytes that differ.
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
