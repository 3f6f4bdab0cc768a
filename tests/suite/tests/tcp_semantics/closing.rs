//! Connections end (RFC 9293, 3.6).

use core::time::Duration;
use netstack_core::{ConnectionError, How, RecvError, SendError, TcpState};
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, FIN, PSH, RST, SYN, Tcp};

const SECOND: Duration = Duration::from_secs(1);

fn established() -> Remote {
    Remote::connects(Lab::default(), &Offer::default())
}

fn shut(remote: &mut Remote) -> Tcp {
    remote
        .lab
        .host
        .stack
        .shutdown(remote.socket, How::Write)
        .expect("connected");
    let fin = remote.one();
    assert!(fin.has(FIN | ACK), "{fin:?}");
    fin
}

/// The stack has closed first, and the far end after it.
fn time_wait() -> (Remote, Tcp) {
    let mut remote = established();
    let fin = shut(&mut remote);
    remote.acknowledge(&fin);
    assert_eq!(remote.state(), TcpState::FinWait2);
    let last = remote.segment(FIN | ACK, b"");
    remote.send(FIN | ACK, b"");
    assert_eq!(remote.one().ack, remote.nxt);
    assert_eq!(remote.state(), TcpState::TimeWait);
    (remote, last)
}

// req: U-26
#[test]
fn both_ends_close_at_once() {
    let mut remote = established();
    let fin = shut(&mut remote);
    // The far end's FIN crosses: it acknowledges nothing of ours.
    remote.send(FIN | ACK, b"");
    assert_eq!(remote.state(), TcpState::Closing);
    let ack = remote.one();
    assert_eq!((ack.flags, ack.seq, ack.ack), (ACK, fin.end(), remote.nxt));
    remote.acknowledge(&fin);
    assert_eq!(remote.state(), TcpState::TimeWait);
    remote.nothing();
    remote.finish();
}

#[test]
fn a_fin_that_came_before_the_last_data_is_acknowledged_with_it() {
    let mut remote = established();
    let fin = shut(&mut remote);
    remote.acknowledge(&fin);
    let data = remote.segment(ACK, b"last");
    remote.nxt = data.end();
    remote.send(FIN | ACK, b"");
    assert_eq!(remote.one().ack, data.seq);
    // Not pushed, and less than two segments: on its own it could wait.
    remote.inject(&data);
    assert_eq!(remote.state(), TcpState::TimeWait);
    assert_eq!(remote.one().ack, remote.nxt);
}

// req: MUST-12, U-27
#[test]
fn data_flows_towards_a_side_that_has_closed() {
    let mut remote = established();
    let fin = shut(&mut remote);
    remote.acknowledge(&fin);
    for part in [&b"one "[..], b"two ", b"three"] {
        remote.send(ACK | PSH, part);
        assert_eq!(remote.one().ack, remote.nxt);
    }
    assert_eq!(remote.read().as_deref(), Some(&b"one two three"[..]));
    remote.send(FIN | ACK | PSH, b" end");
    assert_eq!(remote.read().as_deref(), Some(&b" end"[..]));
    assert_eq!(remote.read(), None);
    assert_eq!(remote.state(), TcpState::TimeWait);
    remote.finish();
}

// req: U-24, U-28, U-39
#[test]
fn data_flows_from_a_side_whose_peer_has_closed() {
    let mut remote = established();
    remote.send(FIN | ACK, b"");
    assert_eq!(remote.state(), TcpState::CloseWait);
    assert_eq!(remote.one().ack, remote.nxt);
    assert_eq!(remote.read(), None);
    remote.write(b"still here");
    let data = remote.one();
    assert_eq!(data.payload, b"still here");
    remote.acknowledge(&data);
    let fin = shut(&mut remote);
    assert_eq!(remote.state(), TcpState::LastAck);
    let written = calls::write(&mut remote.lab.host.stack, remote.socket, b"x");
    assert_eq!(written, Err(SendError::Closed));
    remote.acknowledge(&fin);
    assert_eq!(
        remote.state(),
        TcpState::Closed,
        "who closes second waits for nothing"
    );
}

// req: U-25, U-40
#[test]
fn a_fin_waits_for_the_data_before_it() {
    let mut remote = established();
    let fin = Tcp {
        seq: remote.nxt.wrapping_add(5),
        ..remote.segment(FIN | ACK, b"tail")
    };
    remote.inject(&fin);
    assert_eq!(remote.one().ack, remote.nxt, "the hole is told at once");
    assert_eq!(remote.state(), TcpState::Established);
    remote.send(ACK, b"head ");
    assert_eq!(remote.state(), TcpState::CloseWait);
    assert_eq!(remote.one().ack, fin.end());
    assert_eq!(remote.read().as_deref(), Some(&b"head tail"[..]));
    assert_eq!(remote.read(), None);
}

#[test]
fn a_forged_end_ahead_of_the_data_does_not_hide_the_real_one() {
    let mut remote = established();
    let forged = Tcp {
        seq: remote.nxt.wrapping_add(10_000),
        ..remote.segment(FIN | ACK, b"")
    };
    remote.inject(&forged);
    remote.one();
    remote.send(ACK, b"data");
    remote.send(FIN | ACK, b"");
    assert_eq!(remote.one().ack, remote.nxt);
    assert_eq!(remote.state(), TcpState::CloseWait);
    assert_eq!(remote.read().as_deref(), Some(&b"data"[..]));
    assert_eq!(remote.read(), None);
}

// req: U-32
#[test]
fn a_lost_fin_is_sent_again() {
    let mut remote = established();
    let fin = shut(&mut remote);
    let again = remote.pass(SECOND * 4);
    assert_eq!(again.len(), 4, "{again:?}");
    assert!(
        again
            .iter()
            .all(|(_, segment)| segment.has(FIN) && segment.seq == fin.seq)
    );
}

// req: U-33, U-44
#[test]
fn closing_delivers_what_was_written() {
    let mut remote = established();
    let data: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
    remote.write(&data);
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    let mut received = Vec::<u8>::new();
    loop {
        let sent = remote.sent();
        let Some(last) = sent.last().cloned() else {
            break;
        };
        for segment in &sent {
            received.extend(&segment.payload);
            assert!(segment.has(ACK) && segment.ack == remote.nxt);
            assert_eq!(
                segment.has(FIN),
                received.len() == data.len(),
                "the FIN stands behind the last byte"
            );
        }
        remote.acknowledge(&last);
    }
    assert_eq!(received, data);
    remote.send(FIN | ACK, b"");
    remote.pass(SECOND * 61);
    assert_eq!((remote.connections(), remote.lab.host.live_nodes()), (0, 0));
}

// req: SHLD-3
#[test]
fn closing_with_unread_data_resets() {
    let mut remote = established();
    remote.send(ACK | PSH, b"nobody reads this");
    remote.one();
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    let reset = remote.one();
    assert_eq!(
        (reset.flags, reset.seq, reset.ack),
        (RST | ACK, remote.rcv, remote.nxt)
    );
    assert_eq!((remote.connections(), remote.lab.host.live_nodes()), (0, 0));
}

// req: MAY-1, SHLD-3
#[test]
fn data_for_a_closed_socket_is_reset() {
    let mut remote = established();
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    let fin = remote.one();
    remote.acknowledge(&fin);
    remote.send(ACK | PSH, b"too late");
    let reset = remote.one();
    assert_eq!((reset.flags, reset.seq), (RST, remote.rcv));
    assert_eq!(remote.connections(), 0);
}

// req: U-37
#[test]
fn an_abort_resets_at_once() {
    let mut remote = established();
    remote.write(b"unsent");
    remote.lab.host.stack.abort(remote.lab.now, remote.socket);
    let reset = remote.one();
    assert_eq!((reset.flags, reset.seq), (RST | ACK, remote.rcv));
    assert_eq!((remote.connections(), remote.lab.host.live_nodes()), (0, 0));
}

#[test]
fn the_end_of_a_stack_resets_who_waits_for_more_and_leaves_who_has_all() {
    for has_all in [false, true] {
        let mut remote = established();
        let host = &mut remote.lab.host;
        host.stack.close(remote.lab.now, remote.socket);
        let fin = remote.one();
        if has_all {
            remote.acknowledge(&fin);
        }
        let stack = &remote.lab.host.stack;
        let counts = (stack.closing(), stack.half_closed());
        assert_eq!(counts, if has_all { (0, 1) } else { (1, 0) });
        remote.lab.host.stack.abort_closing(remote.lab.now);
        if has_all {
            remote.nothing();
        } else {
            assert!(remote.one().has(RST));
        }
    }
}

#[test]
fn a_shut_reading_side_throws_data_away_and_acknowledges_it() {
    let mut remote = established();
    remote
        .lab
        .host
        .stack
        .shutdown(remote.socket, How::Read)
        .expect("connected");
    for _ in 0..200 {
        remote.send(ACK | PSH, &[1; 1000]);
        let ack = remote.one();
        assert_eq!((ack.ack, ack.window > 60_000), (remote.nxt, true));
    }
    assert_eq!(remote.lab.host.stack.counters().tcp.in_read_shut, 200);
    assert_eq!(remote.read(), None);
    remote.lab.pass(SECOND);
    assert_eq!(remote.lab.host.live_nodes(), 0);
}

#[test]
fn data_for_a_connection_that_is_shut_both_ways_resets_it() {
    for orders in [
        &[How::Both][..],
        &[How::Write, How::Both],
        &[How::Read, How::Write],
    ] {
        let mut remote = established();
        remote.send(ACK | PSH, b"before");
        remote.one();
        for how in orders {
            let stack = &mut remote.lab.host.stack;
            stack.shutdown(remote.socket, *how).expect("connected");
        }
        let fin = remote.one();
        assert!(fin.has(FIN));
        remote.acknowledge(&fin);
        remote.send(ACK | PSH, b"after");
        assert!(remote.one().has(RST));
        assert_eq!(remote.lab.host.stack.counters().tcp.in_after_close, 1);
        assert_eq!(remote.state(), TcpState::Closed);
        let mut read = || calls::read(&mut remote.lab.host.stack, remote.socket, 100);
        if orders[0] != How::Read {
            assert_eq!(read().as_deref(), Ok(&b"before"[..]));
        }
        assert_eq!(read(), Err(RecvError::Connection(ConnectionError::Reset)));
        remote.lab.host.stack.close(remote.lab.now, remote.socket);
        assert_eq!(remote.lab.host.live_nodes(), 0);
    }
}

#[test]
fn nobody_waits_for_ever_in_fin_wait_2() {
    let mut remote = established();
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    let fin = remote.one();
    remote.acknowledge(&fin);
    remote.pass(SECOND * 59);
    assert_eq!(remote.connections(), 1);
    remote.pass(SECOND * 2);
    assert_eq!(remote.connections(), 0);
}

// req: MUST-13
#[test]
fn time_wait_lasts_two_segment_lifetimes() {
    let (mut remote, _) = time_wait();
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    remote.pass(SECOND * 59);
    assert_eq!(remote.connections(), 1);
    remote.pass(SECOND * 2);
    assert_eq!(remote.connections(), 0);
}

// req: U-29
#[test]
fn a_repeated_fin_is_acknowledged_and_restarts_time_wait() {
    let (mut remote, fin) = time_wait();
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    remote.pass(SECOND * 50);
    remote.inject(&fin);
    let ack = remote.one();
    assert_eq!((ack.flags, ack.ack), (ACK, remote.nxt));
    remote.pass(SECOND * 50);
    assert_eq!(remote.connections(), 1);
    remote.pass(SECOND * 11);
    assert_eq!(remote.connections(), 0);
}

// req: RFC1337-01
#[test]
fn a_reset_does_not_shorten_time_wait() {
    let (mut remote, _) = time_wait();
    let reset = remote.segment(RST, b"");
    remote.inject(&reset);
    remote.nothing();
    assert_eq!(remote.state(), TcpState::TimeWait);
}

// req: MAY-2, RFC6191-05
#[test]
fn a_newer_syn_reuses_time_wait_and_an_older_one_does_not() {
    let (mut remote, _) = time_wait();
    let listener = remote
        .lab
        .host
        .stack
        .tcp_listen(remote.stack, 4)
        .expect("a free port");
    let syn = Tcp {
        options: Offer::default().options(),
        ..remote.segment(SYN, b"")
    };
    let old = Tcp {
        seq: remote.nxt.wrapping_sub(1000),
        ack: 0,
        ..syn.clone()
    };
    remote.inject(&old);
    let challenge = remote.one();
    assert_eq!((challenge.flags, challenge.ack), (ACK, remote.nxt));
    assert_eq!(remote.state(), TcpState::TimeWait);
    let new = Tcp {
        seq: remote.nxt.wrapping_add(1000),
        ack: 0,
        ..syn
    };
    remote.inject(&new);
    let syn_ack = remote.one();
    assert_eq!((syn_ack.flags, syn_ack.ack), (SYN | ACK, new.end()));
    // 32-bit numbers wrap: newer is ahead on the circle.
    assert!(
        (syn_ack.seq.wrapping_sub(remote.rcv) as i32) > 0,
        "the new numbers lie beyond the old"
    );
    remote.nxt = new.end();
    remote.rcv = syn_ack.end();
    remote.send(ACK | PSH, b"again");
    let (socket, _) = remote
        .lab
        .host
        .stack
        .tcp_accept(listener)
        .expect("a connection");
    assert_eq!(
        calls::read(&mut remote.lab.host.stack, socket, 9).as_deref(),
        Ok(&b"again"[..])
    );
    assert_eq!(remote.lab.host.stack.counters().tcp.time_wait_reused, 1);
}

#[test]
fn a_syn_for_nobody_does_not_end_time_wait() {
    let (mut remote, _) = time_wait();
    let syn = Tcp {
        seq: remote.nxt.wrapping_add(1000),
        ack: 0,
        ..remote.segment(SYN, b"")
    };
    remote.inject(&syn);
    remote.sent();
    assert_eq!(
        remote.state(),
        TcpState::TimeWait,
        "there is no listener for a new connection"
    );
}

#[test]
fn what_waits_beyond_a_fin_is_forgotten_with_it() {
    let offer = Offer {
        sack: true,
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::default(), &offer);
    let beyond = Tcp {
        seq: remote.nxt.wrapping_add(5_000),
        ..remote.segment(ACK, &[1; 1_000])
    };
    remote.inject(&beyond);
    assert_eq!(remote.one().sack().len(), 1);
    remote.send(FIN | ACK, b"");
    assert!(remote.one().sack().is_empty());
    remote.write(b"bye");
    remote.one();
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    let last = remote.one();
    assert!(last.has(FIN) && !last.has(RST), "an orderly end: {last:?}");
}
