//! A TCP proxy that touches no payload.

use core::time::Duration;
use netstack_core::{
    How, RecvError, RecvFlags, SendControl, SendError, SendFlags, SocketError, SocketId,
    SpliceError, Stack,
};
use std::cell::RefCell;
use std::rc::Rc;
use suite::duo::Duo;
use suite::sim::{World, WorldConfig, pattern};
use txbuf::{Account, IovIter, Ledger, Offloads, Packet, Pool, PoolConfig};

const SIZE: u64 = 3_000_000;

/// Sends the pattern from `sent` on while there is room, then closes that side.
fn feed(stack: &mut Stack, socket: SocketId, sent: &mut u64) {
    while *sent < SIZE {
        let chunk: Vec<u8> = (*sent..(*sent + 50_000).min(SIZE))
            .map(|at| pattern(0, at))
            .collect();
        let mut from = IovIter::bytes(&chunk);
        match stack.send_message(socket, &mut from, SendFlags::NONE, &SendControl::default()) {
            Ok(taken) => *sent += taken as u64,
            Err(SendError::WouldBlock) => return,
            Err(error) => panic!("{error}"),
        }
        if *sent == SIZE {
            stack.shutdown(socket, How::Write).expect("connected");
        }
    }
}

/// Reads and checks what is there; returns whether the stream ended.
fn drain(stack: &mut Stack, socket: SocketId, received: &mut u64) -> bool {
    let mut buffer = vec![0; 100_000];
    loop {
        match stack.receive_message(socket, &mut IovIter::buffer(&mut buffer), RecvFlags::NONE) {
            Ok(got) if got.bytes == 0 => return true,
            Ok(got) => {
                for byte in &buffer[..got.bytes] {
                    assert_eq!(*byte, pattern(0, *received));
                    *received += 1;
                }
            }
            Err(RecvError::WouldBlock) => return false,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_proxy_moves_spans_and_keeps_nothing() {
    let mut world = World::new(&WorldConfig::default());
    let (server_at, proxy_at) = (World::address(0, false, 7), World::address(1, false, 8));
    let server_listener = world.hosts[0]
        .stack
        .tcp_listen(server_at, 4)
        .expect("a free port");
    let proxy_listener = world.hosts[1]
        .stack
        .tcp_listen(proxy_at, 4)
        .expect("a free port");
    let now = world.now;
    let client = world.hosts[0]
        .stack
        .tcp_connect(now, proxy_at, None)
        .expect("a route");
    let back = world.hosts[1]
        .stack
        .tcp_connect(now, server_at, None)
        .expect("a route");
    let (mut front, mut server) = (None, None);
    let (mut sent, mut received) = (0, 0);
    let mut passed_on = false;
    loop {
        assert!(world.step(), "something is under way");
        let [outer, proxy] = &mut world.hosts;
        front = front.or_else(|| {
            proxy
                .stack
                .tcp_accept(proxy_listener)
                .ok()
                .map(|(id, _)| id)
        });
        server = server.or_else(|| {
            outer
                .stack
                .tcp_accept(server_listener)
                .ok()
                .map(|(id, _)| id)
        });
        let (Some(front), Some(server)) = (front, server) else {
            continue;
        };
        feed(&mut outer.stack, client, &mut sent);
        while !passed_on {
            match proxy.stack.splice(front, back, usize::MAX) {
                Ok(0) => {
                    passed_on = true;
                    proxy.stack.shutdown(back, How::Write).expect("connected");
                }
                Ok(_) => {}
                Err(
                    SpliceError::From(RecvError::WouldBlock)
                    | SpliceError::To(SendError::WouldBlock),
                ) => break,
                Err(error) => panic!("{error}"),
            }
        }
        if drain(&mut outer.stack, server, &mut received) {
            assert_eq!(received, SIZE);
            break;
        }
    }
    let now = world.now;
    for socket in [client, server.expect("accepted"), server_listener] {
        world.hosts[0].stack.close(now, socket);
    }
    for socket in [front.expect("accepted"), back, proxy_listener] {
        world.hosts[1].stack.close(now, socket);
    }
    while world.step() {}
    assert_eq!(world.live_nodes(), 0);
}

/// Bytes that a proxy sent on, and those of them that lie in its own segments: copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Moved {
    all: usize,
    copied: usize,
}

impl Moved {
    fn note(&mut self, packet: &Packet, own: [&Pool; 2]) {
        let Some(span) = packet.span() else { return };
        self.all += span.len();
        // By pieces of one extent each, so that a gather is looked at leaf by leaf.
        let extents: Vec<usize> = span.extents().map(|extent| extent.len()).collect();
        let mut at = 0;
        for len in extents {
            let piece = span.slice(at..at + len).expect("within");
            at += len;
            if own.iter().any(|pool| pool.provides(&piece)) {
                self.copied += len;
            }
        }
    }
}

/// A proxy on host 1 between two connections of host 0, whose device receives into an arena of `limit` bytes or
/// passes spans on.
struct Proxy {
    duo: Duo,
    client: SocketId,
    front: SocketId,
    far: SocketId,
    back: SocketId,
    arena: Option<Account>,
    moved: Rc<RefCell<Moved>>,
}

impl Proxy {
    fn new(offload: bool, limit: Option<usize>) -> Proxy {
        let offloads = Offloads {
            tx_checksum: offload,
            rx_checksum: offload,
            tso: offload,
            uso: offload,
        };
        let mut config = WorldConfig {
            offloads,
            ..WorldConfig::default()
        };
        config.tcp.autotuning = false;
        let mut duo = Duo::new(&config);
        let arena = limit.map(|limit| {
            let account = Account::new(limit);
            let config = PoolConfig {
                segment: 64 << 10,
                limit,
                keep: 64,
            };
            let pool = Pool::charged_to(&Ledger::new(), config, &account);
            duo.receive_into(1, &pool);
            let host = &mut duo.hosts[1];
            let set = host.stack.set_arena(host.iface, account.clone());
            set.expect("an interface");
            account
        });
        let [client, front] = duo.connect(7);
        let [far, back] = duo.connect(8);
        let pools = duo.hosts[1].stack.pools().clone();
        let moved = Rc::<RefCell<Moved>>::default();
        let noted = Rc::clone(&moved);
        duo.watch(move |from, packet| {
            if from == 1 {
                noted.borrow_mut().note(packet, [&pools.send, &pools.small]);
            }
        });
        Proxy {
            duo,
            client,
            front,
            far,
            back,
            arena,
            moved,
        }
    }

    /// Writes a chunk at one end.
    fn write(&mut self, data: &[u8]) {
        let mut from = IovIter::bytes(data);
        let stack = &mut self.duo.hosts[0].stack;
        let sent = stack.send_message(
            self.client,
            &mut from,
            SendFlags::NONE,
            &SendControl::default(),
        );
        assert_eq!(sent, Ok(data.len()));
        self.duo.settle(Duration::from_millis(20));
    }

    /// Splices as much as there is; returns how much.
    fn splice(&mut self) -> usize {
        let mut all = 0;
        let proxy = &mut self.duo.hosts[1].stack;
        while let Ok(moved) = proxy.splice(self.front, self.back, usize::MAX) {
            all += moved;
        }
        self.duo.settle(Duration::from_millis(20));
        all
    }

    /// Reads at the other end as much as there is; returns how much.
    fn read(&mut self) -> usize {
        let sink = &mut IovIter::discard(usize::MAX);
        let stack = &mut self.duo.hosts[0].stack;
        let got = stack.receive_message(self.far, sink, RecvFlags::NONE);
        self.duo.settle(Duration::from_millis(20));
        got.map_or(0, |got| got.bytes)
    }

    fn moved(&self) -> Moved {
        *self.moved.borrow()
    }
}

#[test]
fn a_proxy_copies_nothing_of_chunks_that_it_passes_on_at_once() {
    for chunk in [5_000, 10_000, 20_000, 50_000, 100_000] {
        let data = vec![7; chunk];
        for (offload, arena) in [
            (true, Some(64 << 20)),
            (false, Some(64 << 20)),
            (true, None),
            (false, None),
        ] {
            let mut proxy = Proxy::new(offload, arena);
            for _ in 0..100 {
                proxy.write(&data);
                proxy.splice();
                proxy.read();
            }
            while proxy.splice() + proxy.read() > 0 {}
            let moved = proxy.moved();
            assert_eq!(moved.all, 100 * chunk);
            // No more than ends of segments that are shorter than a pin is worth.
            let most = if chunk > 64 << 10 {
                moved.all / 1000
            } else {
                0
            };
            assert!(
                moved.copied <= most,
                "chunk {chunk}, offload {offload}, arena {arena:?}: {moved:?}"
            );
        }
    }
}

#[test]
fn a_proxy_whose_far_end_does_not_read_empties_the_arena_of_it() {
    let limit = 4 << 20;
    let mut proxy = Proxy::new(true, Some(limit));
    let data = vec![7; 20_000];
    let mut held = 0;
    // Its far end has room for four megabytes and the queue for four more.
    for _ in 0..300 {
        proxy.write(&data);
        held += proxy.splice();
    }
    let account = proxy.arena.clone().expect("one");
    assert!(
        held > limit && account.in_use() < limit,
        "{held}, {account:?}"
    );
    assert_eq!(proxy.duo.lost, 0);
    // Everything comes through in the end.
    let mut received = 0;
    loop {
        let step = proxy.read();
        received += step;
        if step + proxy.splice() == 0 {
            break;
        }
    }
    assert_eq!(received, 300 * data.len());
}

#[test]
fn only_connections_are_spliced() {
    let mut world = World::new(&WorldConfig::default());
    let now = world.now;
    let stack = &mut world.hosts[0].stack;
    let udp = stack
        .udp_bind(World::address(0, false, 9))
        .expect("a free port");
    let tcp = stack
        .tcp_connect(now, World::address(1, false, 9), None)
        .expect("a route");
    assert!(matches!(
        stack.splice(udp, tcp, 1),
        Err(SpliceError::From(RecvError::Socket(SocketError::WrongKind)))
    ));
    assert!(matches!(
        stack.splice(tcp, udp, 1),
        Err(SpliceError::To(SendError::Socket(SocketError::WrongKind)))
    ));
}
