//! Listeners: half-open connections and the backlog.

use core::time::Duration;
use netstack_core::{AcceptError, ConnectionError, RecvError, SocketId, TcpConfig, TcpState};
use std::net::SocketAddr;
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, FIN, PSH, RST, SYN, Tcp};

const SECOND: Duration = Duration::from_secs(1);

fn stack() -> SocketAddr {
    SocketAddr::new(Lab::address(false), 80)
}

fn client(port: u16) -> SocketAddr {
    SocketAddr::new(Lab::neighbour(false), port)
}

fn listening(backlog: usize) -> (Lab, SocketId) {
    listening_in(Lab::default(), backlog)
}

fn listening_in(mut lab: Lab, backlog: usize) -> (Lab, SocketId) {
    let listener = lab
        .host
        .stack
        .tcp_listen(stack(), backlog)
        .expect("a free port");
    (lab, listener)
}

fn sent(lab: &mut Lab) -> Vec<Tcp> {
    lab.sent()
        .iter()
        .map(|packet| Tcp::parse(packet).expect("TCP"))
        .collect()
}

/// Sends a SYN from `port` and returns the SYN-ACK, if one comes.
fn syn(lab: &mut Lab, port: u16) -> Option<Tcp> {
    lab.inject(&Remote::syn(client(port), stack(), &Offer::default()).to_packet());
    sent(lab).pop()
}

#[test]
fn a_syn_ack_is_repeated_ever_later_and_then_forgotten() {
    let (mut lab, _) = listening(4);
    let syn_ack = syn(&mut lab, 1000).expect("a SYN-ACK");
    let again = lab.pass(SECOND * 62);
    let times: Vec<u64> = again.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [1, 3, 7, 15, 31]);
    for (_, packet) in &again {
        let segment = Tcp::parse(packet).expect("TCP");
        assert_eq!(
            (segment.flags, segment.seq, segment.ack),
            (SYN | ACK, syn_ack.seq, syn_ack.ack)
        );
    }
    lab.pass(SECOND * 100);
    lab.inject(&Remote::third(&syn_ack, b"").to_packet());
    assert_eq!(sent(&mut lab)[0].flags, RST, "nobody remembers it");
}

#[test]
fn a_repeated_syn_gets_the_same_syn_ack() {
    let (mut lab, listener) = listening(4);
    let first = syn(&mut lab, 1000).expect("a SYN-ACK");
    assert_eq!(
        syn(&mut lab, 1000),
        None,
        "not twice in half a second (RFC 5961, 7)"
    );
    lab.pass(SECOND * 6 / 10);
    assert_eq!(syn(&mut lab, 1000), Some(first.clone()));
    lab.inject(&Remote::third(&first, b"").to_packet());
    assert!(lab.host.stack.tcp_accept(listener).is_ok());
    assert_eq!(
        lab.host.stack.tcp_accept(listener),
        Err(AcceptError::WouldBlock),
        "it is one connection"
    );
}

// req: RFC7323-37
#[test]
fn a_repeated_syn_has_its_own_time_echoed() {
    let (mut lab, _) = listening(4);
    let mut echoed = |time| {
        let offer = Offer {
            timestamp: Some(time),
            ..Offer::default()
        };
        lab.inject(&Remote::syn(client(1000), stack(), &offer).to_packet());
        let syn_ack = sent(&mut lab).pop().expect("a SYN-ACK");
        lab.pass(SECOND * 6 / 10);
        syn_ack.timestamps().expect("agreed").1
    };
    assert_eq!([500, 2500].map(&mut echoed), [500, 2500]);
}

#[test]
fn data_may_come_with_the_third_segment() {
    let (mut lab, listener) = listening(4);
    let syn_ack = syn(&mut lab, 1000).expect("a SYN-ACK");
    lab.inject(&Remote::third(&syn_ack, b"early").to_packet());
    let (socket, _) = lab.host.stack.tcp_accept(listener).expect("a connection");
    assert_eq!(
        calls::read(&mut lab.host.stack, socket, 100).as_deref(),
        Ok(&b"early"[..])
    );
    assert_eq!(sent(&mut lab)[0].ack, syn_ack.ack.wrapping_add(5));
}

// req: U-19, RFC4987-09
#[test]
fn without_cookies_a_full_syn_queue_drops_syns_and_recovers() {
    let mut tcp = TcpConfig::default();
    (tcp.syn_backlog, tcp.syn_cookies) = (1, false);
    let config = WorldConfig {
        tcp,
        ..WorldConfig::default()
    };
    let (mut lab, _) = listening_in(Lab::new(&config), 2);
    let first = syn(&mut lab, 1000).expect("a SYN-ACK");
    assert!(syn(&mut lab, 1001).is_some());
    assert_eq!(syn(&mut lab, 1002), None);
    assert_eq!(lab.host.stack.counters().tcp.syn_overflows, 1);
    // One half-open connection goes: its client gives up.
    lab.inject(
        &Tcp {
            flags: RST,
            seq: first.ack,
            ..Remote::third(&first, b"")
        }
        .to_packet(),
    );
    assert!(syn(&mut lab, 1002).is_some(), "the next try finds room");
}

#[test]
fn a_full_accept_queue_holds_handshakes_up_and_recovers() {
    let (mut lab, listener) = listening(2);
    let a = syn(&mut lab, 1000).expect("a SYN-ACK");
    let b = syn(&mut lab, 1001).expect("a SYN-ACK");
    lab.inject(&Remote::third(&a, b"").to_packet());
    let c = syn(&mut lab, 1002).expect("a SYN-ACK");
    lab.inject(&Remote::third(&b, b"").to_packet());
    assert_eq!(syn(&mut lab, 1003), None, "two wait: no new one is begun");
    lab.inject(&Remote::third(&c, b"data").to_packet());
    assert_eq!(lab.host.stack.counters().tcp.listen_overflows, 1);
    assert_eq!(
        lab.host.stack.counters().tcp.out_resets,
        0,
        "an overflow is no reset"
    );
    assert!(lab.host.stack.tcp_accept(listener).is_ok());
    // The client sends its data again, as it was not acknowledged.
    lab.inject(&Remote::third(&c, b"data").to_packet());
    assert!(lab.host.stack.tcp_accept(listener).is_ok());
    let (socket, from) = lab.host.stack.tcp_accept(listener).expect("the third");
    assert_eq!(from, client(1002));
    assert_eq!(
        calls::read(&mut lab.host.stack, socket, 100).as_deref(),
        Ok(&b"data"[..])
    );
    assert!(syn(&mut lab, 1003).is_some(), "and there is room again");
}

/// The peer that sent `data` resets the connection right behind it.
fn reset_behind(data: &Tcp) -> Tcp {
    Tcp {
        flags: RST,
        seq: data.end(),
        payload: Vec::new(),
        ..data.clone()
    }
}

#[test]
fn a_connection_that_is_reset_before_it_is_accepted_waits_on_with_its_data() {
    let (mut lab, listener) = listening(2);
    for port in [1000, 1001] {
        let syn_ack = syn(&mut lab, port).expect("a SYN-ACK");
        let data = Remote::third(&syn_ack, b"data");
        lab.inject(&data.to_packet());
        lab.inject(&reset_behind(&data).to_packet());
    }
    assert_eq!(syn(&mut lab, 1002), None, "two wait");
    for port in [1000, 1001] {
        let (socket, from) = lab.host.stack.tcp_accept(listener).expect("one");
        assert_eq!(from, client(port));
        let mut read = || calls::read(&mut lab.host.stack, socket, 100);
        assert_eq!(read().as_deref(), Ok(&b"data"[..]));
        assert_eq!(read(), Err(RecvError::Connection(ConnectionError::Reset)));
        lab.host.stack.close(lab.now, socket);
    }
    assert_eq!(
        lab.host.stack.tcp_accept(listener),
        Err(AcceptError::WouldBlock)
    );
    assert_eq!(lab.host.stack.tcp_connections().count(), 0);
    assert!(syn(&mut lab, 1003).is_some(), "and there is room again");
}

#[test]
fn a_closed_listener_forgets_what_was_reset_before() {
    let (mut lab, listener) = listening(4);
    let syn_ack = syn(&mut lab, 1000).expect("a SYN-ACK");
    let data = Remote::third(&syn_ack, b"data");
    lab.inject(&data.to_packet());
    // Behind a hole, which nobody fills any more.
    let beyond = Tcp {
        seq: data.seq.wrapping_add(8),
        ..data.clone()
    };
    lab.inject(&beyond.to_packet());
    lab.inject(&reset_behind(&data).to_packet());
    sent(&mut lab);
    lab.host.stack.close(lab.now, listener);
    assert!(sent(&mut lab).is_empty(), "its peer knows");
    assert_eq!(lab.host.stack.tcp_connections().count(), 0);
    assert_eq!(lab.host.stack.closing(), 0);
    assert_eq!(lab.host.live_nodes(), 0);
}

#[test]
fn a_closed_listener_resets_what_nobody_accepted() {
    let (mut lab, listener) = listening(4);
    let syn_ack = syn(&mut lab, 1000).expect("a SYN-ACK");
    lab.inject(&Remote::third(&syn_ack, b"unread").to_packet());
    sent(&mut lab);
    lab.host.stack.close(lab.now, listener);
    let resets = sent(&mut lab);
    assert_eq!(resets.len(), 1);
    assert_eq!(
        (resets[0].flags, resets[0].seq),
        (RST | ACK, syn_ack.seq.wrapping_add(1))
    );
    assert_eq!(lab.host.live_nodes(), 0);
}

// req: U-19, RFC5961-02, RFC5961-03
#[test]
fn resets_of_half_open_connections_follow_rfc_5961() {
    let (mut lab, _) = listening(4);
    let syn_ack = syn(&mut lab, 1000).expect("a SYN-ACK");
    let reset = Tcp {
        flags: RST,
        ..Remote::third(&syn_ack, b"")
    };
    lab.inject(
        &Tcp {
            seq: reset.seq.wrapping_sub(1),
            ..reset.clone()
        }
        .to_packet(),
    );
    assert!(sent(&mut lab).is_empty(), "outside the window: ignored");
    lab.pass(SECOND * 6 / 10);
    lab.inject(
        &Tcp {
            seq: reset.seq.wrapping_add(1),
            ..reset.clone()
        }
        .to_packet(),
    );
    assert_eq!(sent(&mut lab).len(), 1, "inside: challenged");
    lab.inject(&reset.to_packet());
    assert!(lab.pass(SECOND * 10).is_empty(), "exact: gone");
}

// req: U-18
#[test]
fn an_acknowledgement_of_no_syn_ack_is_reset() {
    let (mut lab, listener) = listening(4);
    let syn_ack = syn(&mut lab, 1000).expect("a SYN-ACK");
    let wrong = syn_ack.seq.wrapping_add(1000);
    lab.inject(
        &Tcp {
            ack: wrong,
            ..Remote::third(&syn_ack, b"")
        }
        .to_packet(),
    );
    let reset = sent(&mut lab).pop().expect("a reset");
    assert_eq!((reset.flags, reset.seq), (RST, wrong));
    lab.inject(&Remote::third(&syn_ack, b"").to_packet());
    assert!(
        lab.host.stack.tcp_accept(listener).is_ok(),
        "the real one still gets in"
    );
}

// req: U-04, U-08, U-31
#[test]
fn a_listener_ignores_what_neither_opens_nor_acknowledges() {
    let (mut lab, _) = listening(4);
    let base = Remote::syn(client(1000), stack(), &Offer::default());
    for flags in [0, FIN, FIN | PSH, RST, RST | ACK] {
        lab.inject(
            &Tcp {
                flags,
                ..base.clone()
            }
            .to_packet(),
        );
        assert!(sent(&mut lab).is_empty(), "flags {flags:#x}");
    }
}

// req: U-05
#[test]
fn a_listener_resets_what_acknowledges_something() {
    let (mut lab, _) = listening(4);
    let base = Remote::syn(client(1000), stack(), &Offer::default());
    for flags in [ACK, SYN | ACK, FIN | ACK] {
        let stray = Tcp {
            flags,
            ack: 77,
            ..base.clone()
        };
        lab.inject(&stray.to_packet());
        let resets = sent(&mut lab);
        assert_eq!(resets.len(), 1, "flags {flags:#x}");
        assert_eq!((resets[0].flags, resets[0].seq), (RST, 77));
    }
}

// req: MUST-41, MUST-42
#[test]
fn a_port_of_connections_can_be_listened_on() {
    let mut lab = Lab::default();
    let attempt = lab
        .host
        .stack
        .tcp_connect(lab.now, client(80), Some(stack()))
        .expect("a route");
    let syn_sent = sent(&mut lab).pop().expect("a SYN");
    let listener = lab
        .host
        .stack
        .tcp_listen(stack(), 4)
        .expect("not in use by a listener");
    let syn_ack = syn(&mut lab, 1000).expect("a SYN-ACK");
    lab.inject(&Remote::third(&syn_ack, b"").to_packet());
    assert!(lab.host.stack.tcp_accept(listener).is_ok());
    // The attempt goes on undisturbed.
    let answer = Tcp {
        flags: SYN | ACK,
        ..Remote::third(&syn_sent, b"")
    };
    lab.inject(
        &Tcp {
            seq: 9,
            ack: syn_sent.end(),
            ..answer
        }
        .to_packet(),
    );
    let info = lab.host.stack.tcp_info(attempt).expect("a connection");
    assert_eq!(info.state, TcpState::Established);
    // And so it does when the listener goes.
    lab.host.stack.close(lab.now, listener);
    let info = lab.host.stack.tcp_info(attempt).expect("a connection");
    assert_eq!(info.state, TcpState::Established);
}

// req: RFC5681-06, RFC6298-16
#[test]
fn after_a_repeated_syn_ack_data_begins_with_one_segment() {
    let (mut lab, listener) = listening(4);
    let syn_ack = syn(&mut lab, 1000).expect("a SYN-ACK");
    lab.pass(SECOND * 3 / 2);
    lab.inject(&Remote::third(&syn_ack, b"").to_packet());
    let (socket, _) = lab.host.stack.tcp_accept(listener).expect("a connection");
    let info = lab.host.stack.tcp_info(socket).expect("a connection");
    assert_eq!(info.congestion_window, info.send_mss, "RFC 5681, 3.1");
    assert_eq!(info.rto, SECOND * 3, "RFC 6298, 5.7");
}
