//! Our stack and smoltcp, one link, one clock.

use super::host::SmolHost;
use crate::sim::{Arrival, Direction, Host, WorldConfig};
use core::time::Duration;
use netstack_core::Instant;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use txbuf::Packet;

/// Says of a packet whether it is lost.
type Filter = Box<dyn FnMut(Instant, &Packet) -> bool>;

/// The two hosts on a link: ours is 10.0.0.1 and fd00::1, smoltcp's 10.0.0.2 and fd00::2.
pub struct PeerWorld {
    /// The virtual time.
    pub now: Instant,
    /// Our host.
    pub ours: Host,
    /// smoltcp's host.
    pub smol: SmolHost,
    /// From ours, and from smoltcp.
    directions: [Direction; 2],
    filters: [Option<Filter>; 2],
    flying: BTreeMap<(Instant, u64), (usize, Packet)>,
    sent: u64,
}

impl PeerWorld {
    /// A world at time zero; smoltcp's device has the MTU `smol_mtu` and its socket `buffer` bytes each
    /// way.
    pub fn new(config: &WorldConfig, smol_mtu: usize, buffer: usize) -> PeerWorld {
        let direction = |number: u64| Direction::new(config.impairment, config.seed ^ number << 56);
        PeerWorld {
            now: Instant::ZERO,
            ours: Host::new(1, config),
            smol: SmolHost::new(2, smol_mtu, buffer, config.seed),
            directions: [direction(1), direction(2)],
            filters: [None, None],
            flying: BTreeMap::new(),
            sent: 0,
        }
    }

    /// The address of our host (0) or smoltcp's (1).
    pub fn address(host: usize, v6: bool, port: u16) -> SocketAddr {
        crate::sim::World::address(host, v6, port)
    }

    /// Loses, beside what the impairment loses, the packets from host `from` that `filter` says.
    pub fn lose(&mut self, from: usize, filter: impl FnMut(Instant, &Packet) -> bool + 'static) {
        self.filters[from] = Some(Box::new(filter));
    }

    /// Sends what the hosts have to send, then lets time pass until the next packet arrives or the next
    /// timer goes off, but not beyond `limit`. Returns false when nothing will ever happen again.
    pub fn step_until(&mut self, limit: Instant) -> bool {
        let sent = self.ours.sent(self.now);
        self.launch(0, sent);
        let sent = self.smol.poll(self.now);
        self.launch(1, sent);
        let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
        let ours = self.ours.stack.poll_timeout();
        // smoltcp may say that it has something to do now that it has just left undone.
        let soonest = self.now + Duration::from_millis(1);
        let smol = self.smol.poll_at(self.now).map(|at| at.max(soonest));
        let next = arrival.into_iter().chain(ours).chain(smol).min();
        if next.is_none() && limit == Instant::FAR_FUTURE {
            return false;
        }
        self.now = self.now.max(next.unwrap_or(limit).min(limit));
        while let Some(entry) = self.flying.first_entry()
            && entry.key().0 <= self.now
        {
            match entry.remove() {
                (0, packet) => self.ours.receive(self.now, packet),
                (_, packet) => self.smol.receive(packet),
            }
        }
        self.ours.pass_time(self.now);
        true
    }

    fn launch(&mut self, from: usize, packets: Vec<Packet>) {
        for packet in packets {
            if self.filters[from]
                .as_mut()
                .is_some_and(|lost| lost(self.now, &packet))
            {
                continue;
            }
            for Arrival { after, packet, .. } in self.directions[from].carry(self.now, packet) {
                self.sent += 1;
                self.flying
                    .insert((self.now + after, self.sent), (1 - from, packet));
            }
        }
    }
}
