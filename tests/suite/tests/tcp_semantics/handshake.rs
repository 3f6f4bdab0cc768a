//! Connections begin (RFC 9293, 3.5).

use core::time::Duration;
use netstack_core::{ConnectError, ConnectionError, Instant, TcpState};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, FIN, PSH, RST, SYN, Tcp, options};

const SECOND: Duration = Duration::from_secs(1);

fn seconds(times: &[u64]) -> Vec<Duration> {
    times.iter().map(|time| SECOND * *time as u32).collect()
}

/// The stack has sent a SYN; nothing has answered.
fn connecting(v6: bool) -> Remote {
    let mut lab = Lab::default();
    let remote = SocketAddr::new(Lab::neighbour(v6), 80);
    let socket = lab
        .host
        .stack
        .tcp_connect(lab.now, remote, None)
        .expect("a route");
    let syn = Tcp::parse(&lab.sent().pop().expect("a SYN")).expect("TCP");
    let (nxt, rcv) = (5_000, syn.seq.wrapping_add(1));
    let (local, stack, irs) = (syn.dst, syn.src, syn.seq);
    Remote {
        lab,
        socket,
        local,
        stack,
        nxt,
        rcv,
        window: 65_535,
        timestamps: None,
        irs,
        syn,
    }
}

// req: MUST-2, MUST-14, MUST-44, SHLD-5, MAY-3, MUST-67, RFC7323-01, RFC7323-17, RFC7323-18, RFC6691-01, RFC8200-31
// req: RFC1122-55
#[test]
fn a_syn_offers_what_it_should() {
    for (v6, mss) in [(false, 1460), (true, 1440)] {
        let syn = connecting(v6).syn;
        assert_eq!(syn.src.ip(), Lab::address(v6), "the route's own address");
        assert_eq!((syn.flags, syn.ack, syn.window), (SYN, 0, 65_535));
        assert_eq!(
            (syn.mss(), syn.window_scale(), syn.sack_permitted()),
            (Some(mss), Some(7), true)
        );
        assert_eq!(syn.timestamps().map(|(_, ecr)| ecr), Some(0));
    }
}

// req: U-06, MUST-14, SHLD-5, MAY-3, RFC7323-06, RFC7323-11, RFC7323-17
#[test]
fn a_syn_ack_offers_only_what_the_syn_did() {
    let plain = Remote::connects(
        Lab::default(),
        &Offer {
            mss: None,
            ..Offer::default()
        },
    )
    .syn;
    assert_eq!(plain.mss(), Some(1460), "the size is said in any case");
    assert_eq!(
        (
            plain.window_scale(),
            plain.sack_permitted(),
            plain.timestamps()
        ),
        (None, false, None)
    );
    let offer = Offer {
        scale: Some(3),
        sack: true,
        timestamp: Some(77),
        ..Offer::default()
    };
    let full = Remote::connects(Lab::default(), &offer).syn;
    assert_eq!(
        (full.window_scale(), full.sack_permitted()),
        (Some(7), true)
    );
    assert_eq!(full.timestamps().map(|(_, ecr)| ecr), Some(77));
}

// req: MUST-10, U-12
#[test]
fn both_ends_open_at_once() {
    for answer in [SYN | ACK, ACK] {
        let mut remote = connecting(false);
        let syn = Tcp {
            options: Offer::default().options(),
            ..remote.segment(SYN, b"")
        };
        remote.inject(&Tcp {
            ack: 0,
            ..syn.clone()
        });
        let syn_ack = remote.one();
        assert_eq!(
            (syn_ack.flags, syn_ack.seq, syn_ack.ack),
            (SYN | ACK, remote.irs, 5_001)
        );
        assert_eq!(remote.state(), TcpState::SynReceived);
        let seq = if answer == ACK { 5_001 } else { 5_000 };
        remote.inject(&Tcp {
            seq,
            flags: answer,
            ..syn
        });
        assert_eq!(remote.state(), TcpState::Established);
        remote.nxt = 5_001;
        remote.send(ACK | PSH, b"hello");
        assert_eq!(remote.read().as_deref(), Some(&b"hello"[..]));
        remote.write(b"world");
        assert!(
            remote
                .sent()
                .iter()
                .any(|segment| segment.payload == b"world")
        );
        assert_eq!(remote.lab.host.stack.counters().tcp.out_resets, 0);
    }
}

#[test]
fn a_simultaneous_open_repeats_its_syn_ack() {
    let mut remote = connecting(false);
    let syn = Tcp {
        ack: 0,
        ..remote.segment(SYN, b"")
    };
    remote.inject(&syn);
    remote.one();
    let again = remote.pass(SECOND * 4);
    assert!(!again.is_empty());
    assert!(
        again
            .iter()
            .all(|(_, segment)| segment.flags == SYN | ACK && segment.seq == remote.irs)
    );
}

// req: U-10, RFC5961-04
#[test]
fn a_reset_refuses_only_with_the_right_acknowledgement() {
    let mut remote = connecting(false);
    let reset = Tcp {
        seq: 0,
        ..remote.segment(RST | ACK, b"")
    };
    remote.inject(&Tcp {
        ack: remote.rcv.wrapping_add(1),
        ..reset.clone()
    });
    remote.inject(&Tcp {
        ack: remote.irs,
        ..reset.clone()
    });
    remote.inject(&Tcp {
        flags: RST,
        ..reset.clone()
    });
    assert_eq!(remote.state(), TcpState::SynSent);
    remote.nothing();
    assert_eq!(remote.lab.host.stack.counters().tcp.in_resets, 0);
    remote.inject(&reset);
    let error = remote.lab.host.stack.take_error(remote.socket);
    assert_eq!(error, Ok(Some(ConnectionError::Refused)));
    assert_eq!(remote.state(), TcpState::Closed);
    assert_eq!(remote.lab.host.stack.counters().tcp.in_resets, 1);
}

// req: U-13, U-31
#[test]
fn without_a_syn_nothing_is_established() {
    let mut remote = connecting(false);
    for flags in [0, ACK, ACK | PSH, FIN, FIN | ACK] {
        let segment = remote.segment(flags, b"early");
        remote.inject(&segment);
        remote.nothing();
        assert_eq!(remote.state(), TcpState::SynSent, "flags {flags:#x}");
    }
}

// req: MUST-11
#[test]
fn a_reset_after_crossed_syns_refuses_the_attempt() {
    let mut remote = connecting(false);
    let syn = Tcp {
        ack: 0,
        ..remote.segment(SYN, b"")
    };
    remote.inject(&syn);
    remote.one();
    remote.nxt = syn.end();
    let reset = remote.segment(RST | ACK, b"");
    remote.inject(&reset);
    let error = remote.lab.host.stack.take_error(remote.socket);
    assert_eq!(error, Ok(Some(ConnectionError::Refused)));
}

// req: U-38
#[test]
fn an_attempt_that_is_closed_sends_no_more() {
    let mut remote = connecting(false);
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    assert!(remote.pass(SECOND * 300).is_empty());
    assert_eq!(remote.connections(), 0);
    let answer = remote.segment(SYN | ACK, b"");
    remote.inject(&answer);
    assert_eq!(remote.one().flags, RST);
}

// req: MUST-46
#[test]
fn nobody_connects_to_more_than_one_host() {
    let mut lab = Lab::default();
    for remote in [
        "224.0.0.1:80",
        "255.255.255.255:80",
        "10.0.0.255:80",
        "0.0.0.0:80",
        "[ff02::1]:80",
    ] {
        let address = remote.parse().expect("literal");
        let result = lab.host.stack.tcp_connect(lab.now, address, None);
        assert_eq!(result, Err(ConnectError::InvalidAddress), "{remote}");
    }
    assert!(lab.sent().is_empty());
}

// req: U-11
#[test]
fn the_right_answer_establishes_and_is_acknowledged() {
    let mut remote = connecting(false);
    let answer = remote.segment(SYN | ACK, b"");
    remote.inject(&answer);
    assert_eq!(remote.state(), TcpState::Established);
    let ack = remote.one();
    assert_eq!(
        (ack.flags, ack.seq, ack.ack),
        (ACK, remote.rcv, answer.end())
    );
    assert!(ack.payload.is_empty());
}

// req: MUST-43, MUST-44, MUST-45
#[test]
fn a_connection_comes_from_the_address_that_was_chosen_and_stays_there() {
    let mut lab = Lab::default();
    let iface = lab.host.iface;
    let second: SocketAddr = "10.0.0.7:0".parse().expect("literal");
    let stack = &mut lab.host.stack;
    stack
        .add_address(iface, "10.0.0.7/24".parse().expect("literal"))
        .expect("free");
    let remote = SocketAddr::new(Lab::neighbour(false), 80);
    let mut sources = Vec::new();
    for local in [None, Some(second)] {
        lab.host
            .stack
            .tcp_connect(lab.now, remote, local)
            .expect("a route");
        sources.push(Tcp::parse(&lab.sent()[0]).expect("TCP").src.ip());
    }
    assert_eq!(sources, [Lab::address(false), second.ip()]);

    let mut remote = Remote::accepts(lab, &Offer::default());
    let ours = remote.stack;
    let stack = &mut remote.lab.host.stack;
    stack
        .add_address(iface, "10.0.0.3/32".parse().expect("literal"))
        .expect("free");
    stack
        .add_route("10.0.0.2/32".parse().expect("literal"), iface, None)
        .expect("an interface");
    remote.write(b"from where?");
    assert_eq!(remote.one().src, ours);
}

// req: MUST-43
#[test]
fn a_listener_on_one_address_hears_no_other() {
    let mut lab = Lab::default();
    let iface = lab.host.iface;
    let stack = &mut lab.host.stack;
    stack
        .add_address(iface, "10.0.0.7/24".parse().expect("literal"))
        .expect("free");
    stack
        .tcp_listen("10.0.0.7:80".parse().expect("literal"), 4)
        .expect("free");
    let client = SocketAddr::new(Lab::neighbour(false), 4000);
    for (address, flags) in [("10.0.0.7:80", SYN | ACK), ("10.0.0.1:80", RST | ACK)] {
        let to = address.parse().expect("literal");
        lab.inject(&Remote::syn(client, to, &Offer::default()).to_packet());
        let answer = Tcp::parse(&lab.sent()[0]).expect("TCP");
        assert_eq!((answer.src, answer.flags), (to, flags));
    }
}

// req: U-09
#[test]
fn a_wrong_acknowledgement_of_a_syn_is_reset_and_does_not_end_the_attempt() {
    let mut remote = connecting(false);
    let wrong = remote.rcv.wrapping_add(100);
    let answer = Tcp {
        ack: wrong,
        ..remote.segment(SYN | ACK, b"")
    };
    remote.inject(&answer);
    let reset = remote.one();
    assert_eq!((reset.flags, reset.seq), (RST, wrong));
    assert_eq!(remote.state(), TcpState::SynSent);
}

// req: U-01
#[test]
fn a_syn_for_a_closed_port_is_refused() {
    for v6 in [false, true] {
        let mut lab = Lab::default();
        let local = SocketAddr::new(Lab::neighbour(v6), 4000);
        let stack = SocketAddr::new(Lab::address(v6), 81);
        lab.inject(&Remote::syn(local, stack, &Offer::default()).to_packet());
        let sent = lab.sent();
        let reset = Tcp::parse(&sent[0]).expect("TCP");
        assert_eq!((sent.len(), reset.flags, reset.seq), (1, RST | ACK, 0));
        assert_eq!(
            (reset.ack, reset.src, reset.dst),
            (0xffff_f001, stack, local)
        );
    }
}

// req: MUST-22, MUST-23, RFC6298-01, RFC8961-01
#[test]
fn a_syn_is_repeated_ever_later_and_then_given_up() {
    let mut remote = connecting(true);
    let sent = remote.pass(SECOND * 246);
    let times: Vec<Duration> = sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, seconds(&[1, 3, 7, 15, 31, 63, 127]));
    for (_, segment) in &sent {
        assert_eq!(
            (segment.flags, segment.seq, segment.mss()),
            (SYN, remote.irs, remote.syn.mss())
        );
    }
    assert_eq!(remote.state(), TcpState::SynSent);
    assert!(remote.pass(SECOND).is_empty());
    assert_eq!(remote.state(), TcpState::Closed);
    assert_eq!(
        remote.lab.host.stack.take_error(remote.socket),
        Ok(Some(ConnectionError::TimedOut))
    );
}

// req: RFC6298-16
#[test]
fn a_syn_ack_that_echoes_an_older_syn_tells_no_round_trip() {
    let offer = Offer {
        timestamp: Some(900),
        rtt: Duration::from_millis(3_200),
        ..Offer::default()
    };
    let info = Remote::accepts(Lab::default(), &offer).info();
    assert_eq!((info.rtt, info.rto), (None, SECOND * 3));
}

#[test]
fn a_syn_ack_that_echoes_the_latest_syn_tells_the_round_trip() {
    let mut remote = connecting(false);
    let again = remote.pass(SECOND + SECOND / 5);
    let (at, syn) = &again[0];
    assert_eq!((again.len(), *at), (1, SECOND));
    let (val, _) = syn.timestamps().expect("offered");
    let answer = Tcp {
        options: options::timestamps(900, val),
        ..remote.segment(SYN | ACK, b"")
    };
    remote.inject(&answer);
    assert_eq!(remote.info().rtt, Some(SECOND / 5));
}

// req: MUST-8, SHLD-1, MUST-9, U-45, RFC6528-01, RFC6528-02
#[test]
fn initial_sequence_numbers_differ_and_advance() {
    let isn = |at: Instant, port: u16, seed: u64| {
        let config = WorldConfig {
            seed,
            ..Default::default()
        };
        let mut lab = Lab::new(&config);
        lab.now = at;
        let local = SocketAddr::new(Lab::address(false), 50_000);
        let remote = SocketAddr::new(Lab::neighbour(false), port);
        lab.host
            .stack
            .tcp_connect(at, remote, Some(local))
            .expect("a route");
        Tcp::parse(&lab.sent()[0]).expect("TCP").seq
    };
    let start = Instant::from_secs(10);
    let first = isn(start, 80, 1);
    // RFC 6528: a tick every four microseconds for the same connection,
    assert_eq!(isn(start + SECOND, 80, 1).wrapping_sub(first), 250_000);
    // and nothing in common between others, or between stacks.
    let others = [isn(start, 81, 1), isn(start, 82, 1), isn(start, 80, 2)];
    for other in others {
        assert!(
            other.wrapping_sub(first).min(first.wrapping_sub(other)) > 1_000,
            "{first} {other}"
        );
    }
    // Nobody learns from some what another one is.
    let numbers: Vec<u32> = (1..=64).map(|port| isn(start, port, 1)).collect();
    let steps = numbers.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    assert_eq!(steps.collect::<BTreeSet<u32>>().len(), 63);
}

// req: MUST-1, REC-1, RFC7323-05, RFC7323-07, RFC7323-08
#[test]
fn four_mebibytes_of_window_are_announced_and_used() {
    let offer = Offer {
        scale: Some(7),
        window: 32_768,
        ..Offer::default()
    };
    let mut config = WorldConfig::default();
    config.tcp.autotuning = false;
    let mut remote = Remote::connects(Lab::new(&config), &offer);
    assert_eq!(
        remote.syn.window, 65_535,
        "the window of a SYN is not scaled"
    );
    remote.send(ACK | PSH, b"x");
    let window = usize::from(remote.one().window) << 7;
    assert!((4_190_000..=4 << 20).contains(&window), "{window}");
    // The far end announces the same; more than 64 KiB are in flight once the congestion window allows.
    remote.write(&vec![7; 3 << 20]);
    let mut most = 0;
    loop {
        let sent = remote.sent();
        let Some(last) = sent.last() else { break };
        most = most.max(last.end().wrapping_sub(remote.rcv));
        remote.acknowledge(last);
    }
    assert_eq!(
        remote.rcv,
        remote.irs.wrapping_add(1 + (3 << 20)),
        "all of it arrived"
    );
    assert!(most > 1 << 20, "{most} bytes in flight");
    remote.finish();
}

// req: RFC7323-03
#[test]
fn without_a_scale_from_both_nobody_scales() {
    let mut remote = Remote::connects(Lab::default(), &Offer::default());
    remote.send(ACK | PSH, b"x");
    assert_eq!(remote.one().window, 65_535);
}

// req: MUST-14, MUST-15, MUST-16, RFC6691-02
#[test]
fn segments_keep_to_the_size_the_peer_named() {
    for (v6, mss, timestamp, largest) in [
        (false, Some(500), None, 500),
        (false, Some(500), Some(9), 488),
        (false, None, None, 536),
        (true, None, None, 1220),
    ] {
        let offer = Offer {
            v6,
            mss,
            timestamp,
            ..Offer::default()
        };
        let mut remote = Remote::accepts(Lab::default(), &offer);
        remote.write(&[1; 3_000]);
        let sent = remote.sent();
        assert_eq!(sent[0].payload.len(), largest);
        assert!(sent.iter().all(|segment| segment.payload.len() <= largest));
    }
}

// req: RFC6528-03, RFC6528-04
#[test]
fn initial_numbers_of_other_connections_and_other_starts_say_nothing() {
    let mut gaps = std::collections::HashSet::new();
    let mut previous = 0_u32;
    for seed in 0..20 {
        let mut lab = Lab::new(&WorldConfig {
            seed,
            ..WorldConfig::default()
        });
        for port in 1..=10 {
            let to = (Lab::neighbour(false), port).into();
            let stack = &mut lab.host.stack;
            stack.tcp_connect(lab.now, to, None).expect("a route");
            let syn = Tcp::parse(&lab.sent()[0]).expect("TCP");
            gaps.insert(syn.seq.wrapping_sub(previous) >> 8);
            previous = syn.seq;
        }
    }
    assert!(gaps.len() > 195, "{} of 200 gaps differ", gaps.len());
}

// req: RFC7323-12
#[test]
fn the_window_of_a_simultaneous_syn_ack_is_not_scaled() {
    let mut remote = connecting(false);
    let offer = Offer {
        scale: Some(7),
        ..Offer::default()
    };
    let syn = Tcp {
        options: offer.options(),
        window: 2_000,
        ..remote.segment(SYN, b"")
    };
    remote.inject(&Tcp {
        ack: 0,
        ..syn.clone()
    });
    remote.one();
    remote.inject(&Tcp {
        flags: SYN | ACK,
        ..syn
    });
    assert_eq!(remote.state(), TcpState::Established);
    remote.nxt += 1;
    remote.write(&[1; 10_000]);
    let sent = remote.sent();
    let sent: usize = sent.iter().map(|segment| segment.payload.len()).sum();
    assert!((1_000..=2_000).contains(&sent), "{sent}");
}

/// A handshake whose first SYN offers everything, and whose second, when nobody answered for a while, nothing. Returns what
/// the third segment brought the application where it answers the first SYN-ACK, or the second.
fn with_less(answers_first: bool) -> Option<Vec<u8>> {
    let mut lab = Lab::default();
    let stack = SocketAddr::new(Lab::address(false), 80);
    let local = SocketAddr::new(Lab::neighbour(false), 40_000);
    let listener = lab.host.stack.tcp_listen(stack, 16).expect("a free port");
    let everything = Offer {
        scale: Some(7),
        sack: true,
        timestamp: Some(77),
        ..Offer::default()
    };
    let mut answer = |offer: &Offer| {
        lab.inject(&Remote::syn(local, stack, offer).to_packet());
        let sent = lab.sent();
        // Between two repetitions of the SYN-ACK.
        lab.pass(SECOND * 5);
        Tcp::parse(&sent[0]).expect("TCP")
    };
    let first = answer(&everything);
    let second = answer(&Offer::default());
    assert!(first.timestamps().is_some() && first.window_scale().is_some());
    assert!(second.timestamps().is_none() && second.window_scale().is_none());
    let third = match answers_first {
        true => Tcp {
            options: options::timestamps(78, first.timestamps()?.0),
            ..Remote::third(&first, b"hello")
        },
        false => Tcp {
            options: Vec::new(),
            ..Remote::third(&second, b"hello")
        },
    };
    lab.inject(&third.to_packet());
    let (socket, _) = lab.host.stack.tcp_accept(listener).ok()?;
    let info = lab.host.stack.tcp_info(socket).ok()?;
    assert_eq!(info.sack, answers_first);
    suite::calls::read(&mut lab.host.stack, socket, 100).ok()
}

#[test]
fn a_peer_that_leaves_options_out_when_nobody_answers_is_taken_at_its_word() {
    assert_eq!(with_less(false).as_deref(), Some(&b"hello"[..]));
    assert_eq!(with_less(true).as_deref(), Some(&b"hello"[..]));
}
