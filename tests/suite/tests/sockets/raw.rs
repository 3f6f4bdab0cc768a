//! Sockets below the transports.

use super::*;
use netstack_core::{BindError, Sees};
use std::net::IpAddr;
use suite::wire::{Icmp, Ip, ip4, ip6, packet};

fn open(lab: &mut Lab, protocol: u8, local: &str) -> SocketId {
    let local = local.parse().expect("a literal");
    let options = BindOptions::default();
    let opened = lab.host.stack.raw_open(protocol, local, &options);
    opened.expect("an address of the stack")
}

#[test]
fn a_raw_socket_sees_its_protocol_and_transports_see_it_too() {
    let mut lab = Lab::default();
    let raw = open(&mut lab, 17, "0.0.0.0");
    let udp = bind(&mut lab, "0.0.0.0:53", BindOptions::default());
    let whole = datagram("10.0.0.1:53", &[7; 1_200]).to_packet();
    lab.inject(&whole);
    let held = lab.held();
    assert!(held < 1_500, "{held} bytes for two readers");
    let (bytes, received) = receive(&mut lab.host.stack, raw).expect("a packet");
    assert_eq!(bytes, whole, "over IPv4 with the header");
    assert_eq!(
        received.from.map(|from| from.ip()),
        Some(Lab::neighbour(false))
    );
    assert_eq!(payloads(&mut lab, udp), [vec![7; 1_200]]);
    lab.inject(&datagram("[fd00::1]:53", b"six").to_packet());
    assert!(payloads(&mut lab, raw).is_empty());
}

#[test]
fn protocols_that_nothing_speaks_are_refused_unless_a_raw_socket_does() {
    for v6 in [false, true] {
        let mut lab = Lab::default();
        let (src, dst) = (Lab::neighbour(v6), Lab::address(v6));
        let unknown = packet(src, dst, 200, b"whatever this is");
        lab.inject(&unknown);
        let refusal = Icmp::of(&Ip::parse(&lab.sent()[0])).expect("ICMP");
        assert_eq!(refusal.kind, if v6 { (4, 1) } else { (3, 2) });
        let any = if v6 { "::" } else { "0.0.0.0" };
        let raw = open(&mut lab, 200, any);
        lab.inject(&unknown);
        assert!(lab.sent().is_empty());
        let expected = if v6 {
            b"whatever this is".to_vec()
        } else {
            unknown
        };
        assert_eq!(payloads(&mut lab, raw), [expected]);
        // And back: what is sent gets a header.
        send(&mut lab, raw, b"answer", SendControl::to((src, 0).into())).expect("room");
        let sent = Ip::parse(&lab.sent()[0]);
        assert_eq!((sent.src, sent.dst, sent.protocol), (dst, src, 200));
        assert_eq!(sent.payload, b"answer");
        lab.host.stack.close(lab.now, raw);
        assert_eq!((lab.held(), lab.host.live_nodes()), (0, 0));
    }
}

#[test]
fn a_packet_with_a_header_of_its_own_is_completed() {
    let mut lab = Lab::default();
    let raw = open(&mut lab, 255, "0.0.0.0");
    let (IpAddr::V4(src), IpAddr::V4(dst)) = (Lab::address(false), Lab::neighbour(false)) else {
        panic!("IPv4");
    };
    let mut bytes = ip4([0; 4].into(), dst, 200, 0, 0, &[], b"payload");
    bytes[2..4].fill(0);
    bytes[10..12].fill(0xaa);
    let to = SendControl::to((dst, 0).into());
    send(&mut lab, raw, &bytes, to).expect("room");
    let sent = lab.sent().remove(0);
    let read = Ip::parse(&sent);
    assert_eq!((read.src, read.payload), (src.into(), b"payload".to_vec()));
    assert_ne!(sent[4..6], [0, 0], "an identification");
    let six = ip6([1; 16].into(), [2; 16].into(), 200, b"x");
    let refused = send(&mut lab, raw, &six, to);
    assert_eq!(refused, Err(SendError::InvalidMessage));
    bytes[0] = 0x4f;
    send(&mut lab, raw, &bytes, to).expect("room");
    assert!(lab.sent().is_empty());
    assert_eq!(lab.host.stack.counters().raw.out_malformed, 1);
}

#[test]
fn raw_icmp_gets_what_is_answered_too_and_its_checksum_made() {
    let mut lab = Lab::default();
    let raw = open(&mut lab, 58, "::");
    let (src, dst) = (Lab::neighbour(true), Lab::address(true));
    let ping = Icmp::echo_request(src, dst, 5, 1, b"ping".to_vec());
    lab.inject(&ping.to_packet());
    assert_eq!(lab.sent().len(), 1, "answered as ever");
    assert_eq!(payloads(&mut lab, raw), [ping.to_message()]);
    let mut damaged = ping.to_packet();
    damaged[42] ^= 1;
    lab.inject(&damaged);
    assert!(payloads(&mut lab, raw).is_empty());
    let mut bare = ping.to_message();
    bare[2..4].fill(0);
    send(&mut lab, raw, &bare, SendControl::to((src, 0).into())).expect("room");
    let sent = Icmp::of(&Ip::parse(&lab.sent()[0])).expect("its checksum right");
    assert_eq!(sent.payload, b"ping");
}

#[test]
fn a_packet_socket_sees_what_comes_and_what_goes() {
    let mut lab = Lab::default();
    let iface = lab.host.iface;
    let tap = lab
        .host
        .stack
        .packet_open(Some(iface), Sees::All)
        .expect("an interface");
    let other = second_interface(&mut lab);
    let quiet = lab
        .host
        .stack
        .packet_open(Some(other), Sees::All)
        .expect("an interface");
    let (src, dst) = (Lab::neighbour(false), Lab::address(false));
    let ping = Icmp::echo_request(src, dst, 5, 1, vec![1; 600]).to_packet();
    let foreign = datagram("10.0.0.77:9", b"not for this host").to_packet();
    for packet in [&ping, &foreign] {
        lab.inject(packet);
    }
    let answer = lab.sent().remove(0);
    for (expected, outgoing) in [(&ping, false), (&foreign, false), (&answer, true)] {
        let (bytes, received) = receive(&mut lab.host.stack, tap).expect("a packet");
        let arrival = received.arrival.expect("packets say how they passed");
        assert_eq!((arrival.outgoing, arrival.iface), (outgoing, iface));
        assert_eq!(bytes.len(), expected.len());
        assert_eq!(
            bytes[..20],
            expected[..20],
            "checksums behind may be the device's to make"
        );
    }
    assert!(payloads(&mut lab, quiet).is_empty());
    // What it sends leaves as it is.
    send(&mut lab, tap, &foreign, SendControl::default()).expect("room");
    assert_eq!(lab.sent(), [foreign]);
    let refused = send(&mut lab, tap, &[0; 1_501], SendControl::default());
    assert_eq!(refused, Err(SendError::TooLong));
    let refused = send(
        &mut lab,
        tap,
        b"zero is the version of no packet",
        SendControl::default(),
    );
    assert_eq!(refused, Err(SendError::InvalidMessage));
    let nowhere = lab.host.stack.packet_open(Some(IfaceId::new(9)), Sees::All);
    assert_eq!(nowhere.err(), Some(BindError::NotAvailable));
}

#[test]
fn observers_are_bounded_and_count_what_they_miss() {
    let mut lab = Lab::default();
    let iface = lab.host.iface;
    let tap = lab
        .host
        .stack
        .packet_open(Some(iface), Sees::All)
        .expect("an interface");
    let raw = open(&mut lab, 17, "0.0.0.0");
    let packet = datagram("10.0.0.1:53", &[7; 1_400]).to_packet();
    for _ in 0..2_000 {
        lab.inject(&packet);
        lab.sent();
    }
    let counters = lab.host.stack.counters().raw.clone();
    assert!(counters.in_queue_full > 2_000, "{counters:?}");
    assert!(lab.held() < 4 << 20, "{} bytes", lab.held());
    for socket in [tap, raw] {
        lab.host.stack.close(lab.now, socket);
    }
    assert_eq!((lab.held(), lab.host.live_nodes()), (0, 0));
}
