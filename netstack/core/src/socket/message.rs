//! The parameters of the two functions that all data goes through.

use core::ops::BitOr;
use std::net::SocketAddr;

macro_rules! flags {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $flag:ident = $bit:expr,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name(u32);

        impl $name {
            /// No flag.
            pub const NONE: $name = $name(0);
            $($(#[$doc])* pub const $flag: $name = $name($bit);)*

            /// Whether every flag of `other` is set.
            pub const fn has(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }
        }

        impl BitOr for $name {
            type Output = $name;

            fn bitor(self, rhs: $name) -> $name {
                $name(self.0 | rhs.0)
            }
        }
    };
}

flags! {
    /// How to send.
    SendFlags {
        /// More will follow at once: a last segment that is not full waits for it (`MSG_MORE`).
        MORE = 1,
    }
}

flags! {
    /// How to receive.
    RecvFlags {
        /// What is read stays in the queue (`MSG_PEEK`).
        PEEK = 1,
    }
}

/// What goes with a message that is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendControl {
    /// Where a datagram goes; `None` on a connected socket.
    pub to: Option<SocketAddr>,
}

/// What came with a message that was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Bytes put into the iterator. Zero on a stream means its end.
    pub bytes: usize,
    /// Who sent the datagram.
    pub from: Option<SocketAddr>,
    /// The datagram was longer than the iterator had room for; the rest is gone.
    pub truncated: bool,
}
