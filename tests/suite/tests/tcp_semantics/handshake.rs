//! Connections begin (RFC 9293, 3.5).

use core::time::Duration;
use netstack_core::{ConnectionError, Instant, TcpState};
use std::net::SocketAddr;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, PSH, RST, SYN, Tcp};

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

#[test]
fn a_syn_offers_what_it_should() {
    for (v6, mss) in [(false, 1460), (true, 1440)] {
        let syn = connecting(v6).syn;
        assert_eq!((syn.flags, syn.ack, syn.window), (SYN, 0, 65_535));
        assert_eq!(
            (syn.mss(), syn.window_scale(), syn.sack_permitted()),
            (Some(mss), Some(7), true)
        );
        assert_eq!(syn.timestamps().map(|(_, ecr)| ecr), Some(0));
    }
}

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
    remote.inject(&reset);
    let error = remote.lab.host.stack.take_error(remote.socket);
    assert_eq!(error, Ok(Some(ConnectionError::Refused)));
    assert_eq!(remote.state(), TcpState::Closed);
}

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

#[test]
fn a_syn_is_repeated_ever_later_and_then_given_up() {
    let mut remote = connecting(true);
    let sent = remote.pass(SECOND * 126);
    let times: Vec<Duration> = sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, seconds(&[1, 3, 7, 15, 31, 63]));
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

#[test]
fn initial_sequence_numbers_differ_and_advance() {
    let isn = |at: Instant, port: u16, seed: u64| {
        let config = suite::sim::WorldConfig {
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
}

#[test]
fn four_mebibytes_of_window_are_announced_and_used() {
    let offer = Offer {
        scale: Some(7),
        window: 32_768,
        ..Offer::default()
    };
    let mut remote = Remote::connects(Lab::default(), &offer);
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

#[test]
fn without_a_scale_from_both_nobody_scales() {
    let mut remote = Remote::connects(Lab::default(), &Offer::default());
    remote.send(ACK | PSH, b"x");
    assert_eq!(remote.one().window, 65_535);
}

#[test]
fn segments_keep_to_the_size_the_peer_named() {
    for (mss, timestamp, largest) in [
        (Some(500), None, 500),
        (Some(500), Some(9), 488),
        (None, None, 536),
    ] {
        let offer = Offer {
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
