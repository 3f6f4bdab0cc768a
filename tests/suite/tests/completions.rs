//! Who lends or gives memory is told when it is used no more: once, in order, and without waiting for
//! anybody who reads.

use bytes::Bytes;
use core::time::Duration;
use netstack_core::{
    Config, RecvError, RecvFlags, SendControl, SendFlags, SocketError, SocketId, Stack, TokenError,
};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use suite::duo::Duo;
use suite::sim::{Host, World, WorldConfig};
use txbuf::{Completion, IovIter, Kind, Packet, Part, Region, Span, Token};

const SECOND: Duration = Duration::from_secs(1);

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 256) as u8).collect()
}

fn done(first: u32, last: u32, copied: bool) -> Result<Option<Completion>, SocketError> {
    Ok(Some(Completion {
        first,
        last,
        copied,
    }))
}

const NOT_YET: Result<Option<Completion>, SocketError> = Ok(None);

/// Sends all of `from` with `token`, for which there must be room.
fn send(stack: &mut Stack, socket: SocketId, from: &mut IovIter<'_>, token: &Token) {
    let control = SendControl {
        token: Some(token),
        ..SendControl::default()
    };
    let wanted = from.remaining();
    let sent = stack.send_message(socket, from, SendFlags::NONE, &control);
    assert_eq!(sent, Ok(wanted));
}

/// Lends a region of `len` bytes as the socket's next message and sends it.
fn lend(stack: &mut Stack, socket: SocketId, len: usize) -> Region<Vec<u8>> {
    let region = Region::new(stack.ledger(), pattern(len));
    let token = stack.message_token(socket).expect("a token");
    let span = region.lend(0..len, Some(&token)).expect("within");
    send(stack, socket, &mut IovIter::span(span), &token);
    region
}

/// Everything that can be read.
fn drain(stack: &mut Stack, socket: SocketId) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let mut into = IovIter::buffer(&mut buffer);
        match stack.receive_message(socket, &mut into, RecvFlags::NONE) {
            Ok(got) if got.bytes > 0 => all.extend_from_slice(&buffer[..got.bytes]),
            Ok(_) | Err(RecvError::WouldBlock) => return all,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn lent_memory_comes_back_when_it_is_acknowledged() {
    let mut duo = Duo::new(&WorldConfig::offloading());
    let [client, server] = duo.connect(7);
    // Receives into memory of its own, as every real device does.
    let pool = duo.hosts[1].stack.pools().send.clone();
    duo.receive_into(1, &pool);
    let stack = &mut duo.hosts[0].stack;
    while stack.poll_event().is_some() {}
    let regions = [100_000, 50_000, 3_000].map(|len| lend(stack, client, len));
    assert_eq!(stack.poll_completion(client), NOT_YET);
    let [first, second, third] = regions;
    let first = first.unregister().expect_err("in use").0;
    duo.settle(SECOND);
    let stack = &mut duo.hosts[0].stack;
    assert!(stack.has_output());
    let told = std::iter::from_fn(|| stack.poll_event()).any(|event| event.completed);
    assert!(told, "an event says so");
    assert_eq!(stack.poll_completion(client), done(0, 2, false));
    assert_eq!(stack.poll_completion(client), NOT_YET);
    for region in [first, second, third] {
        assert!(region.unregister().is_ok());
    }
    let expected = [pattern(100_000), pattern(50_000), pattern(3_000)].concat();
    assert_eq!(drain(&mut duo.hosts[1].stack, server), expected);
}

#[test]
fn a_message_in_several_calls_is_one_message() {
    let mut world = WorldConfig::offloading();
    world.tcp.send_buffer = 40_000;
    let mut duo = Duo::new(&world);
    let pool = duo.hosts[1].stack.pools().send.clone();
    let [client, server] = duo.connect(7);
    duo.receive_into(1, &pool);
    let region = Region::new(duo.hosts[0].stack.ledger(), pattern(100_000));
    let token = duo.hosts[0].stack.message_token(client).expect("a token");
    let mut from = IovIter::span(region.lend(0..100_000, Some(&token)).expect("within"));
    let control = SendControl {
        token: Some(&token),
        ..SendControl::default()
    };
    let mut received = Vec::new();
    while from.remaining() > 0 {
        let stack = &mut duo.hosts[0].stack;
        stack
            .send_message(client, &mut from, SendFlags::NONE, &control)
            .expect("room");
        duo.settle(SECOND);
        received.extend(drain(&mut duo.hosts[1].stack, server));
        assert_eq!(duo.hosts[0].stack.poll_completion(client), NOT_YET);
    }
    assert_eq!(received, pattern(100_000));
    drop(from);
    assert_eq!(
        duo.hosts[0].stack.poll_completion(client),
        NOT_YET,
        "its own share"
    );
    drop(token);
    assert_eq!(
        duo.hosts[0].stack.poll_completion(client),
        done(0, 0, false)
    );
}

#[test]
fn a_compound_message_goes_in_one_call_with_one_completion() {
    let mut duo = Duo::new(&WorldConfig::offloading());
    let pool = duo.hosts[1].stack.pools().send.clone();
    let [client, server] = duo.connect(7);
    duo.receive_into(1, &pool);
    let stack = &mut duo.hosts[0].stack;
    let token = stack.message_token(client).expect("a token");
    let region = Region::new(stack.ledger(), pattern(20_000));
    let bytes = Bytes::from(pattern(10_000));
    let owner = (bytes.clone(), token.clone());
    let parts = [
        Part::Bytes(b"header"),
        Part::Span(region.lend(0..20_000, Some(&token)).expect("within")),
        Part::Span(Span::from_owner(stack.ledger(), owner).expect("short")),
        Part::Bytes(b"trailer"),
    ];
    send(stack, client, &mut IovIter::parts(&parts), &token);
    drop((parts, token));
    let report = stack.ledger().report();
    assert_eq!(
        (report.of(Kind::User).nodes, report.of(Kind::Owned).nodes),
        (1, 1)
    );
    assert!(!bytes.is_unique());
    assert_eq!(stack.poll_completion(client), NOT_YET);
    duo.settle(SECOND);
    let expected = [
        b"header",
        &pattern(20_000)[..],
        &pattern(10_000),
        b"trailer",
    ]
    .concat();
    assert_eq!(drain(&mut duo.hosts[1].stack, server), expected);
    assert_eq!(
        duo.hosts[0].stack.poll_completion(client),
        done(0, 0, false)
    );
    assert!(bytes.is_unique() && region.unregister().is_ok());
}

#[test]
fn what_is_not_worth_a_pin_is_copied_and_says_so() {
    let mut duo = Duo::new(&WorldConfig::offloading());
    let [client, _] = duo.connect(7);
    let stack = &mut duo.hosts[0].stack;
    let small = lend(stack, client, 512);
    assert_eq!(small.lent(), 0, "the application may write again at once");
    let large = lend(stack, client, 513);
    assert_eq!(large.lent(), 1);
    let token = stack.message_token(client).expect("a token");
    let huge = Span::from_owner(stack.ledger(), (vec![7; 1 << 20], token.clone())).expect("short");
    let part = huge.slice(5_000..6_000).expect("within");
    drop(huge);
    send(stack, client, &mut IovIter::span(part), &token);
    drop(token);
    assert_eq!(stack.ledger().report().of(Kind::Owned).bytes, 0);
    assert_eq!(stack.poll_completion(client), NOT_YET, "the queue's place");
    let pool = duo.hosts[1].stack.pools().send.clone();
    duo.receive_into(1, &pool);
    duo.settle(SECOND);
    let stack = &mut duo.hosts[0].stack;
    assert_eq!(stack.poll_completion(client), done(0, 0, true));
    assert_eq!(stack.poll_completion(client), done(1, 1, false));
    assert_eq!(stack.poll_completion(client), done(2, 2, true));
}

/// How a connection ends with messages under way.
#[derive(Clone, Copy, Debug)]
enum End {
    ResetByPeer,
    Aborted,
    TimedOut,
    Closed,
}

#[test]
fn every_end_completes_every_message_once() {
    for end in [End::ResetByPeer, End::Aborted, End::TimedOut, End::Closed] {
        let mut duo = Duo::new(&WorldConfig::offloading());
        let [client, server] = duo.connect(7);
        let now = duo.now;
        let mut ended = now;
        let [one, other] = &mut duo.hosts;
        let stack = &mut one.stack;
        let regions = [5_000, 6_000, 7_000].map(|len| lend(stack, client, len));
        // One packet is under way, in somebody's queue.
        let kept = stack.poll_transmit(now, one.iface).expect("a segment");
        assert!(kept.span().is_some_and(Span::is_lent));
        let mut detached = None;
        match end {
            End::ResetByPeer => other.stack.abort(now, server),
            End::Aborted => {
                detached = stack.detach_completions(client).expect("open");
                stack.abort(now, client);
            }
            End::TimedOut => {
                // Nobody answers any more.
                other.stack.close(now, server);
                while let Some(next) = stack.poll_timeout()
                    && stack
                        .tcp_info(client)
                        .is_ok_and(|info| info.outstanding > 0)
                {
                    ended = ended.max(next);
                    stack.handle_timeout(ended);
                    while stack.poll_transmit(ended, one.iface).is_some() {}
                }
            }
            End::Closed => {
                detached = stack.detach_completions(client).expect("open");
                stack.close(now, client);
            }
        }
        duo.now = ended;
        duo.settle(100 * SECOND);
        let stack = &mut duo.hosts[0].stack;
        let mut poll = |stack: &mut Stack| match &mut detached {
            Some(completions) => completions.poll(),
            None => stack.poll_completion(client).expect("held"),
        };
        assert_eq!(poll(stack), None, "{end:?}: the first is still in use");
        drop(kept);
        let mut told = Vec::new();
        while let Some(range) = poll(stack) {
            told.extend(range.first..=range.last);
        }
        assert_eq!(told, [0, 1, 2], "{end:?}");
        assert!(
            regions
                .into_iter()
                .all(|region| region.unregister().is_ok()),
            "{end:?}"
        );
    }
}

fn datagrams(duo: &mut Duo) -> (SocketId, SocketId, SocketAddr) {
    let to = World::address(1, false, 53);
    let one = duo.hosts[0].stack.udp_bind(World::address(0, false, 54));
    let other = duo.hosts[1].stack.udp_bind(to);
    (one.expect("a free port"), other.expect("a free port"), to)
}

#[test]
fn datagrams_complete_as_their_packets_go() {
    let mut duo = Duo::new(&WorldConfig::offloading());
    let (one, _, to) = datagrams(&mut duo);
    let now = duo.now;
    let iface = duo.hosts[0].iface;
    let stack = &mut duo.hosts[0].stack;
    let region = Region::new(stack.ledger(), pattern(3_000));
    for at in [0, 1_000, 2_000] {
        let token = stack.message_token(one).expect("a token");
        let control = SendControl {
            to: Some(to),
            token: Some(&token),
            ..SendControl::default()
        };
        let span = region.lend(at..at + 1_000, Some(&token)).expect("within");
        let sent = stack.send_message(one, &mut IovIter::span(span), SendFlags::NONE, &control);
        assert_eq!(sent, Ok(1_000));
    }
    let mut packets: Vec<Packet> = std::iter::from_fn(|| stack.poll_transmit(now, iface)).collect();
    assert_eq!((packets.len(), stack.poll_completion(one)), (3, NOT_YET));
    drop(packets.remove(1));
    assert_eq!(stack.poll_completion(one), done(1, 1, false));
    drop(packets.remove(1));
    assert_eq!(stack.poll_completion(one), done(2, 2, false));
    drop(packets);
    assert_eq!(stack.poll_completion(one), done(0, 0, false));
    assert!(region.unregister().is_ok());
}

/// A connection of host 0 to itself: both ends.
fn loopback(duo: &mut Duo) -> [SocketId; 2] {
    let address = World::address(0, false, 9);
    let (now, iface) = (duo.now, duo.hosts[0].iface);
    let stack = &mut duo.hosts[0].stack;
    let listener = stack.tcp_listen(address, 4).expect("a free port");
    let client = stack.tcp_connect(now, address, None).expect("a route");
    assert!(stack.poll_transmit(now, iface).is_none());
    let (server, _) = stack.tcp_accept(listener).expect("a connection");
    [client, server]
}

/// Spans with everything that the socket has, to keep.
fn collect(stack: &mut Stack, socket: SocketId) -> VecDeque<Span> {
    let mut spans = VecDeque::new();
    let mut into = IovIter::collect(&mut spans, usize::MAX);
    stack
        .receive_message(socket, &mut into, RecvFlags::NONE)
        .expect("data");
    spans
}

fn bytes_of(spans: &VecDeque<Span>) -> Vec<u8> {
    let all = spans
        .iter()
        .flat_map(|span| span.to_vec().expect("readable"));
    all.collect()
}

#[test]
fn a_kept_loopback_clone_holds_no_completion_up() {
    let mut duo = Duo::new(&WorldConfig::offloading());
    let [client, server] = loopback(&mut duo);
    let (now, iface) = (duo.now, duo.hosts[0].iface);
    let stack = &mut duo.hosts[0].stack;
    let region = lend(stack, client, 60_000);
    assert!(stack.poll_transmit(now, iface).is_none());
    duo.settle(SECOND);
    // Nobody has read anything yet.
    let stack = &mut duo.hosts[0].stack;
    assert_eq!(stack.poll_completion(client), done(0, 0, true));
    let mut owner = region.unregister().expect("not in use");
    let kept = collect(stack, server);
    owner.fill(0);
    assert_eq!(bytes_of(&kept), pattern(60_000));
    // A datagram to oneself, too.
    let (udp, to) = (World::address(0, true, 5), World::address(0, true, 5));
    let udp = stack.udp_bind(udp).expect("a free port");
    let region = Region::new(stack.ledger(), pattern(1_000));
    let token = stack.message_token(udp).expect("a token");
    let span = region.lend(0..1_000, Some(&token)).expect("within");
    let control = SendControl {
        to: Some(to),
        token: Some(&token),
        ..SendControl::default()
    };
    let sent = stack.send_message(udp, &mut IovIter::span(span), SendFlags::NONE, &control);
    assert_eq!(sent, Ok(1_000));
    drop(token);
    assert!(stack.poll_transmit(now, iface).is_none());
    assert_eq!(stack.poll_completion(udp), done(0, 0, true));
    assert!(region.unregister().is_ok());
    assert_eq!(bytes_of(&collect(stack, udp)), pattern(1_000));
}

#[test]
fn a_splice_holds_no_completion_up() {
    let mut duo = Duo::new(&WorldConfig::offloading());
    let [client, front] = duo.connect(7);
    let [sink, back] = duo.connect(8);
    // Once with the data spliced before anything else, once when it has waited.
    for number in 0..2 {
        let region = lend(&mut duo.hosts[0].stack, client, 50_000);
        let now = duo.now;
        let [one, proxy] = &mut duo.hosts;
        while let Some(packet) = one.stack.poll_transmit(now, one.iface) {
            proxy.stack.handle_packet(now, proxy.iface, packet);
            while proxy.stack.splice(front, back, usize::MAX).is_ok() {}
        }
        duo.settle(SECOND);
        while duo.hosts[1].stack.splice(front, back, usize::MAX).is_ok() {}
        // The far end of the proxy reads nothing.
        let stack = &mut duo.hosts[0].stack;
        assert_eq!(stack.poll_completion(client), done(number, number, true));
        assert!(region.unregister().is_ok());
    }
    duo.settle(SECOND);
    let received = drain(&mut duo.hosts[0].stack, sink);
    assert_eq!(received, [pattern(50_000), pattern(50_000)].concat());
}

#[test]
fn a_reader_of_spans_holds_no_completion_up() {
    let mut duo = Duo::new(&WorldConfig::offloading());
    let [client, server] = duo.connect(7);
    let (one, other, to) = datagrams(&mut duo);
    let region = lend(&mut duo.hosts[0].stack, client, 50_000);
    let stack = &mut duo.hosts[0].stack;
    let datagram = Region::new(stack.ledger(), pattern(1_400));
    let token = stack.message_token(one).expect("a token");
    let span = datagram.lend(0..1_400, Some(&token)).expect("within");
    let control = SendControl {
        to: Some(to),
        token: Some(&token),
        ..SendControl::default()
    };
    let sent = stack.send_message(one, &mut IovIter::span(span), SendFlags::NONE, &control);
    assert_eq!(sent, Ok(1_400));
    drop(token);
    // The link passes spans on as they are.
    duo.settle(SECOND);
    let kept = collect(&mut duo.hosts[1].stack, server);
    let kept_datagram = collect(&mut duo.hosts[1].stack, other);
    let stack = &mut duo.hosts[0].stack;
    assert_eq!(stack.poll_completion(client), done(0, 0, true));
    assert_eq!(stack.poll_completion(one), done(0, 0, true));
    assert!(region.unregister().is_ok() && datagram.unregister().is_ok());
    assert_eq!(bytes_of(&kept), pattern(50_000));
    assert_eq!(bytes_of(&kept_datagram), pattern(1_400));
}

#[test]
fn without_storage_for_the_copy_the_packet_is_dropped_and_counted() {
    let mut duo = Duo::new(&WorldConfig::offloading());
    let mut poor = Config::new([1; 32]);
    poor.pools = netstack_core::Pools::new(&txbuf::Ledger::new(), 0);
    duo.hosts[1] = Host::with_stack(2, &WorldConfig::offloading(), poor, |end, _| Box::new(end));
    let (one, other, to) = datagrams(&mut duo);
    let stack = &mut duo.hosts[0].stack;
    let region = Region::new(stack.ledger(), pattern(1_000));
    let span = region.lend(0..1_000, None).expect("within");
    let mut from = IovIter::span(span);
    let sent = stack.send_message(one, &mut from, SendFlags::NONE, &SendControl::to(to));
    assert_eq!(sent, Ok(1_000));
    drop(from);
    duo.exchange();
    let stack = &mut duo.hosts[1].stack;
    assert_eq!(stack.counters().ip.in_no_memory, 1);
    let nothing = stack.receive_message(other, &mut IovIter::discard(1), RecvFlags::NONE);
    assert_eq!(nothing, Err(RecvError::WouldBlock));
    assert!(region.unregister().is_ok());
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn whoever_drops_the_last_share_wakes_the_stack() {
    let count = Arc::new(Count::default());
    let mut stack_config = Config::new([1; 32]);
    stack_config.waker = Some(Waker::from(Arc::clone(&count)));
    let host = Host::with_stack(1, &WorldConfig::offloading(), stack_config, |end, _| {
        Box::new(end)
    });
    let mut duo = Duo::of([host, Host::new(2, &WorldConfig::offloading())]);
    let (one, _, _) = datagrams(&mut duo);
    let stack = &mut duo.hosts[0].stack;
    for round in 1..=3 {
        let tokens = [(); 3].map(|()| stack.message_token(one).expect("a token"));
        assert!(!stack.has_output());
        std::thread::spawn(move || drop(tokens))
            .join()
            .expect("no panic");
        assert_eq!(count.0.load(Ordering::Relaxed), round, "once for all");
        assert!(stack.has_output());
        let event = stack.poll_event().expect("news");
        assert!(event.completed && event.socket == one && !event.readable);
        assert_eq!(stack.poll_event(), None);
        let first = 3 * (round as u32 - 1);
        assert_eq!(stack.poll_completion(one), done(first, first + 2, false));
    }
    // Nobody is told of a socket that is gone.
    let token = stack.message_token(one).expect("a token");
    let now = duo.now;
    duo.hosts[0].stack.close(now, one);
    drop(token);
    assert_eq!(duo.hosts[0].stack.poll_event(), None);
}

#[test]
fn tokens_are_numbered_and_bounded() {
    let mut duo = Duo::new(&WorldConfig::offloading());
    let (one, _, _) = datagrams(&mut duo);
    let listener = World::address(0, false, 80);
    let stack = &mut duo.hosts[0].stack;
    let listener = stack.tcp_listen(listener, 1).expect("a free port");
    let wrong = stack.message_token(listener).expect_err("no messages");
    assert_eq!(wrong, TokenError::Socket(SocketError::WrongKind));
    assert!(
        stack
            .detach_completions(one)
            .is_ok_and(|none| none.is_none())
    );
    let mut tokens = Vec::new();
    let full = loop {
        match stack.message_token(one) {
            Ok(token) => tokens.push(token),
            Err(full) => break full,
        }
    };
    assert!(matches!(full, TokenError::TooMany(_)), "{full:?}");
    assert!(tokens.iter().map(Token::id).eq(0..4096));
    // What ended in a row is told at once, and leaves room for all but one.
    tokens.truncate(4000);
    let next = (4096..).map_while(|_| stack.message_token(one).ok());
    tokens.extend(next);
    assert!(tokens.iter().map(Token::id).eq((0..4000).chain(4096..4191)));
    assert_eq!(stack.poll_completion(one), done(4000, 4095, false));
    assert_eq!(stack.message_token(one).map(|token| token.id()), Ok(4191));
}
