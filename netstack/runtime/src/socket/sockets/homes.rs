//! On which shard the flows of a datagram socket are.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;

/// Peers that are remembered, at most.
const PLACES: usize = 256;

/// The shards that datagrams of peers came to last, of as many peers as there are places: a later one takes the place of
/// an earlier one.
pub(super) struct Homes {
    own: usize,
    keys: RandomState,
    /// Made with the first peer that is to be remembered.
    places: Vec<Option<(SocketAddr, usize)>>,
}

impl Homes {
    /// No peer is known: datagrams go by the shard `own`.
    pub(super) fn new(own: usize) -> Homes {
        Homes {
            own,
            keys: RandomState::new(),
            places: Vec::new(),
        }
    }

    /// The shard of peers that are not remembered.
    pub(super) fn own(&self) -> usize {
        self.own
    }

    /// The shard by which a datagram for `peer` is to go.
    pub(super) fn of(&self, peer: SocketAddr) -> usize {
        let place = self.places.get(self.place(peer)).copied().flatten();
        place
            .filter(|(known, _)| *known == peer)
            .map_or(self.own, |(_, shard)| shard)
    }

    /// Notes that a datagram of `peer` came to `shard`.
    pub(super) fn note(&mut self, peer: SocketAddr, shard: usize) {
        if self.of(peer) == shard {
            return;
        }
        self.places.resize(PLACES, None);
        let place = self.place(peer);
        self.places[place] = Some((peer, shard));
    }

    fn place(&self, peer: SocketAddr) -> usize {
        self.keys.hash_one(peer) as usize % PLACES
    }
}

#[cfg(test)]
mod tests;
