//! TCP Fast Open (RFC 7413): data in the SYN, for a client that shows by a cookie that it is where it says.

pub(crate) mod cache;

use super::flow::FlowKey;
use super::isn::Secret;
use crate::Instant;
use crate::flags::flags;
use core::time::Duration;

/// How long one key makes cookies. What the key before made is still good, and is replaced when it is shown.
const KEY_LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// How long a connection counts among those that are pending after its peer reset it (RFC 7413, 5.1): a host whose
/// address is borrowed for an attack resets at once, which must not make room for more.
pub(crate) const RESET_LINGERS: Duration = Duration::from_secs(60);

flags! {
    /// What of TCP Fast Open a stack does. The bits are those of Linux's `tcp_fastopen`.
    FastOpen {
        /// Connections may send data with their SYN, where the application asks for that.
        CLIENT = 1,
        /// Listeners may accept data with a SYN, where the application asks for that.
        SERVER = 2,
        /// Data goes with the SYN to whoever it is for, and not only to those who gave a cookie.
        CLIENT_WITHOUT_COOKIE = 4,
        /// Data that comes with a SYN is accepted without a cookie. Then anybody can have them processed in the name of
        /// any address: only for networks where none is forged.
        SERVER_WITHOUT_COOKIE = 0x200,
        /// Listeners accept data with a SYN though no application asked for it, as many at a time as their backlog is.
        ALL_LISTENERS = 0x400,
    }
}

impl FastOpen {
    /// What the bits of Linux's `tcp_fastopen` say; bits that mean nothing here have no effect.
    pub const fn from_bits(bits: u32) -> FastOpen {
        FastOpen(bits)
    }
}

/// The most and the fewest bytes of a cookie.
const MOST: usize = 16;
const FEWEST: usize = 4;

/// A cookie, or in a SYN the wish for one, which is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cookie {
    len: u8,
    bytes: [u8; MOST],
}

impl Cookie {
    /// The wish for a cookie.
    pub(crate) const WANTED: Cookie = Cookie {
        len: 0,
        bytes: [0; MOST],
    };

    /// The body of an option; `None` when it has a length that none may have.
    // req: RFC7413-02, RFC7413-03
    pub(crate) fn parse(body: &[u8]) -> Option<Cookie> {
        let valid = body.is_empty()
            || (FEWEST..=MOST).contains(&body.len()) && body.len().is_multiple_of(2);
        if !valid {
            return None;
        }
        let mut cookie = Cookie::WANTED;
        cookie.len = body.len() as u8;
        cookie.bytes.get_mut(..body.len())?.copy_from_slice(body);
        Some(cookie)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The cookie for the peer of `flow`, of the key of now.
// req: RFC7413-04
pub(crate) fn cookie(secret: &Secret, now: Instant, flow: &FlowKey) -> Cookie {
    made(secret, period(now), flow)
}

/// Whether `cookie` was made for the peer of `flow`; then, whether by the key of now.
pub(crate) fn judge(
    secret: &Secret,
    now: Instant,
    flow: &FlowKey,
    cookie: &Cookie,
) -> Option<bool> {
    let current = period(now);
    if *cookie == made(secret, current, flow) {
        return Some(true);
    }
    let before = made(secret, current.checked_sub(1)?, flow);
    (*cookie == before).then_some(false)
}

fn made(secret: &Secret, period: u64, flow: &FlowKey) -> Cookie {
    let hash = secret.fast_open_hash(period, flow).to_be_bytes();
    Cookie::parse(&hash).unwrap_or_default()
}

fn period(now: Instant) -> u64 {
    now.as_nanos() / KEY_LIFETIME.as_nanos() as u64
}

/// What an active open does beyond a plain one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    /// What the SYN shows: a cookie, the wish for one, or nothing.
    pub(crate) cookie: Option<Cookie>,
    /// Bytes of data that the SYN may carry, its options taken off.
    pub(crate) most: u16,
    /// The SYN waits for data.
    pub(crate) waits: bool,
    /// The SYN has left; how many bytes it carried.
    pub(crate) sent: Option<u16>,
    /// What the handshake showed, for the next connection to this peer.
    pub(crate) learned: Option<Learned>,
}

/// What a handshake shows about Fast Open with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    /// This cookie is good there, for segments of so many bytes.
    Cookie(Cookie, u16),
    /// It, or the path, does not take part: only the SYN without data and option was answered, no cookie came, or the
    /// data was dropped.
    Refused,
}

#[cfg(test)]
mod tests;
