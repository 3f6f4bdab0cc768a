//! Datagrams to others.

use super::{accepted, datagram, deciding, elsewhere, finish, flow, segments, source, undecided};
use netstack_core::{
    Admission, ConnectError, ConnectionError, RecvError, SendControl, SendFlags, SocketError,
    Transport,
};
use std::net::SocketAddr;
use suite::calls;
use suite::lab::Lab;
use suite::wire::{Icmp, Ip, Udp};
use txbuf::IovIter;

fn sent(lab: &mut Lab) -> Vec<Udp> {
    let sent = lab.sent();
    sent.iter()
        .map(|packet| Udp::of(&Ip::parse(packet)).expect("UDP"))
        .collect()
}

/// The ICMP error that is sent, as its kind and who seems to send it.
fn refusal(lab: &mut Lab) -> Option<((u8, u8), SocketAddr, Vec<u8>)> {
    let packet = lab.sent().pop()?;
    let icmp = Icmp::of(&Ip::parse(&packet)).expect("ICMP");
    Some((icmp.kind, SocketAddr::new(icmp.src, 0), icmp.payload))
}

const fn unreachable(v6: bool) -> (u8, u8) {
    if v6 { (1, 4) } else { (3, 3) }
}

#[test]
fn datagrams_of_one_source_to_one_destination_are_a_socket() {
    for v6 in [false, true] {
        let (mut lab, gateway) = deciding(Admission::Accept);
        let (from, to) = (source(v6, 1000), elsewhere(v6, 53));
        datagram(&mut lab, from, to, b"one");
        datagram(&mut lab, from, to, b"");
        datagram(&mut lab, from, elsewhere(v6, 54), b"other");
        let (socket, what) = accepted(&mut lab, gateway);
        assert_eq!(what, flow(Transport::Udp, from, to));
        let (other, _) = accepted(&mut lab, gateway);
        let stack = &mut lab.host.stack;
        assert_eq!(stack.local_addr(socket), Ok(to));
        for expected in [&b"one"[..], b""] {
            let received = calls::receive_from(stack, socket);
            assert_eq!(received, Ok((expected.to_vec(), from)));
        }
        assert_eq!(
            calls::receive_from(stack, other),
            Ok((b"other".to_vec(), from))
        );
        let answer = stack.send_message(
            socket,
            &mut IovIter::bytes(b"answer"),
            SendFlags::NONE,
            &SendControl::default(),
        );
        assert_eq!(answer, Ok(6));
        let payload = b"answer".to_vec();
        assert_eq!(
            sent(&mut lab),
            [Udp {
                src: to,
                dst: from,
                payload
            }]
        );
        // It belongs to its source for good.
        assert_eq!(
            lab.host.stack.udp_connect(socket, source(v6, 9)),
            Err(ConnectError::InvalidAddress)
        );
        assert_eq!(lab.host.stack.udp_connect(socket, from), Ok(()));
        for socket in [socket, other] {
            lab.host.stack.close(lab.now, socket);
        }
        // And after it was closed, the next datagram begins a flow anew.
        datagram(&mut lab, from, to, b"two");
        let (socket, _) = accepted(&mut lab, gateway);
        lab.host.stack.close(lab.now, socket);
        assert_eq!(lab.host.stack.counters().gateway.accepted_udp, 3);
        finish(lab, gateway);
    }
}

#[test]
fn a_rejected_flow_is_refused_in_place_of_its_destination() {
    for v6 in [false, true] {
        let (from, to) = (source(v6, 1000), elsewhere(v6, 53));
        let told = (unreachable(v6), SocketAddr::new(to.ip(), 0));
        let (mut lab, gateway) = deciding(Admission::Reject);
        datagram(&mut lab, from, to, b"question");
        let (kind, by, quoted) = refusal(&mut lab).expect("an ICMP error");
        assert_eq!((kind, by), told);
        assert!(quoted.ends_with(b"question"));
        finish(lab, gateway);

        let (mut lab, gateway) = deciding(Admission::Later);
        datagram(&mut lab, from, to, b"question");
        assert_eq!(refusal(&mut lab), None, "nothing before the decision");
        let (id, _) = undecided(&mut lab, gateway);
        assert_eq!(lab.host.stack.flow_reject(lab.now, id), Ok(()));
        let (kind, by, quoted) = refusal(&mut lab).expect("an ICMP error");
        assert_eq!((kind, by), told);
        assert!(quoted.ends_with(b"question"));
        finish(lab, gateway);

        let (mut lab, gateway) = deciding(Admission::Drop);
        datagram(&mut lab, from, to, b"question");
        assert_eq!(refusal(&mut lab), None);
        assert_eq!(lab.host.stack.counters().gateway.dropped, 1);
        finish(lab, gateway);
    }
}

#[test]
fn a_flow_can_be_refused_after_it_was_accepted() {
    for v6 in [false, true] {
        for admission in [Admission::Accept, Admission::Later] {
            let (from, to) = (source(v6, 1000), elsewhere(v6, 53));
            let (mut lab, gateway) = deciding(admission);
            datagram(&mut lab, from, to, b"question");
            let socket = match admission {
                Admission::Accept => accepted(&mut lab, gateway).0,
                _ => {
                    let (id, _) = undecided(&mut lab, gateway);
                    let accepted = lab.host.stack.flow_accept(lab.now, id);
                    accepted.expect("it waits")
                }
            };
            let stack = &mut lab.host.stack;
            calls::receive_from(stack, socket).expect("the question");
            assert_eq!(stack.flow_refuse(lab.now, socket), Ok(()));
            let (kind, by, quoted) = refusal(&mut lab).expect("an ICMP error");
            assert_eq!((kind, by), (unreachable(v6), SocketAddr::new(to.ip(), 0)));
            // The headers of what began it, ports and all.
            let headers = if v6 { 48 } else { 28 };
            assert_eq!(quoted.len(), headers);
            let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
            assert_eq!(quoted[headers - 8..headers - 4], ports);
            let stack = &mut lab.host.stack;
            assert_eq!(
                stack.flow_refuse(lab.now, socket),
                Err(SocketError::BadHandle)
            );
            assert_eq!(stack.counters().gateway.refused, 1);
            // Another socket is no flow's.
            let any = if v6 { "[::]:0" } else { "0.0.0.0:0" };
            let own = stack.udp_bind(any.parse().expect("an address"));
            let own = own.expect("a free port");
            assert_eq!(stack.flow_refuse(lab.now, own), Err(SocketError::WrongKind));
            stack.close(lab.now, own);
            // The next datagram begins a flow anew.
            datagram(&mut lab, from, to, b"again");
            match admission {
                Admission::Accept => {
                    let (socket, _) = accepted(&mut lab, gateway);
                    lab.host.stack.close(lab.now, socket);
                }
                _ => {
                    let (id, _) = undecided(&mut lab, gateway);
                    assert_eq!(lab.host.stack.flow_drop(lab.now, id), Ok(()));
                }
            }
            finish(lab, gateway);
        }
    }
}

#[test]
fn what_comes_before_the_decision_is_kept_within_bounds() {
    let (mut lab, gateway) = deciding(Admission::Later);
    let (from, to) = (source(false, 1000), elsewhere(false, 53));
    for _ in 0..20 {
        datagram(&mut lab, from, to, &[7; 1000]);
    }
    let (id, _) = undecided(&mut lab, gateway);
    let lost = lab.host.stack.counters().gateway.undecided_full;
    assert_eq!(lost, 16, "four of 1256 bytes each reach 4 KiB");
    let socket = lab
        .host
        .stack
        .flow_accept(lab.now, id)
        .expect("still there");
    datagram(&mut lab, from, to, b"last");
    let stack = &mut lab.host.stack;
    let mut lengths = Vec::new();
    while let Ok((bytes, _)) = calls::receive_from(stack, socket) {
        lengths.push(bytes.len());
    }
    assert_eq!(lengths, [1000, 1000, 1000, 1000, 4]);
    stack.close(lab.now, socket);
    finish(lab, gateway);
}

#[test]
fn an_icmp_error_about_a_flow_is_told_to_its_socket() {
    let (mut lab, gateway) = deciding(Admission::Accept);
    let (from, to) = (source(false, 1000), elsewhere(false, 53));
    datagram(&mut lab, from, to, b"question");
    let (socket, _) = accepted(&mut lab, gateway);
    let stack = &mut lab.host.stack;
    calls::receive_from(stack, socket).expect("the question");
    calls::send_to(stack, socket, None, b"answer").expect("room");
    let answer = lab.sent().pop().expect("the answer");
    let icmp = Icmp {
        src: from.ip(),
        dst: to.ip(),
        kind: unreachable(false),
        word: 0,
        payload: answer,
    };
    lab.inject(&icmp.to_packet());
    assert_eq!(
        calls::receive_from(&mut lab.host.stack, socket),
        Err(RecvError::Connection(ConnectionError::Refused))
    );
    lab.host.stack.close(lab.now, socket);
    assert_eq!(segments(&mut lab), []);
    finish(lab, gateway);
}
