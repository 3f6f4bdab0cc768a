//! This stack on the memory link of `drivers`.

use super::{CHUNK, QUEUE, Work, payload};
use core::time::Duration;
use drivers::memory::{MemoryConfig, MemoryEnd, pair};
use drivers::{Device, Edge};
use netstack_core::{
    Config, IfaceId, Instant, InterfaceConfig, RecvFlags, SendControl, SendFlags, SocketId, Stack,
};
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use txbuf::{IovIter, Offloads, Packet};

struct Host {
    stack: Stack,
    iface: IfaceId,
    device: Edge<MemoryEnd>,
    waiting: VecDeque<Packet>,
    arrived: Vec<Packet>,
}

impl Host {
    fn new(number: u8, device: Edge<MemoryEnd>, work: &Work, offloads: Offloads) -> Host {
        let mut config = Config::new([number; 32]);
        config.tcp.send_buffer = work.buffer;
        config.tcp.receive_buffer = work.buffer;
        config.tcp.autotuning = false;
        let mut stack = Stack::new(config);
        let interface = InterfaceConfig {
            name: format!("mem{number}"),
            mtu: work.mtu,
            offloads,
        };
        let iface = stack.add_interface(interface).expect("a possible MTU");
        stack
            .add_address(
                iface,
                format!("10.0.0.{number}/24").parse().expect("literal"),
            )
            .expect("a new address");
        Host {
            stack,
            iface,
            device,
            waiting: VecDeque::new(),
            arrived: Vec::new(),
        }
    }

    /// Takes in all that arrived and sends all there is to send, as smoltcp's poll does.
    fn poll(&mut self, now: Instant) {
        self.device
            .receive(&mut self.arrived, usize::MAX)
            .expect("a link does not fail");
        for packet in self.arrived.drain(..) {
            self.stack.handle_packet(now, self.iface, packet);
        }
        if self.stack.poll_timeout().is_some_and(|at| at <= now) {
            self.stack.handle_timeout(now);
        }
        while self.stack.poll_event().is_some() {}
        while let Some(packet) = self.stack.poll_transmit(now, self.iface) {
            self.waiting.push_back(packet);
        }
        self.device
            .transmit(&mut self.waiting)
            .expect("a link does not fail");
    }
}

/// Moves the work's bytes over this stack and returns how long it took.
///
/// # Panics
///
/// When the connection fails.
pub fn ours(work: &Work) -> Duration {
    let all = Offloads {
        tx_checksum: true,
        rx_checksum: true,
        tso: true,
        uso: true,
    };
    let offloads = if work.offload {
        all
    } else {
        Offloads::default()
    };
    let link = MemoryConfig {
        queue: QUEUE,
        ..MemoryConfig::symmetric(work.mtu, offloads)
    };
    let (a, b) = pair(link).expect("no descriptor");
    let mut server = Host::new(1, a, work, offloads);
    let mut client = Host::new(2, b, work, offloads);
    let address = "10.0.0.1:9".parse().expect("literal");
    let listener = server.stack.tcp_listen(address, 4).expect("a free port");
    let clock = std::time::Instant::now();
    let now = || Instant::from_nanos(clock.elapsed().as_nanos() as u64);
    let socket = client
        .stack
        .tcp_connect(now(), address, None)
        .expect("a route");
    let accepted = loop {
        client.poll(now());
        server.poll(now());
        if let Ok((accepted, _)) = server.stack.tcp_accept(listener) {
            break accepted;
        }
    };
    let start = std::time::Instant::now();
    transfer(&mut client, &mut server, socket, accepted, work.bytes, now);
    start.elapsed()
}

fn transfer(
    client: &mut Host,
    server: &mut Host,
    socket: SocketId,
    accepted: SocketId,
    bytes: u64,
    now: impl Fn() -> Instant,
) {
    let source = payload();
    let mut sink = vec![0; CHUNK];
    let (mut sent, mut received) = (0, 0);
    while received < bytes {
        while sent < bytes {
            let slices = [IoSlice::new(&source)];
            let mut from = IovIter::source(&slices);
            match client.stack.send_message(
                socket,
                &mut from,
                SendFlags::NONE,
                &SendControl::default(),
            ) {
                Ok(n) => sent += n as u64,
                Err(_) => break,
            }
        }
        let now = now();
        client.poll(now);
        server.poll(now);
        loop {
            let mut slices = [IoSliceMut::new(&mut sink)];
            let mut into = IovIter::sink(&mut slices);
            match server
                .stack
                .receive_message(accepted, &mut into, RecvFlags::NONE)
            {
                Ok(n) if n.bytes > 0 => received += n.bytes as u64,
                _ => break,
            }
        }
    }
}
