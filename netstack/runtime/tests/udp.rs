//! UDP sockets, blocking and asynchronous, over a link in memory.

mod common;

use std::future::poll_fn;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use common::{Pair, at, at6, check, fill, link, offloading_link};
use netstack::drivers::memory::MemoryConfig;
use netstack::net;
use netstack::services::Echo;
use netstack::tokio::UdpSocket as AsyncUdpSocket;
use netstack::txbuf::{IovIter, Span};
use netstack::{RecvFlags, SendControl, SendFlags};
use tokio::io::ReadBuf;

#[test]
fn datagrams_of_every_size_arrive_whole() {
    let pair = Pair::start();
    let server = net::UdpSocket::bind(&pair.server, &[at(53)][..]).unwrap();
    let server6 = net::UdpSocket::bind(&pair.server, at6(53)).unwrap();
    for (server, to, any) in [
        (&server, at(53), "0.0.0.0:0"),
        (&server6, at6(53), "[::]:0"),
    ] {
        let client = net::UdpSocket::bind(&pair.client, any).unwrap();
        let mut buf = vec![0; 65_535];
        for size in [0, 1, 1_000, 1_472, 1_473, 20_000, 60_000, 65_507] {
            let mut datagram = vec![0; size];
            fill(7, &mut datagram);
            assert_eq!(client.send_to(&datagram, to).unwrap(), size);
            let (length, from) = server.recv_from(&mut buf).unwrap();
            assert_eq!(
                (length, from.port()),
                (size, client.local_addr().unwrap().port())
            );
            check(7, &buf[..length]);
            server.send_to(&buf[..length / 2], from).unwrap();
            assert_eq!(client.recv_from(&mut buf).unwrap(), (size / 2, to));
        }
    }
    drop((server, server6));
    pair.finish();
}

#[test]
fn too_large_is_refused() {
    let pair = Pair::start();
    let client = net::UdpSocket::bind(&pair.client, "0.0.0.0:0").unwrap();
    let error = client.send_to(&vec![0; 65_508], at(53)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        client.send(b"to whom?").unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    drop(client);
    pair.finish();
}

#[test]
fn peeking_leaves_the_datagram_and_short_buffers_cut_it() {
    let pair = Pair::start();
    let server = net::UdpSocket::bind(&pair.server, at(53)).unwrap();
    let client = net::UdpSocket::bind(&pair.client, "10.0.0.2:0").unwrap();
    client.send_to(b"first", at(53)).unwrap();
    client.send_to(b"second", at(53)).unwrap();
    let mut buf = [0; 16];
    assert_eq!(server.peek_from(&mut buf).unwrap().0, 5);
    assert_eq!(
        server.recv_from(&mut buf[..2]).unwrap(),
        (2, client.local_addr().unwrap())
    );
    assert_eq!(&buf[..5], b"first");
    assert_eq!(server.recv_from(&mut buf).unwrap().0, 6);
    assert_eq!(&buf[..6], b"second");
    drop((server, client));
    pair.finish();
}

#[test]
fn timeouts_and_non_blocking_mode() {
    let pair = Pair::start();
    let server = net::UdpSocket::bind(&pair.server, at(53)).unwrap();
    server
        .set_read_timeout(Some(Duration::from_millis(30)))
        .unwrap();
    let before = Instant::now();
    assert_eq!(
        server.recv_from(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    assert!(before.elapsed() >= Duration::from_millis(30));
    server.set_read_timeout(None).unwrap();
    server.set_nonblocking(true).unwrap();
    assert_eq!(
        server.recv_from(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    assert_eq!(
        net::UdpSocket::bind(&pair.server, at(53))
            .unwrap_err()
            .kind(),
        ErrorKind::AddrInUse
    );
    drop(server);
    pair.finish();
}

#[test]
fn a_connected_socket_hears_its_peer_only_and_learns_of_refusals() {
    let pair = Pair::start();
    let server = net::UdpSocket::bind(&pair.server, at(53)).unwrap();
    let stranger = net::UdpSocket::bind(&pair.server, at(54)).unwrap();
    let client = net::UdpSocket::bind(&pair.client, "10.0.0.2:0").unwrap();
    client.connect(at(53)).unwrap();
    assert_eq!(client.peer_addr().unwrap(), at(53));
    client.send(b"hello").unwrap();
    let (_, from) = server.recv_from(&mut [0; 8]).unwrap();
    stranger.send_to(b"stranger", from).unwrap();
    server.send_to(b"friend", from).unwrap();
    let mut buf = [0; 8];
    assert_eq!(client.recv(&mut buf).unwrap(), 6);
    assert_eq!(&buf[..6], b"friend");
    drop(server);
    client.send(b"anybody?").unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    assert_eq!(
        client.recv(&mut buf).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    drop((client, stranger));
    pair.finish();
}

#[tokio::test]
async fn asynchronous_datagrams() {
    let pair = Pair::start();
    let server = AsyncUdpSocket::bind(&pair.server, at(53)).unwrap();
    let client = AsyncUdpSocket::bind(&pair.client, "10.0.0.2:0".parse().unwrap()).unwrap();
    client.connect(at(53)).unwrap();
    let mut buf = vec![0; 65_535];
    for size in [10, 30_000] {
        // A receive that is given up loses nothing.
        let early =
            tokio::time::timeout(Duration::from_millis(10), server.recv_from(&mut buf)).await;
        assert!(early.is_err());
        let mut datagram = vec![0; size];
        fill(1, &mut datagram);
        client.send(&datagram).await.unwrap();
        let (length, from) = server.recv_from(&mut buf).await.unwrap();
        check(1, &buf[..length]);
        server.send_to(&buf[..length], from).await.unwrap();
        assert_eq!(client.peek_from(&mut buf).await.unwrap(), (size, at(53)));
        assert_eq!(client.recv(&mut buf).await.unwrap(), size);
    }
    drop((server, client));
    pair.finish();
}

#[tokio::test]
async fn connected_datagrams_by_polls_and_without_waiting() {
    let pair = Pair::start();
    let server = AsyncUdpSocket::bind(&pair.server, at(53)).unwrap();
    let client = AsyncUdpSocket::bind(&pair.client, "10.0.0.2:0".parse().unwrap()).unwrap();
    let mut buf = [0; 100];
    let kind = |failed: std::io::Result<usize>| failed.unwrap_err().kind();
    assert_eq!(kind(client.try_send(b"whom?")), ErrorKind::NotConnected);
    client.connect(at(53)).unwrap();
    assert_eq!(kind(client.try_recv(&mut buf)), ErrorKind::WouldBlock);
    assert_eq!(client.try_send(b"one").unwrap(), 3);
    assert_eq!(poll_fn(|cx| client.poll_send(cx, b"two")).await.unwrap(), 3);
    for sent in [b"one", b"two"] {
        let (length, from) = server.recv_from(&mut buf).await.unwrap();
        assert_eq!(buf[..length], sent[..]);
        server.send_to(sent, from).await.unwrap();
    }
    let mut into = ReadBuf::new(&mut buf);
    poll_fn(|cx| client.poll_recv(cx, &mut into)).await.unwrap();
    assert_eq!(into.filled(), b"one");
    client.peek(&mut buf).await.unwrap();
    assert_eq!(client.try_recv(&mut buf).unwrap(), 3);
    drop((server, client));
    pair.finish();
}

/// Devices that take no super-packets, and devices that do.
fn links() -> [MemoryConfig; 2] {
    [link(), offloading_link()]
}

#[test]
fn messages_of_segments() {
    for (link, is_super) in links().into_iter().zip([false, true]) {
        let pair = Pair::with(link, |server| server, |client| client);
        let server = net::UdpSocket::bind(&pair.server, at(53)).unwrap();
        let client = net::UdpSocket::bind(&pair.client, "10.0.0.2:0").unwrap();
        server.set_gro(true).unwrap();
        let mut data = vec![0; 60_100];
        fill(9, &mut data);
        for size in [1400, 1000] {
            let control = SendControl::segments(at(53), size);
            let mut from = IovIter::bytes(&data);
            let sent = client.send_message(&mut from, SendFlags::NONE, &control);
            assert_eq!((sent.unwrap(), from.remaining()), (data.len(), 0));
            let mut buf = vec![0; 65_535];
            let mut position = 0;
            while position < data.len() {
                let mut into = IovIter::buffer(&mut buf);
                let received = server.recv_message(&mut into, RecvFlags::NONE).unwrap();
                assert_eq!(received.segment, is_super.then_some(size));
                assert!(!received.truncated);
                check(9 + position as u64, &buf[..received.bytes]);
                position += received.bytes;
            }
            assert_eq!(position, data.len());
        }
        for (size, kind) in [
            (0, ErrorKind::InvalidInput),
            (1473, ErrorKind::InvalidInput),
        ] {
            let control = SendControl::segments(at(53), size);
            let mut from = IovIter::bytes(&data);
            let refused = client.send_message(&mut from, SendFlags::NONE, &control);
            assert_eq!(refused.unwrap_err().kind(), kind);
            assert_eq!(from.remaining(), data.len());
        }
        drop((server, client));
        pair.finish();
    }
}

#[tokio::test]
async fn asynchronous_messages_of_segments_are_echoed_as_they_came() {
    for (link, is_super) in links().into_iter().zip([false, true]) {
        let echo = Echo::new([at(7)]);
        let pair = Pair::with(link, |server| server.service(echo), |client| client);
        let client = AsyncUdpSocket::bind(&pair.client, "10.0.0.2:0".parse().unwrap()).unwrap();
        client.set_gro(true).unwrap();
        let mut data = vec![0; 44_500];
        fill(1, &mut data);
        let control = SendControl::segments(at(7), 1000);
        let mut from = IovIter::bytes(&data);
        let sent = client.send_message(&mut from, SendFlags::NONE, &control);
        assert_eq!(sent.await.unwrap(), data.len());
        let mut buf = vec![0; 65_535];
        let mut position = 0;
        while position < data.len() {
            let mut into = IovIter::buffer(&mut buf);
            let received = client
                .recv_message(&mut into, RecvFlags::NONE)
                .await
                .unwrap();
            assert_eq!(received.segment, is_super.then_some(1000));
            check(1 + position as u64, &buf[..received.bytes]);
            position += received.bytes;
        }
        assert_eq!(position, data.len());
        drop(client);
        pair.finish();
    }
}

#[test]
fn a_blocking_sender_of_pieces_of_large_buffers_comes_to_an_end() {
    let pair = Pair::start();
    let socket = net::UdpSocket::bind(&pair.client, "0.0.0.0:0").unwrap();
    let control = SendControl::to(at(9));
    for _ in 0..500 {
        let owned = Span::from_owner(pair.client.ledger(), vec![1_u8; 200 << 10]).unwrap();
        let mut from = IovIter::span(owned.slice(..1000).unwrap());
        let sent = socket.send_message(&mut from, SendFlags::NONE, &control);
        assert_eq!(sent.unwrap(), 1000);
    }
    drop(socket);
    pair.finish();
}
