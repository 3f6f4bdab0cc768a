//! Two stacks on the ends of a link in memory; of as many queues as the stacks have shards.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use netstack::drivers::memory::{MemoryConfig, pair};
use netstack::txbuf::Offloads;
use netstack::{Builder, Interface, IpCidr, Netstack, Stack, TcpConfig};

/// Buffers that are as large as they may be from the beginning, so that a thread can write before anybody reads.
fn whole_buffers(builder: Builder) -> Builder {
    builder.configure(|config| config.tcp.autotuning = false)
}

/// The addresses of the server's stack.
pub const SERVER: [&str; 2] = ["10.0.0.1", "fd00::1"];

/// A server and a client.
pub struct Pair {
    pub server: Netstack,
    pub client: Netstack,
}

pub fn cidr(text: &str) -> IpCidr {
    text.parse().expect("an address and a prefix length")
}

/// The address of a port of the server.
pub fn at(port: u16) -> SocketAddr {
    SocketAddr::new(SERVER[0].parse().expect("an address"), port)
}

/// The same over IPv6.
pub fn at6(port: u16) -> SocketAddr {
    SocketAddr::new(SERVER[1].parse().expect("an address"), port)
}

pub fn link() -> MemoryConfig {
    MemoryConfig {
        wakeup: true,
        ..MemoryConfig::default()
    }
}

/// Of how many shards each stack consists: the tests hold for any number. `NETSTACK_TEST_SHARDS` says it.
pub fn shards() -> usize {
    let number = std::env::var("NETSTACK_TEST_SHARDS");
    number.map_or(1, |number| number.parse().expect("a number of shards"))
}

/// The same between devices that take super-packets.
pub fn offloading_link() -> MemoryConfig {
    let mut config = link();
    for end in &mut config.ends {
        end.offloads = Offloads {
            tx_checksum: true,
            rx_checksum: true,
            tso: true,
            uso: true,
        };
    }
    config
}

impl Pair {
    pub fn start() -> Pair {
        Pair::with(link(), |server| server, |client| client)
    }

    /// Stacks whose connections hold little, to come to their limits soon.
    pub fn with_buffers(bytes: usize) -> Pair {
        let small = move |tcp: &mut TcpConfig| {
            tcp.send_buffer = bytes;
            tcp.receive_buffer = bytes;
        };
        let configure =
            move |builder: Builder| builder.configure(move |config| small(&mut config.tcp));
        Pair::with(link(), configure, configure)
    }

    /// Two stacks, changed as is said.
    pub fn with(
        link: MemoryConfig,
        server: impl FnOnce(Builder) -> Builder,
        client: impl FnOnce(Builder) -> Builder,
    ) -> Pair {
        let (one, other) = pair(link).expect("a link");
        let mut one = Interface::new("mem0", one)
            .address(cidr("10.0.0.1/24"))
            .address(cidr("fd00::1/64"));
        let mut other = Interface::new("mem0", other)
            .address(cidr("10.0.0.2/24"))
            .address(cidr("fd00::2/64"));
        for _ in 1..shards() {
            let (first, second) = pair(link).expect("a link");
            one = one.queue(first);
            other = other.queue(second);
        }
        Pair {
            server: server(whole_buffers(Netstack::builder().interface(one)))
                .start()
                .expect("a server"),
            client: client(whole_buffers(Netstack::builder().interface(other)))
                .start()
                .expect("a client"),
        }
    }

    /// Ends both stacks: everything must be delivered, and nothing left alive.
    pub fn finish(self) {
        // One stack is done when its own side is delivered; the other still needs it for its answers.
        let deadline = Instant::now() + Duration::from_secs(10);
        for stack in [&self.client, &self.server] {
            let closing = || stack.inspect(Stack::closing).expect("a running stack");
            while closing().into_iter().sum::<usize>() > 0 && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
        }
        let mut ledgers = Vec::new();
        for (name, stack) in [("client", self.client), ("server", self.server)] {
            let ended = stack
                .shutdown(Duration::from_secs(10))
                .expect("a stack that ends");
            let counters: Vec<_> = ended
                .counters
                .iter()
                .filter(|counter| counter.2 > 0)
                .collect();
            assert!(
                ended.finished,
                "the {name} did not deliver everything: {ended:?} {counters:?}"
            );
            // Its device goes here: packets on the link belong to it, and the other end shall not
            // wait for room.
            ledgers.extend(ended.ledgers.iter().cloned());
        }
        for ledger in ledgers {
            assert_eq!(ledger.live_nodes(), 0, "{:?}", ledger.report());
        }
    }
}

/// Bytes that tell their place in the stream: `fill` at `position` is the same however it is cut.
pub fn fill(position: u64, buf: &mut [u8]) {
    for (byte, place) in buf.iter_mut().zip(position..) {
        let word = (place / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        *byte = (word >> (place % 8 * 8)) as u8 ^ (word >> 56) as u8;
    }
}

/// Checks that `buf` is what [`fill`] puts at `position`.
pub fn check(position: u64, buf: &[u8]) {
    let mut expected = vec![0; buf.len()];
    fill(position, &mut expected);
    assert!(
        expected == buf,
        "the stream differs in {} bytes from {position} on",
        buf.len()
    );
}

/// Waits until `condition` holds; whether it did so within `limit`.
pub fn within(limit: Duration, condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}
