//! Data that leaves with the SYN (RFC 7413).

use core::time::Duration;
use netstack_core::{
    FastOpen, RecvFlags, SendControl, SendError, SendFlags, SocketId, SocketOption, StampRequest,
    StampStage, Stamps, TcpConfig, TcpState,
};
use std::net::SocketAddr;
use suite::calls;
use suite::lab::{Lab, Offer};
use suite::sim::WorldConfig;
use suite::wire::{ACK, PSH, SYN, Tcp, options};
use txbuf::IovIter;

const SECOND: Duration = Duration::from_secs(1);
const COOKIE: &[u8] = b"biscuits";

fn server() -> SocketAddr {
    SocketAddr::new(Lab::neighbour(false), 80)
}

fn connect(lab: &mut Lab) -> SocketId {
    let (now, stack) = (lab.now, &mut lab.host.stack);
    stack.tcp_connect(now, server(), None).expect("a route")
}

/// Connects, with `data` for the SYN, and returns the SYN.
fn open(lab: &mut Lab, data: &[u8]) -> (SocketId, Tcp) {
    let socket = connect(lab);
    let stack = &mut lab.host.stack;
    let taken = calls::write_with(stack, socket, data, SendFlags::FAST_OPEN);
    assert_eq!(taken, Ok(data.len()));
    (socket, one(lab))
}

#[track_caller]
fn one(lab: &mut Lab) -> Tcp {
    let sent = lab.sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    Tcp::parse(&sent[0]).expect("TCP")
}

/// The answer to `syn` that acknowledges so much of its data, and gives `cookie`.
fn syn_ack(syn: &Tcp, taken: usize, cookie: Option<&[u8]>) -> Tcp {
    let mut options = Offer::default().options();
    options.extend(cookie.map(options::fast_open).unwrap_or_default());
    Tcp {
        src: syn.dst,
        dst: syn.src,
        seq: 7_000,
        ack: syn.seq.wrapping_add(1 + taken as u32),
        flags: SYN | ACK,
        window: 60_000,
        urgent: 0,
        options,
        payload: Vec::new(),
    }
}

/// A lab whose stack has a cookie of the server.
fn with_cookie() -> Lab {
    let mut lab = Lab::default();
    let (socket, syn) = open(&mut lab, b"");
    lab.inject(&syn_ack(&syn, 0, Some(COOKIE)).to_packet());
    lab.sent();
    lab.host.stack.abort(lab.now, socket);
    lab.sent();
    lab
}

// req: RFC7413-01, RFC7413-16
#[test]
fn plain_connections_have_nothing_of_it() {
    let mut lab = with_cookie();
    connect(&mut lab);
    let syn = one(&mut lab);
    assert_eq!((syn.fast_open(), syn.payload.len()), (None, 0));
}

// req: RFC7413-07, RFC7413-05, RFC7413-08
#[test]
fn the_first_connection_asks_for_a_cookie_and_the_next_sends_data_with_it() {
    let mut lab = Lab::default();
    let (socket, syn) = open(&mut lab, b"first");
    assert_eq!((syn.flags, syn.fast_open()), (SYN, Some(Vec::new())));
    assert!(syn.payload.is_empty());
    let mss = options::mss(700);
    let given = Tcp {
        options: [mss, options::fast_open(COOKIE)].concat(),
        ..syn_ack(&syn, 0, None)
    };
    lab.inject(&given.to_packet());
    let data = one(&mut lab);
    assert_eq!((data.flags, &data.payload[..]), (ACK | PSH, &b"first"[..]));
    lab.host.stack.abort(lab.now, socket);
    lab.sent();
    let (socket, syn) = open(&mut lab, &[5; 2_000]);
    assert_eq!((syn.flags, syn.fast_open().as_deref()), (SYN, Some(COOKIE)));
    // The segment size of the server, with the options that count to it.
    assert_eq!(syn.payload.len(), 700 - syn.options.len());
    let all = syn.payload.len();
    lab.inject(&syn_ack(&syn, all, None).to_packet());
    let rest: usize = lab
        .sent()
        .iter()
        .map(|p| Tcp::parse(p).expect("TCP").payload.len())
        .sum();
    assert_eq!(rest, 2_000 - all);
    let info = lab.host.stack.tcp_info(socket).expect("a socket");
    assert_eq!((info.state, info.retransmits), (TcpState::Established, 0));
    assert_eq!(lab.host.stack.counters().tcp.fast_open_active, 1);
}

#[test]
fn it_is_told_when_data_left_with_the_syn() {
    let mut lab = with_cookie();
    let socket = connect(&mut lab);
    let request = StampRequest {
        wanted: Stamps::SENT,
        id: Some(0),
    };
    let control = SendControl {
        stamp: Some(request),
        ..SendControl::default()
    };
    let (stack, mut from) = (&mut lab.host.stack, IovIter::bytes(b"early"));
    let taken = stack.send_message(socket, &mut from, SendFlags::FAST_OPEN, &control);
    assert_eq!(taken, Ok(5));
    assert_eq!(one(&mut lab).payload, b"early");
    let into = &mut IovIter::discard(100);
    let told = lab.host.stack.receive_stamp(socket, into, RecvFlags::NONE);
    let stamp = told.expect("it left").stamp;
    assert_eq!((stamp.stage, stamp.id), (StampStage::Sent, Some(4)));
    assert_eq!(stamp.time, lab.now);
}

// req: RFC7413-12
#[test]
fn data_that_was_not_taken_follows_at_once_and_is_no_congestion() {
    let mut lab = with_cookie();
    let (socket, syn) = open(&mut lab, b"twice");
    assert_eq!(syn.payload, b"twice");
    let before = lab.host.stack.tcp_info(socket).expect("a socket");
    lab.inject(&syn_ack(&syn, 0, Some(b"newcookie!")).to_packet());
    let again = one(&mut lab);
    assert_eq!(
        (again.seq, &again.payload[..]),
        (syn.seq.wrapping_add(1), &b"twice"[..])
    );
    let info = lab.host.stack.tcp_info(socket).expect("a socket");
    assert_eq!(info.congestion_window, before.congestion_window);
    let (_, syn) = open(&mut lab, b"");
    assert_eq!(
        syn.fast_open().as_deref(),
        Some(&b"newcookie!"[..]),
        "the newest is kept"
    );
}

// req: RFC7413-09, RFC7413-06
#[test]
fn a_path_that_swallows_it_gets_a_plain_syn_and_no_other_for_a_while() {
    let mut lab = with_cookie();
    let (_, syn) = open(&mut lab, b"swallowed");
    assert_eq!(syn.payload, b"swallowed");
    let again = lab.pass(SECOND * 3 / 2);
    let plain = Tcp::parse(&again[0].1).expect("TCP");
    assert_eq!((plain.flags, plain.seq), (SYN, syn.seq));
    assert_eq!((plain.fast_open(), plain.payload.len()), (None, 0));
    lab.inject(&syn_ack(&plain, 0, None).to_packet());
    assert_eq!(one(&mut lab).payload, b"swallowed");
    assert_eq!(lab.host.stack.counters().tcp.fast_open_failures, 1);
    let (_, syn) = open(&mut lab, b"later");
    assert_eq!((syn.fast_open(), syn.payload.len()), (None, 0));
    lab.inject(&syn_ack(&syn, 0, None).to_packet());
    assert_eq!(one(&mut lab).payload, b"later");
    lab.pass(SECOND * 61);
    let (_, syn) = open(&mut lab, b"now");
    assert_eq!(syn.payload, b"now");
}

// req: RFC7413-06
#[test]
fn a_server_that_gives_no_cookie_is_not_asked_for_a_while() {
    let mut lab = Lab::default();
    let (_, syn) = open(&mut lab, b"");
    assert_eq!(syn.fast_open(), Some(Vec::new()));
    lab.inject(&syn_ack(&syn, 0, None).to_packet());
    lab.sent();
    let (_, syn) = open(&mut lab, b"");
    assert_eq!(syn.fast_open(), None);
}

#[test]
fn a_connection_may_wait_for_what_its_syn_carries() {
    let mut lab = with_cookie();
    let socket = connect(&mut lab);
    let (now, stack) = (lab.now, &mut lab.host.stack);
    let option = SocketOption::FastOpenConnect(true);
    stack
        .set_option(now, socket, option)
        .expect("it is not sent");
    let ready = stack.readiness(socket).expect("a socket");
    assert!(ready.writable && !ready.connecting);
    assert!(lab.pass(SECOND * 10).is_empty());
    assert_eq!(calls::write(&mut lab.host.stack, socket, b"at last"), Ok(7));
    let syn = one(&mut lab);
    assert_eq!((syn.flags, &syn.payload[..]), (SYN, &b"at last"[..]));
    let more = calls::write(&mut lab.host.stack, socket, b"more");
    assert_eq!(
        more,
        Err(SendError::WouldBlock),
        "that waits for the answer"
    );
    assert!(lab.host.stack.set_option(lab.now, socket, option).is_err());
    lab.inject(&syn_ack(&syn, 7, None).to_packet());
    assert_eq!(one(&mut lab).flags, ACK);
    assert_eq!(calls::write(&mut lab.host.stack, socket, b"more"), Ok(4));
}

#[test]
fn data_with_the_syn_ack_is_delivered() {
    let mut lab = with_cookie();
    let (socket, syn) = open(&mut lab, b"?");
    let answer = Tcp {
        payload: b"!".to_vec(),
        ..syn_ack(&syn, 1, None)
    };
    lab.inject(&answer.to_packet());
    assert_eq!(
        calls::read(&mut lab.host.stack, socket, 9).as_deref(),
        Ok(&b"!"[..])
    );
}

#[test]
fn a_stack_can_send_data_to_whoever_it_is() {
    let bits = FastOpen::CLIENT | FastOpen::CLIENT_WITHOUT_COOKIE;
    let mut tcp = TcpConfig::default();
    tcp.fast_open = bits;
    let mut lab = Lab::new(&WorldConfig {
        tcp,
        ..WorldConfig::default()
    });
    let (_, syn) = open(&mut lab, b"hello");
    assert_eq!((syn.fast_open(), &syn.payload[..]), (None, &b"hello"[..]));
}

#[test]
fn what_a_simultaneous_open_did_not_take_leaves_again_at_once() {
    let mut lab = Lab::default();
    let (socket, syn) = open(&mut lab, b"");
    lab.inject(&syn_ack(&syn, 0, Some(COOKIE)).to_packet());
    lab.host.stack.abort(lab.now, socket);
    lab.sent();
    let (_, syn) = open(&mut lab, b"early data");
    assert_eq!(syn.payload, b"early data");
    let other = Tcp {
        ack: 0,
        flags: SYN,
        ..syn_ack(&syn, 0, None)
    };
    lab.inject(&other.to_packet());
    lab.sent();
    lab.inject(&syn_ack(&syn, 0, None).to_packet());
    let sent = lab.sent();
    let again = sent.iter().map(|packet| Tcp::parse(packet).expect("TCP"));
    assert!(
        again
            .into_iter()
            .any(|segment| segment.payload == b"early data")
    );
}
