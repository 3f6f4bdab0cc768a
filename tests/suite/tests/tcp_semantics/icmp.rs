//! What the network says about segments (RFC 1122, 4.2.3.9; RFC 1191; RFC 5927; RFC 8201).

use core::time::Duration;
use netstack_core::{ConnectionError, SocketOption, TcpState};
use std::net::SocketAddr;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, Icmp, SYN, Tcp, options};

/// An error of a router about `segment`, quoting it whole.
fn error(segment: &Tcp, kind: (u8, u8), word: u32) -> Icmp {
    let quote = segment.to_packet();
    Icmp {
        src: segment.dst.ip(),
        dst: segment.src.ip(),
        kind,
        word,
        payload: quote[..quote.len().min(500)].to_vec(),
    }
}

/// That a packet was too big for a link of `mtu` bytes.
fn too_big(segment: &Tcp, mtu: u32) -> Icmp {
    error(
        segment,
        if segment.src.is_ipv4() {
            (3, 4)
        } else {
            (2, 0)
        },
        mtu,
    )
}

fn connecting(v6: bool) -> (Lab, netstack_core::SocketId, Tcp) {
    let mut lab = Lab::default();
    let remote = SocketAddr::new(Lab::neighbour(v6), 80);
    let socket = lab
        .host
        .stack
        .tcp_connect(lab.now, remote, None)
        .expect("a route");
    let syn = Tcp::parse(&lab.sent()[0]).expect("TCP");
    (lab, socket, syn)
}

// req: MUST-16, MUST-67, RFC1191-01, RFC1191-08, RFC2923-04, RFC1191-11, RFC1191-12, RFC8201-01, RFC8201-08, RFC8201-09, RFC8201-11
// req: RFC8201-13, RFC7323-40, RFC4443-17, RFC8201-15, RFC8504-07
#[test]
fn too_big_lowers_the_segment_size_and_sends_again_at_once() {
    for (v6, mtu, largest) in [(false, 1400, 1360), (true, 1300, 1240)] {
        let offer = Offer {
            v6,
            mss: Some(9_000),
            ..Offer::default()
        };
        let mut remote = Remote::accepts(Lab::default(), &offer);
        remote.write(&[1; 4_000]);
        let flight = remote.sent();
        assert!(flight[0].payload.len() > largest);
        let report = too_big(&flight[0], mtu);
        remote.lab.inject(&report.to_packet());
        let again = remote.sent();
        assert_eq!(
            (again[0].seq, again[0].payload.len()),
            (flight[0].seq, largest),
            "without a timeout"
        );
        assert!(again.iter().all(|segment| segment.payload.len() <= largest));
        assert_eq!(
            again.last().expect("some").end(),
            flight.last().expect("some").end()
        );
        assert_eq!(remote.info().send_mss, largest);
        // A second connection to the same host starts with what was learnt, and announces what the interface takes.
        let other = SocketAddr::new(remote.local.ip(), 81);
        let second = remote
            .lab
            .host
            .stack
            .tcp_connect(remote.lab.now, other, None)
            .expect("a route");
        assert_eq!(remote.one().mss(), Some(if v6 { 1440 } else { 1460 }));
        let info = remote
            .lab
            .host
            .stack
            .tcp_info(second)
            .expect("a connection");
        assert_eq!(info.send_mss, largest);
    }
}

// req: RFC1191-16
#[test]
fn too_big_about_nothing_in_flight_is_not_believed() {
    let mut remote = Remote::accepts(Lab::default(), &Offer::default());
    remote.write(&[1; 3_000]);
    let flight = remote.sent();
    for seq in [
        flight[0].seq.wrapping_sub(1),
        flight[2].end(),
        flight[0].seq.wrapping_add(1 << 31),
    ] {
        let forged = too_big(
            &Tcp {
                seq,
                ..flight[0].clone()
            },
            600,
        );
        remote.lab.inject(&forged.to_packet());
        remote.nothing();
    }
    assert_eq!(remote.info().send_mss, 1460);
    assert_eq!(remote.lab.host.stack.counters().tcp.icmp_not_in_flight, 3);
}

#[test]
fn too_big_about_what_the_link_takes_is_not_believed() {
    for v6 in [false, true] {
        let (mut lab, socket, syn) = connecting(v6);
        let len = u32::try_from(syn.to_packet().len()).expect("a SYN");
        for mtu in [len, 1400, u32::from(u16::MAX)] {
            lab.inject(&too_big(&syn, mtu).to_packet());
        }
        let stack = &lab.host.stack;
        assert_eq!(stack.counters().ip.icmp_in_bad_mtu, 3);
        assert_eq!(stack.counters().tcp.path_mtu_reduced, 0);
        assert!(stack.tcp_info(socket).is_ok());
    }
}

#[test]
fn too_big_that_quotes_no_length_is_believed() {
    for (v6, at, largest) in [(false, 2, 1360), (true, 4, 1340)] {
        let offer = Offer {
            v6,
            ..Offer::default()
        };
        let mut remote = Remote::accepts(Lab::default(), &offer);
        remote.write(&[1; 3_000]);
        let mut report = too_big(&remote.sent()[0], 1400);
        report.payload[at..at + 2].fill(0);
        remote.lab.inject(&report.to_packet());
        assert_eq!(remote.info().send_mss, largest);
    }
}

// req: RFC1191-03, RFC1191-05, RFC8201-02, RFC8201-03
#[test]
fn no_report_makes_segments_tiny() {
    for (v6, floor) in [(false, 576 - 40), (true, 1440)] {
        for mtu in [0, 1, 68, 100] {
            let mut remote = Remote::accepts(
                Lab::default(),
                &Offer {
                    v6,
                    ..Offer::default()
                },
            );
            remote.write(&[1; 3_000]);
            let flight = remote.sent();
            let report = too_big(&flight[0], mtu);
            remote.lab.inject(&report.to_packet());
            assert!(
                remote.info().send_mss >= floor,
                "{v6} {mtu}: {}",
                remote.info().send_mss
            );
        }
    }
}

// req: RFC1191-04
#[test]
fn a_larger_report_raises_nothing() {
    let mut remote = Remote::accepts(
        Lab::default(),
        &Offer {
            mss: Some(500),
            ..Offer::default()
        },
    );
    remote.write(&[1; 3_000]);
    let flight = remote.sent();
    let report = too_big(&flight[0], 9_000);
    remote.lab.inject(&report.to_packet());
    assert_eq!(remote.info().send_mss, 500);
}

#[test]
fn no_report_lifts_what_the_application_allows() {
    let mut lab = Lab::default();
    let to = SocketAddr::new(Lab::neighbour(false), 80);
    let stack = &mut lab.host.stack;
    let socket = stack.tcp_connect(lab.now, to, None).expect("a route");
    let option = SocketOption::MaxSegment(500);
    stack.set_option(lab.now, socket, option).expect("TCP");
    let syn = Tcp::parse(&lab.sent()[0]).expect("TCP");
    assert_eq!(syn.mss(), Some(500));
    lab.inject(&too_big(&syn, 1_400).to_packet());
    let answer = Tcp {
        src: syn.dst,
        dst: syn.src,
        seq: 1_000,
        ack: syn.end(),
        flags: SYN | ACK,
        options: options::mss(1_460),
        ..syn
    };
    lab.inject(&answer.to_packet());
    let info = lab.host.stack.tcp_info(socket).expect("a connection");
    assert_eq!((info.state, info.send_mss), (TcpState::Established, 500));
}

// req: MUST-54, SHLD-26, RFC1122-24, RFC1122-33, RFC4443-14
#[test]
fn unreachable_ends_an_attempt_to_connect() {
    // The quotation holds no more than eight bytes of TCP, as it may.
    let cases = [
        (false, (3, 1), ConnectionError::Unreachable),
        (false, (3, 3), ConnectionError::Refused),
        (true, (1, 0), ConnectionError::Unreachable),
        (true, (1, 4), ConnectionError::Refused),
    ];
    for (v6, kind, expected) in cases {
        let (mut lab, socket, syn) = connecting(v6);
        let mut report = error(&syn, kind, 0);
        report.payload.truncate(if v6 { 48 } else { 28 });
        lab.inject(&report.to_packet());
        assert_eq!(
            lab.host.stack.take_error(socket),
            Ok(Some(expected)),
            "{kind:?}"
        );
    }
}

// req: MUST-54
#[test]
fn unreachable_about_another_attempt_is_ignored() {
    let (mut lab, socket, syn) = connecting(false);
    let forged = error(
        &Tcp {
            seq: syn.seq.wrapping_add(1),
            ..syn.clone()
        },
        (3, 1),
        0,
    );
    lab.inject(&forged.to_packet());
    let other_port = Tcp {
        src: SocketAddr::new(syn.src.ip(), 1),
        ..syn
    };
    lab.inject(&error(&other_port, (3, 1), 0).to_packet());
    assert_eq!(
        lab.host.stack.tcp_info(socket).map(|info| info.state),
        Ok(TcpState::SynSent)
    );
}

// req: MUST-55, MUST-56, RFC1122-34, RFC6633-02
#[test]
fn an_established_connection_survives_errors() {
    for (v6, kinds) in [
        // Unreachable, soft and hard; source quench; time exceeded; parameter problem.
        (
            false,
            &[
                (3, 0),
                (3, 1),
                (3, 2),
                (3, 3),
                (3, 5),
                (4, 0),
                (11, 0),
                (11, 1),
                (12, 0),
            ][..],
        ),
        (
            true,
            &[
                (1, 0),
                (1, 3),
                (1, 4),
                (3, 0),
                (3, 1),
                (4, 0),
                (4, 1),
                (4, 2),
            ],
        ),
    ] {
        let mut remote = Remote::accepts(
            Lab::default(),
            &Offer {
                v6,
                ..Offer::default()
            },
        );
        remote.write(b"data");
        let data = remote.one();
        let window = remote.info().congestion_window;
        for kind in kinds {
            remote.lab.inject(&error(&data, *kind, 0).to_packet());
            assert_eq!(remote.state(), TcpState::Established, "{kind:?}");
            assert_eq!(remote.info().congestion_window, window, "{kind:?}");
        }
        remote.acknowledge(&data);
        remote.send(ACK, b"");
        assert!(remote.pass(Duration::from_secs(10)).is_empty());
    }
}

// req: MUST-47, SHLD-9, SHLD-20, SHLD-25, RFC1122-38, RFC1122-39
#[test]
fn who_asks_is_told_what_the_network_says_and_nobody_else() {
    for kind in [(3, 0), (3, 1), (11, 0), (12, 0)] {
        let mut remote = Remote::accepts(Lab::default(), &Offer::default());
        remote.write(b"data");
        let data = remote.one();
        while remote.lab.host.stack.poll_event().is_some() {}
        assert_eq!(remote.info().soft_error, None);
        remote.lab.inject(&error(&data, kind, 0).to_packet());
        let unreachable = Some(ConnectionError::Unreachable);
        assert_eq!(remote.info().soft_error, unreachable, "{kind:?}");
        assert_eq!(remote.lab.host.stack.poll_event(), None);
        assert_eq!(remote.lab.host.stack.take_error(remote.socket), Ok(None));
        remote.acknowledge(&data);
        assert_eq!(remote.info().soft_error, None, "it went through");
        // Where nothing goes through any more, that was why.
        remote.write(b"more");
        let data = remote.one();
        remote.lab.inject(&error(&data, kind, 0).to_packet());
        remote.pass(Duration::from_secs(3600));
        let failed = remote.lab.host.stack.take_error(remote.socket);
        assert_eq!(failed, Ok(unreachable));
    }
}
