//! One stack whose network is the test: it makes every packet that arrives and looks at every packet
//! that leaves, in virtual time.

mod remote;

pub use remote::{Offer, Remote};

use crate::sim::{Host, WorldConfig};
use core::time::Duration;
use netstack_core::Instant;
use std::net::IpAddr;
use txbuf::{Checksum, Ledger, Packet, Span};

const START: Instant = Instant::from_secs(300_000);

/// The stack of host 1 (10.0.0.1 and fd00::1) and its clock.
pub struct Lab {
    /// The virtual time.
    pub now: Instant,
    /// The host.
    pub host: Host,
    /// Storage of what arrives.
    ledger: Ledger,
}

impl Default for Lab {
    fn default() -> Self {
        Lab::new(&WorldConfig::default())
    }
}

impl Lab {
    /// A lab around a host that was made otherwise.
    pub fn of(host: Host) -> Lab {
        Lab {
            now: START,
            host,
            ledger: Ledger::new(),
        }
    }

    /// A lab at a time when the stack has run for some days.
    pub fn new(config: &WorldConfig) -> Lab {
        Lab::of(Host::new(1, config))
    }

    /// The address of the stack.
    pub fn address(v6: bool) -> IpAddr {
        crate::sim::World::address(0, v6, 0).ip()
    }

    /// The address of the neighbour that the test plays.
    pub fn neighbour(v6: bool) -> IpAddr {
        crate::sim::World::address(1, v6, 0).ip()
    }

    /// Hands a packet to the stack, as it is.
    ///
    /// # Panics
    ///
    /// Never: a packet is shorter than a span may be.
    pub fn inject(&mut self, bytes: &[u8]) {
        self.inject_with(bytes, Checksum::Complete);
    }

    /// The same, with what the device says about the transport checksum.
    ///
    /// # Panics
    ///
    /// Never: a packet is shorter than a span may be.
    pub fn inject_with(&mut self, bytes: &[u8], checksum: Checksum) {
        let span =
            Span::from_bytes(&self.ledger, bytes.to_vec().into()).expect("a packet is short");
        let mut packet = Packet::from_span(span);
        packet.meta.checksum = checksum;
        self.host
            .stack
            .handle_packet(self.now, self.host.iface, packet);
    }

    /// What the stack sends now.
    ///
    /// # Panics
    ///
    /// Never: simulated memory is readable.
    pub fn sent(&mut self) -> Vec<Vec<u8>> {
        let packets = self.host.sent(self.now);
        packets
            .iter()
            .map(|packet| packet.to_vec().expect("readable"))
            .collect()
    }

    /// Lets time pass until `at`; returns what the stack sends by itself, and when.
    pub fn until(&mut self, at: Instant) -> Vec<(Instant, Vec<u8>)> {
        let mut sent = Vec::new();
        loop {
            for packet in self.sent() {
                sent.push((self.now, packet));
            }
            let next = self.host.stack.poll_timeout().filter(|next| *next <= at);
            let Some(next) = next else {
                self.now = at;
                return sent;
            };
            self.now = self.now.max(next);
            self.host.stack.handle_timeout(self.now);
        }
    }

    /// Lets `time` pass; returns what the stack sends by itself, and how long after now.
    pub fn pass(&mut self, time: Duration) -> Vec<(Duration, Vec<u8>)> {
        let start = self.now;
        self.until(start + time)
            .into_iter()
            .map(|(at, packet)| (at - start, packet))
            .collect()
    }

    /// Bytes of packets that arrived and that the stack holds on to.
    pub fn held(&self) -> usize {
        self.ledger
            .report()
            .iter()
            .map(|(_, usage)| usage.bytes)
            .sum()
    }
}
