//! Sending and receiving where storage runs out: what is refused, that nothing is lost, and who is told when it is back.

use super::*;
use netstack_core::{Config, Pools};

/// Two hosts, the first of which has no more than `limit` bytes of storage.
fn poor(limit: usize, world: &WorldConfig) -> Duo {
    let mut stack = Config::new([1; 32]);
    stack.pools = Pools::new(&Ledger::new(), limit);
    stack.tcp = world.tcp.clone();
    let host = Host::with_stack(1, world, stack, |end, _| Box::new(end));
    Duo::of([host, Host::new(2, world)])
}

#[test]
fn out_of_storage_in_the_middle_gives_everything_back() {
    // One small segment, and no large one.
    let mut duo = poor(4 << 10, &config(1 << 20, 1 << 20));
    let (udp, _, to) = datagrams(&mut duo);
    let [tcp, _] = duo.connect(7);
    let stack = &mut duo.hosts[0].stack;
    let data = bytes(9_000);
    let vectors = [IoSlice::new(&data)];
    for mut from in [IovIter::bytes(&data), IovIter::source(&vectors)] {
        let result = send(stack, tcp, &mut from);
        assert_eq!((result, from.done()), (Err(SendError::NoMemory), 0));
        let control = SendControl::to(to);
        let result = stack.send_message(udp, &mut from, SendFlags::NONE, &control);
        assert_eq!((result, from.done()), (Err(SendError::NoMemory), 0));
    }
    // The first copy finds room, the second does not.
    let owned = Span::from_owner(&Ledger::new(), data.clone()).expect("short");
    let parts = [
        Part::Bytes(&data[..3_000]),
        Part::Span(owned),
        Part::Bytes(&data[..3_000]),
    ];
    let mut from = IovIter::parts(&parts);
    let result = stack.send_message(udp, &mut from, SendFlags::NONE, &SendControl::to(to));
    assert_eq!((result, from.done()), (Err(SendError::NoMemory), 0));
    // What needs no storage is sent.
    let span = Span::from_owner(&Ledger::new(), data).expect("short");
    assert_eq!(send(stack, tcp, &mut IovIter::span(span)), Ok(9_000));
}

/// Which of readable and writable the events say that `socket` has.
fn told(stack: &mut Stack, socket: SocketId) -> (bool, bool) {
    let mut news = (false, false);
    while let Some(event) = stack.poll_event() {
        if event.socket == socket {
            news.0 |= event.readable;
            news.1 |= event.writable;
        }
    }
    news
}

#[test]
fn who_found_no_storage_is_told_when_it_comes_back_and_not_before() {
    let mut duo = poor(128 << 10, &config(1 << 20, 1 << 20));
    let [client, _] = duo.connect(7);
    let (udp, _, to) = datagrams(&mut duo);
    let stack = &mut duo.hosts[0].stack;
    let pool = stack.pools().send.clone();
    let held = pool.reserve().expect("two segments");
    let also_held = pool.reserve().expect("two segments");
    told(stack, client);
    let data = bytes(9_000);
    for _ in 0..3 {
        let refused = send(stack, client, &mut IovIter::bytes(&data));
        assert_eq!(refused, Err(SendError::NoMemory));
        let refused = send_datagram(stack, udp, to);
        assert_eq!(refused, Err(SendError::NoMemory));
    }
    assert!(!stack.has_output(), "nothing to tell");
    assert_eq!(told(stack, client), (false, false));
    // On another thread: whoever drives the stack hears of it all the same.
    std::thread::scope(|scope| {
        scope.spawn(|| drop(held));
    });
    assert!(stack.has_output());
    let mut events = Vec::new();
    while let Some(event) = stack.poll_event() {
        assert!(event.writable && !event.readable);
        events.push(event.socket);
    }
    events.sort();
    let mut both = [client, udp];
    both.sort();
    assert_eq!(events, both);
    assert_eq!(send(stack, client, &mut IovIter::bytes(&data)), Ok(9_000));
    // Once each, and not again for what comes back when nobody waits.
    drop(also_held);
    assert_eq!(told(stack, client), (false, false));
}

#[test]
fn who_was_cut_short_for_want_of_storage_is_told_too() {
    let mut duo = poor(128 << 10, &config(1 << 20, 1 << 20));
    let [client, _] = duo.connect(7);
    let stack = &mut duo.hosts[0].stack;
    let pool = stack.pools().send.clone();
    let held = [pool.reserve(), pool.reserve()].map(|segment| segment.expect("two segments"));
    told(stack, client);
    let data = bytes(9_000);
    let owned = Span::from_owner(&Ledger::new(), data.clone()).expect("short");
    let parts = [Part::Span(owned), Part::Bytes(&data)];
    let sent = send(stack, client, &mut IovIter::parts(&parts));
    assert_eq!(sent, Ok(9_000));
    assert_eq!(told(stack, client), (false, false));
    drop(held);
    assert_eq!(told(stack, client), (false, true));
}

#[test]
fn spans_to_keep_are_refused_without_storage_and_nothing_is_lost() {
    let mut duo = poor(4 << 10, &config(1 << 20, 1 << 20));
    let [client, server] = duo.connect(7);
    // A thousand bytes at the end of a segment of 64 KiB.
    let data = bytes(60_000);
    let stack = &mut duo.hosts[1].stack;
    send(stack, server, &mut IovIter::bytes(&data)).expect("room");
    duo.settle(SECOND);
    let stack = &mut duo.hosts[0].stack;
    told(stack, client);
    let mut kept = Vec::new();
    let mut done = 0;
    let refused = loop {
        let mut spans = VecDeque::new();
        let mut into = IovIter::collect(&mut spans, 1_500);
        match stack.receive_message(client, &mut into, RecvFlags::NONE) {
            Ok(got) => {
                let seen: Vec<u8> = spans
                    .iter()
                    .flat_map(|span| span.to_vec().expect("readable"))
                    .collect();
                assert_eq!(seen, data[done..done + got.bytes]);
                done += got.bytes;
                kept.push(spans);
            }
            Err(error) => {
                assert_eq!(into.done(), 0);
                break error;
            }
        }
    };
    assert_eq!(refused, RecvError::NoMemory);
    assert_eq!(told(stack, client), (false, false), "there is still none");
    assert!(done > 0 && done <= 4 << 10, "{done}");
    // Into slices it goes on, and when the kept ones are gone, into spans too.
    assert_eq!(
        receive(stack, client, 1_500, RecvFlags::NONE).expect("data"),
        data[done..done + 1_500]
    );
    kept.clear();
    assert_eq!(told(stack, client), (true, false));
    let mut spans = VecDeque::new();
    let mut into = IovIter::collect(&mut spans, 1_500);
    assert!(
        stack
            .receive_message(client, &mut into, RecvFlags::NONE)
            .is_ok()
    );
}
