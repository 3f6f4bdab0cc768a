//! What packet sizes the paths to destinations take.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::time::Instant;

/// Limits of the path MTU cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PmtuConfig {
    /// IPv4 estimates never go below this; 68 is the least RFC 791 allows. A path that claims less
    /// gets packets of this size that routers may fragment.
    pub(crate) v4_floor: usize,
    /// How long an estimate lives after the last message that confirmed it.
    pub(crate) lifetime: Duration,
    /// Most destinations remembered.
    pub(crate) capacity: usize,
}

impl Default for PmtuConfig {
    fn default() -> Self {
        PmtuConfig {
            v4_floor: 576,
            lifetime: Duration::from_secs(600),
            capacity: 4096,
        }
    }
}

/// The size of packet that a path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathMtu {
    /// Largest packet, IP header included.
    pub(crate) mtu: usize,
    /// Whether IPv4 packets should forbid fragmentation, so that routers report what is too big.
    /// False only where a path claims to take less than the floor.
    pub(crate) dont_fragment: bool,
}

/// Path MTU estimates per destination (RFC 1191, RFC 8201), shared by all that is sent there.
pub(crate) struct PmtuCache {
    config: PmtuConfig,
    entries: BTreeMap<IpAddr, Entry>,
    ages: BTreeSet<(Instant, IpAddr)>,
}

struct Entry {
    path: PathMtu,
    expires: Instant,
}

/// The IPv6 minimum link MTU (RFC 8200 section 5).
const V6_FLOOR: usize = 1280;

/// Sizes of common links, for routers that do not name theirs (RFC 1191 section 7.1).
const PLATEAUS: [usize; 10] = [
    32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296, 68,
];

impl PmtuCache {
    /// An empty cache: every path takes what its interface takes.
    pub(crate) fn new(config: PmtuConfig) -> Self {
        PmtuCache {
            config,
            entries: BTreeMap::new(),
            ages: BTreeSet::new(),
        }
    }

    /// How long what a report said is not doubted.
    pub(crate) fn lifetime(&self) -> Duration {
        self.config.lifetime
    }

    /// The size for packets to `dst` over an interface that takes `iface_mtu`.
    ///
    /// An estimate older than its lifetime no longer counts: the next large packet tries again
    /// (RFC 1191 section 6.3, RFC 8201 section 4).
    // req: RFC1191-10, RFC8201-10
    pub(crate) fn lookup(&self, now: Instant, dst: IpAddr, iface_mtu: usize) -> PathMtu {
        let whole = PathMtu {
            mtu: iface_mtu,
            dont_fragment: true,
        };
        match self.entries.get(&dst) {
            Some(entry) if entry.expires > now && entry.path.mtu <= iface_mtu => entry.path,
            _ => whole,
        }
    }

    /// Takes in a report that a packet of `sent_len` bytes to `dst` was too big for a link that takes
    /// `reported` bytes (0 if the router did not say), and returns the new estimate if it fell.
    ///
    /// The caller has made sure that the quoted packet is one it sent (RFC 8201 section 4). An
    /// estimate is never raised here, never set below the floor, and an IPv6 report of less than
    /// 1280 is discarded.
    // req: RFC1191-01, RFC1191-03, RFC1191-04, RFC8201-01, RFC8201-03
    pub(crate) fn reduce(
        &mut self,
        now: Instant,
        dst: IpAddr,
        reported: u32,
        sent_len: usize,
        iface_mtu: usize,
    ) -> Option<PathMtu> {
        let reported = usize::try_from(reported).unwrap_or(usize::MAX);
        let current = self.lookup(now, dst, iface_mtu);
        let path = match dst {
            IpAddr::V4(_) => self.estimate_v4(reported, sent_len),
            IpAddr::V6(_) if reported < V6_FLOOR => return None,
            IpAddr::V6(_) => PathMtu {
                mtu: reported,
                dont_fragment: true,
            },
        };
        let falls = path.mtu < current.mtu
            || (path.mtu == current.mtu && current.dont_fragment && !path.dont_fragment);
        if !falls {
            if path == current {
                self.touch(now, dst);
            }
            return None;
        }
        self.insert(now, dst, path);
        Some(path)
    }

    fn estimate_v4(&self, reported: usize, sent_len: usize) -> PathMtu {
        let mtu = if reported == 0 {
            PLATEAUS
                .into_iter()
                .find(|&plateau| plateau < sent_len)
                .unwrap_or(0)
        } else {
            reported
        };
        PathMtu {
            mtu: mtu.max(self.config.v4_floor),
            dont_fragment: mtu >= self.config.v4_floor,
        }
    }

    fn insert(&mut self, now: Instant, dst: IpAddr, path: PathMtu) {
        self.forget(dst);
        while self.entries.len() >= self.config.capacity.max(1) {
            let Some((_, oldest)) = self.ages.pop_first() else {
                break;
            };
            self.entries.remove(&oldest);
        }
        let expires = now + self.config.lifetime;
        self.ages.insert((expires, dst));
        self.entries.insert(dst, Entry { path, expires });
    }

    fn touch(&mut self, now: Instant, dst: IpAddr) {
        if let Some(entry) = self.entries.get_mut(&dst) {
            self.ages.remove(&(entry.expires, dst));
            entry.expires = now + self.config.lifetime;
            self.ages.insert((entry.expires, dst));
        }
    }

    fn forget(&mut self, dst: IpAddr) {
        if let Some(entry) = self.entries.remove(&dst) {
            self.ages.remove(&(entry.expires, dst));
        }
    }
}

#[cfg(test)]
mod tests;
