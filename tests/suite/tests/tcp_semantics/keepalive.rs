//! Asking a silent peer (RFC 9293, 3.8.4).

use core::time::Duration;
use netstack_core::{ConnectionError, KeepAlive, OptionError, SocketOption, TcpState};
use std::net::SocketAddr;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, PSH, RST, SYN, Tcp};

const SECOND: Duration = Duration::from_secs(1);
const KEEP_ALIVE: KeepAlive = KeepAlive {
    idle: Duration::from_secs(60),
    interval: Duration::from_secs(10),
    probes: 3,
};

fn established() -> Remote {
    let mut remote = Remote::connects(Lab::default(), &Offer::default());
    let option = SocketOption::KeepAlive(Some(KEEP_ALIVE));
    remote
        .lab
        .host
        .stack
        .set_option(remote.lab.now, remote.socket, option)
        .expect("TCP");
    remote
}

// req: MUST-28
#[test]
fn without_other_times_the_first_probe_comes_after_two_hours() {
    let mut remote = Remote::connects(Lab::default(), &Offer::default());
    let option = SocketOption::KeepAlive(Some(KeepAlive::default()));
    let now = remote.lab.now;
    remote
        .lab
        .host
        .stack
        .set_option(now, remote.socket, option)
        .expect("TCP");
    let sent = remote.pass(SECOND * 7_201);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, SECOND * 7_200);
}

#[test]
fn a_handshake_longer_than_the_silence_ends_no_asking() {
    let mut lab = Lab::default();
    let to = SocketAddr::new(Lab::neighbour(false), 80);
    let stack = &mut lab.host.stack;
    let socket = stack.tcp_connect(lab.now, to, None).expect("a route");
    let option = SocketOption::KeepAlive(Some(KeepAlive {
        idle: SECOND,
        ..KEEP_ALIVE
    }));
    stack.set_option(lab.now, socket, option).expect("TCP");
    let syn = Tcp::parse(&lab.sent()[0]).expect("TCP");
    // The first SYN was lost.
    assert_eq!(lab.pass(SECOND * 3 / 2).len(), 1);
    let answer = Tcp {
        src: syn.dst,
        dst: syn.src,
        seq: 1_000,
        ack: syn.end(),
        flags: SYN | ACK,
        options: Vec::new(),
        ..syn
    };
    lab.inject(&answer.to_packet());
    assert_eq!(lab.sent().len(), 1);
    let (after, probe) = lab.pass(SECOND * 5).remove(0);
    let probe = Tcp::parse(&probe).expect("TCP");
    assert_eq!((after, probe.seq), (SECOND, answer.ack.wrapping_sub(1)));
}

// req: MUST-26
#[test]
fn nothing_is_probed_while_data_is_out() {
    let mut remote = established();
    remote.write(b"unanswered");
    let data = remote.one();
    let sent = remote.pass(SECOND * 100);
    assert!(!sent.is_empty());
    assert!(
        sent.iter().all(|(_, segment)| segment.seq == data.seq),
        "{sent:?}"
    );
}

// req: MAY-5, MUST-27, MUST-29, SHLD-12
#[test]
fn a_silent_peer_is_probed_and_then_given_up() {
    let mut remote = established();
    let sent = remote.pass(SECOND * 200);
    let times: Vec<u64> = sent.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [60, 70, 80, 90]);
    for (_, probe) in &sent[..3] {
        assert_eq!(
            (probe.flags, probe.seq, probe.ack),
            (ACK, remote.rcv.wrapping_sub(1), remote.nxt)
        );
        assert!(probe.payload.is_empty());
    }
    assert!(sent[3].1.has(RST), "the peer is told");
    let error = remote.lab.host.stack.take_error(remote.socket);
    assert_eq!(
        (error, remote.state()),
        (Ok(Some(ConnectionError::TimedOut)), TcpState::Closed)
    );
}

// req: MUST-26
#[test]
fn an_answer_starts_the_silence_anew() {
    let mut remote = established();
    for _ in 0..20 {
        let sent = remote.pass(SECOND * 60);
        assert_eq!(sent.len(), 1, "{sent:?}");
        remote.send(ACK, b"");
        remote.nothing();
    }
    assert_eq!(remote.state(), TcpState::Established);
}

// req: MUST-26
#[test]
fn data_is_no_silence() {
    let mut remote = established();
    for _ in 0..10 {
        remote.pass(SECOND * 50);
        remote.send(ACK | PSH, b"alive");
        remote.one();
    }
    assert_eq!(remote.state(), TcpState::Established);
}

// req: MUST-24, MUST-25
#[test]
fn without_the_option_a_silent_peer_is_left_alone() {
    let untouched = Remote::connects(Lab::default(), &Offer::default());
    let mut switched_off = established();
    let now = switched_off.lab.now;
    let option = SocketOption::KeepAlive(None);
    let stack = &mut switched_off.lab.host.stack;
    stack
        .set_option(now, switched_off.socket, option)
        .expect("TCP");
    for mut remote in [untouched, switched_off] {
        assert!(remote.pass(SECOND * 100_000).is_empty());
        assert_eq!(remote.state(), TcpState::Established);
    }
}

// req: U-15
#[test]
fn a_probe_from_the_peer_is_answered() {
    let mut remote = Remote::connects(Lab::default(), &Offer::default());
    for payload in [&b""[..], b"?"] {
        let seq = remote.nxt.wrapping_sub(1);
        let probe = Tcp {
            seq,
            ..remote.segment(ACK, payload)
        };
        remote.inject(&probe);
        let answer = remote.one();
        assert_eq!(
            (answer.flags, answer.seq, answer.ack),
            (ACK, remote.rcv, remote.nxt)
        );
        remote.pass(SECOND);
    }
    assert_eq!(
        remote.read().as_deref(),
        Some(&b""[..]),
        "its byte is not data"
    );
}

#[test]
fn impossible_values_are_refused() {
    let mut remote = established();
    for bad in [
        KeepAlive {
            idle: Duration::ZERO,
            ..KEEP_ALIVE
        },
        KeepAlive {
            interval: Duration::ZERO,
            ..KEEP_ALIVE
        },
        KeepAlive {
            probes: 0,
            ..KEEP_ALIVE
        },
    ] {
        let option = SocketOption::KeepAlive(Some(bad));
        let result = remote
            .lab
            .host
            .stack
            .set_option(remote.lab.now, remote.socket, option);
        assert_eq!(result, Err(OptionError::Invalid));
    }
}

#[test]
fn no_silence_is_shorter_than_a_millisecond() {
    let mut remote = established();
    let option = SocketOption::KeepAlive(Some(KeepAlive {
        idle: Duration::from_nanos(1),
        interval: Duration::from_nanos(1),
        probes: 3,
    }));
    let now = remote.lab.now;
    let stack = &mut remote.lab.host.stack;
    stack.set_option(now, remote.socket, option).expect("TCP");
    let sent = remote.pass(Duration::from_millis(3));
    let times: Vec<Duration> = sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [1, 2, 3].map(Duration::from_millis));
}
