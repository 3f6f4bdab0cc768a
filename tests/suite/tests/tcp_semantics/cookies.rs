//! SYN floods: what does not fit into the backlog is answered with cookies (RFC 4987, 3.6).

use core::time::Duration;
use netstack_core::SocketId;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, RST, SYN, Tcp, options};

const SECOND: Duration = Duration::from_secs(1);
const BACKLOG: usize = 64;
/// What a SYN sets to offer ECN (RFC 3168, 6.1.1), and its answer.
const ECE: u8 = 0x40;
const CWR: u8 = 0x80;

/// What a client of today offers.
fn modern() -> Offer {
    Offer {
        mss: Some(1400),
        scale: Some(7),
        sack: true,
        timestamp: Some(5_000),
        ..Offer::default()
    }
}

/// A stack whose listeners hold `syn_backlog` half-open connections, or their backlog if that is more.
fn lab(syn_backlog: usize) -> Lab {
    let mut config = WorldConfig::default();
    config.tcp.syn_backlog = syn_backlog;
    Lab::new(&config)
}

fn stack(v6: bool) -> SocketAddr {
    SocketAddr::new(Lab::address(v6), 80)
}

fn client(v6: bool, port: u16) -> SocketAddr {
    SocketAddr::new(Lab::neighbour(v6), port)
}

/// Opens the stack's port with this backlog.
fn listen(lab: &mut Lab, backlog: usize) -> SocketId {
    let listener = lab.host.stack.tcp_listen(stack(false), backlog);
    listener.expect("a free port")
}

/// The answer to the SYN of an IPv4 client of today.
fn answer_to(lab: &mut Lab, port: u16) -> Tcp {
    let syn = Remote::syn(client(false, port), stack(false), &modern());
    syn_ack(lab, &syn)
}

fn sent(lab: &mut Lab) -> Vec<Tcp> {
    let packets = lab.sent();
    let parse = |packet: &Vec<u8>| Tcp::parse(packet).expect("TCP");
    packets.iter().map(parse).collect()
}

/// Sends `count` SYNs from as many addresses and ports, none of which is ever heard of again; returns the answers.
fn flood(lab: &mut Lab, count: u32) -> usize {
    let mut answers = 0;
    for i in 0..count {
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3 + (i % 250) as u8));
        let from = SocketAddr::new(address, 1024 + (i / 250) as u16);
        lab.inject(&Remote::syn(from, stack(false), &modern()).to_packet());
        answers += lab.sent().len();
    }
    answers
}

/// A listener whose backlog a flood has filled.
fn flooded() -> (Lab, SocketId) {
    let mut lab = lab(1);
    let listener = listen(&mut lab, BACKLOG);
    assert_eq!(flood(&mut lab, 2 * BACKLOG as u32), 2 * BACKLOG);
    (lab, listener)
}

/// The answer to a SYN.
fn syn_ack(lab: &mut Lab, syn: &Tcp) -> Tcp {
    lab.inject(&syn.to_packet());
    let answer = sent(lab).pop().expect("a SYN-ACK");
    assert_eq!(answer.flags & !ECE, SYN | ACK);
    assert_eq!(answer.ack, syn.seq.wrapping_add(1), "no data is kept");
    answer
}

// req: RFC4987-01, RFC4987-06
#[test]
fn a_flood_keeps_nobody_out_and_costs_no_memory() {
    let mut lab = lab(1);
    let listener = listen(&mut lab, BACKLOG);
    assert_eq!(flood(&mut lab, 50_000), 50_000, "each is answered");
    let counters = lab.host.stack.counters().tcp.clone();
    assert_eq!(counters.syn_cookies_sent, 50_000 - BACKLOG as u64);
    assert_eq!(counters.syn_overflows, 0);
    // An honest client comes in with its first SYN.
    let answer = syn_ack(
        &mut lab,
        &Remote::syn(client(false, 999), stack(false), &modern()),
    );
    lab.inject(&Remote::third(&answer, b"hello").to_packet());
    let (socket, from) = lab.host.stack.tcp_accept(listener).expect("at once");
    assert_eq!(from, client(false, 999));
    let read = calls::read(&mut lab.host.stack, socket, 100);
    assert_eq!(read.as_deref(), Ok(&b"hello"[..]));
    assert_eq!(lab.host.stack.counters().tcp.syn_cookies_accepted, 1);
    // What is remembered of the flood is the backlog: so many SYN-ACKs leave again, and no more.
    lab.host.stack.abort(lab.now, socket);
    assert_eq!(sent(&mut lab).len(), 1);
    assert_eq!(lab.pass(SECOND * 5 / 4).len(), BACKLOG);
    assert_eq!(lab.host.stack.tcp_connections().count(), 0);
    assert_eq!(lab.host.live_nodes(), 0);
}

// req: RFC4987-03
#[test]
fn a_cookie_keeps_what_timestamps_can_carry() {
    let (mut lab, listener) = flooded();
    let syn = Tcp {
        flags: SYN | ECE | CWR,
        ..Remote::syn(client(false, 999), stack(false), &modern())
    };
    let answer = syn_ack(&mut lab, &syn);
    assert!(answer.sack_permitted() && answer.window_scale().is_some() && answer.has(ECE));
    lab.inject(&Remote::third(&answer, b"").to_packet());
    let (socket, _) = lab.host.stack.tcp_accept(listener).expect("a connection");
    let info = lab.host.stack.tcp_info(socket).expect("a connection");
    assert!(info.sack && info.ecn);
    assert_eq!(info.send_window, 1_000 << 7, "the window scale");
    assert_eq!(
        info.send_mss,
        1360 - 12,
        "the next size below 1400, with timestamps"
    );
    assert_eq!(info.rtt, None, "what was echoed measures nothing");
    // Data flows, its timestamps at the clock or later than the SYN-ACK's.
    calls::write(&mut lab.host.stack, socket, &[7; 5_000]).expect("room");
    let data = sent(&mut lab);
    let (first, _) = answer.timestamps().expect("agreed");
    let (val, ecr) = data[0].timestamps().expect("agreed");
    assert!(val.wrapping_sub(first) < 64 && ecr == 5_001);
    let bytes: usize = data.iter().map(|segment| segment.payload.len()).sum();
    assert_eq!(bytes, 5_000);
}

// req: RFC4987-03
#[test]
fn a_cookie_without_timestamps_agrees_on_a_size_only() {
    for v6 in [false, true] {
        let mut lab = lab(1);
        let listener = lab.host.stack.tcp_listen(stack(v6), 1).expect("free");
        let offer = Offer {
            v6,
            timestamp: None,
            ..modern()
        };
        // The first fills a backlog of one.
        syn_ack(&mut lab, &Remote::syn(client(v6, 998), stack(v6), &offer));
        let answer = syn_ack(&mut lab, &Remote::syn(client(v6, 999), stack(v6), &offer));
        assert!(!answer.sack_permitted() && answer.window_scale().is_none());
        lab.inject(&Remote::third(&answer, b"").to_packet());
        let (socket, from) = lab.host.stack.tcp_accept(listener).expect("a connection");
        assert_eq!(from, client(v6, 999));
        let info = lab.host.stack.tcp_info(socket).expect("a connection");
        assert!(!info.sack);
        assert_eq!((info.send_mss, info.send_window), (1360, 1_000));
    }
}

#[test]
fn a_cookie_agrees_on_nothing_that_was_not_offered() {
    let (mut lab, listener) = flooded();
    let offer = Offer {
        sack: false,
        scale: None,
        ..modern()
    };
    let syn = Remote::syn(client(false, 999), stack(false), &offer);
    let answer = syn_ack(&mut lab, &syn);
    lab.inject(&Remote::third(&answer, b"").to_packet());
    let (socket, _) = lab.host.stack.tcp_accept(listener).expect("a connection");
    let info = lab.host.stack.tcp_info(socket).expect("a connection");
    assert!(info.timestamps && !info.sack && !info.ecn);
    assert_eq!((info.scales, info.send_window), (None, 1_000));
}

// req: RFC4987-04
#[test]
fn without_pressure_there_are_no_cookies() {
    let mut lab = lab(1);
    let stack_to = stack(false);
    lab.host.stack.tcp_listen(stack_to, 4).expect("a free port");
    let offer = Offer {
        timestamp: None,
        ..modern()
    };
    let answer = syn_ack(&mut lab, &Remote::syn(client(false, 999), stack_to, &offer));
    assert!(answer.sack_permitted() && answer.window_scale().is_some());
    let counters = &lab.host.stack.counters().tcp;
    assert_eq!(counters.syn_cookies_sent, 0);
    // Nor are any believed.
    let stray = Tcp {
        src: client(false, 998),
        ..Remote::third(&answer, b"")
    };
    lab.inject(&stray.to_packet());
    assert_eq!(sent(&mut lab)[0].flags, RST);
    assert_eq!(lab.host.stack.counters().tcp.syn_cookies_refused, 0);
    assert_eq!(lab.host.stack.counters().tcp.in_no_connection, 1);
}

// req: RFC4987-02, RFC4987-10
#[test]
fn a_cookie_that_is_old_or_forged_is_reset() {
    let (mut lab, listener) = flooded();
    let answer = syn_ack(
        &mut lab,
        &Remote::syn(client(false, 999), stack(false), &modern()),
    );
    let good = Remote::third(&answer, b"");
    let forged = Tcp {
        ack: good.ack.wrapping_add(1),
        ..good.clone()
    };
    lab.inject(&forged.to_packet());
    let reset = sent(&mut lab).pop().expect("a reset");
    assert_eq!((reset.flags, reset.seq), (RST, forged.ack));
    assert_eq!(lab.host.stack.counters().tcp.syn_cookies_refused, 1);
    // Two minutes later the flood goes on, and the old cookie is good for nothing any more.
    lab.pass(SECOND * 128);
    flood(&mut lab, 2 * BACKLOG as u32);
    lab.inject(&good.to_packet());
    let reset = sent(&mut lab).pop().expect("a reset");
    assert_eq!((reset.flags, reset.seq), (RST, good.ack));
    assert_eq!(lab.host.stack.counters().tcp.syn_cookies_refused, 2);
    assert!(lab.host.stack.tcp_accept(listener).is_err());
    let counters = &lab.host.stack.counters().tcp;
    assert_eq!(counters.syn_cookies_accepted, 0);
}

// req: RFC4987-02
#[test]
fn what_an_echoed_timestamp_carries_belongs_to_its_cookie() {
    let (mut lab, listener) = flooded();
    let answer = answer_to(&mut lab, 999);
    let good = Remote::third(&answer, b"");
    let (value, echo) = good.timestamps().expect("both agreed");
    let forged = Tcp {
        options: options::timestamps(value, echo ^ 1),
        ..good
    };
    lab.inject(&forged.to_packet());
    let reset = sent(&mut lab).pop().expect("a reset");
    assert_eq!((reset.flags, reset.seq), (RST, forged.ack));
    assert_eq!(lab.host.stack.counters().tcp.syn_cookies_refused, 1);
    assert!(lab.host.stack.tcp_accept(listener).is_err());
}

// req: RFC4987-05
#[test]
fn data_of_a_syn_that_is_not_remembered_comes_again() {
    let (mut lab, listener) = flooded();
    let syn = Tcp {
        payload: b"early".to_vec(),
        ..Remote::syn(client(false, 999), stack(false), &modern())
    };
    let answer = syn_ack(&mut lab, &syn);
    lab.inject(&Remote::third(&answer, b"early").to_packet());
    let (socket, _) = lab.host.stack.tcp_accept(listener).expect("a connection");
    let read = calls::read(&mut lab.host.stack, socket, 100);
    assert_eq!(read.as_deref(), Ok(&b"early"[..]));
}

#[test]
fn a_cookie_waits_for_room_in_the_accept_queue() {
    let mut lab = lab(1);
    let listener = listen(&mut lab, 1);
    let (first, second) = (answer_to(&mut lab, 1000), answer_to(&mut lab, 1001));
    lab.inject(&Remote::third(&first, b"").to_packet());
    lab.inject(&Remote::third(&second, b"data").to_packet());
    assert!(sent(&mut lab).iter().all(|segment| !segment.has(RST)));
    assert_eq!(lab.host.stack.counters().tcp.listen_overflows, 1);
    let accepted = |lab: &mut Lab| {
        lab.host
            .stack
            .tcp_accept(listener)
            .map(|(_, from)| from.port())
    };
    assert_eq!(accepted(&mut lab), Ok(1000));
    lab.inject(&Remote::third(&second, b"data").to_packet());
    assert_eq!(accepted(&mut lab), Ok(1001));
}

#[test]
fn who_came_back_with_a_cookie_and_waits_to_be_spoken_to_is_not_forgotten() {
    let mut lab = lab(100);
    let listener = listen(&mut lab, 1);
    let answers: Vec<Tcp> = (0..300).map(|i| answer_to(&mut lab, 1_000 + i)).collect();
    for answer in &answers {
        lab.inject(&Remote::third(answer, b"").to_packet());
        assert!(sent(&mut lab).is_empty());
    }
    // One waits to be accepted. A hundred were remembered, and as many that came back: they are asked again.
    let again = lab.pass(SECOND * 5 / 4);
    assert_eq!(again.len(), 200);
    assert!(lab.host.stack.tcp_accept(listener).is_ok());
    for (_, packet) in &again {
        let answer = Tcp::parse(packet).expect("TCP");
        assert!(
            answers
                .iter()
                .any(|first| first.seq == answer.seq && first.src == answer.src)
        );
        lab.inject(&Remote::third(&answer, b"").to_packet());
        assert!(lab.host.stack.tcp_accept(listener).is_ok());
    }
}
