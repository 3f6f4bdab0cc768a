//! The user timeout that both ends tell each other (RFC 5482).

use core::time::Duration;
use netstack_core::{KeepAlive, SocketOption, TcpState};
use std::net::SocketAddr;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, SYN, Tcp, options};

const SECOND: Duration = Duration::from_secs(1);

fn set(remote: &mut Remote, option: SocketOption) {
    let (now, stack) = (remote.lab.now, &mut remote.lab.host.stack);
    stack
        .set_option(now, remote.socket, option)
        .expect("a connection");
}

/// A connection that tells the peer 300 seconds, and hears `field`.
fn telling(field: u16) -> Remote {
    let mut remote = Remote::accepts(Lab::default(), &Offer::default());
    set(
        &mut remote,
        SocketOption::AdvertiseUserTimeout(Some(SECOND * 300)),
    );
    hear(&mut remote, field);
    remote
}

fn hear(remote: &mut Remote, field: u16) {
    let mut segment = remote.segment(ACK, b"");
    segment.options.extend(options::user_timeout(field));
    remote.inject(&segment);
}

/// How long data stays unacknowledged before the connection fails.
fn patience(remote: &mut Remote) -> Duration {
    remote.write(b"lost");
    let start = remote.lab.now;
    while remote.state() != TcpState::Closed {
        remote.pass(SECOND);
        assert!(remote.lab.now - start < SECOND * 100_000);
    }
    remote.lab.now - start
}

// req: RFC5482-01, RFC5482-02, RFC5482-03
#[test]
fn it_is_told_with_the_syn_and_behind_it_and_when_it_changes() {
    let mut lab = Lab::default();
    let server = SocketAddr::new(Lab::neighbour(false), 80);
    let socket = lab
        .host
        .stack
        .tcp_connect(lab.now, server, None)
        .expect("a route");
    let tell = |seconds: u64| SocketOption::AdvertiseUserTimeout(Some(SECOND * seconds as u32));
    lab.host
        .stack
        .set_option(lab.now, socket, tell(300))
        .expect("a connection");
    let sent = |lab: &mut Lab| -> Vec<Option<u16>> {
        let sent = lab.sent();
        sent.iter()
            .map(|packet| Tcp::parse(packet).expect("TCP").user_timeout())
            .collect()
    };
    let syn = Tcp::parse(&lab.sent()[0]).expect("TCP");
    assert_eq!(syn.user_timeout(), Some(300));
    let syn_ack = Tcp {
        src: syn.dst,
        dst: syn.src,
        seq: 1,
        ack: syn.end(),
        flags: SYN | ACK,
        window: 60_000,
        urgent: 0,
        options: options::mss(1460),
        payload: Vec::new(),
    };
    lab.inject(&syn_ack.to_packet());
    assert_eq!(
        sent(&mut lab),
        [Some(300)],
        "the first segment behind the SYN"
    );
    suite::calls::write(&mut lab.host.stack, socket, b"one").expect("room");
    assert_eq!(sent(&mut lab), [None]);
    lab.host
        .stack
        .set_option(lab.now, socket, tell(40_000))
        .expect("a connection");
    let data = Tcp {
        seq: 2,
        flags: ACK,
        options: Vec::new(),
        payload: vec![1; 2000],
        ..syn_ack
    };
    lab.inject(&data.to_packet());
    let (_, acknowledgement) = lab.pass(SECOND / 10).pop().expect("one");
    let told = Tcp::parse(&acknowledgement).expect("TCP").user_timeout();
    assert_eq!(told, Some(0x8000 | 667), "in minutes");
    let zero = SocketOption::AdvertiseUserTimeout(Some(Duration::ZERO));
    assert!(lab.host.stack.set_option(lab.now, socket, zero).is_err());
}

// req: RFC5482-06, RFC5482-04, RFC5482-07, RFC5482-10
#[test]
fn the_longer_of_both_is_in_force_within_limits() {
    for (field, expected) in [(0x8000 | 10, 600), (1, 300), (0xffff, 3600)] {
        let mut remote = telling(field);
        let patience = patience(&mut remote).as_secs();
        assert!(
            (expected..=expected + 1).contains(&patience),
            "{field:#x}: {patience}"
        );
    }
    let mut remote = telling(1);
    set(
        &mut remote,
        SocketOption::AdvertiseUserTimeout(Some(SECOND)),
    );
    assert!((150..=151).contains(&patience(&mut remote).as_secs()));
}

// req: RFC5482-11
#[test]
fn the_reserved_value_changes_nothing() {
    let mut remote = telling(0x8000 | 10);
    hear(&mut remote, 0);
    assert!((600..=601).contains(&patience(&mut remote).as_secs()));
}

// req: RFC5482-05
#[test]
fn what_the_application_chose_no_peer_changes() {
    let mut remote = telling(1);
    set(&mut remote, SocketOption::UserTimeout(Some(SECOND * 20)));
    hear(&mut remote, 0x8000 | 10);
    assert!((20..=21).contains(&patience(&mut remote).as_secs()));
}

// req: RFC5482-13
#[test]
fn a_keep_alive_waits_for_longer_than_the_timeout() {
    let mut remote = telling(0x8000 | 10);
    set(
        &mut remote,
        SocketOption::KeepAlive(Some(KeepAlive {
            idle: SECOND * 10,
            interval: SECOND,
            probes: 2,
        })),
    );
    remote.sent();
    let sent = remote.pass(SECOND * 700);
    assert_eq!(sent[0].0, SECOND * 601);
}

// req: RFC5482-08
#[test]
fn no_peer_ends_a_connection_before_something_was_sent_again() {
    let mut remote = telling(1);
    // What both say is a second; round trips that got long make the retransmission timeout longer than that.
    set(
        &mut remote,
        SocketOption::AdvertiseUserTimeout(Some(SECOND)),
    );
    remote.sent();
    for _ in 0..8 {
        remote.write(b"slow");
        let data = remote.one();
        remote
            .lab
            .until(remote.lab.now + Duration::from_millis(900));
        remote.acknowledge(&data);
    }
    let timeout = remote.info().rto;
    assert!(timeout > SECOND, "{timeout:?}");
    remote.write(b"lost");
    remote.sent();
    let repeated = remote.pass(SECOND * 60);
    assert!(repeated.len() >= 3, "{repeated:#?}");
    assert_eq!(remote.state(), TcpState::Established);
}

// req: RFC5482-09
#[test]
fn a_lost_option_does_no_harm() {
    // The SYN's option got lost: the next segment says it again, whatever the peer said or did not.
    let mut remote = Remote::accepts(Lab::default(), &Offer::default());
    set(
        &mut remote,
        SocketOption::AdvertiseUserTimeout(Some(SECOND * 300)),
    );
    remote.write(b"one");
    let first = remote.one();
    assert_eq!(first.user_timeout(), Some(300));
    // So did that one; data arrives and is acknowledged as ever, and nothing waits for an answer to the option.
    let again = remote.pass(SECOND * 5);
    assert!(again.iter().all(|(_, segment)| segment.seq == first.seq));
    remote.acknowledge(&first);
    remote.send(ACK, b"theirs");
    assert_eq!(remote.read(), Some(b"theirs".to_vec()));
    // Where the peer never says anything, ours is in force alone.
    assert!((300..=301).contains(&patience(&mut remote).as_secs()));
}
