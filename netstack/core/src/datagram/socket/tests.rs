use std::io::{IoSlice, IoSliceMut};

use proptest::prelude::*;
use txbuf::{Chain, Gso, GsoKind, IovIter, Packet, Span};

use super::super::{DatagramDrop, Delivery, OVERHEAD};
use super::*;
use crate::Instant;
use crate::Pools;
use crate::datagram::Reported;
use crate::doorbell::Doorbell;
use crate::ip::icmp::{IcmpError, TimeExceeded, Unreachable};
use crate::ip::testing::*;
use crate::socket::{
    ErrorOrigin, ErrorReport, Received, RecvError, RecvFlags, SendControl, SendError,
};
use crate::storage::Taking;
use crate::udp::input;

struct Bench {
    memory: Memory,
    small: Chain,
    socket: DatagramSocket,
}

impl Bench {
    fn new() -> Self {
        Bench::with(DatagramLimits::default())
    }

    fn with(limits: DatagramLimits) -> Self {
        let memory = Memory::new();
        let small = memory.arena();
        Bench {
            memory,
            small,
            socket: DatagramSocket::new(Kind::Udp, SocketAddr::new(ip(B4), 2000), limits),
        }
    }

    fn deliver_packet(&mut self, mut packet: Packet) -> Result<usize, DatagramDrop> {
        let ip = crate::ip::input::parse(&mut packet).unwrap();
        let header = input::parse(&ip, &mut packet).unwrap();
        let delivery = Delivery::of_udp(&header, IfaceId::new(0), Instant::ZERO);
        self.socket.deliver(&delivery, packet, &mut self.small)
    }

    fn deliver(&mut self, payload: &[u8]) -> Result<usize, DatagramDrop> {
        let packet = self.memory.received(&udp_packet(A4, B4, payload));
        self.deliver_packet(packet)
    }

    /// Several datagrams that the device had joined.
    fn deliver_joined(&mut self, payload: &[u8], size: u16) -> Result<usize, DatagramDrop> {
        let mut packet = self.memory.packet(&udp_packet(A4, B4, payload));
        packet.meta.gso = Some(Gso {
            kind: GsoKind::Udp,
            size,
            headers: 28,
        });
        self.deliver_packet(packet)
    }

    fn recv(&mut self, room: usize, peek: bool) -> Result<(Vec<u8>, Received), RecvError> {
        let mut buffer = vec![0; room];
        let received = self.recv_into(&mut IovIter::buffer(&mut buffer), peek)?;
        buffer.truncate(received.bytes);
        Ok((buffer, received))
    }

    fn recv_into(&mut self, into: &mut IovIter<'_>, peek: bool) -> Result<Received, RecvError> {
        let mut taking = Taking {
            flags: RecvFlags::NONE,
            evict: false,
            pools: &Pools::new(&self.memory.ledger, 1 << 20),
            kept: &mut None,
            most: 1 << 20,
            waits_with: &txbuf::Account::new(0),
            doorbell: &Doorbell::new(None),
            waits: &mut false,
        };
        self.socket.recv(into, peek, &mut taking)
    }

    fn send(&mut self, to: Option<SocketAddr>, payload: &[u8]) -> Result<usize, SendError> {
        self.send_from(to, &mut IovIter::bytes(payload))
    }

    fn send_from(
        &mut self,
        to: Option<SocketAddr>,
        from: &mut IovIter<'_>,
    ) -> Result<usize, SendError> {
        let pool = self.memory.pool.clone();
        let control = SendControl {
            to,
            ..SendControl::default()
        };
        let addressed = self.socket.addressed(&control)?;
        self.socket
            .send(addressed, (None, None), from, &mut self.small, &pool)
    }

    fn assert_empty(self) {
        assert_eq!(
            (self.socket.incoming_charge, self.socket.outgoing_charge),
            (0, 0)
        );
        drop((self.socket, self.small));
        assert_eq!(self.memory.ledger.live_nodes(), 0);
    }
}

fn peer() -> SocketAddr {
    SocketAddr::new(ip(A4), 1000)
}

const PORT: IcmpError = IcmpError::Unreachable(Unreachable::Port);

#[test]
fn datagrams_keep_their_boundaries() {
    let mut bench = Bench::new();
    assert!(!bench.socket.is_readable());
    assert_eq!(bench.recv(10, false), Err(RecvError::WouldBlock));
    for len in [5, 0, 1000] {
        assert_eq!(bench.deliver(&pattern(len)), Ok(1));
    }
    for len in [5, 0, 1000] {
        assert!(bench.socket.is_readable());
        let (bytes, received) = bench.recv(2000, false).unwrap();
        assert_eq!(bytes, pattern(len));
        assert_eq!(
            (received.bytes, received.len, received.truncated),
            (len, len, false)
        );
        let arrival = received.arrival.unwrap();
        assert_eq!(
            (received.from, arrival.to, arrival.hop_limit),
            (Some(peer()), ip(B4), 64)
        );
    }
    bench.assert_empty();
}

#[test]
fn what_does_not_fit_is_lost() {
    let mut bench = Bench::new();
    bench.deliver(&pattern(100)).unwrap();
    bench.deliver(&pattern(3)).unwrap();
    let (bytes, received) = bench.recv(10, false).unwrap();
    assert_eq!(bytes, pattern(10));
    assert_eq!((received.len, received.truncated), (100, true));
    assert_eq!(bench.recv(10, false).unwrap().0, pattern(3));
}

#[test]
fn peeking_leaves_it_there() {
    let mut bench = Bench::new();
    bench.deliver(&pattern(100)).unwrap();
    assert_eq!(bench.recv(10, true).unwrap().0, pattern(10));
    assert_eq!(bench.recv(200, true).unwrap().0, pattern(100));
    assert_eq!(bench.recv(200, false).unwrap().0, pattern(100));
    assert!(!bench.socket.is_readable());
}

#[test]
fn scattered_and_as_spans() {
    let mut bench = Bench::new();
    bench.deliver(&pattern(1000)).unwrap();
    let (mut a, mut b) = ([0; 300], [0; 800]);
    let mut vectors = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
    assert_eq!(
        bench
            .recv_into(&mut IovIter::sink(&mut vectors), false)
            .unwrap()
            .bytes,
        1000
    );
    assert_eq!([&a[..], &b[..700]].concat(), pattern(1000));
    bench.deliver(&pattern(1000)).unwrap();
    let mut spans = VecDeque::new();
    assert_eq!(
        bench
            .recv_into(&mut IovIter::collect(&mut spans, 5000), false)
            .unwrap()
            .bytes,
        1000
    );
    assert_eq!(spans[0].to_vec().unwrap(), pattern(1000));
}

#[test]
fn the_receive_queue_is_bounded() {
    let mut bench = Bench::with(DatagramLimits {
        receive: 10_000,
        send: 10_000,
    });
    let delivered = (0..100)
        .filter(|_| bench.deliver(&pattern(1000)).is_ok())
        .count();
    assert_eq!(delivered, 8);
    assert_eq!(bench.deliver(&[]), Err(DatagramDrop::QueueFull));
    bench.recv(0, false).unwrap();
    assert_eq!(bench.deliver(&[]), Ok(1));
    // Empty datagrams are not free.
    let mut bench = Bench::with(DatagramLimits {
        receive: 10_000,
        send: 10_000,
    });
    assert_eq!((0..100).filter(|_| bench.deliver(&[]).is_ok()).count(), 40);
}

#[test]
fn joined_datagrams_are_taken_apart() {
    let mut bench = Bench::new();
    assert_eq!(bench.deliver_joined(&pattern(1000), 300), Ok(4));
    for chunk in pattern(1000).chunks(300) {
        assert_eq!(bench.recv(2000, false).unwrap().0, chunk);
    }
    bench.assert_empty();
}

#[test]
fn joined_datagrams_stay_joined_for_who_asks() {
    let mut bench = Bench::new();
    bench.socket.set_gro(true);
    assert_eq!(bench.deliver_joined(&pattern(1000), 300), Ok(4));
    // No more than one: nothing was joined.
    assert_eq!(bench.deliver_joined(&pattern(1000), 1000), Ok(1));
    assert_eq!(bench.deliver(&pattern(5)), Ok(1));
    for (room, len, segment) in [(2000, 1000, Some(300)), (2000, 1000, None), (9, 5, None)] {
        let (bytes, received) = bench.recv(room, true).unwrap();
        assert_eq!((bytes, received.segment), (pattern(len), segment));
        bench.recv(room, false).unwrap();
    }
    // What has no room is gone, as of any datagram.
    bench.deliver_joined(&pattern(1000), 300).unwrap();
    let (bytes, received) = bench.recv(400, false).unwrap();
    assert_eq!((bytes, received.len), (pattern(400), 1000));
    assert!(received.truncated);
    assert_eq!(received.segment, Some(300));
    bench.assert_empty();
}

#[test]
fn joined_datagrams_are_taken_apart_when_nobody_wants_them_joined_any_more() {
    let mut bench = Bench::new();
    bench.socket.set_gro(true);
    bench.deliver(&pattern(7)).unwrap();
    bench.deliver_joined(&pattern(1000), 300).unwrap();
    bench.deliver(&[]).unwrap();
    let charge = bench.socket.incoming_charge;
    bench.socket.set_gro(false);
    assert_eq!(bench.socket.incoming_charge, charge);
    let all = pattern(1000);
    let first = pattern(7);
    let mut expected: Vec<&[u8]> = all.chunks(300).collect();
    expected.insert(0, &first);
    expected.push(&[]);
    for datagram in expected {
        let (bytes, received) = bench.recv(2000, false).unwrap();
        assert_eq!((&bytes[..], received.segment), (datagram, None));
    }
    bench.assert_empty();
}

#[test]
fn who_was_refused_hears_of_room_after_each_datagram_that_leaves() {
    let mut bench = Bench::new();
    assert!(!bench.socket.has_news_of_room());
    // Few bytes each, which keep much.
    let large = |bench: &Bench| {
        let mut span = bench.memory.span(&vec![0; 200_000]);
        span.truncate(10).unwrap();
        span
    };
    let span = large(&bench);
    assert_eq!(
        bench.send_from(Some(peer()), &mut IovIter::span(span)),
        Ok(10)
    );
    for _ in 0..2 {
        let span = large(&bench);
        let mut source = IovIter::span(span);
        let full = bench.send_from(Some(peer()), &mut source);
        assert_eq!((full, source.remaining()), (Err(SendError::WouldBlock), 10));
        assert!(!bench.socket.is_writable());
    }
    bench.socket.pop_outgoing().unwrap();
    assert!(bench.socket.has_news_of_room());
    assert!(bench.socket.is_writable());
    assert!(!bench.socket.has_news_of_room());
}

#[test]
fn for_a_reader_that_keeps_up_nothing_is_copied() {
    let mut bench = Bench::new();
    let large = |bench: &Bench| {
        let bytes = [udp_packet(A4, B4, &pattern(1000)), vec![0; 60_000]].concat();
        Packet::from_span(bench.memory.span(&bytes))
    };
    let owned = |bench: &Bench| bench.memory.ledger.report().of(txbuf::Kind::Owned).nodes;
    for _ in 0..100 {
        let packet = large(&bench);
        bench.deliver_packet(packet).unwrap();
        assert_eq!(owned(&bench), 1);
        assert_eq!(bench.recv(2000, false).unwrap().0, pattern(1000));
    }
    // One who does not pins a bounded amount.
    for _ in 0..100 {
        let packet = large(&bench);
        bench.deliver_packet(packet).unwrap();
    }
    assert!(owned(&bench) <= 15, "{}", owned(&bench));
    while bench.recv(2000, false).is_ok() {}
    bench.assert_empty();
}

#[test]
fn a_connected_socket_hears_only_its_peer() {
    let mut bench = Bench::new();
    bench
        .socket
        .connect(ip(B4), Some(SocketAddr::new(ip(A4), 999)));
    assert_eq!(bench.deliver(&[1]), Err(DatagramDrop::NotPeer));
    bench.socket.connect(ip(B4), Some(peer()));
    assert_eq!(bench.deliver(&[1]), Ok(1));
    bench.socket.connect(ip(B4), None);
    assert_eq!(bench.deliver(&[1]), Ok(1));
}

#[test]
fn sending() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(None, b"x"), Err(SendError::NoDestination));
    assert_eq!(bench.send(Some(peer()), &pattern(100)), Ok(100));
    bench
        .socket
        .connect(ip(B4), Some(SocketAddr::new(ip(A4), 7)));
    assert_eq!(bench.send(None, &pattern(10_000)), Ok(10_000));
    assert_eq!(bench.send(None, &[]), Ok(0));
    for (port, len) in [(1000, 100), (7, 10_000), (7, 0)] {
        let outgoing = bench.socket.pop_outgoing().unwrap();
        assert_eq!(outgoing.to.port(), port);
        let payload = outgoing
            .payload
            .map_or(Vec::new(), |span| span.to_vec().unwrap());
        assert_eq!(payload, pattern(len));
    }
    assert!(bench.socket.pop_outgoing().is_none());
    bench.assert_empty();
}

#[test]
fn destinations_that_cannot_be() {
    let mut bench = Bench::new();
    for to in ["[2001:db8::1]:7", "0.0.0.0:7", "10.0.0.1:0"] {
        assert_eq!(
            bench.send(Some(to.parse().unwrap()), b"x"),
            Err(SendError::InvalidAddress),
            "{to}"
        );
    }
}

#[test]
fn the_longest_datagram() {
    for (local, to, most) in [(B4, "10.0.0.1:7", 65_507), (B6, "[2001:db8::1]:7", 65_527)] {
        let mut bench = Bench::new();
        bench.socket = DatagramSocket::new(
            Kind::Udp,
            SocketAddr::new(ip(local), 1),
            DatagramLimits {
                send: 1,
                receive: 1,
            },
        );
        let to = Some(to.parse().unwrap());
        assert_eq!(bench.send(to, &vec![0; most + 1]), Err(SendError::TooLong));
        assert_eq!(
            bench.send(to, &pattern(most)),
            Ok(most),
            "one always fits into an empty queue"
        );
        assert!(!bench.socket.is_writable());
        assert_eq!(
            bench
                .socket
                .pop_outgoing()
                .unwrap()
                .payload
                .unwrap()
                .to_vec()
                .unwrap(),
            pattern(most)
        );
        assert!(bench.socket.is_writable());
    }
}

#[test]
fn a_full_send_queue_takes_nothing() {
    let mut bench = Bench::with(DatagramLimits {
        receive: 10_000,
        send: 3000,
    });
    let bytes = pattern(1000);
    let vectors = [IoSlice::new(&bytes[..400]), IoSlice::new(&bytes[400..])];
    for _ in 0..2 {
        let mut source = IovIter::source(&vectors);
        assert_eq!(bench.send_from(Some(peer()), &mut source), Ok(1000));
        assert_eq!(source.remaining(), 0);
    }
    let mut source = IovIter::source(&vectors);
    let full = bench.send_from(Some(peer()), &mut source);
    assert_eq!(
        (full, source.remaining()),
        (Err(SendError::WouldBlock), 1000)
    );
    bench.socket.pop_outgoing();
    assert_eq!(bench.send_from(Some(peer()), &mut source), Ok(1000));
}

#[test]
fn spans_are_taken_as_they_are() {
    let mut bench = Bench::new();
    for count in [1, 3, 16, 17, 50] {
        let bytes = pattern(count * 500);
        let mut spans: VecDeque<Span> = bytes
            .chunks(500)
            .map(|chunk| bench.memory.span(chunk))
            .collect();
        let mut source = IovIter::spans(&mut spans);
        assert_eq!(bench.send_from(Some(peer()), &mut source), Ok(bytes.len()));
        let copied = count > 16;
        assert_eq!(
            bench.memory.ledger.report().of(txbuf::Kind::Owned).nodes,
            if copied { 0 } else { count }
        );
        assert_eq!(
            bench
                .socket
                .pop_outgoing()
                .unwrap()
                .payload
                .unwrap()
                .to_vec()
                .unwrap(),
            bytes
        );
    }
    bench.assert_empty();
}

#[test]
fn without_memory_nothing_is_queued() {
    let mut bench = Bench::new();
    bench.memory = Memory::limited(0);
    bench.small = bench.memory.arena();
    assert_eq!(bench.send(Some(peer()), b"x"), Err(SendError::NoMemory));
    assert_eq!(
        bench.send(Some(peer()), &[0; 9000]),
        Err(SendError::NoMemory)
    );
    assert_eq!(bench.send(Some(peer()), &[]), Ok(0));
    assert_eq!(bench.deliver(b"x"), Err(DatagramDrop::NoMemory));
}

fn about(to: SocketAddr) -> ErrorReport {
    ErrorReport {
        arrival: None,
        to,
        origin: ErrorOrigin::Icmp,
        kind: 3,
        code: 3,
        info: 0,
        offender: Some(ip(A4)),
        time: Instant::from_secs(1),
    }
}

// req: RFC1122-33, RFC1122udp-03, RFC8085-10, RFC8085-11
#[test]
fn errors_are_told_once_and_only_to_the_connected() {
    let mut bench = Bench::new();
    let report = |bench: &mut Bench, to, error| bench.socket.report(&error, about(to), None);
    assert_eq!(report(&mut bench, peer(), PORT), Reported::Ignored);
    bench.socket.connect(ip(B4), Some(peer()));
    let other = SocketAddr::new(ip(A4), 999);
    assert_eq!(report(&mut bench, other, PORT), Reported::Ignored);
    let late = IcmpError::TimeExceeded(TimeExceeded::HopLimit);
    assert_eq!(report(&mut bench, peer(), late), Reported::Ignored);
    assert!(!bench.socket.is_readable());
    assert_eq!(report(&mut bench, peer(), PORT), Reported::Told);
    assert!(bench.socket.is_readable() && bench.socket.has_error());
    let refused = ConnectionError::Refused;
    assert_eq!(bench.recv(10, false), Err(RecvError::Connection(refused)));
    assert_eq!(bench.recv(10, false), Err(RecvError::WouldBlock));
    report(&mut bench, peer(), PORT);
    assert_eq!(bench.send(None, b"x"), Err(SendError::Connection(refused)));
    assert_eq!(bench.send(None, b"x"), Ok(1));
    report(&mut bench, peer(), PORT);
    assert_eq!(bench.socket.take_error(), Some(refused));
    assert_eq!(bench.socket.take_error(), None);
}

#[test]
fn queued_errors_are_bounded_and_end_with_the_option() {
    let mut bench = Bench::new();
    bench.socket.queue_errors(true);
    for n in 0..100 {
        let start = bench.memory.span(b"start");
        let reported = bench.socket.report(&PORT, about(peer()), Some(start));
        let expected = if n < 64 {
            Reported::Queued
        } else {
            Reported::Dropped
        };
        assert_eq!(reported, expected, "{n}");
    }
    assert_eq!(bench.memory.ledger.live_nodes(), 64);
    bench.socket.queue_errors(false);
    assert_eq!(bench.memory.ledger.live_nodes(), 0);
    assert!(bench.socket.has_error(), "the latest is told all the same");
    bench.assert_empty();
}

proptest! {
    #[test]
    fn the_books_are_kept(steps in prop::collection::vec((0u8..7, 0usize..3000), 0..200)) {
        let limits = DatagramLimits { receive: 20_000, send: 20_000 };
        let mut bench = Bench::with(limits);
        for (step, len) in steps {
            match step {
                0 => { let _ = bench.deliver(&pattern(len)); }
                1 => { let _ = bench.recv(len, false); }
                2 => { let _ = bench.recv(len, true); }
                3 => { let _ = bench.send(Some(peer()), &pattern(len)); }
                4 => { let _ = bench.deliver_joined(&pattern(len), 500); }
                5 => bench.socket.set_gro(len % 2 == 0),
                _ => { bench.socket.pop_outgoing(); }
            }
            let socket = &bench.socket;
            prop_assert_eq!(socket.incoming_charge, socket.incoming.iter().map(Incoming::charge).sum::<usize>());
            prop_assert_eq!(socket.outgoing_charge, socket.outgoing.iter().map(Outgoing::charge).sum::<usize>());
            prop_assert!(socket.incoming_charge <= limits.receive + 3000 + 6 * OVERHEAD);
            prop_assert!(socket.outgoing_charge <= limits.send);
        }
        while bench.recv(0, false).is_ok() {}
        while bench.socket.pop_outgoing().is_some() {}
        bench.assert_empty();
    }
}
