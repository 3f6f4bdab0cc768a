//! Listeners that take data with SYNs (RFC 7413).

use core::time::Duration;
use netstack_core::{ConnectionError, FastOpen, SocketId, SocketOption, TcpConfig, TcpState};
use std::net::SocketAddr;
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, PSH, RST, SYN, Tcp, options};

const SECOND: Duration = Duration::from_secs(1);

fn lab(fast_open: FastOpen) -> Lab {
    let mut tcp = TcpConfig::default();
    tcp.fast_open = fast_open;
    Lab::new(&WorldConfig {
        tcp,
        ..WorldConfig::default()
    })
}

/// A listener of `backlog` that takes data of as many SYNs as `pending` says.
fn listening(fast_open: FastOpen, backlog: usize, pending: u16) -> (Lab, SocketId) {
    let mut lab = lab(fast_open);
    let stack = &mut lab.host.stack;
    let listener = stack.tcp_listen(address(), backlog).expect("a free port");
    stack
        .set_option(lab.now, listener, SocketOption::FastOpen(pending))
        .expect("a listener");
    (lab, listener)
}

fn address() -> SocketAddr {
    SocketAddr::new(Lab::address(false), 80)
}

/// A SYN from `port` of the neighbour with `cookie` and `data`.
fn syn(port: u16, cookie: &[u8], data: &[u8]) -> Tcp {
    let client = SocketAddr::new(Lab::neighbour(false), port);
    let mut syn = Remote::syn(client, address(), &Offer::default());
    syn.options.extend(options::fast_open(cookie));
    syn.payload = data.to_vec();
    syn
}

fn answers(lab: &mut Lab, segment: &Tcp) -> Vec<Tcp> {
    lab.inject(&segment.to_packet());
    let sent = lab.sent();
    sent.iter()
        .map(|packet| Tcp::parse(packet).expect("TCP"))
        .collect()
}

#[track_caller]
fn answer(lab: &mut Lab, segment: &Tcp) -> Tcp {
    let mut sent = answers(lab, segment);
    assert_eq!(sent.len(), 1, "{sent:#?}");
    sent.remove(0)
}

/// What the listener gives the neighbour.
fn cookie(lab: &mut Lab) -> Vec<u8> {
    let given = answer(lab, &syn(999, b"", b""));
    let reset = Tcp {
        flags: RST,
        ..Remote::third(&given, b"")
    };
    lab.inject(&reset.to_packet());
    given.fast_open().expect("a cookie")
}

fn has_accepted(syn: &Tcp, syn_ack: &Tcp) -> bool {
    assert_eq!(syn_ack.flags, SYN | ACK);
    assert!([1, 1 + syn.payload.len() as u32].contains(&syn_ack.ack.wrapping_sub(syn.seq)));
    syn_ack.ack == syn.end() && !syn.payload.is_empty()
}

// req: RFC7413-11, RFC7413-15
#[test]
fn data_with_a_good_cookie_is_delivered_and_answered_before_the_handshake_ends() {
    let (mut lab, listener) = listening(FastOpen::SERVER, 4, 4);
    let cookie = cookie(&mut lab);
    assert_eq!(cookie.len(), 8);
    let opening = syn(1000, &cookie, b"GET /");
    let syn_ack = answer(&mut lab, &opening);
    assert!(has_accepted(&opening, &syn_ack));
    assert_eq!(syn_ack.fast_open(), None, "it is still good");
    let stack = &mut lab.host.stack;
    let (socket, from) = stack.tcp_accept(listener).expect("a connection");
    assert_eq!(from, opening.src);
    assert_eq!(
        calls::read(stack, socket, 100).as_deref(),
        Ok(&b"GET /"[..])
    );
    assert!(stack.readiness(socket).expect("a socket").writable);
    // The initial window, and no more, before anything of it is acknowledged.
    let response = vec![7; 40_000];
    assert_eq!(calls::write(stack, socket, &response), Ok(response.len()));
    let early = lab.sent();
    assert_eq!(
        early.len(),
        9,
        "the initial window, of which the SYN takes a byte"
    );
    let first = Tcp::parse(&early[0]).expect("TCP");
    assert_eq!((first.flags, first.seq), (ACK, syn_ack.end()));
    assert_eq!((first.ack, first.payload.len()), (opening.end(), 1460));
    lab.inject(&Remote::third(&syn_ack, b"").to_packet());
    let state = lab.host.stack.tcp_info(socket).map(|info| info.state);
    assert_eq!(state, Ok(TcpState::Established));
    assert_eq!(lab.host.stack.counters().tcp.fast_open_passive, 1);
}

#[test]
fn what_is_closed_at_once_ends_with_a_fin_behind_the_handshake() {
    let (mut lab, listener) = listening(FastOpen::SERVER, 4, 4);
    let cookie = cookie(&mut lab);
    let syn_ack = answer(&mut lab, &syn(1000, &cookie, b"?"));
    let stack = &mut lab.host.stack;
    let (socket, _) = stack.tcp_accept(listener).expect("a connection");
    assert_eq!(calls::read(stack, socket, 9).as_deref(), Ok(&b"?"[..]));
    assert_eq!(calls::write(stack, socket, b"!"), Ok(1));
    stack.close(lab.now, socket);
    let early = lab.sent();
    assert_eq!(early.len(), 1);
    let response = Tcp::parse(&early[0]).expect("TCP");
    assert_eq!(
        (response.flags, &response.payload[..]),
        (ACK | PSH, &b"!"[..])
    );
    let fin = answers(&mut lab, &Remote::third(&syn_ack, b"")).remove(0);
    assert_eq!(fin.seq, response.end());
}

// req: RFC7413-10, RFC7413-04
#[test]
fn a_cookie_that_is_not_good_makes_a_plain_handshake_and_brings_a_good_one() {
    let (mut lab, listener) = listening(FastOpen::SERVER, 4, 4);
    let good = cookie(&mut lab);
    let mut bad = good.clone();
    bad[3] ^= 1;
    for (port, shown) in [(1000, bad), (1001, good[..4].to_vec()), (1002, vec![])] {
        let opening = syn(port, &shown, b"GET /");
        let syn_ack = answer(&mut lab, &opening);
        assert!(!has_accepted(&opening, &syn_ack));
        assert_eq!(syn_ack.fast_open().as_ref(), Some(&good));
    }
    assert!(lab.host.stack.tcp_accept(listener).is_err());
    assert_eq!(lab.host.stack.counters().tcp.fast_open_cookies_refused, 2);
    // Of another host it is none.
    let mut elsewhere = syn(1003, &good, b"GET /");
    elsewhere.src.set_ip("10.0.0.9".parse().expect("literal"));
    let syn_ack = answer(&mut lab, &elsewhere);
    assert!(!has_accepted(&elsewhere, &syn_ack));
    assert_ne!(syn_ack.fast_open(), Some(good));
}

// req: RFC7413-02, RFC7413-03
#[test]
fn an_option_of_a_wrong_length_or_behind_the_handshake_means_nothing() {
    let (mut lab, listener) = listening(FastOpen::SERVER, 4, 4);
    for (port, len) in [
        (1000, 1),
        (1001, 2),
        (1002, 3),
        (1003, 5),
        (1004, 7),
        (1005, 18),
    ] {
        let opening = syn(port, &vec![1; len], b"data");
        let syn_ack = answer(&mut lab, &opening);
        assert!(!has_accepted(&opening, &syn_ack));
        assert_eq!(syn_ack.fast_open(), None, "{len} bytes");
    }
    let plain = Tcp {
        options: Offer::default().options(),
        ..syn(1006, b"", b"")
    };
    let syn_ack = answer(&mut lab, &plain);
    let third = Tcp {
        options: options::fast_open(b""),
        ..Remote::third(&syn_ack, b"data")
    };
    assert_eq!(answer(&mut lab, &third).fast_open(), None);
    assert!(lab.host.stack.tcp_accept(listener).is_ok());
}

// req: RFC7413-17, RFC7413-01, RFC7413-16
#[test]
fn who_did_not_ask_for_it_does_not_get_it() {
    let off = [
        listening(FastOpen::NONE, 4, 4),
        listening(FastOpen::CLIENT, 4, 4),
        listening(FastOpen::SERVER, 4, 0),
    ];
    for (mut lab, _) in off {
        for shown in [&b""[..], b"12345678"] {
            let port = 1000 + shown.len() as u16;
            let opening = syn(port, shown, b"data");
            let syn_ack = answer(&mut lab, &opening);
            assert!(!has_accepted(&opening, &syn_ack));
            assert_eq!(syn_ack.fast_open(), None);
        }
    }
}

#[test]
fn a_stack_can_do_it_for_all_listeners_and_without_cookies() {
    let bits = FastOpen::SERVER | FastOpen::ALL_LISTENERS | FastOpen::SERVER_WITHOUT_COOKIE;
    let (mut lab, listener) = listening(bits, 4, 0);
    let mut opening = syn(1000, b"", b"data");
    opening.options = Offer::default().options();
    let syn_ack = answer(&mut lab, &opening);
    assert!(has_accepted(&opening, &syn_ack));
    assert!(lab.host.stack.tcp_accept(listener).is_ok());
}

// req: RFC7413-14
#[test]
fn an_attacker_with_a_cookie_holds_no_more_connections_than_may_be_pending() {
    let (mut lab, listener) = listening(FastOpen::SERVER, 16, 3);
    let cookie = cookie(&mut lab);
    let mut taken = Vec::new();
    for port in 1000..1100 {
        let opening = syn(port, &cookie, &[9; 1400]);
        let syn_ack = answer(&mut lab, &opening);
        if has_accepted(&opening, &syn_ack) {
            taken.push(syn_ack);
        }
    }
    assert_eq!(taken.len(), 3);
    assert_eq!(lab.host.stack.counters().tcp.fast_open_overflows, 97);
    assert!(lab.held() <= 3 * 1500, "{} bytes", lab.held());
    // Accepting them makes no room: their handshakes are not through.
    assert!(lab.host.stack.tcp_accept(listener).is_ok());
    let opening = syn(2000, &cookie, b"data");
    assert!(!has_accepted(&opening, &answer(&mut lab, &opening)));
    // Nor does a reset by the host whose address was borrowed, for a while (RFC 7413, 5.1).
    for syn_ack in &taken {
        let reset = Tcp {
            flags: RST,
            ..Remote::third(syn_ack, b"")
        };
        lab.inject(&reset.to_packet());
    }
    for port in 2001..2050 {
        let opening = syn(port, &cookie, b"data");
        assert!(!has_accepted(&opening, &answer(&mut lab, &opening)));
    }
    lab.pass(SECOND * 61);
    let opening = syn(3000, &cookie, b"data");
    assert!(has_accepted(&opening, &answer(&mut lab, &opening)));
}

#[test]
fn pending_connections_whose_handshake_ends_make_room() {
    let (mut lab, _) = listening(FastOpen::SERVER, 16, 1);
    let cookie = cookie(&mut lab);
    for port in 1000..1010 {
        let opening = syn(port, &cookie, b"data");
        let syn_ack = answer(&mut lab, &opening);
        assert!(has_accepted(&opening, &syn_ack));
        lab.inject(&Remote::third(&syn_ack, b"").to_packet());
    }
}

// req: RFC7413-13
#[test]
fn a_syn_ack_that_is_not_answered_comes_again_plain_and_at_last_no_more() {
    let (mut lab, listener) = listening(FastOpen::SERVER, 4, 4);
    let asking = answer(&mut lab, &syn(1000, b"", b""));
    assert!(asking.fast_open().is_some());
    let cookie = asking.fast_open().expect("a cookie");
    let opening = syn(1001, &cookie, b"data");
    let syn_ack = answer(&mut lab, &opening);
    let again = lab.pass(SECOND * 200);
    let (mut plain, mut early) = (0, 0);
    for (_, packet) in &again {
        let segment = Tcp::parse(packet).expect("TCP");
        assert_eq!((segment.flags, segment.fast_open()), (SYN | ACK, None));
        assert!(segment.payload.is_empty());
        plain += usize::from(segment.dst.port() == 1000);
        early += usize::from(segment == Tcp { ..syn_ack.clone() });
    }
    assert_eq!((plain, early), (5, 5));
    let (socket, _) = lab.host.stack.tcp_accept(listener).expect("its data");
    let mut read = || calls::read(&mut lab.host.stack, socket, 100);
    assert_eq!(read().as_deref(), Ok(&b"data"[..]));
    assert_eq!(read(), Err(ConnectionError::TimedOut.into()));
    lab.host.stack.close(lab.now, socket);
    assert_eq!(lab.host.stack.tcp_connections().count(), 0);
}

#[test]
fn what_is_reset_before_the_handshake_ends_has_its_data_and_a_reset() {
    let (mut lab, listener) = listening(FastOpen::SERVER, 4, 4);
    let cookie = cookie(&mut lab);
    let syn_ack = answer(&mut lab, &syn(1001, &cookie, b"data"));
    let reset = Tcp {
        flags: RST,
        ..Remote::third(&syn_ack, b"")
    };
    lab.inject(&reset.to_packet());
    let (socket, _) = lab.host.stack.tcp_accept(listener).expect("its data");
    let mut read = || calls::read(&mut lab.host.stack, socket, 100);
    assert_eq!(read().as_deref(), Ok(&b"data"[..]));
    assert_eq!(read(), Err(ConnectionError::Reset.into()));
}

#[test]
fn the_syn_again_is_answered_with_the_same() {
    let (mut lab, _) = listening(FastOpen::SERVER, 4, 4);
    let cookie = cookie(&mut lab);
    let opening = syn(1001, &cookie, b"data");
    let first = answer(&mut lab, &opening);
    lab.pass(SECOND * 6 / 10);
    assert_eq!(answer(&mut lab, &opening), first);
    assert!(answers(&mut lab, &opening).is_empty(), "but not so often");
}

#[test]
fn data_of_a_syn_that_no_window_takes_is_counted_and_comes_again() {
    let mut tcp = TcpConfig::default();
    tcp.fast_open = FastOpen::SERVER;
    tcp.receive_buffer = 100;
    let mut lab = Lab::new(&WorldConfig {
        tcp,
        ..WorldConfig::default()
    });
    let stack = &mut lab.host.stack;
    let listener = stack.tcp_listen(address(), 4).expect("a free port");
    let pending = SocketOption::FastOpen(4);
    stack.set_option(lab.now, listener, pending).expect("set");
    let cookie = cookie(&mut lab);
    let opening = syn(1000, &cookie, &[7; 101]);
    let syn_ack = answer(&mut lab, &opening);
    assert!(!has_accepted(&opening, &syn_ack));
    assert_eq!(lab.host.stack.counters().tcp.in_beyond_window, 1);
    let opening = syn(1001, &cookie, &[7; 100]);
    let syn_ack = answer(&mut lab, &opening);
    assert!(has_accepted(&opening, &syn_ack));
    assert_eq!(lab.host.stack.counters().tcp.in_beyond_window, 1);
}
