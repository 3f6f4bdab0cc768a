//! The blocking TCP sockets, over a link in memory.

mod common;

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use common::{Pair, at, at6, check, fill};
use netstack::net::{TcpListener, TcpStream};

/// A connection, the server's end first.
fn connected(pair: &Pair, address: SocketAddr) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(&pair.server, address).unwrap();
    let client = TcpStream::connect(&pair.client, address).unwrap();
    let (server, peer) = listener.accept().unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    assert_eq!(server.local_addr().unwrap(), client.peer_addr().unwrap());
    (server, client)
}

fn send_stream(mut to: &TcpStream, bytes: u64, chunk: usize) {
    let mut buf = vec![0; chunk];
    let mut position = 0;
    while position < bytes {
        let length = (bytes - position).min(chunk as u64) as usize;
        fill(position, &mut buf[..length]);
        to.write_all(&buf[..length]).unwrap();
        position += length as u64;
    }
}

fn check_stream(mut from: &TcpStream, bytes: u64, chunk: usize) {
    let mut buf = vec![0; chunk];
    let mut position = 0;
    while position < bytes {
        let length = from.read(&mut buf).unwrap();
        assert_ne!(length, 0, "the stream ended at {position}");
        check(position, &buf[..length]);
        position += length as u64;
    }
    assert_eq!(position, bytes);
}

fn echo(mut stream: &TcpStream) {
    let mut buf = vec![0; 128 << 10];
    loop {
        match stream.read(&mut buf).unwrap() {
            0 => return stream.shutdown(Shutdown::Write).unwrap(),
            length => stream.write_all(&buf[..length]).unwrap(),
        }
    }
}

fn echo_of(bytes: u64, address: SocketAddr, chunk: usize) {
    let pair = Pair::start();
    let (server, client) = connected(&pair, address);
    thread::scope(|scope| {
        scope.spawn(|| echo(&server));
        scope.spawn(|| {
            send_stream(&client, bytes, chunk);
            client.shutdown(Shutdown::Write).unwrap();
        });
        check_stream(&client, bytes, 100_000);
        assert_eq!((&client).read(&mut [0; 1]).unwrap(), 0);
    });
    drop((server, client));
    pair.finish();
}

#[test]
fn echo_of_64_mib() {
    echo_of(64 << 20, at(7), 1 << 20);
}

#[test]
fn echo_over_ipv6_in_odd_pieces() {
    echo_of(8 << 20, at6(7), 77_777);
}

#[test]
fn echo_in_small_pieces() {
    echo_of(1 << 20, at(7), 1_000);
}

#[test]
fn both_directions_at_once_through_clones() {
    const BYTES: u64 = 8 << 20;
    let pair = Pair::start();
    let (server, client) = connected(&pair, at(9));
    thread::scope(|scope| {
        for stream in [&server, &client] {
            let writer = stream.try_clone().unwrap();
            scope.spawn(move || send_stream(&writer, BYTES, 50_000));
            scope.spawn(|| check_stream(stream, BYTES, 50_000));
        }
    });
    drop((server, client));
    pair.finish();
}

#[test]
fn each_half_closes_by_itself() {
    let pair = Pair::start();
    let (mut server, mut client) = connected(&pair, at(80));
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        client.write(b"more").unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    let mut question = String::new();
    server.read_to_string(&mut question).unwrap();
    assert_eq!(question, "question");
    server.write_all(b"answer").unwrap();
    drop(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
    drop(client);
    pair.finish();
}

#[test]
fn nobody_listening_is_refused() {
    let pair = Pair::start();
    let error = TcpStream::connect(&pair.client, at(81)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    pair.finish();
}

#[test]
fn nobody_there_times_out() {
    let pair = Pair::start();
    let nobody = "10.0.0.77:80".parse().unwrap();
    let before = Instant::now();
    let error =
        TcpStream::connect_timeout(&pair.client, &nobody, Duration::from_millis(100)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(before.elapsed() < Duration::from_secs(1));
    let zero = TcpStream::connect_timeout(&pair.client, &nobody, Duration::ZERO).unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidInput);
    pair.finish();
}

#[test]
fn no_route_is_said_at_once() {
    let pair = Pair::start();
    let error = TcpStream::connect(&pair.client, "192.0.2.1:80").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
    pair.finish();
}

#[test]
fn addresses_are_taken_once() {
    let pair = Pair::start();
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    assert_eq!(
        TcpListener::bind(&pair.server, at(7)).unwrap_err().kind(),
        ErrorKind::AddrInUse
    );
    let stranger = TcpListener::bind(&pair.server, "10.0.0.9:7").unwrap_err();
    assert_eq!(stranger.kind(), ErrorKind::AddrNotAvailable);
    drop(listener);
    TcpListener::bind(&pair.server, at(7)).unwrap();
    let ephemeral = TcpListener::bind(&pair.server, at(0)).unwrap();
    assert_ne!(ephemeral.local_addr().unwrap().port(), 0);
    drop(ephemeral);
    pair.finish();
}

#[test]
fn the_families_can_be_bound_side_by_side() {
    let pair = Pair::start();
    let listeners =
        ["0.0.0.0:7", "[::]:7"].map(|any| TcpListener::bind(&pair.server, any).unwrap());
    for (address, listener) in [at(7), at6(7)].into_iter().zip(&listeners) {
        let client = TcpStream::connect(&pair.client, address).unwrap();
        assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());
    }
    drop(listeners);
    pair.finish();
}

#[test]
fn timeouts_end_a_wait_and_lose_nothing() {
    let pair = Pair::start();
    let (mut server, mut client) = connected(&pair, at(7));
    let timeout = Some(Duration::from_millis(50));
    client.set_read_timeout(timeout).unwrap();
    assert_eq!(client.try_clone().unwrap().read_timeout().unwrap(), timeout);
    let before = Instant::now();
    assert_eq!(
        client.read(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    assert!(before.elapsed() >= Duration::from_millis(50));
    client.set_read_timeout(None).unwrap();
    server.write_all(b"late").unwrap();
    let mut buf = [0; 4];
    client.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"late");
    drop((server, client));
    pair.finish();
}

#[test]
fn a_full_connection_blocks_and_goes_on_when_it_is_read() {
    let pair = Pair::with_buffers(64 << 10);
    let (server, mut client) = connected(&pair, at(7));
    client
        .set_write_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut sent = 0_u64;
    let mut chunk = vec![0; 40_000];
    loop {
        fill(sent, &mut chunk);
        match client.write(&chunk) {
            Ok(written) => sent += written as u64,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
        assert!(sent < 1 << 20, "the buffers are bounded");
    }
    check_stream(&server, sent, 10_000);
    fill(sent, &mut chunk[..100]);
    client.write_all(&chunk[..100]).unwrap();
    drop(client);
    let mut rest = Vec::new();
    (&server).read_to_end(&mut rest).unwrap();
    check(sent, &rest);
    assert_eq!(rest.len(), 100);
    drop(server);
    pair.finish();
}

#[test]
fn nothing_waits_in_non_blocking_mode() {
    let pair = Pair::start();
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut client = TcpStream::connect(&pair.client, at(7)).unwrap();
    client.set_nonblocking(true).unwrap();
    assert_eq!(
        client.read(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    let buf = vec![0; 1 << 20];
    let mut sent = 0;
    let full = loop {
        match client.write(&buf) {
            Ok(written) => sent += written,
            Err(error) => break error,
        }
        assert!(sent < 64 << 20, "the buffers are bounded");
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    assert!(sent > 0);
    listener.set_nonblocking(false).unwrap();
    drop((listener.accept().unwrap(), client, listener));
    pair.finish();
}

#[test]
fn peeking_leaves_the_data() {
    let pair = Pair::start();
    let (mut server, mut client) = connected(&pair, at(7));
    server.write_all(b"peekaboo").unwrap();
    let mut buf = [0; 8];
    assert_eq!(client.peek(&mut buf[..4]).unwrap(), 4);
    assert_eq!(&buf[..4], b"peek");
    client.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"peekaboo");
    drop(server);
    assert_eq!(client.peek(&mut buf).unwrap(), 0);
    drop(client);
    pair.finish();
}

#[test]
fn vectors_are_read_and_written_as_one() {
    let pair = Pair::start();
    let (mut server, mut client) = connected(&pair, at(7));
    let (mut front, mut back) = (vec![0; 30_000], vec![0; 50_000]);
    fill(0, &mut front);
    fill(30_000, &mut back);
    let mut slices = [IoSlice::new(&front), IoSlice::new(&[]), IoSlice::new(&back)];
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        let written = client.write_vectored(rest).unwrap();
        IoSlice::advance_slices(&mut rest, written);
    }
    let mut position = 0;
    while position < 80_000 {
        let (mut one, mut other) = ([0; 777], [0; 5_000]);
        let length = server
            .read_vectored(&mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)])
            .unwrap();
        let in_one = length.min(one.len());
        check(position, &one[..in_one]);
        check(position + in_one as u64, &other[..length - in_one]);
        position += length as u64;
    }
    drop((server, client));
    pair.finish();
}

#[test]
fn the_backlog_holds_what_nobody_accepts() {
    let pair = Pair::start();
    let listener = TcpListener::bind_with_backlog(&pair.server, at(7), 4).unwrap();
    let clients: Vec<_> = (0..4)
        .map(|_| TcpStream::connect(&pair.client, at(7)).unwrap())
        .collect();
    thread::scope(|scope| {
        // There is no room for one more: it gets through once the queue is emptied.
        let fifth = scope.spawn(|| TcpStream::connect(&pair.client, at(7)).unwrap());
        thread::sleep(Duration::from_millis(20));
        let accepted: Vec<_> = (0..5).map(|_| listener.accept().unwrap().1).collect();
        let fifth = fifth.join().unwrap();
        let mut expected: Vec<_> = clients
            .iter()
            .map(|client| client.local_addr().unwrap())
            .collect();
        expected.push(fifth.local_addr().unwrap());
        assert_eq!(accepted, expected);
    });
    drop((clients, listener));
    pair.finish();
}

#[test]
fn threads_share_a_listener() {
    const CONNECTIONS: usize = 60;
    let pair = Pair::start();
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            let listener = listener.try_clone().unwrap();
            scope.spawn(move || {
                for stream in listener.incoming().take(CONNECTIONS / 3) {
                    echo(&stream.unwrap());
                }
            });
        }
        for index in 0..CONNECTIONS {
            let mut client = TcpStream::connect(&pair.client, at(7)).unwrap();
            client.write_all(&[index as u8; 100]).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut reply = Vec::new();
            client.read_to_end(&mut reply).unwrap();
            assert_eq!(reply, [index as u8; 100]);
        }
    });
    drop(listener);
    pair.finish();
}

#[test]
fn unread_data_makes_a_close_a_reset() {
    let pair = Pair::start();
    let (server, mut client) = connected(&pair, at(7));
    client.write_all(b"never read").unwrap();
    while server.peek(&mut [0; 10]).unwrap() < 10 {}
    drop(server);
    assert_eq!(
        client.read(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(
        client.write(b"x").unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    drop(client);
    pair.finish();
}

#[test]
fn without_lingering_a_close_is_a_reset() {
    let pair = Pair::start();
    let (server, mut client) = connected(&pair, at(7));
    server.set_zero_linger();
    drop(server.try_clone().unwrap());
    (&server).write_all(b"still open").unwrap();
    client.read_exact(&mut [0; 10]).unwrap();
    drop(server);
    assert_eq!(
        client.read(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    drop(client);
    pair.finish();
}

#[test]
fn options_and_information_reach_the_connection() {
    let pair = Pair::start();
    let (server, client) = connected(&pair, at(7));
    client.set_nodelay(true).unwrap();
    assert!(client.take_error().unwrap().is_none());
    send_stream(&client, 100_000, 10_000);
    check_stream(&server, 100_000, 10_000);
    let info = client.tcp_info().unwrap();
    assert!(info.send_mss > 1000 && info.rtt.is_some(), "{info:?}");
    drop((server, client));
    pair.finish();
}

#[test]
fn what_was_written_arrives_after_the_handle_is_gone() {
    let pair = Pair::start();
    let (server, client) = connected(&pair, at(7));
    send_stream(&client, 1 << 20, 1 << 20);
    drop(client);
    check_stream(&server, 1 << 20, 4_096);
    assert_eq!((&server).read(&mut [0; 1]).unwrap(), 0);
    drop(server);
    pair.finish();
}
