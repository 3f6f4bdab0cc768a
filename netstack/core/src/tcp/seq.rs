//! Sequence numbers: positions on a circle of 2^32.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// The largest window: numbers in it have an order, and so has what is a window before it.
pub(crate) const WINDOW: usize = 1 << 30;

/// The limit of a queue as it is kept: no more than a window, whatever was asked for.
pub(crate) fn bounded(bytes: usize) -> u32 {
    bytes.min(WINDOW) as u32
}

/// A sequence number (RFC 9293, 3.4).
///
/// Deliberately without `Ord`: numbers on a circle have no total order. Compare with
/// [`before`](Self::before) and its relatives, which hold for numbers less than 2^31 apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Seq(pub(crate) u32);

impl Seq {
    /// Whether `self` comes earlier on the circle than `other`.
    // req: U-34
    #[inline]
    pub(crate) fn before(self, other: Seq) -> bool {
        self.distance(other) < 0
    }

    /// Whether `self` comes earlier than `other` or is the same.
    #[inline]
    pub(crate) fn at_or_before(self, other: Seq) -> bool {
        self.distance(other) <= 0
    }

    /// Whether `self` comes later on the circle than `other`.
    #[inline]
    pub(crate) fn after(self, other: Seq) -> bool {
        self.distance(other) > 0
    }

    /// Whether `self` comes later than `other` or is the same.
    #[inline]
    pub(crate) fn at_or_after(self, other: Seq) -> bool {
        self.distance(other) >= 0
    }

    /// How far `self` is past `earlier`, negative when it is before it.
    #[inline]
    pub(crate) fn distance(self, earlier: Seq) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    /// How far `self` is past `earlier`; zero when it is before it.
    #[inline]
    pub(crate) fn since(self, earlier: Seq) -> usize {
        self.distance(earlier).max(0) as usize
    }

    /// The later of the two.
    #[inline]
    pub(crate) fn later(self, other: Seq) -> Seq {
        if self.after(other) { self } else { other }
    }

    /// The earlier of the two.
    #[inline]
    pub(crate) fn earlier(self, other: Seq) -> Seq {
        if self.before(other) { self } else { other }
    }
}

impl Add<usize> for Seq {
    type Output = Seq;

    #[inline]
    fn add(self, rhs: usize) -> Seq {
        Seq(self.0.wrapping_add(rhs as u32))
    }
}

impl AddAssign<usize> for Seq {
    #[inline]
    fn add_assign(&mut self, rhs: usize) {
        *self = *self + rhs;
    }
}

impl Sub<usize> for Seq {
    type Output = Seq;

    #[inline]
    fn sub(self, rhs: usize) -> Seq {
        Seq(self.0.wrapping_sub(rhs as u32))
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests;
