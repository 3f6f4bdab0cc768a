//! Timestamps and protection against wrapped sequence numbers (RFC 7323).

use core::time::Duration;
use netstack_core::TcpState;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, PSH, RST, Tcp, options};

const MILLISECOND: Duration = Duration::from_millis(1);

fn established() -> Remote {
    Remote::connects(
        Lab::default(),
        &Offer {
            timestamp: Some(1_000),
            ..Offer::default()
        },
    )
}

fn echoed(segment: &Tcp) -> Option<u32> {
    segment.timestamps().map(|(_, ecr)| ecr)
}

// req: MUST-5, RFC7323-20, RFC7323-21, RFC7323-26, RFC7323-38
#[test]
fn the_peers_timestamp_is_echoed_and_ours_advances() {
    let mut remote = established();
    let start = remote.syn.timestamps().expect("timestamps").0;
    for step in 1..10u32 {
        remote.pass(MILLISECOND * 7);
        remote.timestamps = Some((1_000 + step, 0));
        remote.send(ACK | PSH, b"x");
        let ack = remote.one();
        assert_eq!(
            ack.timestamps(),
            Some((start.wrapping_add(7 * step), 1_000 + step))
        );
    }
}

// req: RFC7323-29
#[test]
fn a_delayed_acknowledgement_echoes_the_oldest_segment() {
    let mut remote = established();
    remote.timestamps = Some((1_010, 0));
    remote.send(ACK, b"first");
    remote.timestamps = Some((1_020, 0));
    remote.send(ACK | PSH, b"second");
    assert_eq!(echoed(&remote.one()), Some(1_010));
}

// req: RFC7323-30, RFC7323-37
#[test]
fn beyond_a_hole_the_last_segment_in_order_is_echoed() {
    let mut remote = established();
    remote.timestamps = Some((1_010, 0));
    let beyond = Tcp {
        seq: remote.nxt.wrapping_add(100),
        ..remote.segment(ACK, b"later")
    };
    remote.inject(&beyond);
    assert_eq!(echoed(&remote.one()), Some(1_000));
}

// req: RFC7323-35
#[test]
fn an_old_timestamp_is_dropped_and_acknowledged() {
    let mut remote = established();
    remote.timestamps = Some((2_000, 0));
    remote.send(ACK | PSH, b"new");
    remote.one();
    remote.timestamps = Some((1_999, 0));
    let old = remote.segment(ACK | PSH, b"old");
    remote.inject(&old);
    assert_eq!(remote.one().ack, remote.nxt);
    assert_eq!(remote.read().as_deref(), Some(&b"new"[..]));
    assert_eq!(remote.lab.host.stack.counters().tcp.in_paws, 1);
}

// req: RFC7323-35
#[test]
fn each_overtaken_segment_is_acknowledged_and_empty_ones_not_too_often() {
    let mut remote = established();
    remote.timestamps = Some((2_000, 0));
    remote.send(ACK | PSH, b"new");
    remote.one();
    remote.timestamps = Some((1_999, 0));
    let old = remote.segment(ACK | PSH, b"old");
    let empty = remote.segment(ACK, b"");
    for _ in 0..3 {
        remote.inject(&old);
        assert_eq!(remote.one().ack, remote.nxt);
    }
    for answers in [1, 0, 0] {
        remote.inject(&empty);
        assert_eq!(remote.sent().len(), answers);
    }
    let counters = &remote.lab.host.stack.counters().tcp;
    assert_eq!(counters.in_paws, 6);
    assert_eq!(counters.challenges_withheld, 2);
}

#[test]
fn timestamps_wrap() {
    let offer = Offer {
        timestamp: Some(u32::MAX - 1),
        ..Offer::default()
    };
    let mut remote = Remote::connects(Lab::default(), &offer);
    for val in [u32::MAX, 0, 1] {
        remote.timestamps = Some((val, 0));
        remote.send(ACK | PSH, b"x");
        assert_eq!(echoed(&remote.one()), Some(val));
    }
}

#[test]
fn a_segment_outside_the_window_does_not_set_the_clock_forward() {
    // Who cannot see the connection sends an old sequence number with a timestamp of the future. If that
    // were believed, everything that the real peer sends would be dropped as old.
    let mut remote = established();
    let forged = Tcp {
        seq: remote.nxt.wrapping_sub(1_000_000),
        options: options::timestamps(1_000 + 0x7000_0000, 0),
        ..remote.segment(ACK, b"forged")
    };
    remote.inject(&forged);
    remote.sent();
    remote.timestamps = Some((1_001, 0));
    remote.send(ACK | PSH, b"genuine");
    assert_eq!(remote.read().as_deref(), Some(&b"genuine"[..]));
}

// req: RFC7323-39
#[test]
fn after_twenty_five_days_of_silence_the_old_timestamp_means_nothing() {
    let mut remote = established();
    let days = Duration::from_secs(25 * 24 * 3600);
    remote.pass(days);
    remote.timestamps = Some((1_000u32.wrapping_add(days.as_millis() as u32), 0));
    remote.send(ACK | PSH, b"awake");
    assert_eq!(remote.read().as_deref(), Some(&b"awake"[..]));
}

// req: RFC7323-23, RFC7323-24
#[test]
fn a_segment_without_the_agreed_timestamp_is_dropped_but_a_reset_counts() {
    let mut remote = established();
    let bare = Tcp {
        options: Vec::new(),
        ..remote.segment(ACK | PSH, b"bare")
    };
    remote.inject(&bare);
    assert_eq!(remote.read().as_deref(), Some(&b""[..]));
    assert_eq!(remote.lab.host.stack.counters().tcp.in_no_timestamp, 1);
    remote.inject(&Tcp {
        flags: RST,
        payload: Vec::new(),
        ..bare
    });
    assert_eq!(remote.state(), TcpState::Closed);
}

#[test]
fn an_echo_measures_the_round_trip_of_what_was_sent_again() {
    let mut remote = established();
    remote.write(b"data");
    remote.one();
    let (at, again) = remote.pass(Duration::from_secs(2)).remove(0);
    let val = again.timestamps().expect("timestamps").0;
    remote.timestamps = Some((1_001, val));
    remote.acknowledge(&again);
    // The echo names the retransmission, which left at `at`, and not the original.
    let expected = Duration::from_secs(2) - at;
    let rtt = remote.info().rtt.expect("measured");
    assert!(rtt <= expected, "{rtt:?} measured, {expected:?} passed");
}

// req: RFC7323-22, RFC7323-34
#[test]
fn resets_carry_timestamps() {
    let mut remote = established();
    let (start, _) = remote.syn.timestamps().expect("timestamps");
    remote.pass(MILLISECOND * 5);
    remote.timestamps = Some((1_777, 0));
    remote.send(ACK | PSH, b"x");
    remote.one();
    remote.lab.host.stack.abort(remote.lab.now, remote.socket);
    let reset = remote.one();
    assert!(reset.has(RST));
    let expected = (start.wrapping_add(5), 1_777);
    assert_eq!(reset.timestamps(), Some(expected), "the application's");
    remote.timestamps = Some((1_888, 0));
    remote.send(ACK | PSH, b"y");
    let reset = remote.one();
    assert!(reset.has(RST));
    assert_eq!(reset.timestamps(), Some((0, 1_888)), "the answer");
}

// req: RFC7323-25
#[test]
fn timestamps_that_were_not_agreed_on_are_an_unknown_option() {
    let mut remote = Remote::connects(Lab::default(), &Offer::default());
    for val in [9_000, 8_000, 1] {
        let data = Tcp {
            options: options::timestamps(val, 77),
            ..remote.segment(ACK | PSH, b"x")
        };
        remote.nxt = data.end();
        remote.inject(&data);
        assert_eq!(remote.one().timestamps(), None);
        assert_eq!(remote.read().as_deref(), Some(&b"x"[..]));
    }
}

// req: RFC7323-27
#[test]
fn an_echo_that_acknowledges_nothing_measures_nothing() {
    let mut remote = established();
    let val = remote.syn.timestamps().expect("timestamps").0;
    remote.write(b"data");
    remote.one();
    let before = (remote.info().rtt, remote.info().rto);
    remote.pass(MILLISECOND * 100);
    remote.timestamps = Some((1_001, val));
    remote.send(ACK, b"");
    remote.send(ACK | PSH, b"and data");
    assert_eq!((remote.info().rtt, remote.info().rto), before);
}

// req: RFC7323-19
#[test]
fn what_a_syn_echoes_measures_nothing() {
    let stack = (Lab::address(false), 80).into();
    let local = (Lab::neighbour(false), 40_000).into();
    let mut estimates = Vec::new();
    let mut plausible = 0;
    for _ in 0..2 {
        let mut lab = Lab::default();
        let listener = lab.host.stack.tcp_listen(stack, 4).expect("a free port");
        let offer = Offer::default();
        let syn = Tcp {
            options: options::timestamps(1_000, plausible),
            ..Remote::syn(local, stack, &offer)
        };
        lab.inject(&syn.to_packet());
        let answer = Tcp::parse(&lab.sent()[0]).expect("TCP");
        // What the stack's clock showed five seconds ago.
        plausible = answer
            .timestamps()
            .expect("timestamps")
            .0
            .wrapping_sub(5_000);
        lab.pass(MILLISECOND * 20);
        lab.inject(&Remote::third(&answer, b"").to_packet());
        let (socket, _) = lab.host.stack.tcp_accept(listener).expect("a connection");
        let info = lab.host.stack.tcp_info(socket).expect("a connection");
        estimates.push((info.rtt, info.rto));
    }
    assert_eq!(estimates[0], estimates[1]);
}

// req: RFC7323-33
#[test]
fn a_reset_does_not_set_the_clock_forward() {
    let mut remote = established();
    let challenged = Tcp {
        seq: remote.nxt.wrapping_add(10),
        options: options::timestamps(900_000, 0),
        ..remote.segment(RST, b"")
    };
    remote.inject(&challenged);
    assert_eq!(echoed(&remote.one()), Some(1_000));
    remote.timestamps = Some((1_001, 0));
    remote.send(ACK | PSH, b"genuine");
    assert_eq!(remote.read().as_deref(), Some(&b"genuine"[..]));
}

// req: RFC7323-31, RFC7323-36
#[test]
fn a_segment_is_judged_by_its_timestamp_first_and_once() {
    let mut remote = established();
    // What waits beyond a hole is not judged again when the hole is filled by something newer.
    remote.timestamps = Some((1_010, 0));
    let beyond = Tcp {
        seq: remote.nxt.wrapping_add(4),
        ..remote.segment(ACK | PSH, b"beyond")
    };
    remote.inject(&beyond);
    remote.sent();
    remote.timestamps = Some((1_300, 0));
    remote.send(ACK | PSH, b"hole");
    assert_eq!(echoed(&remote.one()), Some(1_300), "of what filled it");
    assert_eq!(remote.read().as_deref(), Some(&b"holebeyond"[..]));
    remote.nxt = beyond.end();
    // What is both old and out of the window is old.
    remote.timestamps = Some((1_200, 0));
    let stray = Tcp {
        seq: remote.nxt.wrapping_sub(1_000_000),
        ..remote.segment(ACK, b"stray")
    };
    remote.inject(&stray);
    let counters = &remote.lab.host.stack.counters().tcp;
    assert_eq!((counters.in_paws, counters.in_out_of_window), (1, 0));
}

// req: RFC7323-41
#[test]
fn the_clocks_of_two_connections_say_nothing_of_each_other() {
    let mut lab = Lab::default();
    let mut clocks = std::collections::HashSet::new();
    for port in 1..=40 {
        let to = (Lab::neighbour(false), port).into();
        lab.host
            .stack
            .tcp_connect(lab.now, to, None)
            .expect("a route");
        let syn = Tcp::parse(&lab.sent()[0]).expect("TCP");
        let val = syn.timestamps().expect("timestamps").0;
        assert!(clocks.insert(val >> 16), "{val} is near another");
    }
}

#[test]
fn probes_of_a_shut_window_that_were_overtaken_are_all_answered() {
    let mut config = WorldConfig::default();
    config.tcp.receive_buffer = 2_000;
    let offer = Offer {
        timestamp: Some(1_000),
        ..Offer::default()
    };
    let mut remote = Remote::connects(Lab::new(&config), &offer);
    remote.timestamps = Some((1_010, 0));
    remote.send(ACK | PSH, &[1; 2_000]);
    assert_eq!(remote.one().window, 0);
    remote.timestamps = Some((1_009, 0));
    for _ in 0..3 {
        remote.inject(&remote.segment(ACK | PSH, b"?"));
        assert_eq!(remote.one().ack, remote.nxt);
    }
}
