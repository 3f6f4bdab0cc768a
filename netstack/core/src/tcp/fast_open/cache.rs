//! Cookies of servers, and what is known of the paths to them (RFC 7413, 4.1.3).

use super::{Cookie, Learned};
use crate::Instant;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The most servers that are remembered.
const CAPACITY: usize = 1024;
/// How long nothing is tried after the first failure; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// Doublings at most: some 34 hours.
const MOST_DOUBLINGS: u32 = 11;

/// What is known of servers.
#[derive(Debug, Default)]
pub(crate) struct Cookies {
    servers: BTreeMap<IpAddr, Server>,
    /// The same in the order in which they were heard of last.
    ages: BTreeSet<(Instant, IpAddr)>,
}

#[derive(Debug)]
struct Server {
    /// A cookie, and the size of segments that goes with it.
    cookie: Option<(Cookie, u16)>,
    /// Failures in a row.
    failures: u32,
    heard: Instant,
}

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Send data with this cookie, in a segment of at most so many bytes.
    Cookie(Cookie, u16),
    /// Ask for a cookie.
    Nothing,
    /// Open as if there were no Fast Open.
    Failed,
}

impl Cookies {
    /// What is known of `server`.
    // req: RFC7413-06
    pub(crate) fn lookup(&self, now: Instant, server: IpAddr) -> Known {
        match self.servers.get(&server) {
            Some(known) if known.failures > 0 && now < known.heard + pause(known.failures) => {
                Known::Failed
            }
            Some(Server {
                cookie: Some((cookie, mss)),
                ..
            }) => Known::Cookie(*cookie, *mss),
            _ => Known::Nothing,
        }
    }

    /// Takes what a handshake with `server` showed. Of more servers than are remembered, that of which nothing was heard
    /// for longest is forgotten.
    // req: RFC7413-05
    pub(crate) fn learn(&mut self, now: Instant, server: IpAddr, learned: Learned) {
        let old = self.servers.remove(&server);
        if let Some(old) = &old {
            self.ages.remove(&(old.heard, server));
        }
        let known = match learned {
            Learned::Cookie(cookie, mss) => Server {
                cookie: Some((cookie, mss)),
                failures: 0,
                heard: now,
            },
            Learned::Refused => Server {
                cookie: old.as_ref().and_then(|old| old.cookie),
                failures: old.map_or(0, |old| old.failures).saturating_add(1),
                heard: now,
            },
        };
        while self.servers.len() >= CAPACITY
            && let Some((_, oldest)) = self.ages.pop_first()
        {
            self.servers.remove(&oldest);
        }
        self.ages.insert((now, server));
        self.servers.insert(server, known);
    }
}

fn pause(failures: u32) -> Duration {
    FIRST_PAUSE * (1 << failures.saturating_sub(1).min(MOST_DOUBLINGS))
}

#[cfg(test)]
mod tests;
