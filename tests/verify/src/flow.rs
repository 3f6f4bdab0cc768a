//! Which conversations a capture holds.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

/// So many flows are told apart; a file may hold any number.
const LIMIT: usize = 1 << 20;

/// A conversation without direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flow {
    protocol: u8,
    low: SocketAddr,
    high: SocketAddr,
}

impl Flow {
    pub(crate) fn new(protocol: u8, source: (IpAddr, u16), destination: (IpAddr, u16)) -> Self {
        let (a, b) = (SocketAddr::from(source), SocketAddr::from(destination));
        Flow {
            protocol,
            low: a.min(b),
            high: a.max(b),
        }
    }
}

/// The flows seen so far.
#[derive(Default)]
pub(crate) struct Flows(HashSet<Flow>);

impl Flows {
    pub(crate) fn see(&mut self, flow: Flow) {
        if self.0.len() < LIMIT {
            self.0.insert(flow);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }
}
