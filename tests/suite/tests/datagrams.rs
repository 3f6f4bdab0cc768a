//! UDP, ICMP and fragmentation, in virtual time.

use core::time::Duration;
use netstack_core::{ConnectionError, Instant, RecvError, SendError, SocketId};
use std::net::SocketAddr;
use suite::calls;
use suite::lab::Lab;
use suite::sim::{Impairment, World, WorldConfig};
use suite::wire::{Icmp, Ip, Udp, fragments, protocol};

const SECOND: Duration = Duration::from_secs(1);

fn lab(mtu: usize) -> Lab {
    Lab::new(&WorldConfig {
        mtu,
        ..WorldConfig::default()
    })
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 256) as u8).collect()
}

fn bound(lab: &mut Lab, v6: bool, port: u16) -> SocketId {
    lab.host
        .stack
        .udp_bind(SocketAddr::new(Lab::address(v6), port))
        .expect("a free port")
}

/// A datagram from the neighbour to port `port` of the stack.
fn incoming(v6: bool, port: u16, payload: &[u8]) -> Udp {
    Udp {
        src: (Lab::neighbour(v6), 5_000).into(),
        dst: (Lab::address(v6), port).into(),
        payload: payload.to_vec(),
    }
}

fn parts(datagram: &Udp, ident: u32, size: usize) -> Vec<Vec<u8>> {
    let segment = datagram.to_segment();
    fragments(
        datagram.src.ip(),
        datagram.dst.ip(),
        protocol::UDP,
        ident,
        &segment,
        size,
    )
}

/// The one ICMP message that the stack sends now.
fn one_icmp(lab: &mut Lab) -> Icmp {
    let sent = lab.sent();
    assert_eq!(sent.len(), 1, "{} packets", sent.len());
    Icmp::of(&Ip::parse(&sent[0])).expect("ICMP")
}

// req: RFC1122-40, RFC1122-41, RFC1122-42, RFC4443-20, RFC4443-21, RFC4443-23, RFC792-02, RFC792-03
// req: RFC8200-24, RFC8504-08
#[test]
fn pings_of_every_size_are_answered_in_kind() {
    for (mtu, v6) in [
        (576, false),
        (1280, false),
        (1500, false),
        (1280, true),
        (1500, true),
    ] {
        let mut lab = lab(mtu);
        let (src, dst) = (Lab::neighbour(v6), Lab::address(v6));
        for (sequence, len) in [0, 1, 56, mtu - 28, mtu - 27, 1_472, 4_000, 30_001, 60_000]
            .into_iter()
            .enumerate()
        {
            let request = Icmp::echo_request(src, dst, 77, sequence as u16, bytes(len));
            let message = request.to_message();
            for part in fragments(
                src,
                dst,
                request.protocol(),
                1_000 + sequence as u32,
                &message,
                mtu - 48,
            ) {
                lab.inject(&part);
            }
            let sent = lab.sent();
            assert!(sent.iter().all(|packet| packet.len() <= mtu), "MTU {mtu}");
            let reply = Icmp::of(&Ip::reassemble(&sent)).expect("ICMP");
            let kind = if v6 { (129, 0) } else { (0, 0) };
            assert_eq!(
                (reply.kind, reply.word, reply.src, reply.dst),
                (kind, request.word, dst, src)
            );
            assert!(reply.payload == request.payload, "MTU {mtu}, {len} bytes");
            // The limit on unfinished datagrams and errors must not get in the way.
            lab.pass(SECOND / 10);
        }
        assert_eq!((lab.host.live_nodes(), lab.held()), (0, 0));
    }
}

// req: RFC1122-09, RFC1122-52, RFC8200-25, RFC791-10, RFC8200-28
#[test]
fn datagrams_of_every_size_pass_both_ways() {
    for (mtu, v6) in [
        (576, false),
        (1280, false),
        (1500, false),
        (65_535, false),
        (1280, true),
        (1500, true),
    ] {
        let config = WorldConfig {
            mtu,
            ..WorldConfig::default()
        };
        let mut world = World::new(&config);
        let addresses = [0, 1].map(|host| World::address(host, v6, 5_353));
        let sockets = [0, 1].map(|host| {
            world.hosts[host]
                .stack
                .udp_bind(addresses[host])
                .expect("a free port")
        });
        for len in [0, 1, mtu - 29, mtu - 28, mtu - 27, 1_473, 9_000, 65_507] {
            let payload = bytes(len.min(65_507));
            for from in 0..2 {
                let to = addresses[1 - from];
                let sent = calls::send_to(
                    &mut world.hosts[from].stack,
                    sockets[from],
                    Some(to),
                    &payload,
                );
                assert_eq!(sent, Ok(payload.len()));
            }
            world.run_for(SECOND);
            for to in 0..2 {
                let received = calls::receive_from(&mut world.hosts[to].stack, sockets[to])
                    .expect("a datagram");
                assert_eq!(received.1, addresses[1 - to]);
                assert!(received.0 == payload, "MTU {mtu}, {len} bytes");
            }
        }
        for (host, socket) in world.hosts.iter_mut().zip(sockets) {
            host.stack.close(world.now, socket);
        }
        assert_eq!(world.live_nodes(), 0);
    }
}

// req: RFC791-07, RFC8200-13
#[test]
fn fragments_keep_to_every_mtu() {
    for mtu in 68..=1500 {
        let mut lab = lab(mtu);
        let socket = bound(&mut lab, false, 53);
        let payload = bytes(3_000);
        let to = (Lab::neighbour(false), 53).into();
        calls::send_to(&mut lab.host.stack, socket, Some(to), &payload).expect("room");
        let sent = lab.sent();
        assert!(sent.iter().all(|packet| packet.len() <= mtu), "MTU {mtu}");
        // All but the last are as full as units of eight bytes allow.
        let full = 20 + (mtu - 20) / 8 * 8;
        assert!(
            sent[..sent.len() - 1]
                .iter()
                .all(|packet| packet.len() == full),
            "MTU {mtu}"
        );
        assert!(
            Udp::of(&Ip::reassemble(&sent)).expect("UDP").payload == payload,
            "MTU {mtu}"
        );
    }
}

#[test]
fn a_datagram_that_fits_no_packet_is_refused() {
    let mut lab = lab(1500);
    for (v6, most) in [(false, 65_507), (true, 65_527)] {
        let socket = bound(&mut lab, v6, 53);
        let to = Some((Lab::neighbour(v6), 53).into());
        let sent = calls::send_to(&mut lab.host.stack, socket, to, &vec![0; most + 1]);
        assert_eq!(sent, Err(SendError::TooLong));
        assert_eq!(
            calls::send_to(&mut lab.host.stack, socket, to, &vec![0; most]),
            Ok(most)
        );
        lab.sent();
    }
}

#[test]
fn datagrams_arrive_whole_or_not_at_all() {
    for seed in 0..20 {
        let impairment = Impairment {
            delay: Duration::from_millis(5),
            bottleneck: None,
            loss: 10,
            duplicate: 50,
            reorder: 200,
            corrupt: 5,
            ..Impairment::default()
        };
        let v6 = seed % 2 == 1;
        let config = WorldConfig {
            seed,
            impairment,
            ..WorldConfig::default()
        };
        let mut world = World::new(&config);
        let to = World::address(1, v6, 7);
        let sender = world.hosts[0]
            .stack
            .udp_bind(World::address(0, v6, 7))
            .expect("a free port");
        let receiver = world.hosts[1].stack.udp_bind(to).expect("a free port");
        let mut arrived = 0;
        for i in 0..200 {
            calls::send_to(&mut world.hosts[0].stack, sender, Some(to), &bytes(i * 50))
                .expect("room");
            world.run_for(SECOND / 20);
            while let Ok((payload, _)) = calls::receive_from(&mut world.hosts[1].stack, receiver) {
                assert!(payload == bytes(payload.len()), "seed {seed}");
                arrived += 1;
            }
        }
        assert!(arrived > 100, "seed {seed}: {arrived} arrived");
        world.run_for(SECOND * 61);
        let now = world.now;
        world.hosts[0].stack.close(now, sender);
        world.hosts[1].stack.close(now, receiver);
        assert_eq!(world.live_nodes(), 0, "seed {seed}");
    }
}

// req: RFC1122-32, RFC1122udp-01, RFC4443-12, RFC1122-23
#[test]
fn a_closed_port_is_reported_and_quotes_what_was_sent() {
    for v6 in [false, true] {
        let mut lab = lab(1500);
        let datagram = incoming(v6, 99, &bytes(1_400));
        lab.inject(&datagram.to_packet());
        let error = one_icmp(&mut lab);
        assert_eq!(error.kind, if v6 { (1, 4) } else { (3, 3) });
        assert_eq!(
            (error.src, error.dst),
            (datagram.dst.ip(), datagram.src.ip())
        );
        let most = if v6 { 1280 - 48 } else { 576 - 28 };
        assert_eq!(
            error.payload,
            datagram.to_packet()[..most],
            "as much as an error may hold"
        );
    }
}

// req: RFC1122-33, RFC1122udp-03, RFC4443-14
#[test]
fn a_connected_socket_is_told_that_nobody_listens() {
    for v6 in [false, true] {
        let mut world = World::new(&WorldConfig::default());
        let stack = &mut world.hosts[0].stack;
        let unspecified: SocketAddr = if v6 { "[::]:0" } else { "0.0.0.0:0" }
            .parse()
            .expect("literal");
        let connected = stack.udp_bind(unspecified).expect("a free port");
        let unconnected = stack.udp_bind(unspecified).expect("a free port");
        let nobody = World::address(1, v6, 4_242);
        stack.udp_connect(connected, nobody).expect("a route");
        calls::send_to(stack, connected, None, b"anybody?").expect("room");
        calls::send_to(stack, unconnected, Some(nobody), b"anybody?").expect("room");
        world.run_for(SECOND);
        let stack = &mut world.hosts[0].stack;
        let refused = Err(RecvError::Connection(ConnectionError::Refused));
        assert_eq!(calls::receive_from(stack, connected), refused);
        assert_eq!(
            calls::receive_from(stack, connected),
            Err(RecvError::WouldBlock),
            "told once"
        );
        assert_eq!(
            calls::receive_from(stack, unconnected),
            Err(RecvError::WouldBlock)
        );
    }
}

// req: RFC4443-10
#[test]
fn errors_are_rationed_and_come_again() {
    let mut lab = lab(1500);
    let datagram = incoming(false, 99, b"scan").to_packet();
    let burst = |lab: &mut Lab| {
        for _ in 0..1_000 {
            lab.inject(&datagram);
        }
        lab.sent().len()
    };
    assert_eq!(burst(&mut lab), 10, "the burst towards one host");
    assert_eq!(burst(&mut lab), 0);
    lab.pass(SECOND / 2);
    assert_eq!(burst(&mut lab), 5, "ten a second");
    assert_eq!(lab.host.stack.counters().ip.icmp_out_rate_limited, 2_985);
}

#[test]
fn errors_to_all_hosts_together_are_rationed_too() {
    let mut lab = lab(1500);
    let mut sent = 0;
    for host in 0..10_000u32 {
        let mut datagram = incoming(false, 99, b"scan");
        datagram
            .src
            .set_ip(std::net::Ipv4Addr::from(0xc633_6400 + host).into());
        lab.inject(&datagram.to_packet());
        sent += lab.sent().len();
    }
    assert!((10..=50).contains(&sent), "{sent} errors at once");
}

// req: RFC1122-26, RFC1122-27, RFC1122-29
#[test]
fn what_must_not_be_answered_is_not() {
    let mut lab = lab(1500);
    let inside = incoming(false, 99, b"x").to_packet();
    let (src, dst) = (Lab::neighbour(false), Lab::address(false));
    let error = |kind| {
        Icmp {
            src,
            dst,
            kind,
            word: 0,
            payload: inside.clone(),
        }
        .to_packet()
    };
    let broadcast = Udp {
        dst: (std::net::Ipv4Addr::new(10, 0, 0, 255), 99).into(),
        ..incoming(false, 99, b"x")
    };
    let fragment = parts(&incoming(false, 99, &bytes(100)), 1, 64).remove(1);
    for packet in [
        error((3, 3)),
        error((11, 0)),
        error((12, 0)),
        broadcast.to_packet(),
        fragment,
    ] {
        lab.inject(&packet);
        assert!(lab.sent().is_empty());
    }
}

// req: RFC1122-53, RFC1122-54, RFC8200-16, RFC8200-17
#[test]
fn a_datagram_that_stays_incomplete_is_given_up_and_reported() {
    for v6 in [false, true] {
        let mut lab = lab(1500);
        let datagram = parts(&incoming(v6, 53, &bytes(2_000)), 9, 512);
        lab.inject(&datagram[0]);
        lab.inject(&datagram[2]);
        assert_eq!(lab.pass(SECOND * 60 - SECOND / 100), []);
        let sent = lab.pass(SECOND / 50);
        assert_eq!(sent.len(), 1);
        let error = Icmp::of(&Ip::parse(&sent[0].1)).expect("ICMP");
        assert_eq!(error.kind, if v6 { (3, 1) } else { (11, 1) });
        assert_eq!(
            error.payload,
            datagram[0][..error.payload.len()],
            "the first fragment is quoted"
        );
        assert_eq!((lab.held(), lab.host.live_nodes()), (0, 0));
        // Without the first fragment nobody can be told.
        lab.inject(&datagram[1]);
        assert_eq!(lab.pass(SECOND * 100), []);
        assert_eq!(lab.host.stack.counters().ip.reassembly_timeouts, 2);
    }
}

// req: RFC5722-02, RFC8200-21
#[test]
fn overlapping_fragments_refuse_the_whole_datagram() {
    for v6 in [false, true] {
        let mut lab = lab(1500);
        let socket = bound(&mut lab, v6, 53);
        let datagram = incoming(v6, 53, &bytes(1_000));
        let good = parts(&datagram, 1, 512);
        // The second part comes in another cut, which overlaps: what a filter saw may not be what arrives.
        let evil = parts(&datagram, 1, 256);
        for packet in [&good[0], &evil[1], &good[1]] {
            lab.inject(packet);
        }
        assert_eq!(
            calls::receive_from(&mut lab.host.stack, socket),
            Err(RecvError::WouldBlock)
        );
        let counters = lab.host.stack.counters();
        assert_eq!(
            (
                counters.ip.reassembly_overlaps,
                counters.ip.reassembly_refused
            ),
            (1, 1)
        );
        for packet in parts(&datagram, 2, 512) {
            lab.inject(&packet);
        }
        let received = calls::receive_from(&mut lab.host.stack, socket)
            .expect("another identification is fine");
        assert_eq!(received.0, datagram.payload);
    }
}

// req: RFC8201-01, RFC8201-10, RFC8200-26
#[test]
fn an_ipv6_path_that_takes_less_gets_smaller_fragments() {
    let mut lab = lab(1500);
    let socket = bound(&mut lab, true, 53);
    let to = (Lab::neighbour(true), 53).into();
    let payload = bytes(3_000);
    calls::send_to(&mut lab.host.stack, socket, Some(to), &payload).expect("room");
    let first = lab.sent().remove(0);
    assert_eq!(first.len(), 1496);
    let quote = first[..1_200].to_vec();
    let report = Icmp {
        src: to.ip(),
        dst: Lab::address(true),
        kind: (2, 0),
        word: 1300,
        payload: quote,
    };
    lab.inject(&report.to_packet());
    calls::send_to(&mut lab.host.stack, socket, Some(to), &payload).expect("room");
    let sent = lab.sent();
    assert!(
        sent.iter().all(|packet| packet.len() <= 1300),
        "{:?}",
        sent.iter().map(Vec::len).collect::<Vec<_>>()
    );
    assert!(Udp::of(&Ip::reassemble(&sent)).expect("UDP").payload == payload);
    // Ten minutes later the path may have changed: it is tried again (RFC 8201, 4).
    lab.pass(SECOND * 601);
    calls::send_to(&mut lab.host.stack, socket, Some(to), &payload).expect("room");
    assert_eq!(lab.sent()[0].len(), 1496);
}

#[test]
fn a_forged_report_about_ipv4_datagrams_changes_nothing() {
    // Their senders let routers fragment: nobody can ever have had a reason to report one as too big.
    let mut lab = lab(1500);
    let socket = bound(&mut lab, false, 53);
    let to = (Lab::neighbour(false), 53).into();
    calls::send_to(&mut lab.host.stack, socket, Some(to), &bytes(1_400)).expect("room");
    let quote = lab.sent().remove(0);
    assert!(!Ip::parse(&quote).dont_fragment);
    let report = Icmp {
        src: to.ip(),
        dst: Lab::address(false),
        kind: (3, 4),
        word: 600,
        payload: quote,
    };
    lab.inject(&report.to_packet());
    calls::send_to(&mut lab.host.stack, socket, Some(to), &bytes(1_400)).expect("room");
    assert_eq!(lab.sent().len(), 1);
}

// req: RFC6864-05, RFC791-12
#[test]
fn identifications_of_one_path_are_not_used_again_soon() {
    let mut lab = lab(1500);
    let socket = bound(&mut lab, false, 53);
    let to = (Lab::neighbour(false), 53).into();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..2_000 {
        calls::send_to(&mut lab.host.stack, socket, Some(to), &bytes(2_000)).expect("room");
        let (ident, ..) = Ip::parse(&lab.sent()[0]).fragment.expect("a fragment");
        assert!(seen.insert(ident), "{ident} twice");
    }
}

#[test]
fn a_socket_is_found_by_its_address_before_its_port() {
    let mut lab = lab(1500);
    let any = lab
        .host
        .stack
        .udp_bind("0.0.0.0:53".parse().expect("literal"))
        .expect("a free port");
    assert!(
        lab.host
            .stack
            .udp_bind(SocketAddr::new(Lab::address(false), 53))
            .is_err(),
        "the port is taken"
    );
    lab.inject(&incoming(false, 53, b"first").to_packet());
    assert_eq!(
        calls::receive_from(&mut lab.host.stack, any)
            .map(|received| received.0)
            .as_deref(),
        Ok(&b"first"[..])
    );
    lab.host.stack.close(Instant::ZERO, any);
    let exact = bound(&mut lab, false, 53);
    lab.inject(&incoming(false, 53, b"second").to_packet());
    assert_eq!(
        calls::receive_from(&mut lab.host.stack, exact)
            .map(|received| received.0)
            .as_deref(),
        Ok(&b"second"[..])
    );
}

/// Takes what the stack has to tell; whether it told that `socket` is writable.
fn told_writable(lab: &mut Lab, socket: SocketId) -> bool {
    let mut told = false;
    while let Some(event) = lab.host.stack.poll_event() {
        told |= event.socket == socket && event.writable;
    }
    told
}

#[test]
fn who_was_refused_for_want_of_room_hears_of_room() {
    for v6 in [false, true] {
        let mut lab = lab(1500);
        let socket = bound(&mut lab, v6, 53);
        let to = Some((Lab::neighbour(v6), 53).into());
        let long = bytes(60_000);
        // So many short ones that there is room for more of them, but not for a long one.
        for _ in 0..170 {
            let sent = calls::send_to(&mut lab.host.stack, socket, to, &long[..1_000]);
            assert_eq!(sent, Ok(1_000));
        }
        told_writable(&mut lab, socket);
        let refused = calls::send_to(&mut lab.host.stack, socket, to, &long);
        assert_eq!(refused, Err(SendError::WouldBlock));
        assert!(!told_writable(&mut lab, socket));
        lab.sent();
        assert!(told_writable(&mut lab, socket));
        assert_eq!(
            calls::send_to(&mut lab.host.stack, socket, to, &long),
            Ok(60_000)
        );
    }
}

#[test]
fn a_datagram_is_sent_or_counted_under_another_name() {
    let mut lab = lab(1500);
    let socket = bound(&mut lab, false, 53);
    let to: SocketAddr = (Lab::neighbour(false), 53).into();
    let other = bound(&mut lab, false, 54);
    // More than the interface's queue of 1024 takes, into which what is closed hands them over.
    let mut given = 0;
    for socket in [socket, other] {
        while calls::send_to(&mut lab.host.stack, socket, Some(to), b"").is_ok() {
            given += 1;
        }
        lab.host.stack.close(lab.now, socket);
    }
    assert!(given > 1024, "{given}");
    let counters = lab.host.stack.counters();
    assert_eq!(counters.udp.out_datagrams, 1024);
    assert_eq!(counters.ip.out_queue_full, given - 1024);
    assert_eq!(lab.sent().len(), 1024);
}

#[test]
fn a_datagram_that_cannot_be_sent_is_counted() {
    let mut lab = lab(1500);
    let socket = bound(&mut lab, false, 53);
    for (number, to) in ["0.0.0.0:7", "10.0.0.2:0", "[fd00::2]:7"]
        .into_iter()
        .enumerate()
    {
        let to = Some(to.parse().expect("literal"));
        assert!(calls::send_to(&mut lab.host.stack, socket, to, b"x").is_err());
        let counters = lab.host.stack.counters();
        assert_eq!(counters.udp.out_refused, number as u64 + 1);
        assert_eq!(counters.udp.out_datagrams, 0);
    }
}
