//! What most connections do without, in a box of its own: an idle connection stays small.

use super::fast_open::Opening;
use super::stamps::Stamping;
use super::times::Times;
use super::user_timeout::UserTimeout;
use crate::Instant;
use crate::socket::KeepAlive;
use core::time::Duration;

/// What an application asked for, and what follows from that.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    pub(crate) keep_alive: Option<KeepAlive>,
    /// Keep-alive probes sent since something was heard.
    pub(crate) probes: u32,
    pub(crate) user_timeout: UserTimeout,
    /// How long closing may take before it is an abort (`SO_LINGER`).
    pub(crate) linger: Option<Duration>,
    /// When what waits to be read came.
    pub(crate) times: Option<Times>,
    /// When to see whether a path that was narrow still is.
    pub(crate) look_at_path: Instant,
    /// What is to be told of what was sent.
    pub(crate) stamping: Option<Box<Stamping>>,
    /// The SYN is to carry data, or to ask for the right to (RFC 7413).
    pub(crate) opening: Option<Opening>,
}
