//! Messages that are several datagrams: sent with a segment size, received as one by who asks for that.

use netstack_core::{
    OptionError, Received, RecvError, RecvFlags, SendControl, SendError, SendFlags, SocketError,
    SocketId, SocketOption, Stack,
};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use suite::calls;
use suite::duo::Duo;
use suite::lab::Lab;
use suite::sim::{World, WorldConfig};
use suite::wire::{Icmp, Ip, Udp};
use txbuf::{Gso, GsoKind, IovIter, Region};

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 256) as u8).collect()
}

fn send(
    stack: &mut Stack,
    socket: SocketId,
    to: SocketAddr,
    segment: u16,
    data: &[u8],
) -> Result<usize, SendError> {
    let mut from = IovIter::bytes(data);
    let control = SendControl::segments(to, segment);
    let sent = stack.send_message(socket, &mut from, SendFlags::NONE, &control);
    // What was taken is what is said, whatever the outcome.
    assert_eq!(from.remaining(), data.len() - sent.unwrap_or(0));
    sent
}

fn receive(stack: &mut Stack, socket: SocketId) -> Result<(Vec<u8>, Received), RecvError> {
    let mut buffer = vec![0; 1 << 16];
    let mut into = IovIter::buffer(&mut buffer);
    let received = stack.receive_message(socket, &mut into, RecvFlags::NONE)?;
    buffer.truncate(received.bytes);
    Ok((buffer, received))
}

fn set_gro(duo: &mut Duo, host: usize, socket: SocketId, gro: bool) {
    let option = SocketOption::UdpGro(gro);
    let set = duo.hosts[host].stack.set_option(duo.now, socket, option);
    set.expect("a datagram socket");
}

/// Two hosts whose devices take super-packets, and a socket on each.
fn duo(v6: bool) -> (Duo, [SocketAddr; 2], [SocketId; 2]) {
    let mut duo = Duo::new(&WorldConfig::offloading());
    let addresses = [0, 1].map(|host| World::address(host, v6, 53));
    let sockets = [0, 1].map(|host| {
        let stack = &mut duo.hosts[host].stack;
        stack.udp_bind(addresses[host]).expect("a free port")
    });
    (duo, addresses, sockets)
}

fn close(mut duo: Duo, sockets: [SocketId; 2]) {
    let now = duo.now;
    for (host, socket) in duo.hosts.iter_mut().zip(sockets) {
        host.stack.close(now, socket);
    }
    // What one has queued lies in the storage of the other.
    for host in &mut duo.hosts {
        assert_eq!(host.live_nodes(), 0);
    }
}

/// What one packet between the hosts was: its length and how it is to be cut.
type Seen = Rc<RefCell<Vec<(usize, Option<Gso>)>>>;

fn watch(duo: &mut Duo) -> Seen {
    let seen = Seen::default();
    let watched = Rc::clone(&seen);
    duo.watch(move |_, packet| watched.borrow_mut().push((packet.len(), packet.meta.gso)));
    seen
}

#[test]
fn a_message_is_one_packet_and_is_received_as_one_by_who_asks() {
    for v6 in [false, true] {
        let (mut duo, [here, there], sockets) = duo(v6);
        let seen = watch(&mut duo);
        let headers = if v6 { 48 } else { 28 };
        let mut counted = 0;
        for (len, segment, datagrams) in [
            (44_000, 1000, 44),
            (44_001, 1000, 45),
            (64, 1, 64),
            (1001, 1000, 2),
            (65_507, 1300, 51),
        ] {
            let data = bytes(len);
            for gro in [false, true] {
                set_gro(&mut duo, 1, sockets[1], gro);
                let stack = &mut duo.hosts[0].stack;
                assert_eq!(send(stack, sockets[0], there, segment, &data), Ok(len));
                duo.exchange();
                let seen = seen.borrow_mut().split_off(0);
                assert_eq!((seen.len(), seen[0].0), (1, len + headers));
                let gso = seen[0].1.expect("a super-packet");
                assert_eq!(
                    (gso.kind, gso.size, usize::from(gso.headers)),
                    (GsoKind::Udp, segment, headers)
                );
                counted += datagrams;
                let udp = |host: usize| &duo.hosts[host].stack.counters().udp;
                assert_eq!(
                    (udp(0).out_datagrams, udp(1).in_datagrams),
                    (counted, counted)
                );
                let stack = &mut duo.hosts[1].stack;
                let size = if gro { len } else { segment.into() };
                for piece in data.chunks(size) {
                    let (got, received) = receive(stack, sockets[1]).expect("arrived");
                    assert!(got == piece);
                    assert_eq!(
                        (received.from, received.segment),
                        (Some(here), gro.then_some(segment))
                    );
                }
                assert_eq!(receive(stack, sockets[1]), Err(RecvError::WouldBlock));
            }
        }
        close(duo, sockets);
    }
}

#[test]
fn one_segment_is_a_plain_datagram() {
    let (mut duo, [_, there], sockets) = duo(false);
    let seen = watch(&mut duo);
    set_gro(&mut duo, 1, sockets[1], true);
    // Also one that is longer than a packet, as without a segment size.
    for (len, segment) in [(0, 5), (5, 5), (5, 9000), (4000, 4000)] {
        let stack = &mut duo.hosts[0].stack;
        assert_eq!(
            send(stack, sockets[0], there, segment, &bytes(len)),
            Ok(len)
        );
        duo.exchange();
        assert!(seen.borrow_mut().drain(..).all(|(_, gso)| gso.is_none()));
        let (got, received) = receive(&mut duo.hosts[1].stack, sockets[1]).expect("arrived");
        assert_eq!((got.len(), received.segment), (len, None));
    }
    close(duo, sockets);
}

#[test]
fn what_cannot_be_cut_is_refused_and_nothing_is_taken() {
    for v6 in [false, true] {
        let (mut duo, [_, there], sockets) = duo(v6);
        let stack = &mut duo.hosts[0].stack;
        let (mtu, headers) = (1500, if v6 { 48 } else { 28 });
        let most = if v6 { 65_527 } else { 65_507 };
        for (len, segment, error) in [
            (0, 0, SendError::InvalidSegment),
            (100, 0, SendError::InvalidSegment),
            (65, 1, SendError::InvalidSegment),
            (64_001, 1000, SendError::InvalidSegment),
            (2000, mtu - headers + 1, SendError::TooLong),
            (most + 1, mtu - headers, SendError::TooLong),
        ] {
            let sent = send(stack, sockets[0], there, segment, &bytes(len));
            assert_eq!(sent, Err(error), "{len} by {segment}");
        }
        assert_eq!(stack.counters().udp.out_refused, 6);
        for len in [64, most] {
            let segment = if len == 64 { 1 } else { mtu - headers };
            assert_eq!(
                send(stack, sockets[0], there, segment, &bytes(len)),
                Ok(len)
            );
        }
        let streams = duo.connect(80);
        let option = SocketOption::UdpGro(true);
        let wrong = OptionError::Socket(SocketError::WrongKind);
        let stack = &mut duo.hosts[0].stack;
        assert_eq!(stack.set_option(duo.now, streams[0], option), Err(wrong));
        let option = SocketOption::NoDelay(true);
        assert_eq!(stack.set_option(duo.now, sockets[0], option), Err(wrong));
        for (host, stream) in duo.hosts.iter_mut().zip(streams) {
            host.stack.abort(duo.now, stream);
        }
        duo.exchange();
        close(duo, sockets);
    }
}

#[test]
fn a_full_queue_takes_all_of_a_message_or_nothing() {
    let (mut duo, [_, there], sockets) = duo(false);
    let data = bytes(60_000);
    let mut taken = 0;
    let refused = loop {
        let stack = &mut duo.hosts[0].stack;
        match send(stack, sockets[0], there, 1000, &data) {
            Ok(sent) => taken += sent,
            Err(error) => break error,
        }
    };
    assert_eq!((refused, taken % data.len()), (SendError::WouldBlock, 0));
    set_gro(&mut duo, 1, sockets[1], true);
    duo.exchange();
    let mut received = 0;
    while let Ok((got, _)) = receive(&mut duo.hosts[1].stack, sockets[1]) {
        assert!(got == data);
        received += got.len();
    }
    assert_eq!(received, taken);
    close(duo, sockets);
}

#[test]
fn the_queue_holds_no_more_joined_than_one_by_one() {
    let (mut duo, [_, there], sockets) = duo(false);
    let data = bytes(64);
    let mut received = [0; 2];
    for gro in [false, true] {
        set_gro(&mut duo, 1, sockets[1], gro);
        for _ in 0..100 {
            send(&mut duo.hosts[0].stack, sockets[0], there, 1, &data).expect("room");
            duo.exchange();
        }
        // What was joined and not read is taken apart when the reader does not want it so any more.
        set_gro(&mut duo, 1, sockets[1], false);
        while let Ok((got, one)) = receive(&mut duo.hosts[1].stack, sockets[1]) {
            assert_eq!(got[..], data[received[usize::from(gro)] % 64..][..1]);
            assert_eq!(one.segment, None);
            received[usize::from(gro)] += 1;
        }
    }
    assert!(
        received[0] > 4000 && received[1].abs_diff(received[0]) <= 64,
        "{received:?}"
    );
    close(duo, sockets);
}

#[test]
fn a_device_without_offload_gets_datagrams_with_an_identification_each() {
    for v6 in [false, true] {
        let mut lab = Lab::default();
        let (from, to) = (Lab::address(v6), SocketAddr::new(Lab::neighbour(v6), 9));
        let stack = &mut lab.host.stack;
        let socket = stack.udp_bind((from, 53).into()).expect("a free port");
        let data = bytes(9_500);
        for _ in 0..2 {
            assert_eq!(send(stack, socket, to, 1000, &data), Ok(data.len()));
        }
        let sent = lab.sent();
        assert_eq!(sent.len(), 20);
        for (packet, piece) in sent.iter().zip(data.chunks(1000).cycle()) {
            let datagram = Udp::of(&Ip::parse(packet)).expect("UDP");
            assert_eq!((datagram.dst, &datagram.payload[..]), (to, piece));
        }
        if !v6 {
            let ident = |packet: &Vec<u8>| u16::from_be_bytes([packet[4], packet[5]]);
            let first = ident(&sent[0]);
            for (number, packet) in (0..).zip(&sent) {
                assert_eq!(ident(packet), first.wrapping_add(number));
            }
        }
        lab.host.stack.close(lab.now, socket);
        assert_eq!(lab.host.live_nodes(), 0);
    }
}

#[test]
fn segments_that_their_path_does_not_take_any_more_are_fragmented() {
    let mut lab = Lab::default();
    let (from, to) = (Lab::address(true), SocketAddr::new(Lab::neighbour(true), 9));
    let socket = lab.host.stack.udp_bind((from, 53).into()).expect("free");
    let data = bytes(7_100);
    let stack = &mut lab.host.stack;
    assert_eq!(send(stack, socket, to, 1400, &data), Ok(7_100));
    let first = lab.sent();
    assert_eq!(first.len(), 6);
    let stack = &mut lab.host.stack;
    assert_eq!(send(stack, socket, to, 1400, &data), Ok(7_100));
    // While that waits, the network says that a link takes less.
    let report = Icmp {
        src: Lab::neighbour(true),
        dst: from,
        kind: (2, 0),
        word: 1280,
        payload: first[0][..500].to_vec(),
    };
    lab.inject(&report.to_packet());
    let sent = lab.sent();
    assert_eq!(
        sent.len(),
        11,
        "five in two fragments, the last in one piece"
    );
    for (pair, piece) in sent.chunks(2).zip(data.chunks(1400)) {
        let datagram = Udp::of(&Ip::reassemble(pair)).expect("UDP");
        assert!(datagram.payload == piece);
        assert!(pair.iter().all(|packet| packet.len() <= 1280));
    }
    assert_eq!(lab.host.stack.counters().udp.out_datagrams, 12);
}

#[test]
fn messages_to_oneself_are_the_same() {
    let (mut duo, [here, _], sockets) = duo(false);
    let data = bytes(5_500);
    for gro in [false, true] {
        set_gro(&mut duo, 0, sockets[0], gro);
        let stack = &mut duo.hosts[0].stack;
        assert_eq!(send(stack, sockets[0], here, 1000, &data), Ok(5_500));
        duo.exchange();
        let stack = &mut duo.hosts[0].stack;
        let size = if gro { 5_500 } else { 1000 };
        for piece in data.chunks(size) {
            let (got, received) = receive(stack, sockets[0]).expect("looped back");
            assert!(got == piece);
            assert_eq!(received.segment, gro.then_some(1000));
        }
    }
    close(duo, sockets);
}

#[test]
fn lent_memory_is_sent_as_it_lies_and_given_back() {
    let (mut duo, [_, there], sockets) = duo(false);
    let stack = &mut duo.hosts[0].stack;
    let region = Region::new(stack.ledger(), bytes(20_000));
    let token = stack.message_token(sockets[0]).expect("few messages");
    let span = region.lend(0..20_000, Some(&token)).expect("within");
    let control = SendControl {
        token: Some(&token),
        ..SendControl::segments(there, 1000)
    };
    let mut from = IovIter::span(span);
    let sent = stack.send_message(sockets[0], &mut from, SendFlags::NONE, &control);
    assert_eq!(sent, Ok(20_000));
    drop((from, token));
    assert_eq!(stack.poll_completion(sockets[0]), Ok(None));
    duo.exchange();
    let stack = &mut duo.hosts[0].stack;
    let done = stack.poll_completion(sockets[0]).expect("a socket");
    // The receiver is given a copy.
    assert!(done.expect("complete").copied);
    assert!(region.unregister().is_ok());
    let got = calls::receive_from(&mut duo.hosts[1].stack, sockets[1]);
    assert_eq!(got.map(|(got, _)| got), Ok(bytes(20_000)[..1000].to_vec()));
    close(duo, sockets);
}
