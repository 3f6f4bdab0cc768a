//! The proxy between two sockets of another stack, over a link in memory.

mod common;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::{Pair, at, at6, check, fill, link, offloading_link, within};
use netstack::drivers::memory::MemoryConfig;
use netstack::net::{TcpListener, TcpStream};
use netstack::services::Proxy;
use netstack::txbuf::{DeviceMemory, IovIter, Span};
use netstack::{Builder, SendFlags, TcpConfig};

const BYTES: u64 = 8 << 20;
const PATIENCE: Duration = Duration::from_secs(20);

fn target() -> SocketAddr {
    "10.0.0.2:9000".parse().unwrap()
}

/// A proxy on one stack whose target is on the other, where its clients are, too.
fn proxied(link: MemoryConfig, configure: fn(Builder) -> Builder) -> (Pair, TcpListener) {
    let proxy = || Proxy::new([at(80), at6(80)], target()).most(2);
    let pair = Pair::with(link, |server| configure(server).service(proxy()), configure);
    let listener = TcpListener::bind(&pair.client, target()).unwrap();
    (pair, listener)
}

fn small(builder: Builder) -> Builder {
    let small = |tcp: &mut TcpConfig| (tcp.send_buffer, tcp.receive_buffer) = (30_000, 30_000);
    builder.configure(move |config| small(&mut config.tcp))
}

/// A client of the proxy and the server's end of it.
fn connect(pair: &Pair, listener: &TcpListener) -> [TcpStream; 2] {
    let client = TcpStream::connect(&pair.client, at(80)).unwrap();
    let server = listener.accept().unwrap().0;
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
    }
    [client, server]
}

/// Asserts that a client is reset, which may be before `connect` has returned.
fn is_reset(pair: &Pair) {
    let read = TcpStream::connect(&pair.client, at(80)).and_then(|mut client| {
        client.set_read_timeout(Some(PATIENCE))?;
        client.read(&mut [0; 1])
    });
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// Sends the stream from `first` on, in pieces of many lengths, and ends it.
fn send(mut stream: &TcpStream, first: u64) {
    let mut buf = vec![0; 100_000];
    let mut position = 0;
    for length in [1, 500, 700, 3_000, 100_000].into_iter().cycle() {
        let length = (BYTES - position).min(length) as usize;
        if length == 0 {
            break;
        }
        fill(first + position, &mut buf[..length]);
        stream.write_all(&buf[..length]).unwrap();
        position += length as u64;
    }
    stream.shutdown(Shutdown::Write).unwrap();
}

/// Reads and checks the stream to its end.
fn receive(mut stream: &TcpStream, first: u64) {
    let mut buf = vec![0; 70_000];
    let mut position = 0;
    loop {
        match stream.read(&mut buf).unwrap() {
            0 => break,
            length => {
                check(first + position, &buf[..length]);
                position += length as u64;
            }
        }
    }
    assert_eq!(position, BYTES);
}

#[test]
fn both_ways_at_once() {
    for configure in [|builder| builder, small] {
        let (pair, listener) = proxied(link(), configure);
        let [client, server] = connect(&pair, &listener);
        thread::scope(|scope| {
            scope.spawn(|| send(&client, 0));
            scope.spawn(|| receive(&client, 1 << 40));
            scope.spawn(|| receive(&server, 0));
            send(&server, 1 << 40);
        });
        drop((client, server, listener));
        pair.finish();
    }
}

#[test]
fn one_way_goes_on_after_the_end_of_the_other() {
    let (pair, listener) = proxied(link(), |builder| builder);
    // The client, and then the server, ends first.
    for turn in [[0, 1], [1, 0]] {
        let ends = connect(&pair, &listener);
        let [first, last] = turn.map(|end| &ends[end]);
        thread::scope(|scope| {
            scope.spawn(|| send(first, 0));
            receive(last, 0);
            scope.spawn(|| send(last, 7));
            receive(first, 7);
        });
    }
    drop(listener);
    pair.finish();
}

#[test]
fn what_a_client_sends_before_the_target_answers_arrives() {
    let (pair, listener) = proxied(link(), |builder| builder);
    let mut client = TcpStream::connect(&pair.client, at6(80)).unwrap();
    client.write_all(b"in a hurry").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut server = listener.accept().unwrap().0;
    let mut text = String::new();
    server.read_to_string(&mut text).unwrap();
    assert_eq!(text, "in a hurry");
    drop((client, server, listener));
    pair.finish();
}

#[test]
fn a_refusal_is_passed_on() {
    let (pair, listener) = proxied(link(), |builder| builder);
    drop(listener);
    is_reset(&pair);
    pair.finish();
}

#[test]
fn without_a_way_to_the_target_clients_are_reset() {
    let nowhere = "192.0.2.1:1".parse().unwrap();
    let service = Proxy::new([at(80)], nowhere);
    let pair = Pair::with(link(), |server| server.service(service), |client| client);
    is_reset(&pair);
    pair.finish();
}

#[test]
fn a_reset_is_passed_on() {
    let (pair, listener) = proxied(link(), |builder| builder);
    for failing in [0, 1] {
        for half_closed in [false, true] {
            let ends = connect(&pair, &listener);
            (&ends[0]).write_all(b"there").unwrap();
            (&ends[1]).read_exact(&mut [0; 5]).unwrap();
            if half_closed {
                ends[1 - failing].shutdown(Shutdown::Write).unwrap();
                assert_eq!((&ends[failing]).read(&mut [0; 1]).unwrap(), 0);
            }
            ends[failing].set_zero_linger();
            let mut ends = Vec::from(ends);
            drop(ends.remove(failing));
            let error = ends[0].read(&mut [0; 1]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }
    drop(listener);
    pair.finish();
}

#[test]
fn who_does_not_read_stops_the_other_and_the_proxy_keeps_little() {
    let (pair, listener) = proxied(link(), small);
    for silent in [0, 1] {
        let ends = connect(&pair, &listener);
        let (reader, writer) = (&ends[silent], &ends[1 - silent]);
        writer
            .set_write_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let mut block = vec![0; 10_000];
        let mut sent = 0;
        loop {
            fill(sent, &mut block);
            match (&*writer).write(&block) {
                Ok(length) => sent += length as u64,
                Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            assert!(sent < 1 << 20, "the window never closed");
        }
        let kept: usize = pair
            .server
            .memory()
            .unwrap()
            .iter()
            .flat_map(|shard| &shard.sockets)
            .map(|one| one.sending + one.receiving)
            .sum();
        assert!(kept < 1 << 20, "the proxy keeps {kept} bytes");
        writer.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        (&*reader).read_to_end(&mut all).unwrap();
        assert_eq!(all.len() as u64, sent);
        check(0, &all);
    }
    drop(listener);
    pair.finish();
}

#[test]
fn more_connections_than_there_may_be_wait_for_others_to_end() {
    let (pair, listener) = proxied(link(), |builder| builder);
    listener.set_nonblocking(true).unwrap();
    let mut clients: Vec<_> = (0..5)
        .map(|_| Some(TcpStream::connect(&pair.client, at(80)).unwrap()))
        .collect();
    for (number, client) in clients.iter_mut().flatten().enumerate() {
        client.write_all(&[number as u8]).unwrap();
    }
    let waiting = RefCell::new(VecDeque::new());
    let arrived = || {
        waiting
            .borrow_mut()
            .extend(listener.accept().map(|(server, _)| server));
        waiting.borrow().len()
    };
    for left in (1..=5_usize).rev() {
        assert!(within(PATIENCE, || arrived() == left.min(2)));
        assert!(!within(Duration::from_millis(50), || arrived() > 2));
        let mut server = waiting.borrow_mut().pop_front().unwrap();
        let mut number = [0];
        server.read_exact(&mut number).unwrap();
        // Whose turn it is, shards settle among themselves.
        drop(clients[usize::from(number[0])].take().unwrap());
    }
    drop(listener);
    pair.finish();
}

/// Memory that the CPU may not read: whoever touches a byte of it gets an error instead.
#[derive(Debug)]
struct Untouchable;

impl DeviceMemory for Untouchable {
    fn provider(&self) -> u64 {
        7
    }

    fn release(&self, _offset: u64, _len: usize) {}
}

#[test]
fn payload_is_not_touched() {
    let (pair, listener) = proxied(offloading_link(), |builder| builder);
    let ends = connect(&pair, &listener);
    for turn in [[0, 1], [1, 0]] {
        let [from, to] = turn.map(|end| &ends[end]);
        let place = u64::from(u32::MAX) * turn[0] as u64;
        thread::scope(|scope| {
            scope.spawn(|| {
                let memory: Arc<dyn DeviceMemory> = Arc::new(Untouchable);
                for offset in (0..BYTES).step_by(64 << 10) {
                    let span = Span::from_device(
                        pair.client.ledger(),
                        Arc::clone(&memory),
                        place + offset,
                        64 << 10,
                        None,
                    );
                    let mut from_span = IovIter::span(span.unwrap());
                    while from_span.remaining() > 0 {
                        from.send_message(&mut from_span, SendFlags::NONE, None)
                            .unwrap();
                    }
                }
            });
            let mut next = place;
            while next < place + BYTES {
                let mut spans = VecDeque::new();
                assert!(to.recv_spans(&mut spans, usize::MAX).unwrap() > 0);
                for extent in spans.iter().flat_map(Span::extents) {
                    let extent = extent.device().expect("it was copied");
                    assert_eq!(extent.offset, next);
                    next += extent.len as u64;
                }
            }
        });
    }
    drop((ends, listener));
    pair.finish();
}
