//! A stack as a router: what goes through it, what it says about what does not, and what hooks make of either.

mod cost;
mod duties;
mod hooks;
mod router;
mod supers;
mod turns;

use core::net::{IpAddr, SocketAddr};
use netstack_core::{Config, IfaceId, Instant, InterfaceConfig, Stack};
use txbuf::{Checksum, Ledger, Offloads, Packet, Span};

/// The interfaces of the router, and a host behind each.
const LEFT: IfaceId = IfaceId::new(0);
const RIGHT: IfaceId = IfaceId::new(1);
const MTU: [usize; 2] = [1500, 1400];

/// A router between 10.0.1.0/24 and fd00:1::/64 on the left, and 10.0.2.0/24 and fd00:2::/64 on the right. It has the
/// first address of each.
struct Router {
    stack: Stack,
    now: Instant,
    /// Of the packets that are made here.
    ledger: Ledger,
}

/// A packet that came out, and where.
type Sent = (IfaceId, Vec<u8>);

impl Router {
    fn new() -> Router {
        Router::with(|_| {})
    }

    fn with(configure: impl FnOnce(&mut Config)) -> Router {
        let mut config = Config::new([7; 32]);
        config.forward = true;
        config.cut = Some(|packet, out| drivers::cut(packet, out).is_ok());
        configure(&mut config);
        let mut stack = Stack::new(config);
        for (side, mtu) in MTU.into_iter().enumerate() {
            let config = InterfaceConfig {
                name: format!("side{side}"),
                mtu,
                offloads: Offloads::default(),
            };
            let iface = stack.add_interface(config).expect("a possible MTU");
            for v6 in [false, true] {
                let address = host(iface, v6, 1);
                let prefix = if v6 { 64 } else { 24 };
                let cidr = format!("{address}/{prefix}").parse().expect("literal");
                stack.add_address(iface, cidr).expect("a new address");
            }
        }
        Router {
            stack,
            now: Instant::from_secs(1),
            ledger: Ledger::new(),
        }
    }

    fn packet(&self, bytes: &[u8]) -> Packet {
        let span =
            Span::from_bytes(&self.ledger, bytes.to_vec().into()).expect("a packet is short");
        Packet::from_span(span)
    }

    /// Hands in a packet; what comes out.
    fn send(&mut self, from: IfaceId, bytes: &[u8]) -> Vec<Sent> {
        self.send_packet(from, self.packet(bytes))
    }

    fn send_packet(&mut self, from: IfaceId, packet: Packet) -> Vec<Sent> {
        self.stack.handle_packet(self.now, from, packet);
        self.sent()
            .into_iter()
            .map(|(iface, packet)| (iface, bytes(packet)))
            .collect()
    }

    fn sent(&mut self) -> Vec<(IfaceId, Packet)> {
        let mut sent = Vec::new();
        for iface in [LEFT, RIGHT] {
            while let Some(packet) = self.stack.poll_transmit(self.now, iface) {
                sent.push((iface, packet));
            }
        }
        sent
    }

    fn count(&self, name: &str) -> u64 {
        let mut counters = self.stack.counters().iter();
        let found = counters.find(|(_, other, _)| *other == name);
        found
            .unwrap_or_else(|| panic!("there is no counter {name}"))
            .2
    }
}

/// The packet as the device would send it.
fn bytes(mut packet: Packet) -> Vec<u8> {
    if matches!(packet.meta.checksum, Checksum::Partial { .. }) && packet.meta.gso.is_none() {
        packet.complete_checksum().expect("readable");
    }
    packet.to_vec().expect("readable")
}

/// Host `number` of a side.
fn host(side: IfaceId, v6: bool, number: u8) -> IpAddr {
    let net = side.index() + 1;
    let text = if v6 {
        format!("fd00:{net}::{number}")
    } else {
        format!("10.0.{net}.{number}")
    };
    text.parse().expect("literal")
}

/// From a host on the left to one on the right.
fn across(v6: bool) -> (SocketAddr, SocketAddr) {
    let at = |side, port| SocketAddr::new(host(side, v6, 9), port);
    (at(LEFT, 1000), at(RIGHT, 2000))
}
