//! Two stacks on the memory link of `drivers`, and as many connections between them as wanted.

use core::time::Duration;
use drivers::memory::{MemoryConfig, MemoryEnd, pair};
use drivers::{Device, Edge};
use netstack_core::{Config, IfaceId, Instant, InterfaceConfig, SocketId, Stack, TcpConfig};
use std::collections::VecDeque;
use std::net::SocketAddr;
use txbuf::{Offloads, Packet};

/// The packets that a link holds in each direction.
pub const QUEUE: usize = 1024;
/// Connections that are opened at a time: fewer than a listener remembers.
const BATCH: usize = 256;
/// Connections to one port of the server: half of the ports that a client has.
const PER_PORT: usize = 32_000;
/// What a turn takes of the virtual time.
const TURN: Duration = Duration::from_micros(100);

/// One end of the link: a stack and its device.
pub struct End {
    /// The stack.
    pub stack: Stack,
    iface: IfaceId,
    device: Edge<MemoryEnd>,
    waiting: VecDeque<Packet>,
    arrived: Vec<Packet>,
}

impl End {
    /// The ends 10.0.0.1/24 and 10.0.0.2/24 of a link whose stacks are configured alike.
    ///
    /// # Panics
    ///
    /// When the MTU is none that IP can work with.
    pub fn pair(mtu: usize, offloads: Offloads, tcp: &TcpConfig) -> [End; 2] {
        let link = MemoryConfig {
            queue: QUEUE,
            ..MemoryConfig::symmetric(mtu, offloads)
        };
        let (one, other) = pair(link).expect("no descriptor");
        [(1, one), (2, other)].map(|(number, device)| {
            let mut config = Config::new([number; 32]);
            config.tcp = tcp.clone();
            let mut stack = Stack::new(config);
            let interface = InterfaceConfig {
                name: format!("mem{number}"),
                mtu,
                offloads,
            };
            let iface = stack.add_interface(interface).expect("a possible MTU");
            let address = format!("10.0.0.{number}/24");
            stack
                .add_address(iface, address.parse().expect("literal"))
                .expect("a new address");
            End {
                stack,
                iface,
                device,
                waiting: VecDeque::new(),
                arrived: Vec::new(),
            }
        })
    }

    /// Takes in all that arrived and sends all there is to send, as smoltcp's poll does. Forgets what applications
    /// were to be told. Returns how many packets came and went.
    ///
    /// # Panics
    ///
    /// When the link fails.
    pub fn poll(&mut self, now: Instant) -> usize {
        self.device
            .receive(&mut self.arrived, usize::MAX)
            .expect("a link does not fail");
        let mut packets = self.arrived.len();
        for packet in self.arrived.drain(..) {
            self.stack.handle_packet(now, self.iface, packet);
        }
        if self.stack.poll_timeout().is_some_and(|at| at <= now) {
            self.stack.handle_timeout(now);
        }
        while self.stack.poll_event().is_some() {}
        while let Some(packet) = self.stack.poll_transmit(now, self.iface) {
            self.waiting.push_back(packet);
            packets += 1;
        }
        self.device
            .transmit(&mut self.waiting)
            .expect("a link does not fail");
        packets
    }
}

/// A client, a server that listens on as many ports as it takes, and their time, which passes only here.
pub struct Crowd {
    /// The virtual time.
    pub now: Instant,
    /// The client and the server.
    pub ends: [End; 2],
    listeners: Vec<(SocketAddr, SocketId)>,
    /// Connections made so far.
    made: usize,
}

impl Crowd {
    /// Nobody yet, on a link of packets of 1500 bytes without offload.
    pub fn new(tcp: &TcpConfig) -> Crowd {
        let [server, client] = End::pair(1500, Offloads::default(), tcp);
        Crowd {
            now: Instant::from_secs(1),
            ends: [client, server],
            listeners: Vec::new(),
            made: 0,
        }
    }

    /// Lets each end take a turn. Returns how many packets they handled.
    pub fn turn(&mut self) -> usize {
        self.now += TURN;
        let now = self.now;
        self.ends.iter_mut().map(|end| end.poll(now)).sum()
    }

    /// Takes turns until nothing is under way.
    pub fn settle(&mut self) {
        while self.turn() > 0 {}
    }

    /// Opens `count` connections more, and shows both ends of each to `made`: the client's and the server's.
    ///
    /// # Panics
    ///
    /// When one is not established at once.
    pub fn connect(&mut self, count: usize, mut made: impl FnMut([SocketId; 2])) {
        let mut left = count;
        while left > 0 {
            let (address, listener) = self.listener();
            let room = PER_PORT - self.made % PER_PORT;
            let batch = left.min(BATCH).min(room);
            let now = self.now;
            let clients: Vec<SocketId> = (0..batch)
                .map(|_| {
                    let client = &mut self.ends[0].stack;
                    client.tcp_connect(now, address, None).expect("a free port")
                })
                .collect();
            self.settle();
            for client in clients {
                let server = self.ends[1].stack.tcp_accept(listener);
                let (server, _) = server.expect("established");
                made([client, server]);
            }
            self.made += batch;
            left -= batch;
        }
    }

    /// Who takes the next connections.
    fn listener(&mut self) -> (SocketAddr, SocketId) {
        let port = self.made / PER_PORT;
        if port == self.listeners.len() {
            let address = SocketAddr::from(([10, 0, 0, 1], port as u16 + 1));
            let server = &mut self.ends[1].stack;
            let listener = server.tcp_listen(address, BATCH).expect("a free port");
            self.listeners.push((address, listener));
        }
        self.listeners[port]
    }

    /// Lets `time` pass, timers included.
    pub fn rest(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        loop {
            let next = self.ends.iter().filter_map(|end| end.stack.poll_timeout());
            let Some(next) = next.min().filter(|next| *next < end) else {
                break;
            };
            self.now = self.now.max(next);
            self.settle();
        }
        self.now = self.now.max(end);
    }
}
