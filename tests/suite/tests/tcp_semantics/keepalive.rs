//! Asking a silent peer (RFC 9293, 3.8.4).

use core::time::Duration;
use netstack_core::{ConnectionError, KeepAlive, OptionError, SocketOption, TcpState};
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, PSH, RST};

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
    }
    assert!(sent[3].1.has(RST), "the peer is told");
    let error = remote.lab.host.stack.take_error(remote.socket);
    assert_eq!(
        (error, remote.state()),
        (Ok(Some(ConnectionError::TimedOut)), TcpState::Closed)
    );
}

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

#[test]
fn without_the_option_a_silent_peer_is_left_alone() {
    let mut remote = established();
    remote
        .lab
        .host
        .stack
        .set_option(remote.lab.now, remote.socket, SocketOption::KeepAlive(None))
        .expect("TCP");
    assert!(remote.pass(SECOND * 100_000).is_empty());
    assert_eq!(remote.state(), TcpState::Established);
}

#[test]
fn a_probe_from_the_peer_is_answered() {
    let mut remote = Remote::connects(Lab::default(), &Offer::default());
    for payload in [&b""[..], b"?"] {
        let seq = remote.nxt.wrapping_sub(1);
        let probe = suite::wire::Tcp {
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
