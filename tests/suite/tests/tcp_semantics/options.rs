//! What an application may ask of a connection beside its data, and what it is told.

use core::time::Duration;
use netstack_core::{
    Congestion, ConnectionError, Instant, OptionError, RecvFlags, SocketOption, TcpState,
};
use std::io::IoSliceMut;
use std::net::SocketAddr;
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, FIN, PSH, Tcp};
use txbuf::IovIter;

const MSS: usize = 1460;
const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

fn established() -> Remote {
    Remote::accepts(Lab::default(), &Offer::default())
}

fn set(remote: &mut Remote, option: SocketOption) -> Result<(), OptionError> {
    let (now, socket) = (remote.lab.now, remote.socket);
    remote.lab.host.stack.set_option(now, socket, option)
}

#[test]
fn a_cork_holds_what_fills_no_segment_until_it_is_drawn() {
    let mut remote = established();
    set(&mut remote, SocketOption::Cork(true)).expect("TCP");
    set(&mut remote, SocketOption::NoDelay(true)).expect("TCP");
    remote.write(b"head");
    remote.nothing();
    remote.write(&[1; MSS]);
    assert_eq!(remote.one().payload.len(), MSS);
    set(&mut remote, SocketOption::Cork(false)).expect("TCP");
    assert_eq!(remote.one().payload.len(), 4);
}

#[test]
fn a_cork_that_is_forgotten_holds_for_a_retransmission_timeout() {
    let mut remote = established();
    set(&mut remote, SocketOption::Cork(true)).expect("TCP");
    remote.write(b"head");
    let sent = remote.pass(SECOND * 2);
    assert_eq!(
        sent.first().map(|(_, s)| s.payload.clone()),
        Some(b"head".to_vec())
    );
    assert!(sent[0].0 >= Duration::from_millis(200), "{:?}", sent[0].0);
}

#[test]
fn quick_acknowledgements_leave_at_once_until_it_is_switched_off() {
    let mut remote = established();
    remote.send(ACK, b"a");
    remote.nothing();
    set(&mut remote, SocketOption::QuickAck(true)).expect("TCP");
    assert_eq!(remote.one().ack, remote.nxt, "what waited too");
    remote.send(ACK, b"b");
    assert_eq!(remote.one().ack, remote.nxt);
    set(&mut remote, SocketOption::QuickAck(false)).expect("TCP");
    remote.send(ACK, b"c");
    remote.nothing();
    assert_eq!(remote.pass(SECOND).len(), 1);
}

// req: MUST-21, U-41
#[test]
fn a_user_timeout_ends_a_connection_whose_data_nobody_acknowledges() {
    let mut remote = established();
    let timeout = Duration::from_millis(5_300);
    set(&mut remote, SocketOption::UserTimeout(Some(timeout))).expect("TCP");
    remote.pass(SECOND * 100);
    assert_eq!(
        remote.state(),
        TcpState::Established,
        "silence is no reason"
    );
    remote.write(b"anybody?");
    let first = remote.one();
    remote.pass(timeout / 2);
    remote.acknowledge(&first);
    remote.write(b"and now?");
    remote.one();
    assert!(!remote.pass(timeout - MILLI).is_empty(), "repeated");
    assert_eq!(remote.state(), TcpState::Established);
    remote.pass(MILLI * 2);
    assert_eq!(remote.state(), TcpState::Closed);
    let error = remote.lab.host.stack.take_error(remote.socket);
    assert_eq!(error, Ok(Some(ConnectionError::TimedOut)));
}

#[test]
fn a_user_timeout_counts_for_what_is_outstanding_already_and_for_a_shut_window() {
    let mut remote = established();
    remote.write(b"anybody?");
    remote.one();
    remote.pass(SECOND * 10);
    set(&mut remote, SocketOption::UserTimeout(Some(SECOND))).expect("TCP");
    remote.pass(MILLI);
    assert_eq!(remote.state(), TcpState::Closed);

    let mut remote = established();
    set(&mut remote, SocketOption::UserTimeout(Some(SECOND * 20))).expect("TCP");
    remote.window = 0;
    remote.send(ACK, b"");
    remote.write(b"no room");
    for _ in 0..400 {
        if !remote.pass(SECOND / 10).is_empty() {
            remote.send(ACK, b"");
        }
    }
    assert_eq!(remote.state(), TcpState::Closed);
}

#[test]
fn a_user_timeout_longer_than_any_clock_is_no_short_one() {
    let mut remote = established();
    // Of its milliseconds 64 bits would keep 384.
    let forever = Duration::from_secs(u64::MAX / 1_000 + 1);
    set(&mut remote, SocketOption::UserTimeout(Some(forever))).expect("TCP");
    remote.write(b"anybody?");
    remote.pass(SECOND * 600);
    assert_eq!(remote.state(), TcpState::Established);
}

#[test]
fn a_maximum_segment_size_holds_both_ways_when_it_comes_before_the_syn() {
    let mut lab = Lab::default();
    let to = (Lab::neighbour(false), 80).into();
    let socket = lab
        .host
        .stack
        .tcp_connect(lab.now, to, None)
        .expect("a route");
    let option = SocketOption::MaxSegment(700);
    let now = lab.now;
    lab.host.stack.set_option(now, socket, option).expect("TCP");
    let syn = Tcp::parse(&lab.sent()[0]).expect("a SYN");
    assert_eq!(syn.options[..4], [2, 4, 2, 188], "{:?}", syn.options);

    let mut remote = established();
    set(&mut remote, SocketOption::MaxSegment(1_000)).expect("TCP");
    remote.write(&[1; 2_500]);
    let sizes: Vec<usize> = remote.sent().iter().map(|s| s.payload.len()).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
    set(&mut remote, SocketOption::MaxSegment(1_400)).expect("TCP");
    assert_eq!(remote.info().send_mss, 1_000, "it makes none longer");
    let refused = set(&mut remote, SocketOption::MaxSegment(87));
    assert_eq!(refused, Err(OptionError::Invalid));
}

#[test]
fn what_waits_to_be_sent_is_bounded_where_that_is_asked_for() {
    let mut remote = established();
    set(&mut remote, SocketOption::NotSentLowWater(Some(3_000))).expect("TCP");
    let stack = &mut remote.lab.host.stack;
    assert_eq!(calls::write(stack, remote.socket, &[1; 50_000]), Ok(3_000));
    let mut sent = remote.sent();
    let most = 3_000;
    for _ in 0..10 {
        let stack = &mut remote.lab.host.stack;
        // It takes what there is room for.
        let _ = calls::write(stack, remote.socket, &[1; 50_000]);
        assert!(remote.info().unsent <= most);
        sent.extend(remote.sent());
    }
    assert_eq!(remote.info().unsent, most, "the window is full");
    let stack = &mut remote.lab.host.stack;
    while stack.poll_event().is_some() {}
    assert!(!stack.readiness(remote.socket).expect("TCP").writable);
    for segment in &sent[..5] {
        remote.acknowledge(segment);
        remote.sent();
    }
    let stack = &mut remote.lab.host.stack;
    let mut told = false;
    while let Some(event) = stack.poll_event() {
        told |= event.writable;
    }
    assert!(told, "there is room again");
    assert!(stack.readiness(remote.socket).expect("TCP").writable);
    let refused = set(&mut remote, SocketOption::NotSentLowWater(Some(0)));
    assert_eq!(refused, Err(OptionError::Invalid));
    set(&mut remote, SocketOption::NotSentLowWater(None)).expect("TCP");
    remote.write(&[1; 100_000]);
}

/// Whether the application was told of room to write since the last call.
fn told_of_room(remote: &mut Remote) -> bool {
    let mut told = false;
    while let Some(event) = remote.lab.host.stack.poll_event() {
        told |= event.socket == remote.socket && event.writable;
    }
    told
}

#[test]
fn who_waits_at_a_low_water_mark_is_told_when_half_of_that_is_left_and_not_before() {
    let mut remote = established();
    let most = 8 * MSS;
    set(&mut remote, SocketOption::NotSentLowWater(Some(most))).expect("TCP");
    let mut sent = Vec::new();
    while calls::write(&mut remote.lab.host.stack, remote.socket, &[1; 50_000]).is_ok() {
        sent.extend(remote.sent());
    }
    assert_eq!(remote.info().unsent, most);
    told_of_room(&mut remote);
    let mut waited = 0;
    for segment in sent {
        let unsent = remote.info().unsent;
        remote.acknowledge(&segment);
        if told_of_room(&mut remote) {
            assert!(unsent <= most / 2, "{unsent}");
            break;
        }
        assert!(unsent > most / 2, "{unsent}");
        remote.sent();
        waited += 1;
    }
    assert_eq!(waited, 2, "two segments leave for each that arrived");
}

#[test]
fn nobody_is_told_of_room_who_had_enough() {
    let mut remote = established();
    remote.write(b"little");
    told_of_room(&mut remote);
    let sent = remote.one();
    remote.acknowledge(&sent);
    assert!(!told_of_room(&mut remote));
}

// req: RFC5482-12
#[test]
fn a_user_timeout_option_of_the_peer_has_no_effect() {
    let mut lab = Lab::default();
    let stack = (Lab::address(false), 80).into();
    let local = (Lab::neighbour(false), 40_000).into();
    lab.host.stack.tcp_listen(stack, 16).expect("a free port");
    let mut syn = Remote::syn(local, stack, &Offer::default());
    syn.options = [&[28, 4, 0x80, 1][..], &syn.options].concat();
    lab.inject(&syn.to_packet());
    let answer = Tcp::parse(&lab.sent()[0]).expect("a SYN-ACK");
    assert_eq!(answer.ack, syn.end());
    assert!(!answer.options.contains(&28), "{:?}", answer.options);
}

#[test]
fn what_held_a_sender_back_is_told_apart() {
    let mut remote = established();
    remote.pass(SECOND);
    assert_eq!(remote.info().busy, Duration::ZERO, "nothing to send");
    remote.write(b"one");
    let first = remote.one();
    remote.pass(MILLI * 100);
    remote.acknowledge(&first);
    remote.sent();
    assert_eq!(remote.info().busy, MILLI * 100);
    assert_eq!(remote.info().window_limited, Duration::ZERO);

    remote.window = 2_000;
    remote.send(ACK, b"");
    remote.write(&[1; 4 * MSS]);
    let sent = remote.sent();
    remote.pass(MILLI * 50);
    remote.window = 60_000;
    remote.acknowledge(sent.last().expect("a window"));
    remote.sent();
    assert_eq!(remote.info().window_limited, MILLI * 50);

    let mut remote = established();
    set(&mut remote, SocketOption::SendBuffer(2 * MSS)).expect("TCP");
    let stack = &mut remote.lab.host.stack;
    assert_eq!(
        calls::write(stack, remote.socket, &[1; 9 * MSS]),
        Ok(2 * MSS)
    );
    let sent = remote.sent();
    remote.pass(MILLI * 30);
    remote.acknowledge(&sent[1]);
    remote.sent();
    let info = remote.info();
    assert_eq!((info.buffer_limited, info.busy), (MILLI * 30, MILLI * 30));
}

#[test]
fn rates_and_what_was_sent_again_are_told() {
    let rtt = Duration::from_millis(100);
    let offer = Offer {
        rtt,
        ..Offer::default()
    };
    let mut config = WorldConfig::default();
    config.tcp.congestion = Congestion::Bbr;
    let mut remote = Remote::accepts(Lab::new(&config), &offer);
    assert!(remote.info().pacing_rate > Some(0));
    set(&mut remote, SocketOption::PacingRate(Some(14_600))).expect("TCP");
    assert_eq!(remote.info().pacing_rate, Some(14_600));

    let mut remote = Remote::accepts(Lab::default(), &offer);
    assert_eq!(remote.info().pacing_rate, None);
    for _ in 0..3 {
        remote.write(&[1; 10 * MSS]);
        let sent = remote.sent();
        remote.pass(rtt);
        remote.acknowledge(&sent[9]);
    }
    assert_eq!(remote.info().delivery_rate, 10 * MSS as u64 * 10);
    remote.write(&[1; 100]);
    remote.one();
    assert!(!remote.pass(SECOND).is_empty());
    let info = remote.info();
    assert_eq!(info.bytes_retransmitted, 100 * info.retransmits);
    remote.send(ACK | PSH, b"");
}

#[test]
fn a_receive_buffer_that_is_set_before_the_syn_leaves_is_what_that_announces() {
    for limit in [4_096, 64 << 20] {
        let mut lab = Lab::default();
        let peer = SocketAddr::new(Lab::neighbour(false), 80);
        let stack = &mut lab.host.stack;
        let socket = stack.tcp_connect(lab.now, peer, None).expect("a route");
        let option = SocketOption::ReceiveBuffer(limit);
        stack.set_option(lab.now, socket, option).expect("TCP");
        let syn = Tcp::parse(&lab.sent()[0]).expect("a segment");
        assert_eq!(usize::from(syn.window), limit.min(65_535));
        let scale = syn.window_scale().expect("scaled");
        assert!(usize::from(u16::MAX) << scale >= limit, "{scale}");
    }
}

#[test]
fn bytes_are_counted_as_they_leave_and_arrive() {
    let mut remote = established();
    remote.write(&[1; 3 * MSS]);
    let flight = remote.sent();
    let info = remote.info();
    let counts = (info.bytes_sent, info.bytes_acked, info.bytes_received);
    assert_eq!(counts, (3 * MSS as u64, 0, 0));
    remote.acknowledge(&flight[1]);
    remote.pass(SECOND * 2);
    remote.send(ACK, b"data");
    let info = remote.info();
    assert_eq!((info.bytes_acked, info.bytes_received), (2 * MSS as u64, 4));
    assert_eq!(info.bytes_sent, 3 * MSS as u64 + info.bytes_retransmitted);
    assert!(info.bytes_retransmitted >= MSS as u64);
    set(&mut remote, SocketOption::PacingRate(Some(1_000_000))).expect("TCP");
    assert_eq!(remote.info().pacing_limit, Some(1_000_000));
}

#[test]
fn how_long_ago_data_left_and_came_is_told() {
    let mut remote = established();
    remote.write(b"data");
    let sent = remote.one();
    remote.pass(MILLI * 30);
    remote.acknowledge(&sent);
    remote.send(ACK | PSH, b"answer");
    remote.sent();
    remote.pass(MILLI * 20);
    // Acknowledgements, of which one has left too, are no data.
    remote.send(ACK, b"");
    let segments = remote.info().segments;
    assert_eq!(segments.since_data_sent, MILLI * 50);
    assert_eq!(segments.since_data_received, MILLI * 20);
}

/// Reads up to `most` bytes and says how many, and when the last of them came.
fn read_timed(remote: &mut Remote, most: usize, flags: RecvFlags) -> (usize, Option<Instant>) {
    let mut buffer = vec![0; most];
    let mut slices = [IoSliceMut::new(&mut buffer)];
    let (stack, socket) = (&mut remote.lab.host.stack, remote.socket);
    let received = stack.receive_message(socket, &mut IovIter::sink(&mut slices), flags);
    let received = received.expect("data");
    (received.bytes, received.time)
}

#[test]
fn what_is_read_says_when_the_last_of_it_came_to_who_asked() {
    let mut remote = established();
    remote.send(ACK, b"before");
    set(&mut remote, SocketOption::ReceiveTimes(true)).expect("TCP");
    remote.pass(SECOND);
    let first = remote.lab.now;
    remote.send(ACK, b"first");
    remote.pass(SECOND);
    let second = remote.lab.now;
    remote.send(ACK, b"second");
    remote.pass(SECOND);
    let now = RecvFlags::NONE;
    assert_eq!(
        read_timed(&mut remote, 4, now),
        (4, None),
        "nobody had asked"
    );
    assert_eq!(
        read_timed(&mut remote, 4, now),
        (4, Some(first)),
        "\"refi\""
    );
    assert_eq!(
        read_timed(&mut remote, 9, RecvFlags::PEEK),
        (9, Some(second))
    );
    assert_eq!(read_timed(&mut remote, 3, now), (3, Some(first)));
    remote.send(ACK | FIN, b"!");
    let last = remote.lab.now;
    assert_eq!(read_timed(&mut remote, 100, now), (7, Some(last)));
    assert_eq!(read_timed(&mut remote, 100, now), (0, None), "the end");
}

#[test]
fn what_fills_a_hole_says_when_what_was_beyond_it_could_be_read() {
    let mut remote = established();
    set(&mut remote, SocketOption::ReceiveTimes(true)).expect("TCP");
    let hole = remote.segment(ACK, b"first");
    let beyond = Tcp {
        seq: hole.end(),
        ..remote.segment(ACK, b"second")
    };
    remote.inject(&beyond);
    remote.pass(SECOND);
    let filled = remote.lab.now;
    remote.inject(&hole);
    let all = read_timed(&mut remote, 100, RecvFlags::NONE);
    assert_eq!(all, (11, Some(filled)));
    set(&mut remote, SocketOption::ReceiveTimes(false)).expect("TCP");
    let last = Tcp {
        seq: beyond.end(),
        ..remote.segment(ACK, b"!")
    };
    remote.inject(&last);
    assert_eq!(read_timed(&mut remote, 100, RecvFlags::NONE), (1, None));
}
