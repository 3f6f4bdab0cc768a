//! What happened to a socket that its application wants to know. Every connection has some to keep: it is one byte.

use core::ops::{BitOr, BitOrAssign};

/// News of any kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News(u8);

impl News {
    /// Something can be read or accepted.
    pub(crate) const READABLE: News = News(1);
    /// There is room to write.
    pub(crate) const WRITABLE: News = News(2);
    /// The handshake is through.
    pub(crate) const CONNECTED: News = News(4);
    /// The connection is over.
    pub(crate) const CLOSED: News = News(8);
    /// Messages may be complete.
    pub(crate) const COMPLETED: News = News(16);
    /// The peer calls data urgent, up to a mark that is new.
    pub(crate) const URGENT: News = News(32);
    /// A message of which is to be told left or arrived.
    pub(crate) const STAMPED: News = News(64);

    /// Whether there is any.
    pub(crate) fn any(self) -> bool {
        self.0 != 0
    }

    /// Whether there is news of every kind in `other`.
    pub(crate) fn has(self, other: News) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for News {
    type Output = News;

    fn bitor(self, other: News) -> News {
        News(self.0 | other.0)
    }
}

impl BitOrAssign for News {
    fn bitor_assign(&mut self, other: News) {
        self.0 |= other.0;
    }
}
