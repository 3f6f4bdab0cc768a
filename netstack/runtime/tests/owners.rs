//! Buffers that applications handed over: their destructors may use sockets of the very stack, and may panic; and
//! the stack says who holds them.

mod common;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::{Pair, at, link, within};
use netstack::net::{TcpListener, TcpStream, UdpSocket};
use netstack::txbuf::{
    Completions, DeviceMemory, IovIter, Kind, Ledger, LiveNode, Order, Pool, PoolConfig, Span,
};
use netstack::{Memory, Pools, SendControl, SendFlags};

const LEN: usize = 10_000;
const SOON: Duration = Duration::from_secs(10);

/// A listener, two ends of a connection to it, and another connection of the client's stack.
fn connections(pair: &Pair) -> (TcpListener, [TcpStream; 3]) {
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    let client = TcpStream::connect(&pair.client, at(7)).unwrap();
    let (server, _) = listener.accept().unwrap();
    let other = TcpStream::connect(&pair.client, at(7)).unwrap();
    (listener, [client, server, other])
}

/// Sends a buffer that takes `companion` with it, and reads it at the other end.
fn hand_over<T: Send + Sync + 'static>(
    pair: &Pair,
    from: &TcpStream,
    to: &mut TcpStream,
    companion: T,
) {
    let owner = (vec![1_u8; LEN], companion);
    let span = Span::from_owner(pair.client.ledger(), owner).unwrap();
    let sent = from.send_message(&mut IovIter::span(span), SendFlags::NONE, None);
    assert_eq!(sent.unwrap(), LEN);
    to.read_exact(&mut vec![0; LEN]).unwrap();
}

/// Runs a scene that must not hang.
fn in_time(scene: impl FnOnce() + Send + 'static) {
    let (told, ended) = channel();
    let scene = thread::spawn(move || {
        scene();
        told.send(()).unwrap();
    });
    if ended.recv_timeout(3 * SOON).is_err() {
        // It failed, or hangs.
        assert!(scene.is_finished(), "a deadlock");
        scene.join().unwrap();
    }
}

fn until(condition: impl Fn() -> bool) {
    assert!(within(SOON, condition));
}

/// Runs its closure when it is dropped.
struct Last<F: FnMut()>(F);

impl<F: FnMut()> Drop for Last<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_buffer_may_own_a_socket_of_its_stack() {
    in_time(|| {
        let pair = Pair::start();
        let (listener, [client, mut server, other]) = connections(&pair);
        // The peer's acknowledgement drops the socket, on the loop's thread.
        hand_over(&pair, &client, &mut server, other);
        assert!(client.peer_addr().is_ok());
        // The same with a share that is kept for the end.
        let other = Arc::new(TcpStream::connect(&pair.client, at(7)).unwrap());
        hand_over(&pair, &client, &mut server, Arc::clone(&other));
        until(|| Arc::strong_count(&other) == 1);
        drop((other, client, server, listener));
        pair.finish();
    });
}

#[test]
fn a_connection_that_is_reset_lets_go_of_what_owns_another() {
    in_time(|| {
        let pair = Pair::start();
        let (listener, [client, server, other]) = connections(&pair);
        // Nobody reads: the buffers wait in the queue.
        let dropped = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&dropped);
        let owner = (
            vec![1_u8; 16 << 20],
            (
                other,
                Last(move || {
                    count.fetch_add(1, Ordering::Relaxed);
                }),
            ),
        );
        let span = Span::from_owner(pair.client.ledger(), owner).unwrap();
        let sent = client.send_message(&mut IovIter::span(span), SendFlags::NONE, None);
        assert!(sent.unwrap() < 16 << 20);
        client.set_zero_linger();
        drop((client, server, listener));
        until(|| dropped.load(Ordering::Relaxed) == 1);
        pair.finish();
    });
}

#[test]
fn a_wake_and_a_release_may_use_sockets() {
    struct Memory<F: Fn()>(F);
    impl<F: Fn() + Send + Sync + 'static> DeviceMemory for Memory<F> {
        fn provider(&self) -> u64 {
            7
        }
        fn release(&self, _: u64, _: usize) {
            (self.0)();
        }
    }
    in_time(|| {
        let pair = Pair::start();
        let (listener, [client, mut server, other]) = connections(&pair);
        let other = Arc::new(other);
        let uses = Arc::new(AtomicUsize::new(0));
        let used = || {
            let (other, uses) = (Arc::clone(&other), Arc::clone(&uses));
            move || {
                other.peer_addr().unwrap();
                uses.fetch_add(1, Ordering::Relaxed);
            }
        };
        let mut completions = Completions::with_wake(Order::Stream, 8, used());
        hand_over(&pair, &client, &mut server, completions.token().unwrap());
        until(|| uses.load(Ordering::Relaxed) == 1);
        assert!(completions.poll().is_some());
        // Nobody on this link can send memory of a device: the datagram is dropped, and the memory released.
        let socket = UdpSocket::bind(&pair.client, "10.0.0.2:0").unwrap();
        let memory = Arc::new(Memory(used()));
        let span = Span::from_device(pair.client.ledger(), memory, 0, 100, None).unwrap();
        let to: SocketAddr = at(9);
        let control = SendControl {
            to: Some(to),
            ..SendControl::default()
        };
        let _ = socket.send_message(&mut IovIter::span(span), SendFlags::NONE, &control);
        until(|| uses.load(Ordering::Relaxed) == 2);
        drop((completions, socket, client, server, other, listener));
        pair.finish();
    });
}

#[test]
fn a_destructor_that_panics_ends_nothing() {
    in_time(|| {
        let pair = Pair::start();
        let (listener, [client, mut server, mut other]) = connections(&pair);
        let dropped = Arc::new(Mutex::new(Vec::new()));
        for number in 0..4 {
            let dropped = Arc::clone(&dropped);
            hand_over(
                &pair,
                &client,
                &mut server,
                Last(move || {
                    dropped
                        .lock()
                        .unwrap_or_else(|poison| poison.into_inner())
                        .push(number);
                    assert!(number % 2 == 0, "destructor {number}");
                }),
            );
        }
        let all = || {
            dropped
                .lock()
                .unwrap_or_else(|poison| poison.into_inner())
                .len()
                == 4
        };
        until(all);
        // On whatever thread it was: over this link the reader may be the last to let go.
        until(|| pair.client.destructor_panics() + pair.server.destructor_panics() == 2);
        // Everybody else goes on.
        other.write_all(b"x").unwrap();
        assert!(other.peer_addr().is_ok());
        hand_over(&pair, &client, &mut server, ());
        drop((client, server, other, listener));
        pair.finish();
    });
}

#[test]
fn the_memory_of_a_running_stack_is_listed_by_kind_age_and_owner() {
    in_time(|| {
        let begun = std::time::Instant::now();
        let ledger = Ledger::tracking_by(move || begun.elapsed().as_nanos() as u64);
        let pools = Pools::new(&ledger, 64 << 20);
        let pair = Pair::with(
            link(),
            |server| server.configure(|config| config.tcp.receive_buffer = 100_000),
            move |client| client.configure(move |config| config.pools = pools.clone()),
        );
        let (listener, [mut client, server, other]) = connections(&pair);
        // What a device would receive into, and a span of it that somebody holds.
        let config = PoolConfig {
            segment: 4096,
            limit: 1 << 20,
            keep: 0,
        };
        let arena = Pool::new(&ledger.named("arena of mem0"), config);
        let received = arena.reserve().unwrap().commit(10);
        // Nobody reads: bytes and a buffer wait to be sent.
        let owner = vec![1_u8; 16 << 20];
        let span = Span::from_owner(pair.client.ledger(), owner).unwrap();
        client.write_all(&[2; 300_000]).unwrap();
        let sent = client.send_message(&mut IovIter::span(span), SendFlags::NONE, None);
        assert!(sent.unwrap() > 0);
        thread::sleep(Duration::from_millis(20));

        let memory = pair.client.memory().unwrap();
        let sends = |shard: &&Memory| shard.sockets.iter().any(|socket| socket.sending > 0);
        let memory = memory.iter().find(sends).expect("a socket that sends");
        let of = |owner: &'static str| memory.nodes.iter().filter(move |node| node.owner == owner);
        // Packets under way are of a gather.
        let is = |kind: Kind| move |node: &&LiveNode| node.kind == kind;
        let mut queued = of("send queues").filter(is(Kind::Buffered));
        let mut handed = of("applications").filter(is(Kind::Owned));
        let mut arenas = of("arena of mem0");
        let age = queued.next().unwrap().age;
        let life = u64::try_from(begun.elapsed().as_nanos()).unwrap();
        assert!((20_000_000..life).contains(&age), "{age} ns");
        let handed = handed.next().unwrap();
        assert!(handed.bytes == 16 << 20 && handed.pins > 0);
        assert_eq!(
            arenas.next().map(|node| (node.bytes, node.pins)),
            Some((4096, 1))
        );
        let socket = memory
            .sockets
            .iter()
            .find(|socket| socket.sending > 0)
            .unwrap();
        assert_eq!(socket.local, client.local_addr().unwrap());
        // All of the buffer, and a segment at least.
        assert!(socket.sending >= (16 << 20) + (64 << 10), "{socket}");
        let text = memory.to_string();
        for part in [
            "buffered: ",
            "owned: 1 of 16777216",
            "applications",
            "bytes to send",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        drop((client, server, other, listener, received));
        let pair_ended = [
            pair.client.shutdown(SOON).unwrap(),
            pair.server.shutdown(SOON).unwrap(),
        ];
        drop(pair_ended);
        assert_eq!((ledger.dump(0), ledger.live_nodes()), (vec![], 0));
    });
}
