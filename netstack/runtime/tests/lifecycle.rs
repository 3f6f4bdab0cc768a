//! Ending a stack, running out of memory, and broken devices.

mod common;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Pair, at, check, cidr, fill, link, shards, within};
use netstack::drivers::{Capabilities, Device, DeviceCounters, memory};
use netstack::net::{TcpListener, TcpStream, UdpSocket};
use netstack::txbuf::{Ledger, Packet};
use netstack::{Interface, Netstack, Pools};

/// A device that tells when it is dropped, and fails while it is told to.
struct Watched<D> {
    device: D,
    dropped: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
}

impl<D: Device> Device for Watched<D> {
    fn capabilities(&self) -> Capabilities {
        self.device.capabilities()
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(ErrorKind::NetworkDown.into());
        }
        self.device.receive(into, max)
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(ErrorKind::NetworkDown.into());
        }
        self.device.transmit(from)
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        self.device.poll_fd()
    }

    fn counters(&self) -> DeviceCounters {
        self.device.counters()
    }
}

impl<D> Drop for Watched<D> {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_stack_ends_with_its_last_handle() {
    let (end, _peer) = memory::pair(link()).unwrap();
    let dropped = Arc::new(AtomicBool::new(false));
    let device = Watched {
        device: end,
        dropped: Arc::clone(&dropped),
        broken: Arc::default(),
    };
    let net = Netstack::builder()
        .interface(Interface::new("mem0", device).address(cidr("10.0.0.1/24")))
        .start()
        .unwrap();
    let listener = TcpListener::bind(&net, at(7)).unwrap();
    drop(net);
    thread::sleep(Duration::from_millis(20));
    assert!(!dropped.load(Ordering::SeqCst), "a socket is a handle too");
    drop(listener);
    assert!(within(Duration::from_secs(2), || dropped.load(Ordering::SeqCst)));
}

#[test]
fn the_last_handle_waits_for_what_was_written() {
    let pair = Pair::start();
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    let mut client = TcpStream::connect(&pair.client, at(7)).unwrap();
    let mut data = vec![0; 2 << 20];
    fill(0, &mut data);
    client.write_all(&data).unwrap();
    drop((client, pair.client));
    let mut received = Vec::new();
    listener
        .accept()
        .unwrap()
        .0
        .read_to_end(&mut received)
        .unwrap();
    assert_eq!(received.len(), data.len());
    check(0, &received);
}

#[test]
fn a_peer_has_a_second_to_close_its_side_as_well() {
    for closes in [true, false] {
        let pair = Pair::start();
        let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
        let client = TcpStream::connect(&pair.client, at(7)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        drop(client);
        let peer = thread::spawn(move || {
            assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
            thread::sleep(Duration::from_millis(100));
            (!closes).then_some(server)
        });
        let begun = Instant::now();
        let ended = pair.client.shutdown(Duration::from_secs(60)).unwrap();
        assert!(ended.finished);
        let waited = begun.elapsed();
        assert!(waited >= Duration::from_millis(if closes { 50 } else { 900 }));
        assert!(waited < Duration::from_secs(30), "{waited:?}");
        let still_open = peer.join().unwrap();
        let ended = pair.server.shutdown(Duration::from_secs(5)).unwrap();
        assert!(
            ended.finished,
            "nobody is left to answer its FIN: {ended:?}"
        );
        drop(still_open);
    }
}

#[test]
fn traffic_that_goes_on_keeps_no_stack_from_ending() {
    let pair = Pair::start();
    let target = UdpSocket::bind(&pair.server, at(9)).unwrap();
    let source = UdpSocket::bind(&pair.client, "0.0.0.0:0").unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let _ = source.send_to(b"on and on", at(9));
            }
        });
        thread::sleep(Duration::from_millis(20));
        let begun = Instant::now();
        let ended = pair.server.shutdown(Duration::from_secs(60)).unwrap();
        over.store(true, Ordering::SeqCst);
        assert!(ended.finished, "{ended:?}");
        assert!(begun.elapsed() < Duration::from_secs(30));
    });
    drop(target);
}

#[test]
fn shutting_down_ends_every_wait() {
    let pair = Pair::start();
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    let mut client = TcpStream::connect(&pair.client, at(7)).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    thread::scope(|scope| {
        let accepting = scope.spawn(|| listener.accept().map(drop));
        let reading = scope.spawn(|| server.read(&mut [0; 1]).map(drop));
        thread::sleep(Duration::from_millis(20));
        let ended = pair.server.shutdown(Duration::from_secs(5)).unwrap();
        assert!(ended.finished);
        assert_eq!(ended.devices.len(), shards());
        assert_eq!(ended.devices[0].0, "mem0");
        assert!(ended.interfaces.iter().any(|one| one.device.rx_packets > 0));
        for waiting in [accepting, reading] {
            assert_eq!(
                waiting.join().unwrap().unwrap_err().kind(),
                ErrorKind::NetworkDown
            );
        }
        // The peer of an open connection is told.
        assert_eq!(
            client.read(&mut [0; 1]).unwrap_err().kind(),
            ErrorKind::ConnectionReset
        );
    });
    assert_eq!(
        pair.server.counters().unwrap_err().kind(),
        ErrorKind::NetworkDown
    );
    assert_eq!(
        TcpListener::bind(&pair.server, at(9)).unwrap_err().kind(),
        ErrorKind::NetworkDown
    );
    assert_eq!(
        pair.server.shutdown(Duration::ZERO).unwrap_err().kind(),
        ErrorKind::NetworkDown
    );
    assert_eq!(pair.server.ledger().live_nodes(), 0);
}

#[test]
fn patience_ends() {
    let pair = Pair::start();
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    let mut client = TcpStream::connect(&pair.client, at(7)).unwrap();
    // Nobody ever reads: what was written stays.
    let (server, _) = listener.accept().unwrap();
    client.set_nonblocking(true).unwrap();
    let mut refused = 0;
    while refused < 5 {
        if client.write(&[0; 100_000]).is_err() {
            refused += 1;
            thread::sleep(Duration::from_millis(10));
        }
    }
    drop(client);
    let before = Instant::now();
    let ended = pair.client.shutdown(Duration::from_millis(100)).unwrap();
    assert!(!ended.finished);
    assert!(before.elapsed() < Duration::from_secs(2));
    drop(server);
    let server = pair.server.shutdown(Duration::from_secs(5)).unwrap();
    let ledgers = ended.ledgers.clone();
    drop((ended, server));
    assert!(ledgers.iter().all(|ledger| ledger.live_nodes() == 0));
}

#[test]
fn writers_wait_for_memory_and_go_on() {
    const BYTES: usize = 4 << 20;
    let ledger = Ledger::new();
    let pools = Pools::new(&ledger, 256 << 10);
    let pair = Pair::with(
        link(),
        |server| server,
        |client| client.configure(move |config| config.pools = pools.clone()),
    );
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = TcpStream::connect(&pair.client, at(7)).unwrap();
                let mut data = vec![0; BYTES];
                fill(0, &mut data);
                client.write_all(&data).unwrap();
            });
        }
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().unwrap();
            scope.spawn(move || {
                let mut received = Vec::new();
                stream.read_to_end(&mut received).unwrap();
                assert_eq!(received.len(), BYTES);
                check(0, &received);
            });
        }
    });
    drop(listener);
    pair.finish();
}

#[test]
fn a_device_that_was_broken_is_used_again() {
    let (one, other) = memory::pair(link()).unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let device = Watched {
        device: one,
        dropped: Arc::default(),
        broken: Arc::clone(&broken),
    };
    let server = Netstack::builder()
        .interface(Interface::new("mem0", device).address(cidr("10.0.0.1/24")))
        .start()
        .unwrap();
    let client = Netstack::builder()
        .interface(Interface::new("mem0", other).address(cidr("10.0.0.2/24")))
        .start()
        .unwrap();
    let listener = TcpListener::bind(&server, at(7)).unwrap();
    let mut stream = TcpStream::connect(&client, at(7)).unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    broken.store(true, Ordering::SeqCst);
    stream.write_all(b"through the storm").unwrap();
    assert!(within(Duration::from_secs(2), || server
        .interfaces()
        .unwrap()[0]
        .error
        .is_some()));
    broken.store(false, Ordering::SeqCst);
    let mut buf = [0; 17];
    accepted.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"through the storm");
    assert!(within(Duration::from_secs(2), || server
        .interfaces()
        .unwrap()[0]
        .error
        .is_none()));
}
