//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//!
//! Sums are ones-complement sums of big-endian 16-bit words, not inverted. An odd
//! last byte counts as a word with a zero low byte.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2;

/// The sum of the bytes.
///
/// The sum does not care about byte order until the end (RFC 1071, section 2), so
/// native words are added, in lanes wide enough to hold all carries.
#[inline]
pub fn sum(data: &[u8]) -> u16 {
    #[cfg(target_arch = "x86_64")]
    if data.len() >= LONG
        && let Some(sum) = avx2::sum(data)
    {
        return finish(sum);
    }
    finish(sum_portable(data))
}

/// Bytes for which it is worth setting many lanes up.
const LONG: usize = 64;

/// The sum of native words with all its carries.
#[inline(never)]
fn sum_portable(data: &[u8]) -> u64 {
    if data.len() < LONG {
        return sum_short(data);
    }
    let (blocks, rest) = data.as_chunks::<64>();
    let (mut low, mut high) = ([0_u64; 4], [0_u64; 4]);
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for lane in 0..4 {
            let a = u64::from_ne_bytes(words[lane]);
            let b = u64::from_ne_bytes(words[lane + 4]);
            low[lane] += (a & 0xffff_ffff) + (b & 0xffff_ffff);
            high[lane] += (a >> 32) + (b >> 32);
        }
    }
    low.iter().chain(&high).sum::<u64>() + sum_short(rest)
}

/// The same for a few bytes, as a sum below 2^34.
#[inline]
fn sum_short(data: &[u8]) -> u64 {
    let (words, rest) = data.as_chunks::<8>();
    let mut sum = 0_u64;
    for word in words {
        // The carry of 64 bits is one of 16, too (RFC 1071, section 2).
        let (wrapped, carry) = sum.overflowing_add(u64::from_ne_bytes(*word));
        sum = wrapped + u64::from(carry);
    }
    let mut sum = (sum & 0xffff_ffff) + (sum >> 32);
    let mut rest = rest;
    if let Some((word, after)) = rest.split_first_chunk() {
        sum += u64::from(u32::from_ne_bytes(*word));
        rest = after;
    }
    sum + u64::from(match *rest {
        [a] => u32::from_ne_bytes([a, 0, 0, 0]),
        [a, b] => u32::from_ne_bytes([a, b, 0, 0]),
        [a, b, c] => u32::from_ne_bytes([a, b, c, 0]),
        _ => 0,
    })
}

/// A sum of native words as one of big-endian ones.
#[inline]
fn finish(sum: u64) -> u16 {
    u16::from_be(fold(sum))
}

/// The sum of two stretches of bytes from the sums of each. `b_starts_at_odd`
/// says that an odd number of bytes lies before the second.
#[inline]
pub fn combine(a: u16, b: u16, b_starts_at_odd: bool) -> u16 {
    let b = if b_starts_at_odd { b.swap_bytes() } else { b };
    add(a, b)
}

/// The stored checksum field after one 16-bit word under it went from `old` to
/// `new` (RFC 1624, equation 3).
#[inline]
pub fn update(check: u16, old: u16, new: u16) -> u16 {
    !add(add(!check, !old), new)
}

/// A sum of words, with all carries brought back in. Without a loop, whose end would depend on the data and could not
/// be predicted.
#[inline]
fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// Ones-complement addition: the carry comes back in at the bottom.
#[inline]
fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum + u16::from(carry)
}

#[cfg(all(test, not(loom)))]
mod tests;
