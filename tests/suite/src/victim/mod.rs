//! A stack with something of everything that a packet can reach, to be fed with anything.
//!
//! Shared by the tests of malformed input and by the fuzz targets, so that what a fuzzer finds can be
//! replayed as a test.

mod accounting;
mod records;
mod segments;

pub use accounting::{check_accounting, dropped};
pub use records::{Record, WITHIN};

use crate::calls;
use crate::lab::Lab;
use crate::sim::{Host, WorldConfig};
use crate::wire::{ACK, Icmp, Ip, SYN, Tcp, Udp, fragments, protocol};
use core::time::Duration;
use netstack_core::{Config, How, Pools, SocketId};
use std::net::SocketAddr;
use txbuf::{Checksum, Ledger};

/// Most bytes in each pool of the stack.
pub const POOL_LIMIT: usize = 8 << 20;
/// Bytes of each buffer of a connection.
pub const BUFFER: usize = 64 << 10;
/// The ports of the listener and of the datagram sockets.
const LISTENER: u16 = 80;
const DATAGRAMS: u16 = 53;
const CONNECTED: u16 = 54;
/// The neighbour's port, for everything.
const NEIGHBOUR: u16 = 9_000;

/// An established connection, as far as it was known when it was.
struct Established {
    socket: SocketId,
    /// What the neighbour sends next.
    nxt: u32,
    /// What the stack sends next.
    rcv: u32,
}

/// The stack with a listener, an established connection, a bound and a connected datagram socket, each
/// in both families.
pub struct Victim {
    /// The stack, its clock and its wire.
    pub lab: Lab,
    established: [Established; 2],
    datagrams: [SocketId; 4],
    listeners: [SocketId; 2],
    accepted: Vec<SocketId>,
    /// Whether a device has vouched for a checksum, right or wrong.
    vouched: bool,
}

impl Default for Victim {
    fn default() -> Self {
        Victim::new()
    }
}

impl Victim {
    /// A stack that has done no more than what its sockets needed.
    ///
    /// # Panics
    ///
    /// When a socket cannot be made.
    pub fn new() -> Victim {
        let mut stack_config = Config::new([7; 32]);
        stack_config.pools = Pools::new(&Ledger::new(), POOL_LIMIT);
        stack_config.tcp.send_buffer = BUFFER;
        stack_config.tcp.receive_buffer = BUFFER;
        let mut lab = Lab::of(Host::with_stack(
            1,
            &WorldConfig::default(),
            stack_config,
            |end, _| Box::new(end),
        ));
        let families = [false, true];
        let stack = &mut lab.host.stack;
        let listeners = families.map(|v6| {
            stack
                .tcp_listen(SocketAddr::new(Lab::address(v6), LISTENER), 4)
                .expect("a free port")
        });
        let bound = families.map(|v6| {
            stack
                .udp_bind(SocketAddr::new(Lab::address(v6), DATAGRAMS))
                .expect("a free port")
        });
        let connected = families.map(|v6| {
            let socket = stack
                .udp_bind(SocketAddr::new(Lab::address(v6), CONNECTED))
                .expect("a free port");
            stack.udp_connect(socket, neighbour(v6)).expect("a route");
            socket
        });
        let established = families.map(|v6| establish(&mut lab, listeners[usize::from(v6)], v6));
        let datagrams = [bound[0], bound[1], connected[0], connected[1]];
        Victim {
            lab,
            established,
            datagrams,
            listeners,
            accepted: Vec::new(),
            vouched: false,
        }
    }

    /// The segment that the neighbour would send next on the established connection.
    pub fn segment(&self, v6: bool, flags: u8, payload: &[u8]) -> Tcp {
        let connection = &self.established[usize::from(v6)];
        Tcp {
            src: neighbour(v6),
            dst: SocketAddr::new(Lab::address(v6), LISTENER),
            seq: connection.nxt,
            ack: connection.rcv,
            flags,
            window: 60_000,
            urgent: 0,
            options: Vec::new(),
            payload: payload.to_vec(),
        }
    }

    /// A datagram of the neighbour for one of the sockets.
    pub fn datagram(v6: bool, connected: bool, payload: &[u8]) -> Udp {
        let port = if connected { CONNECTED } else { DATAGRAMS };
        Udp {
            src: neighbour(v6),
            dst: SocketAddr::new(Lab::address(v6), port),
            payload: payload.to_vec(),
        }
    }

    /// Hands a packet to the stack and looks at what it answers.
    ///
    /// # Panics
    ///
    /// When the stack sends something that is not well-formed, or holds more storage than it may.
    pub fn packet(&mut self, bytes: &[u8], checksum: Checksum) {
        self.vouched |= checksum == Checksum::Verified;
        self.lab.inject_with(bytes, checksum);
        self.settle();
    }

    /// Lets time pass, and looks at what the stack does by itself.
    ///
    /// # Panics
    ///
    /// As [`packet`](Self::packet).
    pub fn pass(&mut self, time: Duration) {
        for (_, packet) in self.lab.pass(time) {
            check_packet(&packet, self.vouched);
        }
        self.settle();
    }

    /// All applications read what is there.
    pub fn read(&mut self) {
        let stack = &mut self.lab.host.stack;
        for socket in self
            .established
            .iter()
            .map(|connection| connection.socket)
            .chain(self.accepted.clone())
        {
            while calls::read(stack, socket, 1 << 16).is_ok_and(|bytes| !bytes.is_empty()) {}
        }
        for socket in self.datagrams {
            while calls::receive_from(stack, socket).is_ok() {}
        }
    }

    /// All applications write something.
    pub fn write(&mut self) {
        let stack = &mut self.lab.host.stack;
        for socket in self
            .established
            .iter()
            .map(|connection| connection.socket)
            .chain(self.accepted.clone())
        {
            // The connection may be over: then there is nothing to write to.
            let _ = calls::write(stack, socket, &[7; 3_000]);
        }
        for socket in &self.datagrams[2..] {
            let _ = calls::send_to(stack, *socket, None, &[8; 2_000]);
        }
    }

    /// The listeners' application accepts what waits.
    pub fn accept(&mut self) {
        for listener in self.listeners {
            while let Ok((socket, _)) = self.lab.host.stack.tcp_accept(listener) {
                self.accepted.push(socket);
            }
        }
    }

    /// The application shuts the established connections down for writing.
    pub fn shut_down(&mut self) {
        for connection in &self.established {
            // An error says that the connection is over.
            let _ = self.lab.host.stack.shutdown(connection.socket, How::Write);
        }
    }

    /// Closes everything; after all timers nothing may be left, and everything that was received must
    /// be accounted for.
    ///
    /// # Panics
    ///
    /// When something is left or not counted, or as [`packet`](Self::packet).
    pub fn finish(mut self) {
        let now = self.lab.now;
        self.accept();
        let connections = self.established.iter().map(|connection| connection.socket);
        let sockets: Vec<SocketId> = connections
            .chain(self.datagrams)
            .chain(self.listeners)
            .chain(self.accepted.clone())
            .collect();
        for socket in sockets {
            self.lab.host.stack.abort(now, socket);
        }
        // TIME-WAIT, half-open connections, incomplete datagrams: all that waits for time.
        self.pass(Duration::from_secs(7_200));
        let stack = &mut self.lab.host.stack;
        check_accounting(stack.counters());
        assert_eq!(stack.tcp_connections().count(), 0, "a connection is left");
        assert_eq!(stack.poll_timeout(), None, "a timer is left");
        assert_eq!(
            self.lab.host.live_nodes(),
            0,
            "{:?}",
            self.lab.host.stack.ledger()
        );
        assert_eq!(self.lab.held(), 0, "a received packet is left");
    }

    fn settle(&mut self) {
        for packet in self.lab.sent() {
            check_packet(&packet, self.vouched);
        }
        let stack = &mut self.lab.host.stack;
        while stack.poll_event().is_some() {}
        for pool in [&stack.pools().send, &stack.pools().small] {
            assert!(
                pool.in_use() <= POOL_LIMIT,
                "{} bytes in a pool",
                pool.in_use()
            );
        }
    }
}

/// What leaves the stack must be well-formed, whatever came in.
fn check_packet(bytes: &[u8], vouched: bool) {
    assert!(bytes.len() <= 1500, "{} bytes", bytes.len());
    let ip = Ip::parse(bytes);
    let is_icmp = [protocol::ICMP, protocol::ICMPV6].contains(&ip.protocol);
    // The answer to a ping whose wrong checksum a device vouched for is as wrong.
    if ip.fragment.is_some() || vouched && is_icmp {
        return;
    }
    assert!(
        Tcp::parse(bytes).is_some() || Udp::of(&ip).is_some() || Icmp::of(&ip).is_some(),
        "{ip:?}"
    );
}

fn neighbour(v6: bool) -> SocketAddr {
    SocketAddr::new(Lab::neighbour(v6), NEIGHBOUR)
}

/// The handshake of a connection from the neighbour.
fn establish(lab: &mut Lab, listener: SocketId, v6: bool) -> Established {
    let syn = Tcp {
        src: neighbour(v6),
        dst: SocketAddr::new(Lab::address(v6), LISTENER),
        seq: 999,
        ack: 0,
        flags: SYN,
        window: 60_000,
        urgent: 0,
        options: vec![2, 4, 5, 0xb4, 1, 1, 4, 2],
        payload: Vec::new(),
    };
    lab.inject(&syn.to_packet());
    let answer = Tcp::parse(&lab.sent()[0]).expect("a SYN-ACK");
    let (nxt, rcv) = (1_000, answer.seq.wrapping_add(1));
    lab.inject(
        &Tcp {
            seq: nxt,
            ack: rcv,
            flags: ACK,
            options: Vec::new(),
            ..syn
        }
        .to_packet(),
    );
    let (socket, _) = lab.host.stack.tcp_accept(listener).expect("a connection");
    Established { socket, nxt, rcv }
}

/// A datagram of the neighbour in fragments.
pub fn fragmented(v6: bool, ident: u32, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let datagram = Victim::datagram(v6, false, payload).to_segment();
    fragments(
        Lab::neighbour(v6),
        Lab::address(v6),
        protocol::UDP,
        ident,
        &datagram,
        size,
    )
}
