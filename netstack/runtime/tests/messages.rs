//! Messages through the sockets of both front ends: flags, spans, owned and lent buffers, completions.

mod common;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use common::{Pair, at, check, fill, within};
use netstack::net::{TcpListener, TcpStream, UdpSocket};
use netstack::txbuf::{Completion, IovIter, Part, Region, Span};
use netstack::{RecvFlags, SendControl, SendFlags, tokio as asynchronous};
use tokio::time::timeout;

fn connected(pair: &Pair) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    let client = TcpStream::connect(&pair.client, at(7)).unwrap();
    let (server, _) = listener.accept().unwrap();
    (server, client)
}

fn filled(position: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fill(position, &mut bytes);
    bytes
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn flags_say_whether_to_wait_and_for_how_much() {
    let pair = Pair::with_buffers(1 << 20);
    let (server, client) = connected(&pair);
    let mut room = vec![0; 10_000];
    let dont = RecvFlags::DONTWAIT | RecvFlags::WAITALL;
    let nothing = server.recv_message(&mut IovIter::buffer(&mut room), dont);
    assert_eq!(nothing.unwrap_err().kind(), ErrorKind::WouldBlock);

    let sender = thread::spawn(move || {
        for half in 0..2 {
            thread::sleep(Duration::from_millis(50));
            (&client).write_all(&filled(half * 5_000, 5_000)).unwrap();
        }
        client
    });
    let mut into = IovIter::buffer(&mut room);
    let peek = RecvFlags::WAITALL | RecvFlags::PEEK;
    assert_eq!(server.recv_message(&mut into, peek).unwrap().bytes, 10_000);
    check(0, &room);
    let client = sender.join().unwrap();
    let mut into = IovIter::buffer(&mut room[..9_000]);
    let all = server.recv_message(&mut into, RecvFlags::WAITALL).unwrap();
    assert_eq!((all.bytes, into.remaining()), (9_000, 0));
    check(0, &room[..9_000]);

    // When patience ends there is what there is.
    server
        .set_read_timeout(Some(Duration::from_millis(30)))
        .unwrap();
    let mut into = IovIter::buffer(&mut room);
    let rest = server.recv_message(&mut into, RecvFlags::WAITALL).unwrap();
    assert_eq!((rest.bytes, into.done()), (1_000, 1_000));
    check(9_000, &room[..1_000]);
    let mut into = IovIter::buffer(&mut room);
    let nothing = server.recv_message(&mut into, RecvFlags::WAITALL);
    assert_eq!(nothing.unwrap_err().kind(), ErrorKind::WouldBlock);

    // A full buffer refuses at once, and takes nothing.
    let data = filled(0, 3 << 20);
    let mut from = IovIter::bytes(&data);
    let full = loop {
        let before = from.done();
        match client.send_message(&mut from, SendFlags::DONTWAIT, None) {
            Ok(sent) => assert_eq!(from.done(), before + sent),
            Err(error) => break (error.kind(), from.done() - before),
        }
    };
    assert_eq!(full, (ErrorKind::WouldBlock, 0));
    server.set_read_timeout(None).unwrap();
    let sent = from.done();
    let mut all = vec![0; sent];
    (&server).read_exact(&mut all).unwrap();
    check(0, &all);
    drop((server, client));
    pair.finish();
}

#[test]
fn buffers_with_an_owner_are_sent_as_they_are() {
    let pair = Pair::start();
    let (mut server, client) = connected(&pair);
    let whole = Bytes::from(filled(0, 6 << 20));
    let mut left = whole.clone();
    let sender = thread::spawn(move || {
        while !left.is_empty() {
            let before = left.len();
            let sent = client.send_bytes(&mut left).unwrap();
            assert_eq!(left.len(), before - sent);
        }
        client
    });
    let mut all = vec![0; 6 << 20];
    server.read_exact(&mut all).unwrap();
    check(0, &all);
    let client = sender.join().unwrap();
    // Acknowledged, the buffer is the application's alone.
    assert!(within(LONG, || whole.is_unique()));
    drop((server, client));
    pair.finish();
}

#[test]
fn lent_memory_comes_back_with_its_completion() {
    let pair = Pair::start();
    let (mut server, client) = connected(&pair);
    let mut region = Region::new(pair.client.ledger(), filled(0, 300_000));
    for number in 0..20 {
        let token = client.message_token().unwrap();
        let lent = region.lend(0..300_000, Some(&token)).unwrap();
        let parts = [
            Part::Bytes(b"header"),
            Part::Span(lent),
            Part::Bytes(b"trailer"),
        ];
        let mut from = IovIter::parts(&parts);
        while from.remaining() > 0 {
            let flags = SendFlags::MORE;
            client.send_message(&mut from, flags, Some(&token)).unwrap();
        }
        client
            .send_message(&mut IovIter::bytes(b"."), SendFlags::NONE, Some(&token))
            .unwrap();
        drop((parts, token));
        // Nobody has read it.
        let done = client.wait_completion().unwrap();
        // The link hands the spans themselves to another stack, which copies them.
        let copied = true;
        let expected = Completion {
            first: number,
            last: number,
            copied,
        };
        assert_eq!(done, expected);
        assert_eq!(client.poll_completion().unwrap(), None);
        let memory = region.unregister().expect("in use by nobody");
        let mut all = vec![0; 300_014];
        server.read_exact(&mut all).unwrap();
        assert_eq!(&all[..6], b"header");
        check(0, &all[6..300_006]);
        assert_eq!(&all[300_006..], b"trailer.");
        region = Region::new(pair.client.ledger(), memory);
    }
    drop((server, client, region));
    pair.finish();
}

#[test]
fn a_completion_by_another_thread_wakes_who_waits() {
    let pair = Pair::start();
    let (server, client) = connected(&pair);
    let token = client.message_token().unwrap();
    client
        .set_read_timeout(Some(Duration::from_millis(30)))
        .unwrap();
    let waited = client.wait_completion();
    assert_eq!(waited.unwrap_err().kind(), ErrorKind::WouldBlock);
    client.set_read_timeout(None).unwrap();
    let holder = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        drop(token);
    });
    assert_eq!(client.wait_completion().unwrap().last, 0);
    holder.join().unwrap();

    // The end of a stream that is gone goes on by itself.
    let token = client.message_token().unwrap();
    let mut completions = client.detach_completions().unwrap().expect("a message");
    drop(client);
    assert_eq!(completions.poll(), None);
    drop(token);
    assert!(completions.poll().is_some_and(|done| done.first == 1));

    // Who waits when the stack ends is told.
    let token = server.message_token().unwrap();
    let waiting = server.try_clone().unwrap();
    let waiter = thread::spawn(move || waiting.wait_completion());
    thread::sleep(Duration::from_millis(30));
    let ended = pair.server.shutdown(Duration::ZERO).unwrap();
    let error = waiter.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NetworkDown);
    drop((token, server, ended));
    pair.client.shutdown(Duration::ZERO).unwrap();
}

#[test]
fn spans_go_from_one_socket_to_another_and_may_be_kept() {
    let pair = Pair::start();
    let (server, mut client) = connected(&pair);
    let proxy = thread::spawn(move || {
        let (mut spans, mut kept) = (VecDeque::new(), Vec::new());
        while server.recv_spans(&mut spans, 50_000).unwrap() > 0 {
            kept.extend(spans.iter().cloned());
            let mut from = IovIter::spans(&mut spans);
            while from.remaining() > 0 {
                server
                    .send_message(&mut from, SendFlags::NONE, None)
                    .unwrap();
            }
        }
        kept
    });
    let data = filled(0, 1 << 20);
    let sender = client.try_clone().unwrap();
    let writer = thread::spawn(move || {
        (&sender).write_all(&data).unwrap();
        sender.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    writer.join().unwrap();
    check(0, &back);
    assert_eq!(back.len(), 1 << 20);
    let kept = proxy.join().unwrap();
    drop(client);
    let ledgers = [&pair.client, &pair.server].map(|stack| stack.ledger().clone());
    let client = pair.client.shutdown(LONG).unwrap();
    let server = pair.server.shutdown(LONG).unwrap();
    drop((client, server));
    // They outlive everything.
    let all: Vec<u8> = kept
        .iter()
        .flat_map(|span: &Span| span.to_vec().unwrap())
        .collect();
    check(0, &all);
    drop(kept);
    for ledger in ledgers {
        assert_eq!(ledger.live_nodes(), 0, "{:?}", ledger.report());
    }
}

#[test]
fn datagrams_are_lent_and_received_as_spans() {
    let pair = Pair::start();
    let server = UdpSocket::bind(&pair.server, at(53)).unwrap();
    let client = UdpSocket::bind(&pair.client, "10.0.0.2:0").unwrap();
    for len in [1_000, 20_000, 60_000] {
        let region = Region::new(pair.client.ledger(), filled(3, len));
        let token = client.message_token().unwrap();
        let parts = [
            Part::Bytes(b"<"),
            Part::Span(region.lend(0..len, Some(&token)).unwrap()),
        ];
        let control = SendControl {
            to: Some(at(53)),
            token: Some(&token),
            ..SendControl::default()
        };
        let mut from = IovIter::parts(&parts);
        let sent = client.send_message(&mut from, SendFlags::NONE, &control);
        assert_eq!((sent.unwrap(), from.remaining()), (len + 1, 0));
        drop(from);
        drop((parts, token));
        client.wait_completion().unwrap();
        assert!(region.unregister().is_ok());

        let mut head = [0; 10];
        let mut into = IovIter::buffer(&mut head);
        let looked = server.recv_message(&mut into, RecvFlags::PEEK).unwrap();
        assert_eq!(
            (looked.bytes, looked.len, looked.truncated),
            (10, len + 1, true)
        );
        let mut spans = VecDeque::new();
        let got = server.recv_spans(&mut spans).unwrap();
        assert_eq!(got.from, Some(client.local_addr().unwrap()));
        let all: Vec<u8> = spans
            .iter()
            .flat_map(|span| span.to_vec().unwrap())
            .collect();
        assert_eq!((all[0], all.len(), got.truncated), (b'<', len + 1, false));
        check(3, &all[1..]);
    }
    let dont = server.recv_message(&mut IovIter::discard(1), RecvFlags::DONTWAIT);
    assert_eq!(dont.unwrap_err().kind(), ErrorKind::WouldBlock);
    let error = client.send_message(
        &mut IovIter::discard(1),
        SendFlags::NONE,
        &SendControl::to(at(53)),
    );
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
    drop((server, client));
    pair.finish();
}

#[tokio::test]
async fn the_asynchronous_ones_do_the_same_and_can_be_cancelled() {
    let pair = Pair::start();
    let listener = asynchronous::TcpListener::bind(&pair.server, at(7)).unwrap();
    let client = asynchronous::TcpStream::connect(&pair.client, at(7))
        .await
        .unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let soon = Duration::from_millis(20);

    let mut left = Bytes::from(filled(0, 100_000));
    while !left.is_empty() {
        client.send_bytes(&mut left).await.unwrap();
    }
    let region = Region::new(pair.client.ledger(), filled(100_000, 50_000));
    let token = client.message_token().unwrap();
    assert!(timeout(soon, client.completion()).await.is_err());
    let mut from = IovIter::span(region.lend(0..50_000, Some(&token)).unwrap());
    while from.remaining() > 0 {
        client
            .send_message(&mut from, SendFlags::NONE, Some(&token))
            .await
            .unwrap();
    }
    drop((from, token));
    assert_eq!(client.completion().await.unwrap().last, 0);
    assert!(region.unregister().is_ok());

    // What was given up has taken nothing.
    let mut room = vec![0; 200_000];
    for flags in [RecvFlags::WAITALL, RecvFlags::WAITALL | RecvFlags::PEEK] {
        let mut into = IovIter::buffer(&mut room);
        assert!(
            timeout(soon, server.recv_message(&mut into, flags))
                .await
                .is_err()
        );
        assert_eq!(into.done(), 0);
    }
    let mut into = IovIter::buffer(&mut room[..140_000]);
    let got = server
        .recv_message(&mut into, RecvFlags::WAITALL)
        .await
        .unwrap();
    assert_eq!(got.bytes, 140_000);
    check(0, &room[..140_000]);
    let mut spans = VecDeque::new();
    assert_eq!(
        server.recv_spans(&mut spans, 1 << 20).await.unwrap(),
        10_000
    );
    let all: Vec<u8> = spans
        .iter()
        .flat_map(|span| span.to_vec().unwrap())
        .collect();
    check(140_000, &all);
    assert!(
        timeout(soon, server.recv_spans(&mut spans, 1))
            .await
            .is_err()
    );
    drop((all, spans, listener, server, client));
    tokio::task::spawn_blocking(|| pair.finish()).await.unwrap();
}

#[tokio::test]
async fn asynchronous_datagrams_of_buffers_with_an_owner() {
    let pair = Pair::start();
    let server = asynchronous::UdpSocket::bind(&pair.server, at(53)).unwrap();
    let client =
        asynchronous::UdpSocket::bind(&pair.client, "10.0.0.2:0".parse().unwrap()).unwrap();
    let token = client.message_token().unwrap();
    let owner = (Bytes::from(filled(0, 5_000)), token.clone());
    let span = Span::from_owner(pair.client.ledger(), owner).unwrap();
    let control = SendControl {
        to: Some(at(53)),
        token: Some(&token),
        ..SendControl::default()
    };
    let mut from = IovIter::span(span);
    client
        .send_message(&mut from, SendFlags::NONE, &control)
        .await
        .unwrap();
    drop((from, token));
    let mut spans = VecDeque::new();
    let got = server.recv_spans(&mut spans).await.unwrap();
    assert_eq!(
        (got.len, got.from),
        (5_000, Some(client.local_addr().unwrap()))
    );
    drop((spans, server));
    assert_eq!(client.completion().await.unwrap().first, 0);
    drop(client);
    tokio::task::spawn_blocking(|| pair.finish()).await.unwrap();
}
