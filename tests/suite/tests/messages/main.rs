//! What `send_message` and `receive_message` do and say in every case that `netstack_core::messages` lists.

mod shortage;

use core::time::Duration;
use netstack_core::{
    How, RecvError, RecvFlags, SendControl, SendError, SendFlags, SocketError, SocketId, Stack,
};
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use suite::duo::Duo;
use suite::sim::{Host, World, WorldConfig};
use suite::untouchable::Untouchable;
use txbuf::{Checksum, IovIter, Kind, Ledger, Part, Span};

const SECOND: Duration = Duration::from_secs(1);

fn config(send: usize, receive: usize) -> WorldConfig {
    let mut config = WorldConfig::offloading();
    config.tcp.send_buffer = send;
    config.tcp.receive_buffer = receive;
    config
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 256) as u8).collect()
}

fn send(stack: &mut Stack, socket: SocketId, from: &mut IovIter<'_>) -> Result<usize, SendError> {
    stack.send_message(socket, from, SendFlags::NONE, &SendControl::default())
}

/// Receives at most `max` bytes into two slices of different lengths.
fn receive(
    stack: &mut Stack,
    socket: SocketId,
    max: usize,
    flags: RecvFlags,
) -> Result<Vec<u8>, RecvError> {
    let (mut one, mut other) = (vec![0; max / 3], vec![0; max - max / 3]);
    let mut slices = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
    let mut into = IovIter::sink(&mut slices);
    let received = stack.receive_message(socket, &mut into, flags);
    let done = into.done();
    assert_eq!(received.map_or(0, |received| received.bytes), done);
    received?;
    Ok([one, other].concat()[..done].to_vec())
}

#[test]
fn a_stream_takes_what_there_is_room_for_and_the_cursor_shows_it() {
    let mut duo = Duo::new(&config(10_000, 1 << 20));
    let [client, server] = duo.connect(7);
    let data = bytes(25_000);
    let vectors = [IoSlice::new(&data[..9_000]), IoSlice::new(&data[9_000..])];
    let mut from = IovIter::source(&vectors);
    let mut received = Vec::new();
    for taken in [10_000, 10_000, 5_000] {
        let before = from.done();
        let stack = &mut duo.hosts[0].stack;
        assert_eq!(send(stack, client, &mut from), Ok(taken));
        assert_eq!(from.done(), before + taken);
        if from.remaining() > 0 {
            let full = send(stack, client, &mut from);
            assert_eq!(
                (full, from.done()),
                (Err(SendError::WouldBlock), before + taken)
            );
        }
        while stack.poll_event().is_some() {}
        duo.settle(SECOND);
        let event = duo.hosts[0].stack.poll_event();
        let told = event.is_some_and(|event| event.writable);
        assert_eq!(
            told,
            from.remaining() > 0,
            "room is told to who was refused"
        );
        let stack = &mut duo.hosts[1].stack;
        received.extend(receive(stack, server, 1 << 20, RecvFlags::NONE).expect("data"));
    }
    assert_eq!(received, data);
    let none = send(&mut duo.hosts[0].stack, client, &mut IovIter::bytes(b""));
    assert_eq!(none, Ok(0));
}

#[test]
fn a_stream_that_is_looked_at_stays_and_opens_no_window() {
    let mut duo = Duo::new(&config(1 << 20, 20_000));
    let [client, server] = duo.connect(7);
    let data = bytes(30_000);
    send(&mut duo.hosts[0].stack, client, &mut IovIter::bytes(&data)).expect("room");
    duo.settle(SECOND);
    let stack = &mut duo.hosts[1].stack;
    let held = stack.tcp_info(server).expect("open").unread;
    assert!((15_000..=20_000).contains(&held));
    for max in [1, 5_000, 50_000, 50_000] {
        let seen = receive(stack, server, max, RecvFlags::PEEK).expect("data");
        assert_eq!(seen, data[..held.min(max)]);
    }
    let mut spans = VecDeque::new();
    let mut into = IovIter::collect(&mut spans, 7_000);
    let seen = stack.receive_message(server, &mut into, RecvFlags::PEEK);
    assert_eq!(seen.expect("data").bytes, 7_000);
    let seen: Vec<u8> = spans
        .iter()
        .flat_map(|span| span.to_vec().expect("readable"))
        .collect();
    assert_eq!(seen, data[..7_000]);
    // Without room it only asks whether there is something.
    assert_eq!(receive(stack, server, 0, RecvFlags::NONE), Ok(vec![]));
    assert!(!duo.exchange(), "no window update");
    let mut read = receive(&mut duo.hosts[1].stack, server, 50_000, RecvFlags::NONE).expect("data");
    duo.settle(SECOND);
    let stack = &mut duo.hosts[1].stack;
    read.extend(receive(stack, server, 50_000, RecvFlags::NONE).expect("the rest"));
    assert_eq!(read, data);
    assert_eq!(
        receive(stack, server, 1, RecvFlags::PEEK),
        Err(RecvError::WouldBlock)
    );
}

#[test]
fn wait_all_takes_nothing_before_it_can_take_all() {
    let mut duo = Duo::new(&config(1 << 20, 1 << 20));
    let [client, server] = duo.connect(7);
    let data = bytes(10_000);
    let mut from = IovIter::bytes(&data);
    for step in [1, 4_999, 4_000] {
        from.truncate(step);
        send(&mut duo.hosts[0].stack, client, &mut from).expect("room");
        from = IovIter::bytes(&data);
        duo.settle(SECOND);
        let stack = &mut duo.hosts[1].stack;
        for flags in [RecvFlags::WAITALL, RecvFlags::WAITALL | RecvFlags::PEEK] {
            let waiting = receive(stack, server, 9_001, flags);
            assert_eq!(waiting, Err(RecvError::WouldBlock));
        }
    }
    let stack = &mut duo.hosts[1].stack;
    while stack.poll_event().is_some() {}
    let peek = RecvFlags::WAITALL | RecvFlags::PEEK;
    assert_eq!(
        receive(stack, server, 9_000, peek).map(|all| all.len()),
        Ok(9_000)
    );
    assert_eq!(
        receive(stack, server, 8_000, RecvFlags::WAITALL).map(|all| all.len()),
        Ok(8_000)
    );
    // Not waiting wins.
    let now = RecvFlags::WAITALL | RecvFlags::DONTWAIT;
    assert_eq!(
        receive(stack, server, 600, now).map(|all| all.len()),
        Ok(600)
    );
    assert_eq!(
        receive(stack, server, 401, now).map(|all| all.len()),
        Ok(400)
    );
    assert_eq!(receive(stack, server, 1, now), Err(RecvError::WouldBlock));
    // More is told by an event, and the end gives what there is.
    send(
        &mut duo.hosts[0].stack,
        client,
        &mut IovIter::bytes(b"the rest"),
    )
    .expect("room");
    duo.settle(SECOND);
    let stack = &mut duo.hosts[1].stack;
    assert!(stack.poll_event().is_some_and(|event| event.readable));
    assert_eq!(
        receive(stack, server, 100, RecvFlags::WAITALL),
        Err(RecvError::WouldBlock)
    );
    duo.hosts[0]
        .stack
        .shutdown(client, How::Write)
        .expect("connected");
    duo.settle(SECOND);
    let stack = &mut duo.hosts[1].stack;
    assert!(stack.poll_event().is_some_and(|event| event.readable));
    assert_eq!(
        receive(stack, server, 100, RecvFlags::WAITALL),
        Ok(b"the rest".to_vec())
    );
    assert_eq!(receive(stack, server, 100, RecvFlags::WAITALL), Ok(vec![]));
}

#[test]
fn wait_all_gives_what_there_is_when_the_buffer_is_full_or_the_connection_fails() {
    let mut duo = Duo::new(&config(1 << 20, 20_000));
    let [client, server] = duo.connect(7);
    let data = bytes(100_000);
    send(&mut duo.hosts[0].stack, client, &mut IovIter::bytes(&data)).expect("room");
    let (mut received, mut rounds) = (Vec::new(), 0);
    while received.len() < data.len() {
        // Without the override timers of the sender: the window alone has to do.
        duo.exchange();
        let left = data.len() - received.len();
        let stack = &mut duo.hosts[1].stack;
        match receive(stack, server, left, RecvFlags::WAITALL) {
            Ok(more) => received.extend(more),
            Err(RecvError::WouldBlock) => assert!(duo.wait(SECOND), "{} received", received.len()),
            Err(error) => panic!("{error}"),
        }
        rounds += 1;
    }
    assert_eq!(received, data);
    assert!(rounds < 20, "{rounds} rounds");
    send(
        &mut duo.hosts[0].stack,
        client,
        &mut IovIter::bytes(b"last"),
    )
    .expect("room");
    duo.settle(SECOND);
    let now = duo.now;
    duo.hosts[0].stack.abort(now, client);
    duo.exchange();
    let stack = &mut duo.hosts[1].stack;
    assert_eq!(
        receive(stack, server, 100, RecvFlags::WAITALL),
        Ok(b"last".to_vec())
    );
    let reset = receive(stack, server, 100, RecvFlags::WAITALL);
    assert!(matches!(reset, Err(RecvError::Connection(_))), "{reset:?}");
    assert_eq!(receive(stack, server, 100, RecvFlags::WAITALL), Ok(vec![]));
}

#[test]
fn more_holds_the_last_segment_back_until_told_otherwise() {
    let mut duo = Duo::new(&config(1 << 20, 1 << 20));
    let [client, server] = duo.connect(7);
    let unread = |duo: &Duo| duo.hosts[1].stack.tcp_info(server).expect("open").unread;
    let stack = &mut duo.hosts[0].stack;
    let flags = SendFlags::MORE | SendFlags::DONTWAIT;
    let control = SendControl::default();
    let data = bytes(2_000);
    stack
        .send_message(client, &mut IovIter::bytes(&data), flags, &control)
        .expect("room");
    duo.settle(Duration::from_millis(50));
    let full = unread(&duo);
    assert!(
        (1_000..2_000).contains(&full),
        "whole segments leave: {full}"
    );
    send(&mut duo.hosts[0].stack, client, &mut IovIter::bytes(b"x")).expect("room");
    duo.settle(Duration::from_millis(50));
    assert_eq!(unread(&duo), 2_001);
    let stack = &mut duo.hosts[0].stack;
    stack
        .send_message(client, &mut IovIter::bytes(b"y"), flags, &control)
        .expect("room");
    stack.shutdown(client, How::Write).expect("connected");
    duo.settle(Duration::from_millis(50));
    assert_eq!(unread(&duo), 2_002, "shutting the side flushes");
}

/// Two datagram sockets: who sends, who receives, and where that is.
fn datagrams(duo: &mut Duo) -> (SocketId, SocketId, SocketAddr) {
    let to = World::address(1, false, 53);
    let one = duo.hosts[0].stack.udp_bind(World::address(0, false, 54));
    let other = duo.hosts[1].stack.udp_bind(to);
    (one.expect("a free port"), other.expect("a free port"), to)
}

#[test]
fn a_datagram_is_cut_to_the_room_and_says_so() {
    let mut duo = Duo::new(&config(1 << 20, 1 << 20));
    let (one, other, to) = datagrams(&mut duo);
    let data = bytes(1_400);
    let control = SendControl::to(to);
    for _ in 0..3 {
        let mut from = IovIter::bytes(&data);
        let flags = SendFlags::MORE;
        let sent = duo.hosts[0]
            .stack
            .send_message(one, &mut from, flags, &control);
        assert_eq!((sent, from.remaining()), (Ok(1_400), 0));
    }
    duo.exchange();
    let stack = &mut duo.hosts[1].stack;
    let look = |stack: &mut Stack, into: &mut IovIter<'_>, flags| {
        let got = stack
            .receive_message(other, into, flags)
            .expect("a datagram");
        assert_eq!(
            (got.len, got.from),
            (1_400, Some(World::address(0, false, 54)))
        );
        (got.bytes, got.truncated, into.done())
    };
    let mut room = [0; 2_000];
    let peek = RecvFlags::PEEK | RecvFlags::WAITALL;
    assert_eq!(
        look(stack, &mut IovIter::buffer(&mut room[..100]), peek),
        (100, true, 100)
    );
    assert_eq!(
        look(stack, &mut IovIter::buffer(&mut room), peek),
        (1_400, false, 1_400)
    );
    assert_eq!(room[..1_400], data);
    let all = RecvFlags::WAITALL;
    assert_eq!(
        look(stack, &mut IovIter::buffer(&mut room[..100]), all),
        (100, true, 100)
    );
    let mut spans = VecDeque::new();
    assert_eq!(
        look(stack, &mut IovIter::collect(&mut spans, 50), all),
        (50, true, 50)
    );
    assert_eq!(spans[0].to_vec().expect("readable"), data[..50]);
    assert_eq!(
        look(stack, &mut IovIter::discard(9_999), all),
        (1_400, false, 1_400)
    );
    let nothing = stack.receive_message(other, &mut IovIter::discard(1), all);
    assert_eq!(nothing, Err(RecvError::WouldBlock));
}

/// Sends `data` from every kind of source; the outcome must be `expected` and the cursor not moved.
fn refused(
    stack: &mut Stack,
    socket: SocketId,
    to: Option<SocketAddr>,
    len: usize,
    expected: SendError,
) {
    let data = bytes(len);
    let ledger = Ledger::new();
    let owned = || Span::from_owner(&ledger, data.clone()).expect("short");
    let half = len / 2;
    let vectors = [IoSlice::new(&data[..half]), IoSlice::new(&data[half..])];
    let mut queue = VecDeque::from([owned(), owned()]);
    queue[0].truncate(half).expect("within");
    queue[1].advance(half).expect("within");
    let parts = [
        Part::Bytes(&data[..half]),
        Part::Span(owned().slice(half..half + 1).expect("within")),
        Part::Bytes(&data[half + 1..]),
    ];
    let sources = [
        IovIter::bytes(&data),
        IovIter::source(&vectors),
        IovIter::span(owned()),
        IovIter::spans(&mut queue),
        IovIter::parts(&parts),
    ];
    for mut from in sources {
        let control = SendControl {
            to,
            ..SendControl::default()
        };
        let result = stack.send_message(socket, &mut from, SendFlags::NONE, &control);
        assert_eq!(result, Err(expected), "{from:?}");
        assert_eq!((from.done(), from.remaining()), (0, len), "{expected:?}");
        let mut again = vec![0; len];
        assert_eq!(from.copy_from(&mut again), len);
        assert_eq!(again, data, "{expected:?}");
    }
}

#[test]
fn after_an_error_every_source_is_as_it_was() {
    let mut duo = Duo::new(&config(1 << 20, 1 << 20));
    let (udp, _, to) = datagrams(&mut duo);
    let [tcp, _] = duo.connect(7);
    let now = duo.now;
    let stack = &mut duo.hosts[0].stack;
    refused(stack, udp, None, 100, SendError::NoDestination);
    refused(stack, udp, Some(to), 65_508, SendError::TooLong);
    let nowhere = "192.0.2.1:5".parse().ok();
    refused(stack, udp, nowhere, 100, SendError::NoRoute);
    let other_family = "[fd00::2]:5".parse().ok();
    refused(stack, udp, other_family, 100, SendError::InvalidAddress);
    while send_datagram(stack, udp, to).is_ok() {}
    refused(stack, udp, Some(to), 1_000, SendError::WouldBlock);
    stack.shutdown(tcp, How::Write).expect("connected");
    refused(stack, tcp, None, 100, SendError::Closed);
    let listener = stack
        .tcp_listen(World::address(0, false, 9), 1)
        .expect("a free port");
    refused(
        stack,
        listener,
        None,
        100,
        SendError::Socket(SocketError::WrongKind),
    );
    stack.close(now, listener);
    refused(
        stack,
        listener,
        None,
        100,
        SendError::Socket(SocketError::BadHandle),
    );
}

fn send_datagram(stack: &mut Stack, socket: SocketId, to: SocketAddr) -> Result<usize, SendError> {
    let mut from = IovIter::bytes(&[7; 1_000]);
    stack.send_message(socket, &mut from, SendFlags::NONE, &SendControl::to(to))
}

#[test]
fn a_cursor_of_the_wrong_direction_is_refused() {
    let mut duo = Duo::new(&config(1 << 20, 1 << 20));
    let (udp, other, to) = datagrams(&mut duo);
    let [tcp, server] = duo.connect(7);
    send_datagram(&mut duo.hosts[0].stack, udp, to).expect("room");
    send(&mut duo.hosts[0].stack, tcp, &mut IovIter::bytes(b"data")).expect("room");
    duo.settle(SECOND);
    let mut room = [0; 10];
    let stack = &mut duo.hosts[0].stack;
    for socket in [udp, tcp] {
        let mut sink = IovIter::buffer(&mut room);
        assert_eq!(send(stack, socket, &mut sink), Err(SendError::NotASource));
        assert_eq!(
            send(stack, socket, &mut IovIter::discard(3)),
            Err(SendError::NotASource)
        );
    }
    let stack = &mut duo.hosts[1].stack;
    for socket in [other, server] {
        let mut source = IovIter::bytes(b"abc");
        let result = stack.receive_message(socket, &mut source, RecvFlags::NONE);
        assert_eq!((result, source.done()), (Err(RecvError::NotASink), 0));
        assert!(
            stack
                .receive_message(socket, &mut IovIter::discard(9), RecvFlags::NONE)
                .is_ok()
        );
    }
}

#[test]
fn what_the_processor_may_not_read_stays_until_it_is_taken_as_spans() {
    let mut duo = Duo::new(&config(1 << 20, 1 << 20));
    let [client, server] = duo.connect(7);
    let now = duo.now;
    let ledger = Ledger::new();
    // The payload of two whole segments arrives in the memory of a device.
    for (number, len) in [(0, 10), (1, 2_896)] {
        let [one, other] = &mut duo.hosts;
        send(&mut one.stack, client, &mut IovIter::bytes(&bytes(len))).expect("room");
        while let Some(mut packet) = one.stack.poll_transmit(now, one.iface) {
            if number == 1 && packet.span().is_some_and(|span| !span.is_empty()) {
                let len = packet.take_span().map_or(0, |span| span.len());
                let memory = Arc::new(Untouchable);
                let place = Span::from_device(&ledger, memory, 4096, len, None).expect("short");
                packet.set_span(place);
                packet.meta.checksum = Checksum::Verified;
            }
            other.stack.handle_packet(now, other.iface, packet);
        }
    }
    let stack = &mut duo.hosts[1].stack;
    assert_eq!(stack.tcp_info(server).expect("open").unread, 2_906);
    // A short transfer up to it, and then nothing.
    assert_eq!(
        receive(stack, server, 5_000, RecvFlags::PEEK).map(|got| got.len()),
        Ok(10)
    );
    assert_eq!(
        receive(stack, server, 5_000, RecvFlags::NONE).map(|got| got.len()),
        Ok(10)
    );
    for flags in [
        RecvFlags::NONE,
        RecvFlags::PEEK,
        RecvFlags::WAITALL | RecvFlags::DONTWAIT,
    ] {
        assert_eq!(
            receive(stack, server, 5_000, flags),
            Err(RecvError::Unreadable)
        );
    }
    let mut spans = VecDeque::new();
    let mut into = IovIter::collect(&mut spans, 5_000);
    let flags = RecvFlags::TRANSIENT | RecvFlags::READABLE;
    let refused = stack.receive_message(server, &mut into, flags);
    assert_eq!((refused, into.done()), (Err(RecvError::Unreadable), 0));
    let got = stack
        .receive_message(server, &mut into, RecvFlags::NONE)
        .expect("spans");
    assert_eq!(got.bytes, 2_896);
    assert!(spans.iter().all(|span| span.kind() == Kind::Device));
}
