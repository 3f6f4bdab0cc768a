//! Connections to others.

use super::{
    SECOND, accepted, deciding, elsewhere, establish, finish, flow, segments, source, syn,
    undecided,
};
use netstack_core::{
    AcceptError, Admission, ConnectionError, FlowError, How, SocketError, TcpState, Transport,
};
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, FIN, Icmp, PSH, RST, SYN, Tcp};

#[test]
fn an_accepted_connection_speaks_in_place_of_its_destination() {
    for v6 in [false, true] {
        let (mut lab, gateway) = deciding(Admission::Accept);
        let (from, to) = (source(v6, 1000), elsewhere(v6, 80));
        let answer = syn(&mut lab, from, to).expect("a SYN-ACK");
        assert!(answer.timestamps().is_some(), "{answer:?}");
        let (socket, what) = accepted(&mut lab, gateway);
        assert_eq!(what, flow(Transport::Tcp, from, to));
        let stack = &mut lab.host.stack;
        assert_eq!(stack.local_addr(socket), Ok(to), "the original destination");
        assert_eq!(stack.peer_addr(socket), Ok(from));
        assert!(stack.readiness(socket).is_ok_and(|ready| ready.connecting));
        establish(&mut lab, &answer, to);
        let stack = &mut lab.host.stack;
        assert_eq!(
            calls::read(stack, socket, 100).as_deref(),
            Ok(&b"hello"[..])
        );
        assert_eq!(calls::write(stack, socket, b"world"), Ok(5));
        let sent = segments(&mut lab);
        let data = sent.last().expect("data");
        assert_eq!(
            (data.src, data.dst, &data.payload[..]),
            (to, from, &b"world"[..])
        );
        lab.host.stack.abort(lab.now, socket);
        assert_eq!(segments(&mut lab)[0].flags, RST | ACK);
        assert_eq!(lab.host.stack.counters().gateway.accepted_tcp, 1);
        finish(lab, gateway);
    }
}

#[test]
fn a_rejected_connection_is_reset_and_a_dropped_one_is_not_answered() {
    for v6 in [false, true] {
        let (from, to) = (source(v6, 1000), elsewhere(v6, 80));
        let (mut lab, gateway) = deciding(Admission::Reject);
        let answer = syn(&mut lab, from, to).expect("a reset");
        assert_eq!((answer.flags, answer.src), (RST | ACK, to));
        assert_eq!(lab.host.stack.counters().gateway.rejected, 1);
        finish(lab, gateway);
        let (mut lab, gateway) = deciding(Admission::Drop);
        assert_eq!(syn(&mut lab, from, to), None);
        assert_eq!(lab.host.stack.counters().gateway.dropped, 1);
        assert_eq!(lab.host.stack.counters().drops(), 1);
        finish(lab, gateway);
    }
}

#[test]
fn nothing_is_answered_before_the_decision() {
    let (mut lab, gateway) = deciding(Admission::Later);
    let (from, to) = (source(false, 1000), elsewhere(false, 443));
    assert_eq!(syn(&mut lab, from, to), None);
    let (id, what) = undecided(&mut lab, gateway);
    assert_eq!(what, flow(Transport::Tcp, from, to));
    lab.pass(SECOND);
    assert_eq!(syn(&mut lab, from, to), None, "again");
    assert_eq!(lab.host.stack.counters().gateway.asked_again, 1);
    assert_eq!(
        lab.host.stack.gateway_next(gateway),
        Err(AcceptError::WouldBlock),
        "it is one flow"
    );
    let socket = lab
        .host
        .stack
        .flow_accept(lab.now, id)
        .expect("still there");
    let answer = segments(&mut lab).pop().expect("a SYN-ACK");
    establish(&mut lab, &answer, to);
    let stack = &mut lab.host.stack;
    assert_eq!(
        calls::read(stack, socket, 100).as_deref(),
        Ok(&b"hello"[..])
    );
    for again in [
        stack.flow_accept(lab.now, id).map(|_| ()),
        stack.flow_reject(lab.now, id),
        stack.flow_drop(lab.now, id),
    ] {
        assert_eq!(again, Err(FlowError::Gone), "it is decided");
    }
    lab.host.stack.abort(lab.now, socket);
    finish(lab, gateway);
}

#[test]
fn a_flow_that_was_put_off_can_be_rejected_or_dropped() {
    let (mut lab, gateway) = deciding(Admission::Later);
    let to = elsewhere(false, 443);
    assert_eq!(syn(&mut lab, source(false, 1000), to), None);
    let (id, _) = undecided(&mut lab, gateway);
    assert_eq!(lab.host.stack.flow_reject(lab.now, id), Ok(()));
    let reset = segments(&mut lab).pop().expect("a reset");
    assert_eq!((reset.flags, reset.src), (RST | ACK, to));
    assert_eq!(syn(&mut lab, source(false, 1001), to), None);
    let (id, _) = undecided(&mut lab, gateway);
    assert_eq!(lab.host.stack.flow_drop(lab.now, id), Ok(()));
    assert_eq!(segments(&mut lab), []);
    // Who tries again is asked about again.
    assert_eq!(syn(&mut lab, source(false, 1001), to), None);
    undecided(&mut lab, gateway);
    finish(lab, gateway);
}

#[test]
fn a_source_may_give_up_or_begin_anew_before_the_decision() {
    let (mut lab, gateway) = deciding(Admission::Later);
    let (from, to) = (source(false, 1000), elsewhere(false, 443));
    let first = Remote::syn(from, to, &Offer::default());
    lab.inject(&first.to_packet());
    let (id, _) = undecided(&mut lab, gateway);
    let anew = Tcp {
        seq: first.seq.wrapping_add(5_000),
        ..first.clone()
    };
    lab.inject(&anew.to_packet());
    // A reset from the past ends nothing.
    let end = |seq| Tcp {
        seq,
        flags: RST,
        options: Vec::new(),
        ..first.clone()
    };
    lab.inject(&end(first.seq.wrapping_add(1)).to_packet());
    let socket = lab
        .host
        .stack
        .flow_accept(lab.now, id)
        .expect("still there");
    let answer = segments(&mut lab).pop().expect("a SYN-ACK");
    assert_eq!(answer.ack, anew.seq.wrapping_add(1));
    lab.inject(&end(anew.seq.wrapping_add(1)).to_packet());
    assert_eq!(
        lab.host.stack.take_error(socket),
        Ok(Some(ConnectionError::Refused))
    );
    lab.host.stack.close(lab.now, socket);

    lab.inject(&first.to_packet());
    let (id, _) = undecided(&mut lab, gateway);
    lab.inject(&end(first.seq.wrapping_add(1)).to_packet());
    assert_eq!(
        lab.host.stack.flow_accept(lab.now, id),
        Err(FlowError::Gone)
    );
    assert_eq!(lab.host.stack.counters().gateway.given_up, 1);
    finish(lab, gateway);
}

#[test]
fn who_does_not_end_the_handshake_is_given_up() {
    let (mut lab, gateway) = deciding(Admission::Accept);
    let (from, to) = (source(false, 1000), elsewhere(false, 80));
    syn(&mut lab, from, to).expect("a SYN-ACK");
    let (socket, _) = accepted(&mut lab, gateway);
    let again = lab.pass(SECOND * 100);
    let times: Vec<u64> = again.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [1, 3, 7, 15, 31], "as a listener does it");
    assert_eq!(
        lab.host.stack.take_error(socket),
        Ok(Some(ConnectionError::TimedOut))
    );
    lab.host.stack.close(lab.now, socket);
    finish(lab, gateway);
}

#[test]
fn own_addresses_and_what_is_no_flow_are_as_ever() {
    let (mut lab, gateway) = deciding(Admission::Accept);
    let own = std::net::SocketAddr::new(Lab::address(false), 80);
    let listener = lab
        .host
        .stack
        .tcp_listen("0.0.0.0:80".parse().expect("literal"), 4)
        .expect("a free port");
    let answer = syn(&mut lab, source(false, 1000), own).expect("a SYN-ACK");
    establish(&mut lab, &answer, own);
    let (socket, _) = lab.host.stack.tcp_accept(listener).expect("the listener's");
    lab.sent();
    // The listener has every address of the stack, and no others.
    syn(&mut lab, source(false, 1001), elsewhere(false, 80)).expect("a SYN-ACK");
    accepted(&mut lab, gateway);
    let refused = syn(
        &mut lab,
        source(false, 1002),
        own.to_string()
            .replace(":80", ":81")
            .parse()
            .expect("an address"),
    );
    assert_eq!(refused.expect("a reset").flags, RST | ACK);
    let ping = |to: std::net::IpAddr| {
        Icmp::echo_request(Lab::neighbour(false), to, 1, 1, b"ping".to_vec()).to_packet()
    };
    lab.inject(&ping(elsewhere(false, 0).ip()));
    assert_eq!(lab.sent(), Vec::<Vec<u8>>::new(), "nobody can know");
    lab.inject(&ping(own.ip()));
    assert_eq!(lab.sent().len(), 1);
    // A segment of no connection is reset, as by the host that it is meant for.
    let stray = Tcp {
        flags: ACK | PSH,
        ack: 77,
        options: Vec::new(),
        ..Remote::syn(source(false, 1003), elsewhere(false, 80), &Offer::default())
    };
    lab.inject(&stray.to_packet());
    assert_eq!(segments(&mut lab)[0].flags, RST);
    for socket in [socket, listener] {
        lab.host.stack.abort(lab.now, socket);
    }
    assert_eq!(
        lab.host.stack.local_addr(gateway),
        Err(SocketError::WrongKind)
    );
}

#[test]
fn a_port_in_time_wait_can_be_used_again() {
    let (mut lab, gateway) = deciding(Admission::Accept);
    let (from, to) = (source(false, 1000), elsewhere(false, 80));
    let first = Remote::syn(from, to, &Offer::default());
    lab.inject(&first.to_packet());
    let answer = segments(&mut lab).pop().expect("a SYN-ACK");
    let (socket, _) = accepted(&mut lab, gateway);
    establish(&mut lab, &answer, to);
    let stack = &mut lab.host.stack;
    calls::read(stack, socket, 100).expect("data");
    stack.shutdown(socket, How::Both).expect("connected");
    stack.close(lab.now, socket);
    let fin = segments(&mut lab).pop().expect("a FIN");
    let last = Tcp {
        flags: FIN | ACK,
        seq: answer.ack.wrapping_add(5),
        ack: fin.seq.wrapping_add(1),
        options: Vec::new(),
        ..first.clone()
    };
    lab.inject(&last.to_packet());
    let states = |lab: &Lab| -> Vec<TcpState> {
        let connections = lab.host.stack.tcp_connections();
        connections.map(|(_, _, info)| info.state).collect()
    };
    assert_eq!(states(&lab), [TcpState::TimeWait]);
    segments(&mut lab);
    let again = Tcp {
        seq: first.seq.wrapping_add(10_000),
        ..first
    };
    lab.inject(&again.to_packet());
    let second = segments(&mut lab).pop().expect("a SYN-ACK");
    assert_eq!(
        (second.flags, second.ack),
        (SYN | ACK, again.seq.wrapping_add(1))
    );
    let ahead = second.seq.wrapping_sub(fin.seq.wrapping_add(1)) as i32;
    assert!(ahead > 0, "behind what was: {ahead}");
    let (socket, _) = accepted(&mut lab, gateway);
    lab.host.stack.abort(lab.now, socket);
    finish(lab, gateway);
}

#[test]
fn connections_outlive_their_gateway() {
    let (mut lab, gateway) = deciding(Admission::Accept);
    let (from, to) = (source(false, 1000), elsewhere(false, 80));
    let answer = syn(&mut lab, from, to).expect("a SYN-ACK");
    let (socket, _) = accepted(&mut lab, gateway);
    syn(&mut lab, source(false, 1001), to).expect("a SYN-ACK");
    lab.host.stack.close(lab.now, gateway);
    let reset = segments(&mut lab).pop().expect("a reset");
    assert_eq!(
        (reset.flags, reset.dst),
        (RST | ACK, source(false, 1001)),
        "what nobody took"
    );
    establish(&mut lab, &answer, to);
    assert_eq!(
        calls::read(&mut lab.host.stack, socket, 100).as_deref(),
        Ok(&b"hello"[..])
    );
    segments(&mut lab);
    let refused = syn(&mut lab, source(false, 1002), to).expect("a reset");
    assert_eq!(refused.flags, RST | ACK);
    lab.host.stack.abort(lab.now, socket);
    finish(lab, gateway);
}
