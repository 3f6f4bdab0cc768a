//! RFC 1812: what a router does with its own packets, and with headers that are not as they should be.

use super::{LEFT, MTU, RIGHT, Router, host};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use suite::calls;
use suite::wire::{Icmp, Ip, Udp, fragments, ip4, packet, protocol, sum};

const SRC: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 9);
const DST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 9);
/// The bit of the word with flags and offset that has no meaning.
const RESERVED: u16 = 0x8000;
const MORE: u16 = 0x2000;

/// The packet with another byte at `at`, and the checksum of its header right.
fn with(mut bytes: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    bytes[at] = byte;
    bytes[10..12].fill(0);
    let check = !sum(&bytes[..20]);
    bytes[10..12].copy_from_slice(&check.to_be_bytes());
    bytes
}

/// A question to the router itself.
fn question(len: usize) -> Icmp {
    Icmp::echo_request(SRC.into(), host(LEFT, false, 1), 1, 2, vec![5; len])
}

// req: RFC1812-07
#[test]
fn what_is_for_the_router_is_put_together() {
    let mut router = Router::new();
    let question = question(2_000);
    let message = question.to_message();
    let parts = fragments(question.src, question.dst, protocol::ICMP, 7, &message, 800);
    let sent: Vec<_> = parts
        .iter()
        .flat_map(|part| router.send(LEFT, part))
        .map(|(_, bytes)| bytes)
        .collect();
    let answer = Icmp::of(&Ip::reassemble(&sent)).unwrap();
    assert_eq!((answer.kind, answer.payload), ((0, 0), vec![5; 2_000]));
    assert_eq!(router.count("forwarded"), 0);
}

// req: RFC1812-29
#[test]
fn what_is_for_the_router_is_told_from_what_is_for_others() {
    let mut router = Router::new();
    let any = "0.0.0.0:7".parse().unwrap();
    let socket = router.stack.udp_bind(any).expect("a free port");
    for (to, here, there) in [
        ("10.0.1.1", 1, 0),
        ("10.0.2.1", 1, 0),
        ("255.255.255.255", 1, 0),
        ("10.0.1.255", 1, 0),
        ("10.0.2.9", 0, 1),
        ("10.0.2.255", 1, 0),
        ("224.1.2.3", 0, 0),
    ] {
        let datagram = Udp {
            src: SocketAddr::new(SRC.into(), 5),
            dst: SocketAddr::new(to.parse().unwrap(), 7),
            payload: vec![1; 9],
        };
        let forwarded = router.send(LEFT, &datagram.to_packet());
        assert!(forwarded.iter().all(|(side, _)| *side == RIGHT), "{to}");
        let received = calls::receive_from(&mut router.stack, socket).is_ok();
        assert_eq!(
            (usize::from(received), forwarded.len()),
            (here, there),
            "{to}"
        );
    }
}

// req: RFC1812-08, RFC1812-13
#[test]
fn a_hop_limit_matters_only_to_what_is_forwarded() {
    for hop_limit in [0, 1, 2, 255] {
        let mut router = Router::new();
        let sent = router.send(LEFT, &with(question(9).to_packet(), 8, hop_limit));
        assert_eq!(sent.len(), 1, "{hop_limit}");
        let answer = Ip::parse(&sent[0].1);
        assert_eq!(Icmp::of(&answer).unwrap().kind, (0, 0));
        // Its own is enough for the way back, whatever came.
        assert_eq!(answer.hop_limit, 64);
    }
    let mut router = Router::new();
    let original = with(packet(SRC.into(), DST.into(), 99, &[0; 8]), 8, 1);
    let error = Ip::parse(&router.send(LEFT, &original)[0].1);
    assert_eq!((error.protocol, error.hop_limit), (protocol::ICMP, 64));
}

// req: RFC1812-12
#[test]
fn messages_of_unknown_kinds_are_not_answered() {
    let mut router = Router::new();
    for kind in [1, 2, 7, 19, 41, 200, 255] {
        let message = Icmp {
            kind: (kind, 0),
            ..question(9)
        };
        assert_eq!(router.send(LEFT, &message.to_packet()), [], "{kind}");
    }
}

// req: RFC1812-42
#[test]
fn of_a_used_up_hop_limit_of_a_group_nobody_is_told() {
    let mut router = Router::new();
    let group: IpAddr = "224.1.2.3".parse().unwrap();
    for hop_limit in [0, 1] {
        let sent = with(packet(SRC.into(), group, 99, &[0; 8]), 8, hop_limit);
        assert_eq!(router.send(LEFT, &sent), []);
    }
    let sent = with(packet(SRC.into(), DST.into(), 99, &[0; 8]), 8, 1);
    let error = Icmp::of(&Ip::parse(&router.send(LEFT, &sent)[0].1)).unwrap();
    assert_eq!((error.kind, error.dst), ((11, 0), SRC.into()));
    assert_eq!(router.count("forwarded"), 0);
}

// req: RFC1812-01
#[test]
fn a_reserved_bit_is_neither_judged_nor_changed() {
    let mut router = Router::new();
    for word in [RESERVED, RESERVED | MORE, 0] {
        let sent = ip4(SRC, DST, 99, 1, word, &[], &[0; 16]);
        assert_eq!(router.send(LEFT, &sent), [(RIGHT, with(sent, 8, 63))]);
    }
}

// req: RFC1812-32
#[test]
fn every_fragment_has_the_reserved_bit_of_the_whole() {
    for word in [RESERVED, 0] {
        let mut router = Router::new();
        let sent = ip4(SRC, DST, 99, 1, word, &[], &[0; 1_480]);
        let came = router.send(LEFT, &sent);
        assert_eq!(came.len(), 2);
        for (side, bytes) in came {
            assert!(side == RIGHT && bytes.len() <= MTU[1]);
            let flags = u16::from_be_bytes([bytes[6], bytes[7]]);
            assert_eq!(flags & RESERVED, word);
        }
    }
}

// req: RFC1812-27, RFC1812-28
#[test]
fn headers_that_contradict_themselves_or_the_link_are_not_forwarded() {
    let mut router = Router::new();
    let good = packet(SRC.into(), DST.into(), 99, &[0; 40]);
    let mut bad_sum = good.clone();
    bad_sum[11] ^= 1;
    let cases = [
        ("shorter than a header", good[..19].to_vec()),
        ("a wrong checksum", bad_sum),
        ("version 5", with(good.clone(), 0, 0x55)),
        ("version 6", with(good.clone(), 0, 0x65)),
        ("a header of 16 bytes", with(good.clone(), 0, 0x44)),
        ("a total shorter than the header", with(good.clone(), 3, 19)),
        ("a total longer than what came", with(good.clone(), 3, 61)),
    ];
    for (what, sent) in cases {
        assert_eq!(router.send(LEFT, &sent), [], "{what}");
    }
    assert_eq!(router.count("forwarded"), 0);
    assert_eq!(router.send(LEFT, &good).len(), 1);
}

// req: RFC1812-49
#[test]
fn what_has_no_place_to_go_to_is_not_forwarded() {
    let mut router = Router::new();
    router
        .stack
        .add_route("0.0.0.0/0".parse().unwrap(), RIGHT, None)
        .unwrap();
    for to in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.9.9.9", "240.0.0.1"] {
        let sent = packet(SRC.into(), to.parse().unwrap(), 99, &[0; 8]);
        let came = router.send(LEFT, &sent);
        assert!(came.iter().all(|(side, _)| *side == LEFT), "{to}: {came:?}");
    }
    assert_eq!(router.count("forwarded"), 0);
}
