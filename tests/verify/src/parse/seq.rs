//! Sequence numbers: a circle, so there is no order, only distances.

use std::fmt;

/// A TCP sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seq(pub(crate) u32);

impl Seq {
    /// How far `self` is ahead of `other`; negative when it is behind.
    pub(crate) fn since(self, other: Seq) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    pub(crate) fn before(self, other: Seq) -> bool {
        self.since(other) < 0
    }

    pub(crate) fn after(self, other: Seq) -> bool {
        self.since(other) > 0
    }

    pub(crate) fn plus(self, bytes: u32) -> Seq {
        Seq(self.0.wrapping_add(bytes))
    }

    pub(crate) fn minus(self, bytes: u32) -> Seq {
        Seq(self.0.wrapping_sub(bytes))
    }

    pub(crate) fn max(self, other: Seq) -> Seq {
        if other.after(self) { other } else { self }
    }

    pub(crate) fn min(self, other: Seq) -> Seq {
        if other.before(self) { other } else { self }
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
