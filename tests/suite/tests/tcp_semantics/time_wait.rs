//! TIME-WAIT: when it gives way (RFC 6191), and what bounds it.

use core::time::Duration;
use netstack_core::{How, SocketId, TcpConfig, TcpState};
use std::net::SocketAddr;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, FIN, RST, SYN, Tcp};

const SECOND: Duration = Duration::from_secs(1);

/// A connection that the stack has closed first, and whether its application still holds it.
fn time_wait(timestamp: Option<u32>, held: bool) -> Remote {
    let offer = Offer {
        timestamp,
        ..Offer::default()
    };
    let mut remote = Remote::connects(Lab::default(), &offer);
    let stack = &mut remote.lab.host.stack;
    if held {
        stack
            .shutdown(remote.socket, How::Write)
            .expect("connected");
    } else {
        stack.close(remote.lab.now, remote.socket);
    }
    let fin = remote.one();
    remote.acknowledge(&fin);
    remote.send(FIN | ACK, b"");
    assert_eq!(remote.one().ack, remote.nxt);
    assert_eq!(states(&remote.lab), [TcpState::TimeWait]);
    remote
}

fn states(lab: &Lab) -> Vec<TcpState> {
    let connections = lab.host.stack.tcp_connections();
    connections.map(|(_, _, info)| info.state).collect()
}

/// Whether a SYN opens a new connection in the place of one in TIME-WAIT that had the timestamp 1000 or none.
fn gives_way(had: bool, timestamp: Option<u32>, ahead: i32, held: bool) -> bool {
    let mut remote = time_wait(had.then_some(1_000), held);
    let stack = &mut remote.lab.host.stack;
    let listener = stack.tcp_listen(remote.stack, 4).expect("a free port");
    let offer = Offer {
        timestamp,
        ..Offer::default()
    };
    let syn = Tcp {
        seq: remote.nxt.wrapping_add_signed(ahead),
        ..Remote::syn(remote.local, remote.stack, &offer)
    };
    remote.inject(&syn);
    let answer = remote.sent().pop().filter(|answer| answer.has(SYN));
    let Some(answer) = answer else {
        assert_eq!(states(&remote.lab), [TcpState::TimeWait]);
        return false;
    };
    assert_eq!((answer.flags, answer.ack), (SYN | ACK, syn.end()));
    // 32-bit numbers wrap: newer is ahead on the circle.
    assert!((answer.seq.wrapping_sub(remote.rcv) as i32) > 0);
    remote.inject(&Remote::third(&answer, b""));
    assert!(remote.lab.host.stack.tcp_accept(listener).is_ok());
    assert_eq!(remote.lab.host.stack.counters().tcp.time_wait_reused, 1);
    true
}

// req: SHLD-4, RFC6191-01, RFC6191-02
#[test]
fn where_both_have_timestamps_the_newer_one_counts() {
    for held in [false, true] {
        assert!(gives_way(true, Some(1_001), -1_000, held));
        assert!(gives_way(true, Some(1_001), 1_000, held));
        assert!(gives_way(true, Some(1_000), 1_000, held), "the same tick");
        assert!(!gives_way(true, Some(1_000), -1_000, held));
        assert!(!gives_way(true, Some(999), 1_000, held), "an old SYN");
    }
}

// req: RFC6191-03, RFC6191-04, RFC6191-05
#[test]
fn where_one_has_no_timestamps_the_sequence_number_counts() {
    for held in [false, true] {
        assert!(gives_way(true, None, 1_000, held));
        assert!(!gives_way(true, None, -1_000, held));
        assert!(
            gives_way(false, Some(7), -1_000, held),
            "nothing old has any"
        );
        assert!(gives_way(false, None, 1_000, held));
        assert!(!gives_way(false, None, -1_000, held));
    }
}

#[test]
fn unread_data_does_not_end_time_wait() {
    let mut remote = Remote::connects(Lab::default(), &Offer::default());
    let stack = &mut remote.lab.host.stack;
    stack
        .shutdown(remote.socket, How::Write)
        .expect("connected");
    let fin = remote.one();
    remote.acknowledge(&fin);
    remote.send(FIN | ACK, b"nobody reads this");
    remote.one();
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    remote.nothing();
    assert_eq!(states(&remote.lab), [TcpState::TimeWait]);
    assert_eq!(remote.lab.host.live_nodes(), 0);
    remote.pass(SECOND * 61);
    assert_eq!(states(&remote.lab), []);
}

/// A stack with a listener, configured by `change`.
fn listening(change: impl FnOnce(&mut TcpConfig)) -> (Lab, SocketId) {
    let mut config = WorldConfig::default();
    change(&mut config.tcp);
    let mut lab = Lab::new(&config);
    let stack = SocketAddr::new(Lab::address(false), 80);
    let listener = lab.host.stack.tcp_listen(stack, 16);
    (lab, listener.expect("a free port"))
}

fn sent(lab: &mut Lab) -> Option<Tcp> {
    let packet = lab.sent().pop()?;
    Some(Tcp::parse(&packet).expect("TCP"))
}

/// A client connects from `port` and the stack closes; returns what the stack says then, and the client's FIN.
fn close(lab: &mut Lab, listener: SocketId, port: u16) -> (Tcp, Tcp) {
    let client = SocketAddr::new(Lab::neighbour(false), port);
    let stack = SocketAddr::new(Lab::address(false), 80);
    lab.inject(&Remote::syn(client, stack, &Offer::default()).to_packet());
    let syn_ack = sent(lab).expect("a SYN-ACK");
    let third = Remote::third(&syn_ack, b"");
    lab.inject(&third.to_packet());
    let (socket, _) = lab.host.stack.tcp_accept(listener).expect("a connection");
    lab.host.stack.close(lab.now, socket);
    let last = sent(lab).expect("a FIN or a reset");
    let fin = Tcp {
        flags: FIN | ACK,
        ack: last.end(),
        ..third
    };
    (last, fin)
}

#[test]
fn beyond_the_limit_the_oldest_time_wait_is_forgotten() {
    let (mut lab, listener) = listening(|tcp| tcp.time_waits = 2);
    let mut fins = Vec::new();
    for port in [1000, 1001, 1002] {
        let (_, fin) = close(&mut lab, listener, port);
        lab.inject(&fin.to_packet());
        assert_eq!(sent(&mut lab).expect("an answer").flags, ACK);
        fins.push(fin);
    }
    assert_eq!(lab.host.stack.counters().tcp.time_wait_recycled, 1);
    assert_eq!(states(&lab), [TcpState::TimeWait; 2]);
    // The FINs come again: nobody knows the first any more.
    for (fin, expected) in fins.iter().zip([RST, ACK, ACK]) {
        lab.inject(&fin.to_packet());
        assert_eq!(sent(&mut lab).expect("an answer").flags, expected);
    }
    lab.pass(SECOND * 61);
    assert_eq!(states(&lab), []);
}

#[test]
fn beyond_the_limit_of_orphans_what_is_closed_is_reset() {
    let (mut lab, listener) = listening(|tcp| tcp.orphans = 1);
    let (last, fin) = close(&mut lab, listener, 1000);
    assert!(last.has(FIN));
    let (last, _) = close(&mut lab, listener, 1001);
    assert_eq!(last.flags, RST | ACK);
    assert_eq!(lab.host.stack.counters().tcp.orphans_reset, 1);
    // What is in TIME-WAIT does not count.
    lab.inject(&fin.to_packet());
    assert_eq!(sent(&mut lab).expect("an answer").flags, ACK);
    let (last, _) = close(&mut lab, listener, 1002);
    assert!(last.has(FIN));
    assert_eq!(lab.host.stack.counters().tcp.orphans_reset, 1);
}

#[test]
fn an_acknowledgement_that_says_nothing_new_is_not_answered() {
    for held in [false, true] {
        let mut remote = time_wait(None, held);
        remote.send(ACK, b"");
        remote.nothing();
        let counters = remote.lab.host.stack.counters();
        assert_eq!(counters.tcp.in_out_of_window, 0);
    }
}
