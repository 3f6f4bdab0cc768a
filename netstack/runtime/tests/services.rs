//! The services that run inside the loop.

mod common;

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use common::{Pair, at, at6, check, fill, link};
use netstack::net::{TcpStream, UdpSocket};
use netstack::services::{Chargen, Discard, Echo};
use netstack::txbuf::{IovIter, Span};
use netstack::{Event, SendControl, SendFlags, Service, ServiceContext};

fn serving(service: impl Service + 'static) -> Pair {
    Pair::with(link(), |server| server.service(service), |client| client)
}

#[test]
fn echo_returns_every_byte() {
    const BYTES: u64 = 16 << 20;
    let pair = serving(Echo::new([at(7), at6(7)]));
    for address in [at(7), at6(7)] {
        let stream = TcpStream::connect(&pair.client, address).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut buf = vec![0; 100_000];
                let mut position = 0;
                while position < BYTES {
                    let length = (BYTES - position).min(100_000) as usize;
                    fill(position, &mut buf[..length]);
                    (&stream).write_all(&buf[..length]).unwrap();
                    position += length as u64;
                }
                stream.shutdown(Shutdown::Write).unwrap();
            });
            let mut buf = vec![0; 100_000];
            let mut position = 0;
            loop {
                let length = (&stream).read(&mut buf).unwrap();
                if length == 0 {
                    break;
                }
                check(position, &buf[..length]);
                position += length as u64;
            }
            assert_eq!(position, BYTES);
        });
    }
    pair.finish();
}

#[test]
fn echo_answers_datagrams_but_not_other_services() {
    let pair = serving(Echo::new([at(7)]));
    let service = UdpSocket::bind(&pair.client, "10.0.0.2:7").unwrap();
    service.send_to(b"for ever", at(7)).unwrap();
    let client = UdpSocket::bind(&pair.client, "10.0.0.2:0").unwrap();
    let mut buf = vec![0; 65_535];
    for size in [0, 5, 40_000] {
        let mut datagram = vec![0; size];
        fill(3, &mut datagram);
        client.send_to(&datagram, at(7)).unwrap();
        assert_eq!(client.recv_from(&mut buf).unwrap(), (size, at(7)));
        check(3, &buf[..size]);
    }
    service.set_nonblocking(true).unwrap();
    assert_eq!(
        service.recv_from(&mut buf).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    drop((service, client));
    pair.finish();
}

#[test]
fn echo_answers_every_datagram_however_much_memory_it_keeps() {
    let pair = serving(Echo::new([at(7)]));
    let client = UdpSocket::bind(&pair.client, "10.0.0.2:0").unwrap();
    let count = 100;
    for number in 0..count {
        // The link passes buffers on: the echo keeps the whole of each.
        let mut buffer = vec![0; 100_000];
        fill(number, &mut buffer);
        let mut span = Span::from_bytes(pair.client.ledger(), buffer.into()).unwrap();
        span.truncate(1000).unwrap();
        let control = SendControl::to(at(7));
        let mut from = IovIter::span(span);
        let sent = client.send_message(&mut from, SendFlags::NONE, &control);
        assert_eq!(sent.unwrap(), 1000);
    }
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut buf = [0; 2000];
    for number in 0..count {
        assert_eq!(client.recv_from(&mut buf).unwrap(), (1000, at(7)));
        check(number, &buf[..1000]);
    }
    drop(client);
    pair.finish();
}

#[test]
fn echo_does_not_hoard_for_a_client_that_does_not_read() {
    let pair = serving(Echo::new([at(7)]));
    let mut client = TcpStream::connect(&pair.client, at(7)).unwrap();
    client
        .set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let buf = vec![0; 1 << 20];
    let mut sent = 0;
    while let Ok(written) = client.write(&buf) {
        sent += written;
        assert!(sent < 128 << 20, "the window never closed");
    }
    drop(client);
    pair.finish();
}

#[test]
fn discard_takes_everything_and_says_nothing() {
    for discard in [Discard::new([at(9)]), Discard::copying([at(9)])] {
        discards(discard);
    }
}

fn discards(discard: Discard) {
    let pair = serving(discard);
    let mut client = TcpStream::connect(&pair.client, at(9)).unwrap();
    let buf = vec![7; 1 << 20];
    for _ in 0..32 {
        client.write_all(&buf).unwrap();
    }
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    drop(client);
    let datagrams = UdpSocket::bind(&pair.client, "10.0.0.2:0").unwrap();
    datagrams.send_to(b"into the void", at(9)).unwrap();
    drop(datagrams);
    pair.finish();
}

#[test]
fn chargen_sends_its_pattern_to_everybody() {
    for chargen in [Chargen::new([at(19)]), Chargen::copying([at(19)])] {
        sends_its_pattern(chargen);
    }
}

fn sends_its_pattern(chargen: Chargen) {
    let pair = serving(chargen);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = TcpStream::connect(&pair.client, at(19)).unwrap();
                let mut text = vec![0; 74 * 95 * 1_000];
                client.read_exact(&mut text).unwrap();
                for (index, line) in text.chunks(74).enumerate() {
                    let first = b' ' + (index % 95) as u8;
                    assert_eq!(line[0], first);
                    assert_eq!(line[71], b' ' + ((index + 71) % 95) as u8);
                    assert_eq!(&line[72..], b"\r\n");
                }
            });
        }
    });
    pair.finish();
}

#[test]
fn services_come_and_are_refused_while_the_stack_runs() {
    let pair = Pair::start();
    pair.server.serve(Echo::new([at(7)])).unwrap();
    let refused = pair.server.serve(Echo::new([at(8), at(7)])).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AddrInUse);
    // What the refused one had opened is free again.
    pair.server.serve(Echo::new([at(8)])).unwrap();
    let mut client = TcpStream::connect(&pair.client, at(8)).unwrap();
    client.write_all(b"hello").unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    drop(client);
    pair.finish();
}

#[test]
fn a_panic_ends_the_service_and_nothing_else() {
    struct Bomb;

    impl Service for Bomb {
        fn name(&self) -> &str {
            "bomb"
        }

        fn on_start(&mut self, cx: &mut ServiceContext<'_>) -> io::Result<()> {
            cx.listen(at(13), 16).map(drop)
        }

        fn on_event(&mut self, cx: &mut ServiceContext<'_>, event: &Event) {
            let _ = cx.accept(event.socket);
            panic!("as the test wants it");
        }
    }

    let pair = Pair::with(
        link(),
        |server| server.service(Bomb).service(Echo::new([at(7)])),
        |client| client,
    );
    let mut victim = TcpStream::connect(&pair.client, at(13)).unwrap();
    assert!(
        matches!(victim.read(&mut [0; 1]), Ok(0) | Err(_)),
        "its sockets are closed"
    );
    assert_eq!(
        TcpStream::connect(&pair.client, at(13)).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    let mut client = TcpStream::connect(&pair.client, at(7)).unwrap();
    client.write_all(b"still here").unwrap();
    client.read_exact(&mut [0; 10]).unwrap();
    drop((victim, client));
    pair.finish();
}
