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
