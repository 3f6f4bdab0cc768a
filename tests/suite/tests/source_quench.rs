//! Source quench: neither sent nor heard (RFC 6633).

use core::time::Duration;
use netstack_core::RecvError;
use std::net::SocketAddr;
use suite::calls;
use suite::lab::Lab;
use suite::wire::{Icmp, Udp};

fn local(port: u16) -> SocketAddr {
    SocketAddr::new(Lab::address(false), port)
}

fn remote(port: u16) -> SocketAddr {
    SocketAddr::new(Lab::neighbour(false), port)
}

// req: RFC6633-01, RFC4443-11
#[test]
fn who_sends_more_than_anybody_reads_is_not_told() {
    for v6 in [false, true] {
        let mut lab = Lab::default();
        let (here, there) = (Lab::address(v6), Lab::neighbour(v6));
        let stack = &mut lab.host.stack;
        let socket = stack.udp_bind((here, 9).into()).expect("a free port");
        for _ in 0..10_000 {
            let datagram = Udp {
                src: (there, 1_000).into(),
                dst: (here, 9).into(),
                payload: vec![1; 1_000],
            };
            lab.inject(&datagram.to_packet());
        }
        assert!(lab.pass(Duration::from_secs(10)).is_empty());
        let read = calls::receive_from(&mut lab.host.stack, socket);
        assert_eq!(read.map(|(bytes, _)| bytes.len()), Ok(1_000));
    }
}

// req: RFC6633-03, RFC6633-06
#[test]
fn a_quench_about_a_datagram_changes_nothing_and_is_counted() {
    let mut lab = Lab::default();
    let stack = &mut lab.host.stack;
    let socket = stack.udp_bind(local(9)).expect("a free port");
    stack.udp_connect(socket, remote(7)).expect("a route");
    calls::send_to(stack, socket, None, b"datagram").expect("room");
    let sent = lab.sent().remove(0);
    let quench = Icmp {
        src: remote(0).ip(),
        dst: local(0).ip(),
        kind: (4, 0),
        word: 0,
        payload: sent,
    };
    let dropped = lab.host.stack.counters().ip.icmp_in_unknown_type;
    lab.inject(&quench.to_packet());
    let stack = &mut lab.host.stack;
    assert_eq!(stack.take_error(socket), Ok(None));
    assert_eq!(
        calls::receive_from(stack, socket),
        Err(RecvError::WouldBlock)
    );
    assert_eq!(stack.counters().ip.icmp_in_unknown_type, dropped + 1);
    calls::send_to(stack, socket, None, b"more").expect("room");
    assert_eq!(lab.sent().len(), 1);
}
