//! When messages left and arrived (`SO_TIMESTAMPING`), between two hosts whose time the test has.

use core::time::Duration;
use std::net::SocketAddr;

use netstack_core::{Config, IfaceId, Instant, InterfaceConfig, Stack};
use netstack_sockets::{Errno, MessageHead, Parts, SockAddr, Sockets};
use txbuf::{IovIter, Offloads, Packet};

const IFACE: IfaceId = IfaceId::new(0);
const START: Instant = Instant::from_secs(1);
const MS: Duration = Duration::from_millis(1);

const SOFT: u32 = libc::SOF_TIMESTAMPING_SOFTWARE;
const TX: u32 = libc::SOF_TIMESTAMPING_TX_SOFTWARE;
const RX: u32 = libc::SOF_TIMESTAMPING_RX_SOFTWARE;
const SCHED: u32 = libc::SOF_TIMESTAMPING_TX_SCHED;
const ACK: u32 = libc::SOF_TIMESTAMPING_TX_ACK;
const ID: u32 = libc::SOF_TIMESTAMPING_OPT_ID;
const ONLY: u32 = libc::SOF_TIMESTAMPING_OPT_TSONLY;

/// `ee_info`.
const SENT: u32 = 0;
const SCHEDULED: u32 = 1;
const ACKNOWLEDGED: u32 = 2;

fn host(number: u8) -> Sockets {
    let mut stack = Stack::new(Config::new([number; 32]));
    let config = InterfaceConfig {
        name: "link".into(),
        mtu: 1500,
        offloads: Offloads::default(),
    };
    let iface = stack.add_interface(config).expect("an interface");
    let cidr = format!("10.0.0.{number}/24").parse().expect("a prefix");
    stack.add_address(iface, cidr).expect("an address");
    stack.handle_timeout(START);
    Sockets::new(stack)
}

fn at(text: &str) -> SockAddr {
    text.parse::<SocketAddr>().expect("an address").into()
}

fn socket(sockets: &mut Sockets, kind: i32) -> i32 {
    let made = sockets.socket(libc::AF_INET, kind | libc::SOCK_NONBLOCK, 0);
    made.expect("a socket")
}

fn sent(sockets: &mut Sockets, now: Instant) -> Vec<Packet> {
    let stack = sockets.stack_mut();
    core::iter::from_fn(|| stack.poll_transmit(now, IFACE)).collect()
}

fn arrive(sockets: &mut Sockets, now: Instant, packets: Vec<Packet>) {
    for packet in packets {
        sockets.stack_mut().handle_packet(now, IFACE, packet);
    }
}

/// Everything that either has to say reaches the other, at one time.
fn pass(now: Instant, hosts: &mut [Sockets; 2]) {
    for _ in 0..4 {
        let [one, other] = hosts;
        let packets = sent(one, now);
        arrive(other, now, packets);
        let packets = sent(other, now);
        arrive(one, now, packets);
    }
}

fn stamp(sockets: &mut Sockets, now: Instant, fd: i32, flags: u32) {
    let (level, name) = (libc::SOL_SOCKET, libc::SO_TIMESTAMPING);
    let done = sockets.setsockopt(now, fd, level, name, &flags.to_ne_bytes());
    assert_eq!(done, Ok(()));
}

fn send(sockets: &mut Sockets, fd: i32, bytes: &[u8]) {
    let done = sockets.sendmsg(fd, &mut IovIter::bytes(bytes), &MessageHead::default(), 0);
    assert_eq!(done, Ok(bytes.len()));
}

/// What is told next: what happened to which message, when, and its packet.
fn told(sockets: &mut Sockets, fd: i32) -> Result<(u32, u32, Instant, Vec<u8>), Errno> {
    let mut buffer = vec![0; 1 << 16];
    let got = sockets.recvmsg(
        fd,
        &mut IovIter::buffer(&mut buffer),
        512,
        libc::MSG_ERRQUEUE,
    )?;
    buffer.truncate(got.taken);
    let (info, data) = extended(&got.control);
    Ok((info, data, time_of(&got.control), buffer))
}

/// `ee_info` and `ee_data`, of the last control message.
fn extended(control: &[u8]) -> (u32, u32) {
    let word = |from: usize| {
        let bytes = control[control.len() - from..].first_chunk();
        u32::from_ne_bytes(*bytes.expect("a word"))
    };
    assert_eq!(word(32), libc::ENOMSG as u32);
    assert_eq!(word(28), 4, "SO_EE_ORIGIN_TIMESTAMPING");
    (word(24), word(20))
}

/// The first of the times in the first control message.
fn time_of(control: &[u8]) -> Instant {
    let long = |at: usize| {
        let bytes = control[at..].first_chunk();
        u64::from_ne_bytes(*bytes.expect("a number"))
    };
    assert_eq!(long(0), 16 + 48);
    assert_eq!(long(8) >> 32, libc::SO_TIMESTAMPING as u64);
    assert!(control[32..64].iter().all(|byte| *byte == 0), "no hardware");
    Instant::ZERO + Duration::new(long(16), long(24) as u32)
}

fn datagrams() -> (Sockets, i32) {
    let mut sockets = host(1);
    let fd = socket(&mut sockets, libc::SOCK_DGRAM);
    let connected = sockets.connect(START, fd, &at("10.0.0.2:9"));
    assert_eq!(connected, Ok(()));
    (sockets, fd)
}

/// A connection from the first host to the second.
fn connection() -> ([Sockets; 2], i32, i32) {
    let mut hosts = [host(1), host(2)];
    let listener = socket(&mut hosts[1], libc::SOCK_STREAM);
    assert_eq!(hosts[1].bind(listener, &at("10.0.0.2:80")), Ok(()));
    assert_eq!(hosts[1].listen(listener, 5), Ok(()));
    let client = socket(&mut hosts[0], libc::SOCK_STREAM);
    let begun = hosts[0].connect(START, client, &at("10.0.0.2:80"));
    assert_eq!(begun, Err(Errno::EINPROGRESS));
    pass(START, &mut hosts);
    let (server, _) = hosts[1].accept(START, listener, 0).expect("a connection");
    (hosts, client, server)
}

#[test]
fn a_datagram_is_scheduled_when_it_is_sent_and_sent_when_the_device_takes_it() {
    let (mut sockets, fd) = datagrams();
    stamp(&mut sockets, START, fd, SOFT | TX | SCHED | ID);
    send(&mut sockets, fd, b"one");
    assert_eq!(told(&mut sockets, fd), Err(Errno::EAGAIN), "not yet");
    let later = START + 5 * MS;
    let packets = sent(&mut sockets, later);
    let packet = packets[0].to_vec().expect("readable bytes");
    assert_eq!(
        told(&mut sockets, fd),
        Ok((SCHEDULED, 0, START, packet.clone()))
    );
    assert_eq!(told(&mut sockets, fd), Ok((SENT, 0, later, packet)));
    assert_eq!(told(&mut sockets, fd), Err(Errno::EAGAIN));
}

#[test]
fn what_is_never_sent_is_not_told_of() {
    let (mut sockets, fd) = datagrams();
    stamp(&mut sockets, START, fd, SOFT | TX | ONLY);
    send(&mut sockets, fd, b"one");
    let counted = sockets.stack().counters().udp.stamps_queued;
    assert_eq!(sockets.close(START, fd), Ok(()));
    assert_eq!(counted, 0);
}

#[test]
fn a_stream_tells_of_its_last_byte_when_it_leaves_each_time_and_when_it_has_arrived() {
    let (mut hosts, client, _) = connection();
    stamp(&mut hosts[0], START, client, SOFT | TX | ACK | ID | ONLY);
    let bytes = [7; 3000];
    send(&mut hosts[0], client, &bytes);
    // It is lost.
    assert!(!sent(&mut hosts[0], START).is_empty());
    assert_eq!(
        told(&mut hosts[0], client),
        Ok((SENT, 2999, START, Vec::new()))
    );
    let mut now;
    let again = loop {
        now = hosts[0].stack().poll_timeout().expect("a timer");
        hosts[0].stack_mut().handle_timeout(now);
        let packets = sent(&mut hosts[0], now);
        arrive(&mut hosts[1], now, packets);
        if let Ok(again) = told(&mut hosts[0], client) {
            break again;
        }
    };
    assert_eq!(again, (SENT, 2999, now, Vec::new()));
    // Until all has arrived.
    for _ in 0..100 {
        now += 100 * MS;
        for host in &mut hosts {
            host.stack_mut().handle_timeout(now);
        }
        pass(now, &mut hosts);
    }
    let mut last = None;
    while let Ok(more) = told(&mut hosts[0], client) {
        last = Some(more);
    }
    let (stage, id, time, _) = last.expect("it has arrived");
    assert_eq!((stage, id), (ACKNOWLEDGED, 2999));
    assert!(time > again.2);
}

#[test]
fn a_stream_shows_its_segment_and_what_was_acknowledged() {
    let (mut hosts, client, _) = connection();
    stamp(&mut hosts[0], START, client, SOFT | TX | ACK);
    send(&mut hosts[0], client, b"hello");
    let packets = sent(&mut hosts[0], START);
    let packet = packets[0].to_vec().expect("readable bytes");
    arrive(&mut hosts[1], START, packets);
    let later = START + 100 * MS;
    hosts[1].stack_mut().handle_timeout(later);
    pass(later, &mut hosts);
    let first = told(&mut hosts[0], client);
    assert_eq!(first, Ok((SENT, 0, START, packet)));
    let second = told(&mut hosts[0], client);
    assert_eq!(second, Ok((ACKNOWLEDGED, 0, later, b"hello".to_vec())));
}

#[test]
fn bytes_are_numbered_from_what_is_not_acknowledged_or_from_what_is_written_next() {
    for (flags, first) in [(ID, 3), (ID | 1 << 16, 0)] {
        let (mut hosts, client, _) = connection();
        send(&mut hosts[0], client, b"abc");
        stamp(&mut hosts[0], START, client, SOFT | TX | ONLY | flags);
        send(&mut hosts[0], client, b"de");
        sent(&mut hosts[0], START);
        let now = START + Duration::from_secs(1);
        hosts[0].stack_mut().handle_timeout(now);
        pass(now, &mut hosts);
        let (stage, id, ..) = told(&mut hosts[0], client).expect("it has left");
        assert_eq!((stage, id), (SENT, first + 1));
    }
}

#[test]
fn what_nobody_reads_is_bounded_and_counted() {
    let (mut sockets, fd) = datagrams();
    stamp(&mut sockets, START, fd, SOFT | TX | ONLY);
    for _ in 0..1000 {
        send(&mut sockets, fd, b"x");
        sent(&mut sockets, START);
    }
    let udp = &sockets.stack().counters().udp;
    assert_eq!((udp.stamps_queued, udp.stamps_queue_full), (256, 744));
    let waiting = core::iter::from_fn(|| told(&mut sockets, fd).ok()).count();
    assert_eq!(waiting, 256);

    let (mut hosts, client, _) = connection();
    stamp(&mut hosts[0], START, client, SOFT | TX | ACK | ONLY);
    for _ in 0..300 {
        send(&mut hosts[0], client, b"x");
    }
    let tcp = &hosts[0].stack().counters().tcp;
    assert_eq!(tcp.stamps_queue_full, 300 - 256);
}

#[test]
fn packets_that_nobody_reads_are_bounded_by_their_bytes() {
    let (mut sockets, fd) = datagrams();
    stamp(&mut sockets, START, fd, SOFT | TX);
    for _ in 0..1000 {
        send(&mut sockets, fd, &[7; 1400]);
        sent(&mut sockets, START);
    }
    let held = sockets.stack().holdings();
    let held: usize = held.iter().map(|one| one.sending).sum();
    assert!((100_000..1 << 21).contains(&held), "{held}");
    let queued = sockets.stack().counters().udp.stamps_queued;
    assert_eq!(queued, (256 << 10) / 1428);
    assert_eq!(sockets.close(START, fd), Ok(()));
    assert!(sockets.stack().holdings().is_empty());
}

#[test]
fn payload_that_waits_to_be_acknowledged_is_bounded_by_its_bytes() {
    let (mut hosts, client, server) = connection();
    // The window has to take all messages at once.
    for _ in 0..8 {
        send(&mut hosts[0], client, &[1; 40_000]);
        pass(START, &mut hosts);
        let mut buffer = [0; 40_000];
        let got = hosts[1].recvmsg(server, &mut IovIter::buffer(&mut buffer), 0, 0);
        assert_eq!(got.map(|got| got.bytes), Ok(40_000));
    }
    stamp(&mut hosts[0], START, client, SOFT | ACK);
    for _ in 0..256 {
        send(&mut hosts[0], client, &[7; 140]);
    }
    // With each message what left with its end is kept.
    let segments = sent(&mut hosts[0], START);
    let tcp = &hosts[0].stack().counters().tcp;
    let bare = tcp.stamps_without_payload;
    assert!((1..256).contains(&bare), "{bare}");
    let held = hosts[0].stack().holdings();
    let held: usize = held.iter().map(|one| one.sending).sum();
    assert!((36_000..1 << 20).contains(&held), "{held}");
    // All of them are told, those beyond without bytes.
    arrive(&mut hosts[1], START, segments);
    pass(START, &mut hosts);
    // The last segment waits for another one to be acknowledged with.
    let later = START + 50 * MS;
    hosts[1].stack_mut().handle_timeout(later);
    pass(later, &mut hosts);
    let all: Vec<_> = core::iter::from_fn(|| told(&mut hosts[0], client).ok()).collect();
    assert_eq!(all.len(), 256);
    let shown = all.iter().map(|(.., bytes)| bytes.len());
    assert_eq!(
        shown.clone().filter(|shown| *shown == 0).count() as u64,
        bare
    );
    let shown: usize = shown.sum();
    assert!((200 << 10..=256 << 10).contains(&shown), "{shown}");
}

#[test]
fn what_arrives_has_its_time() {
    let (mut hosts, client, server) = connection();
    stamp(&mut hosts[1], START, server, SOFT | RX);
    send(&mut hosts[0], client, b"hello");
    let later = START + 7 * MS;
    pass(later, &mut hosts);
    let mut buffer = [0; 10];
    let got = hosts[1].recvmsg(server, &mut IovIter::buffer(&mut buffer), 512, 0);
    let got = got.expect("data");
    assert_eq!(got.bytes, 5);
    assert_eq!(time_of(&got.control), later);
}

#[test]
fn who_watches_is_told() {
    let (mut sockets, fd) = datagrams();
    stamp(&mut sockets, START, fd, SOFT | TX | ONLY);
    let ep = sockets.epoll_create().expect("a descriptor");
    let wanted = netstack_sockets::EpollEvent {
        events: libc::EPOLLET as u32,
        data: 7,
    };
    let added = sockets.epoll_ctl(ep, libc::EPOLL_CTL_ADD, fd, wanted);
    assert_eq!(added, Ok(()));
    let mut events = [Default::default(); 2];
    for _ in 0..2 {
        assert_eq!(sockets.epoll_wait(ep, &mut events), Ok(0));
        send(&mut sockets, fd, b"x");
        sent(&mut sockets, START);
        assert_eq!(sockets.epoll_wait(ep, &mut events), Ok(1));
        assert_eq!(
            (events[0].events, events[0].data),
            (libc::EPOLLERR as u32, 7)
        );
    }
}

#[test]
fn a_message_of_several_parts_is_told_of_once() {
    for all in [true, false] {
        let (mut hosts, client, server) = connection();
        stamp(&mut hosts[0], START, client, SOFT | TX | ACK | ID | ONLY);
        let one = 1i32.to_ne_bytes();
        let set = hosts[0].setsockopt(START, client, libc::SOL_SOCKET, libc::SO_ZEROCOPY, &one);
        assert_eq!(set, Ok(()));
        let bytes = vec![7; 1 << 20];
        let (mut parts, mut sent, mut calls, mut now) = (Parts::default(), 0, 0, START);
        while sent < bytes.len() && (all || calls < 2) {
            let mut from = IovIter::bytes(&bytes[sent..]);
            let head = MessageHead::default();
            let flags = libc::MSG_ZEROCOPY;
            match hosts[0].sendmsg_part(client, &mut from, &head, flags, &mut parts) {
                Ok(more) => (sent, calls) = (sent + more, calls + 1),
                error => assert_eq!(error, Err(Errno::EAGAIN)),
            }
            if sent == bytes.len() {
                break;
            }
            let early = told(&mut hosts[0], client);
            assert_eq!(early, Err(Errno::EAGAIN), "in the middle");
            pass_and_read(&mut now, &mut hosts, server);
        }
        assert!(calls > 1, "{calls} parts");
        hosts[0].end_message(parts);
        for _ in 0..20 {
            pass_and_read(&mut now, &mut hosts, server);
        }
        let mut buffer = [0; 10];
        let mut into = IovIter::buffer(&mut buffer);
        let completed = hosts[0].recvmsg(client, &mut into, 512, libc::MSG_ERRQUEUE);
        let control = completed.expect("a completion").control;
        // Number 0 to 0, copied.
        let range = control.len() - 24..control.len() - 16;
        assert!(control[range].iter().all(|byte| *byte == 0), "{control:?}");
        let mut last = None;
        while let Ok((stage, id, ..)) = told(&mut hosts[0], client) {
            assert_eq!(id as usize, sent - 1);
            assert_ne!(last, Some(ACKNOWLEDGED));
            last = Some(stage);
        }
        // What was all acknowledged when it was found to be the end is not told of.
        assert_eq!(last, all.then_some(ACKNOWLEDGED));
    }
}

/// Time passes, and the second host reads what comes.
fn pass_and_read(now: &mut Instant, hosts: &mut [Sockets; 2], server: i32) {
    *now += 50 * MS;
    for host in hosts.iter_mut() {
        host.stack_mut().handle_timeout(*now);
    }
    pass(*now, hosts);
    let mut buffer = vec![0; 1 << 20];
    let _ = hosts[1].recvmsg(server, &mut IovIter::buffer(&mut buffer), 0, 0);
    pass(*now, hosts);
}
