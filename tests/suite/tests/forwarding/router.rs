//! RFC 1812 and RFC 8200: hop limits, routes, sizes, and an ICMP error for each thing that can go wrong.

use super::{LEFT, MTU, RIGHT, Router, Sent, across, host};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use suite::wire::ip::set_ecn;
use suite::wire::{Icmp, Ip, Udp, fragments, ip4, ip6, packet, protocol, sum};

fn datagram(v6: bool, len: usize) -> Vec<u8> {
    let (src, dst) = across(v6);
    let payload = (0..len).map(|i| i as u8).collect();
    Udp { src, dst, payload }.to_packet()
}

/// The same with another hop limit.
fn with_hop_limit(mut bytes: Vec<u8>, hop_limit: u8) -> Vec<u8> {
    if bytes[0] >> 4 == 6 {
        bytes[7] = hop_limit;
        return bytes;
    }
    bytes[8] = hop_limit;
    bytes[10..12].fill(0);
    let check = !sum(&bytes[..usize::from(bytes[0] & 15) * 4]);
    bytes[10..12].copy_from_slice(&check.to_be_bytes());
    bytes
}

/// The one ICMP error that came out on the left, for the host there, from the router's address there; it quotes
/// `original` as it was.
#[track_caller]
fn the_error(sent: &[Sent], original: &[u8]) -> Icmp {
    assert_eq!(sent.len(), 1, "{sent:?}");
    let ip = Ip::parse(&sent[0].1);
    let v6 = ip.src.is_ipv6();
    assert_eq!(sent[0].0, LEFT);
    assert_eq!((ip.src, ip.dst), (host(LEFT, v6, 1), host(LEFT, v6, 9)));
    let icmp = Icmp::of(&ip).expect("ICMP");
    assert!(sent[0].1.len() <= if v6 { 1280 } else { 576 });
    assert!(
        original.starts_with(&icmp.payload) && icmp.payload.len() >= 28,
        "the quotation"
    );
    icmp
}

// req: RFC3168-24, RFC791-04, RFC8200-02, RFC6864-07, RFC1812-41, RFC1812-44
#[test]
fn packets_go_through_with_one_off_the_hop_limit_and_nothing_else_changed() {
    for v6 in [false, true] {
        let mut router = Router::new();
        for (len, ecn) in [(0, 0), (1, 1), (100, 2), (1300, 3)] {
            let mut sent = datagram(v6, len);
            set_ecn(&mut sent, ecn);
            let came = router.send(LEFT, &sent);
            assert_eq!(came, [(RIGHT, with_hop_limit(sent, 63))]);
        }
        assert_eq!(
            (router.count("forwarded"), router.count("out_sent")),
            (4, 4)
        );
    }
}

// req: RFC1122-02, RFC1122-35
#[test]
fn a_host_forwards_nothing() {
    let mut router = Router::with(|config| config.forward = false);
    assert_eq!(router.send(LEFT, &datagram(false, 10)), []);
    assert_eq!(router.count("in_not_ours"), 1);
}

#[test]
fn the_longest_prefix_wins() {
    let mut router = Router::new();
    for (cidr, iface) in [
        ("0.0.0.0/0", RIGHT),
        ("10.9.0.0/16", LEFT),
        ("10.9.8.0/24", RIGHT),
        ("::/0", RIGHT),
    ] {
        router
            .stack
            .add_route(cidr.parse().unwrap(), iface, None)
            .unwrap();
    }
    let mut way = |from, dst: &str| {
        let dst: IpAddr = dst.parse().unwrap();
        let v6 = dst.is_ipv6();
        let sent = router.send(from, &packet(host(from, v6, 9), dst, 99, b"payload"));
        (sent[0].0, Ip::parse(&sent[0].1).protocol)
    };
    assert_eq!(way(LEFT, "8.8.8.8"), (RIGHT, 99));
    assert_eq!(way(LEFT, "10.9.8.7"), (RIGHT, 99));
    assert_eq!(way(RIGHT, "10.9.7.7"), (LEFT, 99));
    assert_eq!(way(LEFT, "2001:db8::1"), (RIGHT, 99));
    assert_eq!(
        way(RIGHT, "8.8.8.8"),
        (RIGHT, protocol::ICMP),
        "back where it came from"
    );
}

// req: RFC1812-43
#[test]
fn a_packet_that_a_later_router_will_drop_goes_on() {
    for v6 in [false, true] {
        let mut router = Router::new();
        let sent = with_hop_limit(datagram(v6, 10), 2);
        let came = router.send(LEFT, &sent);
        assert_eq!(came, [(RIGHT, with_hop_limit(sent, 1))]);
    }
}

// req: RFC1812-04, RFC1812-53
#[test]
fn options_that_nobody_knows_go_through_untouched() {
    let mut router = Router::new();
    let (src, dst) = (Ipv4Addr::new(10, 0, 1, 9), Ipv4Addr::new(10, 0, 2, 9));
    for options in [[0x99, 4, 1, 2], [0x1d, 3, 7, 0]] {
        let sent = ip4(src, dst, 99, 1, 0, &options, &[0; 8]);
        let came = router.send(LEFT, &sent);
        assert_eq!(came, [(RIGHT, with_hop_limit(sent, 63))]);
    }
}

// req: RFC1812-11, RFC1812-46, RFC2644-01
#[test]
fn what_goes_to_everybody_on_a_link_stays_there() {
    let mut router = Router::new();
    for dst in ["255.255.255.255", "10.0.1.255", "10.0.2.255"] {
        let sent = packet(
            host(LEFT, false, 9),
            dst.parse().expect("literal"),
            99,
            &[0; 8],
        );
        assert_eq!(router.send(LEFT, &sent), [], "{dst}");
    }
    assert_eq!(router.count("forwarded"), 0);
}

// req: RFC4443-18, RFC1812-09, RFC1812-40
#[test]
fn a_used_up_hop_limit_is_told() {
    for (v6, kind) in [(false, (11, 0)), (true, (3, 0))] {
        for hop_limit in [0, 1] {
            let mut router = Router::new();
            let original = with_hop_limit(datagram(v6, 1000), hop_limit);
            let error = the_error(&router.send(LEFT, &original), &original);
            assert_eq!((error.kind, error.word), (kind, 0));
            assert_eq!(router.count("forward_hop_limit"), 1);
        }
    }
}

// req: RFC4443-13, RFC1812-21, RFC1812-31, RFC1812-34
#[test]
fn a_missing_route_is_told() {
    for (v6, dst, kind) in [(false, "192.0.2.1", (3, 0)), (true, "2001:db8::1", (1, 0))] {
        let mut router = Router::new();
        let original = packet(host(LEFT, v6, 9), dst.parse().unwrap(), 99, b"0123456789");
        assert_eq!(
            the_error(&router.send(LEFT, &original), &original).kind,
            kind
        );
        assert_eq!(router.count("forward_no_route"), 1);
    }
}

// req: RFC4443-13, RFC4443-15, RFC1812-34, RFC1812-38
#[test]
fn a_packet_does_not_go_back_over_its_link() {
    // RFC 4443, 3.1: code 3 and not back.
    for (v6, kind) in [(false, (3, 1)), (true, (1, 3))] {
        let mut router = Router::new();
        let original = packet(host(LEFT, v6, 9), host(LEFT, v6, 10), 99, b"0123456789");
        assert_eq!(
            the_error(&router.send(LEFT, &original), &original).kind,
            kind
        );
        assert_eq!(router.count("forward_back"), 1);
    }
}

// req: RFC8200-11, RFC4443-16, RFC1812-34, RFC1812-37
#[test]
fn a_packet_too_big_for_the_next_link_is_told_with_its_mtu() {
    for (v6, kind, len) in [
        (false, (3, 4), 1400 - 28 + 1),
        (true, (2, 0), 1400 - 48 + 1),
    ] {
        let mut router = Router::new();
        let original = datagram(v6, len);
        let error = the_error(&router.send(LEFT, &original), &original);
        assert_eq!((error.kind, error.word as usize), (kind, MTU[1]));
        assert_eq!(
            router.send(LEFT, &datagram(v6, len - 1)).len(),
            1,
            "one byte less fits"
        );
        assert_eq!(
            (router.count("forward_too_big"), router.count("forwarded")),
            (1, 1)
        );
    }
}

// req: RFC1812-05, RFC1812-33
#[test]
fn ipv4_is_fragmented_where_it_may_be() {
    let mut router = Router::new();
    let (src, dst) = (Ipv4Addr::new(10, 0, 1, 9), Ipv4Addr::new(10, 0, 2, 9));
    let payload: Vec<u8> = (0..1480).map(|i| (i * 7) as u8).collect();
    let came = router.send(LEFT, &ip4(src, dst, 99, 77, 0, &[], &payload));
    assert!(
        came.iter()
            .all(|(iface, bytes)| *iface == RIGHT && bytes.len() <= MTU[1])
    );
    let came: Vec<Vec<u8>> = came.into_iter().map(|(_, bytes)| bytes).collect();
    let whole = Ip::reassemble(&came);
    assert_eq!(
        (came.len(), whole.payload, whole.hop_limit),
        (2, payload.clone(), 63)
    );

    // A fragment in the middle of a datagram is cut again; where it belongs stays right.
    let parts = fragments(src.into(), dst.into(), 99, 78, &payload.repeat(3), 1480);
    let came: Vec<Vec<u8>> = parts
        .iter()
        .flat_map(|part| router.send(LEFT, part))
        .map(|(_, bytes)| bytes)
        .collect();
    assert_eq!(came.len(), 6);
    assert_eq!(Ip::reassemble(&came).payload, payload.repeat(3));
    assert_eq!(router.count("out_fragments"), 8);
}

#[test]
fn what_is_none_of_a_routers_business_goes_through_untouched() {
    let mut router = Router::new();
    let (IpAddr::V6(src), IpAddr::V6(dst)) = (host(LEFT, true, 9), host(RIGHT, true, 9)) else {
        unreachable!()
    };
    // No next header; a routing header with segments left; an unknown destination option that asks for an error.
    let routing = [59, 2, 0, 1, 0, 0, 0, 0]
        .into_iter()
        .chain([7; 16])
        .collect::<Vec<u8>>();
    for (next, payload) in [
        (59, &b"whatever"[..]),
        (43, &routing),
        (60, &[59, 0, 0xbe, 4, 0, 0, 0, 0]),
        (44, &[17, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ] {
        let sent = ip6(src, dst, next, payload);
        assert_eq!(
            router.send(LEFT, &sent),
            [(RIGHT, with_hop_limit(sent, 63))]
        );
    }
    // IPv4 record route, a wrong UDP checksum, and a protocol that nobody knows.
    let (src, dst) = (Ipv4Addr::new(10, 0, 1, 9), Ipv4Addr::new(10, 0, 2, 9));
    let record = [7, 7, 4, 0, 0, 0, 0, 0];
    for (protocol, options) in [(17, &record[..]), (17, &[]), (253, &[])] {
        let sent = ip4(src, dst, protocol, 1, 0, options, &[1, 2, 3, 4, 0, 8, 9, 9]);
        assert_eq!(
            router.send(LEFT, &sent),
            [(RIGHT, with_hop_limit(sent, 63))]
        );
    }
}

// req: RFC1812-10, RFC1812-19, RFC1812-48
#[test]
fn broken_and_lying_packets_are_dropped_by_name() {
    let mut router = Router::new();
    let mut bad = datagram(false, 10);
    bad[10] ^= 1;
    let dst = host(RIGHT, false, 9);
    let from = |src: IpAddr| {
        packet(
            src,
            if src.is_ipv6() {
                host(RIGHT, true, 9)
            } else {
                dst
            },
            99,
            b"01234567",
        )
    };
    for (sent, name) in [
        (bad, "in_bad_checksum"),
        (from(host(LEFT, false, 1)), "in_bad_source"),
        (from("10.0.1.255".parse().unwrap()), "in_bad_source"),
        (from("127.0.0.1".parse().unwrap()), "in_bad_source"),
        (from("169.254.3.4".parse().unwrap()), "forward_out_of_scope"),
        (from("::".parse().unwrap()), "forward_out_of_scope"),
        (datagram(false, 10)[..30].to_vec(), "in_truncated"),
    ] {
        let before = router.count(name);
        assert_eq!(router.send(LEFT, &sent), [], "{name}");
        assert_eq!(router.count(name), before + 1, "{name}");
    }
    assert_eq!(router.count("forwarded"), 0);
}

#[test]
fn a_source_that_means_nothing_beyond_its_link_is_told() {
    let mut router = Router::new();
    let src: IpAddr = "fe80::9".parse().unwrap();
    let original = packet(src, host(RIGHT, true, 9), 99, b"0123456789");
    let sent = router.send(LEFT, &original);
    let error = Icmp::of(&Ip::parse(&sent[0].1)).unwrap();
    assert_eq!((sent.len(), error.kind, error.dst), (1, (1, 2), src));
}

// req: RFC1812-23
#[test]
fn a_wrong_option_is_told() {
    let mut router = Router::new();
    let (src, dst) = (Ipv4Addr::new(10, 0, 1, 9), Ipv4Addr::new(10, 0, 2, 9));
    let original = ip4(src, dst, 99, 1, 0, &[7, 99, 4, 0], &[0; 8]);
    let error = the_error(&router.send(LEFT, &original), &original);
    assert_eq!((error.kind, error.word), ((12, 0), 20 << 24));
}

#[test]
fn nobody_is_told_of_errors_about_errors_fragments_and_multicast() {
    let mut router = Router::new();
    let nowhere: IpAddr = "192.0.2.1".parse().unwrap();
    let error = Icmp {
        src: host(LEFT, false, 9),
        dst: nowhere,
        kind: (3, 1),
        word: 0,
        payload: datagram(false, 8),
    };
    assert_eq!(router.send(LEFT, &error.to_packet()), []);
    let parts = fragments(host(LEFT, false, 9), nowhere, 99, 7, &[0; 64], 32);
    assert_eq!(router.send(LEFT, &parts[1]), []);
    assert_eq!(router.count("forward_no_route"), 2);
    assert_eq!(router.count("icmp_out_suppressed"), 2);
    let group = packet(
        host(LEFT, false, 9),
        "224.1.2.3".parse().unwrap(),
        99,
        &[0; 8],
    );
    assert_eq!(router.send(LEFT, &group), []);
    assert_eq!(router.count("in_other_group"), 1);
}

#[test]
fn errors_are_limited_in_rate() {
    let mut router = Router::new();
    let original = with_hop_limit(datagram(false, 10), 1);
    let told: usize = (0..100).map(|_| router.send(LEFT, &original).len()).sum();
    assert_eq!((told as u64, router.count("forward_hop_limit")), (10, 100));
    assert_eq!(router.count("icmp_out_rate_limited"), 90);
}

// req: RFC1812-24
#[test]
fn a_router_is_a_host_too() {
    let mut router = Router::new();
    for v6 in [false, true] {
        // The address of its other side, too: it is the host's, not the interface's.
        for side in [LEFT, RIGHT] {
            let (from, to) = (host(LEFT, v6, 9), host(side, v6, 1));
            let sent = router.send(
                LEFT,
                &Icmp::echo_request(from, to, 1, 2, vec![5; 99]).to_packet(),
            );
            let reply = Icmp::of(&Ip::parse(&sent[0].1)).unwrap();
            assert_eq!((sent[0].0, reply.src, reply.dst), (LEFT, to, from));
        }
        let closed = Udp {
            src: SocketAddr::new(host(LEFT, v6, 9), 5),
            dst: SocketAddr::new(host(LEFT, v6, 1), 5),
            payload: vec![0; 20],
        };
        let original = closed.to_packet();
        let kind = if v6 { (1, 4) } else { (3, 3) };
        assert_eq!(
            the_error(&router.send(LEFT, &original), &original).kind,
            kind
        );
    }
}

// req: RFC1812-22
#[test]
fn what_waits_for_a_device_that_asks_for_nothing_is_bounded() {
    let mut router = Router::new();
    for _ in 0..5000 {
        let packet = router.packet(&datagram(false, 10));
        router.stack.handle_packet(router.now, LEFT, packet);
    }
    assert_eq!(
        router.count("forwarded") + router.count("forward_queue_full"),
        5000
    );
    assert_eq!(router.sent().len() as u64, router.count("forwarded"));
    assert!(router.count("forward_queue_full") > 0);
}

#[test]
fn what_waits_too_long_for_a_device_is_dropped() {
    let mut router = Router::new();
    let send = |router: &mut Router, count| {
        for _ in 0..count {
            let packet = router.packet(&datagram(false, 10));
            router.stack.handle_packet(router.now, LEFT, packet);
            // An answer of the router's own.
            let (from, to) = (host(LEFT, false, 9), host(LEFT, false, 1));
            let request = Icmp::echo_request(from, to, 1, 2, vec![5; 9]).to_packet();
            let packet = router.packet(&request);
            router.stack.handle_packet(router.now, LEFT, packet);
        }
    };
    send(&mut router, 10);
    router.now += Duration::from_millis(600);
    send(&mut router, 3);
    router.now += Duration::from_millis(600);
    assert_eq!(router.sent().len(), 6);
    assert_eq!(router.count("forward_queue_late"), 10);
    assert_eq!(router.count("out_queue_late"), 10);
    assert!(!router.stack.has_output());
}

// req: RFC6633-04
#[test]
fn a_source_quench_does_not_slow_a_router() {
    let mut router = Router::new();
    let sent = datagram(false, 100);
    let came = router.send(LEFT, &sent);
    let quench = Icmp {
        src: host(LEFT, false, 9),
        dst: host(LEFT, false, 1),
        kind: (4, 0),
        word: 0,
        payload: came[0].1.clone(),
    };
    for _ in 0..100 {
        assert_eq!(router.send(LEFT, &quench.to_packet()), []);
        assert_eq!(router.send(LEFT, &sent), came);
    }
}
