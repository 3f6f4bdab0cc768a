//! Epoll descriptors that watch others of their kind: no circles, and chains of five at most, as Linux has it. So whatever
//! goes along such chains, however they branch, is over soon.

use std::collections::BTreeMap;

use super::Epoll;
use crate::Sockets;
use crate::files::Object;
use crate::readiness::{ERR, HUP, IN, RDNORM};

/// How many epoll descriptors may stand one behind the other.
const CHAIN: usize = 5;

impl Sockets {
    /// Whether `ep` may begin to watch the epoll descriptor `fd`.
    pub(super) fn may_nest(&self, ep: i32, fd: i32) -> bool {
        let mut below = BTreeMap::new();
        let chain = self.below(fd, &mut below) + self.above(ep, &mut BTreeMap::new());
        chain <= CHAIN && !below.contains_key(&ep)
    }

    /// Whether something that is watched is to be told.
    pub(crate) fn has_ready(&self, epoll: &Epoll) -> bool {
        self.tells(epoll, &mut BTreeMap::new())
    }

    /// Likewise, where it is known of those in `known`.
    fn tells(&self, epoll: &Epoll, known: &mut BTreeMap<i32, bool>) -> bool {
        epoll.ready.values().any(|fd| {
            let Some(interest) = epoll.interest.get(fd).filter(|interest| !interest.spent) else {
                return false;
            };
            let mask = match self.files.get(*fd).map(|file| &file.object) {
                Ok(Object::Epoll(inner)) => {
                    let tells = match known.get(fd) {
                        Some(tells) => *tells,
                        None => self.tells(inner, known),
                    };
                    known.insert(*fd, tells);
                    if tells { IN | RDNORM } else { 0 }
                }
                _ => self.readiness(*fd).unwrap_or(0),
            };
            mask & (interest.wanted.events | ERR | HUP) != 0
        })
    }

    /// How many epoll descriptors stand one behind the other from `fd` on, in the direction in which they watch; 0 if it is
    /// none. Those that were come by are `known`.
    fn below(&self, fd: i32, known: &mut BTreeMap<i32, usize>) -> usize {
        let Ok(Object::Epoll(epoll)) = self.files.get(fd).map(|file| &file.object) else {
            return 0;
        };
        if let Some(chain) = known.get(&fd) {
            return *chain;
        }
        let next = epoll.interest.keys().map(|fd| self.below(*fd, known));
        let chain = 1 + next.max().unwrap_or(0);
        known.insert(fd, chain);
        chain
    }

    /// Likewise in the other direction, in which they are watched.
    fn above(&self, ep: i32, known: &mut BTreeMap<i32, usize>) -> usize {
        if let Some(chain) = known.get(&ep) {
            return *chain;
        }
        let Ok(file) = self.files.get(ep) else {
            return 0;
        };
        let next = file.watchers.iter().map(|by| self.above(*by, known));
        let chain = 1 + next.max().unwrap_or(0);
        known.insert(ep, chain);
        chain
    }
}
