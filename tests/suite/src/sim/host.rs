//! One stack, its device, and the far end of that device.

use super::world::WorldConfig;
use drivers::memory::{MemoryConfig, MemoryEnd, raw_pair};
use drivers::tap::Clock;
use drivers::{Device, Edge};
use netstack_core::{Config, IfaceId, Instant, InterfaceConfig, Stack};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use txbuf::Packet;

/// Packets that are asked of a stack before the device gets them.
const BURST: usize = 64;

/// A stack with one interface, and the wire of that interface in the test's hands.
pub struct Host {
    /// The stack.
    pub stack: Stack,
    /// Its one interface.
    pub iface: IfaceId,
    device: Edge<Box<dyn Device>>,
    wire: MemoryEnd,
    /// The virtual time at the device, in nanoseconds.
    time: Arc<AtomicU64>,
    waiting: VecDeque<Packet>,
}

impl Host {
    /// The host with the addresses 10.0.0.`number`/24 and fd00::`number`/64, the latter where the MTU
    /// allows it.
    ///
    /// # Panics
    ///
    /// When the configuration has an impossible MTU.
    pub fn new(number: u8, config: &WorldConfig) -> Host {
        Host::tapped(number, config, |end, _| Box::new(end))
    }

    /// The same, with a layer around the device, below the edge. The clock that `layer` is given shows the
    /// virtual time.
    ///
    /// # Panics
    ///
    /// As [`Host::new`].
    pub fn tapped(
        number: u8,
        config: &WorldConfig,
        layer: impl FnOnce(MemoryEnd, Clock) -> Box<dyn Device>,
    ) -> Host {
        let mut seed = [number; 32];
        seed[..8].copy_from_slice(&config.seed.to_le_bytes());
        let mut stack_config = Config::new(seed);
        stack_config.tcp = config.tcp.clone();
        Host::with_stack(number, config, stack_config, layer)
    }

    /// The same, of a stack that is configured otherwise.
    ///
    /// # Panics
    ///
    /// As [`Host::new`].
    pub fn with_stack(
        number: u8,
        config: &WorldConfig,
        stack_config: Config,
        layer: impl FnOnce(MemoryEnd, Clock) -> Box<dyn Device>,
    ) -> Host {
        let link = MemoryConfig::symmetric(config.mtu, config.offloads);
        let (near, wire) = raw_pair(link).expect("no descriptor");
        let mut stack = Stack::new(stack_config);
        let name = format!("sim{number}");
        let interface = InterfaceConfig {
            name,
            mtu: config.mtu,
            offloads: config.offloads,
        };
        let iface = stack.add_interface(interface).expect("a possible MTU");
        for address in [format!("10.0.0.{number}/24"), format!("fd00::{number}/64")] {
            if config.mtu >= 1280 || address.contains('.') {
                stack
                    .add_address(iface, address.parse().expect("literal"))
                    .expect("a new address");
            }
        }
        let time = Arc::new(AtomicU64::new(0));
        let shown = Arc::clone(&time);
        let clock = Clock::of(move || shown.load(Ordering::Relaxed));
        Host {
            stack,
            iface,
            device: Edge::new(layer(near, clock)),
            wire,
            time,
            waiting: VecDeque::new(),
        }
    }

    /// Hands a packet to the stack.
    ///
    /// # Panics
    ///
    /// When the device fails.
    pub fn receive(&mut self, now: Instant, packet: Packet) {
        self.time.store(now.as_nanos(), Ordering::Relaxed);
        let mut packets = VecDeque::from([packet]);
        self.wire
            .transmit(&mut packets)
            .expect("a link does not fail");
        let mut received = Vec::new();
        self.device
            .receive(&mut received, usize::MAX)
            .expect("a link does not fail");
        for packet in received {
            self.stack.handle_packet(now, self.iface, packet);
        }
    }

    /// Handles timers that are due, and forgets what applications were to be told.
    pub fn pass_time(&mut self, now: Instant) {
        if self.stack.poll_timeout().is_some_and(|at| at <= now) {
            self.stack.handle_timeout(now);
        }
        while self.stack.poll_event().is_some() {}
    }

    /// Everything that the stack sends now, as it is on the wire.
    ///
    /// # Panics
    ///
    /// When the device fails.
    pub fn sent(&mut self, now: Instant) -> Vec<Packet> {
        self.time.store(now.as_nanos(), Ordering::Relaxed);
        let mut carried = Vec::new();
        loop {
            while self.waiting.len() < BURST
                && let Some(packet) = self.stack.poll_transmit(now, self.iface)
            {
                self.waiting.push_back(packet);
            }
            if self.waiting.is_empty() {
                return carried;
            }
            self.device
                .transmit(&mut self.waiting)
                .expect("a link does not fail");
            self.wire
                .receive(&mut carried, usize::MAX)
                .expect("a link does not fail");
        }
    }

    /// Nodes of storage that are alive in the stack.
    pub fn live_nodes(&mut self) -> usize {
        self.stack.shrink();
        self.stack.ledger().live_nodes()
    }
}
