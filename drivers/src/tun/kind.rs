//! What a device carries, and what stands in front of it.

use std::fmt;

/// Bytes of an Ethernet header: two addresses and the type of what follows.
pub(crate) const ETHERNET: usize = 14;

/// What a device carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkKind {
    /// IP packets.
    Tun,
    /// Ethernet frames.
    Tap,
}

impl LinkKind {
    /// Bytes of a link's header in front of an IP packet.
    pub(crate) fn front(self) -> usize {
        match self {
            LinkKind::Tun => 0,
            LinkKind::Tap => ETHERNET,
        }
    }

    /// The word for it that `ip tuntap` knows.
    pub(super) fn mode(self) -> &'static str {
        match self {
            LinkKind::Tun => "tun",
            LinkKind::Tap => "tap",
        }
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinkKind::Tun => "TUN",
            LinkKind::Tap => "TAP",
        })
    }
}
