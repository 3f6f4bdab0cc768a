//! TTL or hop limit, and DSCP, that applications choose for TCP.

use super::*;
use netstack_core::OptionError;
use suite::lab::{Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, FIN, Ip, RST, SYN, Tcp};

/// What a packet says: TTL or hop limit, and the class without ECN, which is TCP's.
fn marks(packet: &[u8]) -> (u8, u8) {
    let class = match packet[0] >> 4 {
        4 => packet[1],
        _ => packet[0] << 4 | packet[1] >> 4,
    };
    (Ip::parse(packet).hop_limit, class & !3)
}

fn mark(lab: &mut Lab, socket: SocketId, hop_limit: u8, class: u8) {
    for choice in [
        SocketOption::HopLimit(Some(hop_limit)),
        SocketOption::TrafficClass(class),
    ] {
        let now = lab.now;
        let set = lab.host.stack.set_option(now, socket, choice);
        set.expect("an option of TCP");
    }
}

/// What the stack sends now has these marks; returns its flags.
#[track_caller]
fn sends(lab: &mut Lab, expected: (u8, u8)) -> Vec<u8> {
    let sent = lab.sent();
    assert!(!sent.is_empty());
    let look = |packet: &Vec<u8>| {
        let flags = Tcp::parse(packet).expect("TCP").flags;
        assert_eq!(marks(packet), expected, "{flags:#b}");
        flags
    };
    sent.iter().map(look).collect()
}

fn offer(v6: bool) -> Offer {
    Offer {
        v6,
        ..Offer::default()
    }
}

// req: MUST-48, MUST-49, SHLD-22
#[test]
fn every_segment_of_a_connection_is_marked() {
    for v6 in [false, true] {
        let mut lab = Lab::default();
        let to = SocketAddr::new(Lab::neighbour(v6), 80);
        let connected = lab.host.stack.tcp_connect(lab.now, to, None);
        mark(&mut lab, connected.expect("a route"), 7, 0xbb);
        assert_eq!(suite::wire::ip::ecn(&lab.sent()[0]), 0, "that is TCP's");
        let again = lab.pass(SECOND * 2).remove(0).1;
        assert_eq!(marks(&again), (7, 0xb8), "sent again");

        let mut remote = Remote::accepts(Lab::default(), &offer(v6));
        let socket = remote.socket;
        mark(&mut remote.lab, socket, 7, 0xbb);
        remote.write(&[1; 5_000]);
        assert_eq!(sends(&mut remote.lab, (7, 0xb8)).len(), 4, "data");
        let again = remote.lab.pass(SECOND * 2);
        assert!(!again.is_empty());
        for (_, packet) in again {
            assert_eq!(marks(&packet), (7, 0xb8), "repeated");
        }
        let beyond = Tcp {
            seq: remote.nxt.wrapping_sub(9),
            ..remote.segment(ACK, b"old")
        };
        remote.inject(&beyond);
        assert_eq!(sends(&mut remote.lab, (7, 0xb8)), [ACK]);
        remote.lab.host.stack.abort(remote.lab.now, socket);
        let flags = sends(&mut remote.lab, (7, 0xb8));
        assert!(flags.iter().all(|flags| flags & RST != 0), "{flags:?}");
    }
}

// req: MUST-48, MUST-49
#[test]
fn a_connection_in_time_wait_keeps_its_marks() {
    for v6 in [false, true] {
        let mut remote = Remote::accepts(Lab::default(), &offer(v6));
        let socket = remote.socket;
        mark(&mut remote.lab, socket, 9, 0x28);
        remote.lab.host.stack.close(remote.lab.now, socket);
        assert_eq!(sends(&mut remote.lab, (9, 0x28)), [FIN | ACK]);
        remote.rcv = remote.rcv.wrapping_add(1);
        let fin = remote.segment(FIN | ACK, b"");
        remote.inject(&fin);
        assert_eq!(sends(&mut remote.lab, (9, 0x28)), [ACK]);
        remote.lab.pass(SECOND);
        remote.inject(&fin);
        assert_eq!(sends(&mut remote.lab, (9, 0x28)), [ACK], "once more");
    }
}

// req: MUST-48, MUST-49
#[test]
fn a_listener_marks_its_answers_and_passes_its_marks_on() {
    for (v6, cookies) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut config = WorldConfig::default();
        config.tcp.syn_backlog = 1;
        let mut lab = Lab::new(&config);
        let local = SocketAddr::new(Lab::address(v6), 80);
        let listener = lab.host.stack.tcp_listen(local, 1).expect("free");
        mark(&mut lab, listener, 11, 0x48);
        let from = |port| SocketAddr::new(Lab::neighbour(v6), port);
        if cookies {
            let first = Remote::syn(from(1), local, &offer(v6));
            lab.inject(&first.to_packet());
            lab.sent();
        }
        let syn = Remote::syn(from(2), local, &offer(v6));
        lab.inject(&syn.to_packet());
        let answer = lab.sent().remove(0);
        assert_eq!(marks(&answer), (11, 0x48));
        let answer = Tcp::parse(&answer).expect("TCP");
        assert_eq!(answer.flags, SYN | ACK);
        let sent = lab.host.stack.counters().tcp.syn_cookies_sent;
        assert_eq!(sent, u64::from(cookies));
        lab.inject(&Remote::third(&answer, b"request").to_packet());
        let (socket, _) = lab.host.stack.tcp_accept(listener).expect("a connection");
        suite::calls::write(&mut lab.host.stack, socket, b"response").expect("room");
        sends(&mut lab, (11, 0x48));
    }
}

// req: SHLD-21
#[test]
fn marks_change_during_a_connection() {
    let mut remote = Remote::accepts(Lab::default(), &offer(false));
    let socket = remote.socket;
    for (hop_limit, class) in [(3, 0x28), (200, 0xfc), (64, 0)] {
        mark(&mut remote.lab, socket, hop_limit, class);
        remote.write(b"data");
        let sent = remote.lab.sent().remove(0);
        assert_eq!(marks(&sent), (hop_limit, class));
        remote.acknowledge(&Tcp::parse(&sent).expect("TCP"));
    }
    let now = remote.lab.now;
    let stack = &mut remote.lab.host.stack;
    let zero = stack.set_option(now, socket, SocketOption::HopLimit(Some(0)));
    assert_eq!(zero, Err(OptionError::Invalid));
}
