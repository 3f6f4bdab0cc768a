//! What RFC 1122, RFC 6864, RFC 8200 and their kin ask of IP, ICMP and UDP together, packet by packet.

use core::time::Duration;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, Icmp, Ip, Tcp, Udp, ip4, ip6, protocol};

fn v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => panic!("{address}"),
    }
}

/// An IPv6 packet from the neighbour to the stack.
fn to_stack(next_header: u8, payload: &[u8]) -> Vec<u8> {
    match (Lab::neighbour(true), Lab::address(true)) {
        (IpAddr::V6(src), IpAddr::V6(dst)) => ip6(src, dst, next_header, payload),
        other => panic!("{other:?}"),
    }
}

fn identification(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[4], packet[5]])
}

/// That `segment` was too big for a link of `mtu` bytes.
fn too_big(segment: &Tcp, mtu: u32) -> Vec<u8> {
    let quote = segment.to_packet();
    let v6 = segment.src.is_ipv6();
    let report = Icmp {
        src: segment.dst.ip(),
        dst: segment.src.ip(),
        kind: if v6 { (2, 0) } else { (3, 4) },
        word: mtu,
        payload: quote[..quote.len().min(500)].to_vec(),
    };
    report.to_packet()
}

// req: RFC6864-01, RFC6864-03
#[test]
fn the_identification_of_a_whole_packet_means_nothing() {
    let mut lab = Lab::default();
    let (src, dst) = (Lab::neighbour(false), Lab::address(false));
    let socket = lab.host.stack.udp_bind((dst, 53).into()).expect("free");
    for text in ["one", "two"] {
        let datagram = Udp {
            src: (src, 5_000).into(),
            dst: (dst, 53).into(),
            payload: text.as_bytes().to_vec(),
        };
        let segment = datagram.to_segment();
        let packet = ip4(v4(src), v4(dst), protocol::UDP, 7, 0x4000, &[], &segment);
        lab.inject(&packet);
    }
    for text in ["one", "two"] {
        let received = calls::receive_from(&mut lab.host.stack, socket);
        assert_eq!(received.expect("a datagram").0, text.as_bytes());
    }
}

// req: RFC1191-07, RFC6864-04
#[test]
fn segments_forbid_fragmentation_and_else_have_a_new_identification_each_time() {
    let mut remote = Remote::accepts(Lab::default(), &Offer::default());
    remote.write(&[1; 1_000]);
    let whole = remote.lab.sent().remove(0);
    assert!(Ip::parse(&whole).dont_fragment);
    // A path that claims to take less than any may: its packets may be fragmented.
    let segment = Tcp::parse(&whole).expect("TCP");
    remote.lab.inject(&too_big(&segment, 300));
    let mut seen: Vec<Vec<u8>> = remote.lab.sent();
    let later = remote.lab.pass(Duration::from_secs(20));
    seen.extend(later.into_iter().map(|(_, packet)| packet));
    assert!(seen.len() >= 4);
    assert!(seen.iter().all(|packet| !Ip::parse(packet).dont_fragment));
    let idents: HashSet<u16> = seen.iter().map(|packet| identification(packet)).collect();
    assert_eq!(idents.len(), seen.len());
}

// req: RFC8200-12
#[test]
fn identifications_of_ipv6_fragments_are_not_used_again_soon() {
    let mut lab = Lab::default();
    let local = (Lab::address(true), 53).into();
    let socket = lab.host.stack.udp_bind(local).expect("a free port");
    let to = (Lab::neighbour(true), 53).into();
    let mut seen = HashSet::new();
    for _ in 0..2_000 {
        calls::send_to(&mut lab.host.stack, socket, Some(to), &[1; 2_000]).expect("room");
        let (ident, ..) = Ip::parse(&lab.sent()[0]).fragment.expect("a fragment");
        assert!(seen.insert(ident), "{ident} twice");
    }
}

// req: RFC8200-03
#[test]
fn a_destination_takes_a_used_up_hop_limit() {
    for v6 in [false, true] {
        let mut lab = Lab::default();
        let (src, dst) = (Lab::neighbour(v6), Lab::address(v6));
        let mut packet = Icmp::echo_request(src, dst, 1, 1, vec![1; 8]).to_packet();
        if v6 {
            packet[7] = 0;
        } else {
            packet[8] = 0;
            packet[10..12].fill(0);
            let check = !suite::wire::sum(&packet[..20]);
            packet[10..12].copy_from_slice(&check.to_be_bytes());
        }
        lab.inject(&packet);
        assert_eq!(lab.sent().len(), 1);
    }
}

// req: RFC8200-32
#[test]
fn an_answer_goes_without_the_routing_header_of_the_question() {
    let mut lab = Lab::default();
    let (src, dst) = (Lab::neighbour(true), Lab::address(true));
    let echo = Icmp::echo_request(src, dst, 1, 1, vec![1; 8]).to_message();
    let mut payload = vec![protocol::ICMPV6, 0, 4, 0, 0, 0, 0, 0];
    payload.extend(echo);
    lab.inject(&to_stack(43, &payload));
    let sent = lab.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0][6], protocol::ICMPV6, "right behind the IP header");
}

// req: RFC8504-01
#[test]
fn a_path_of_less_than_1280_bytes_makes_no_atomic_fragments() {
    let offer = Offer {
        v6: true,
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::default(), &offer);
    remote.write(&[1; 3_000]);
    let flight = remote.sent();
    remote.lab.inject(&too_big(&flight[0], 1_000));
    let mut sent = remote.lab.sent();
    let later = remote.lab.pass(Duration::from_secs(2));
    sent.extend(later.into_iter().map(|(_, packet)| packet));
    assert!(!sent.is_empty());
    assert!(sent.iter().all(|packet| packet[6] == protocol::TCP));
}

// req: RFC1122-05, RFC1122-65
#[test]
fn nothing_comes_from_an_address_that_is_not_one_of_this_host() {
    let mut lab = Lab::default();
    let remote = SocketAddr::new(Lab::neighbour(false), 80);
    for address in ["10.0.0.255", "255.255.255.255", "224.0.0.1", "10.0.0.9"] {
        let local = SocketAddr::new(address.parse().expect("an address"), 9);
        let stack = &mut lab.host.stack;
        assert!(stack.tcp_connect(lab.now, remote, Some(local)).is_err());
        if let Ok(socket) = stack.udp_bind(local) {
            let _ = calls::send_to(stack, socket, Some(remote), b"whose?");
        }
        let echo = Icmp::echo_request(remote.ip(), local.ip(), 1, 1, vec![1; 8]);
        lab.inject(&echo.to_packet());
        for packet in lab.sent() {
            assert_eq!(Ip::parse(&packet).src, Lab::address(false), "{address}");
        }
    }
}

// req: RFC1122-01
#[test]
fn a_host_that_was_not_told_to_forward_does_not() {
    let mut lab = Lab::default();
    let dropped = lab.host.stack.counters().ip.in_not_ours;
    let datagram = Udp {
        src: (Lab::neighbour(false), 5_000).into(),
        dst: "192.0.2.7:53".parse().expect("an address"),
        payload: vec![1; 8],
    };
    lab.inject(&datagram.to_packet());
    assert!(lab.sent().is_empty());
    assert_eq!(lab.host.stack.counters().ip.in_not_ours, dropped + 1);
}

// req: RFC1122-31, RFC6274-19, RFC8200-06
#[test]
fn a_protocol_that_nobody_knows_is_told() {
    let mut lab = Lab::default();
    let (src, dst) = (v4(Lab::neighbour(false)), v4(Lab::address(false)));
    lab.inject(&ip4(src, dst, 200, 0, 0x4000, &[], &[0; 16]));
    let sent = lab.sent();
    let error = Icmp::of(&Ip::parse(&sent[0])).expect("ICMP");
    assert_eq!(error.kind, (3, 2));
    for (next, payload, pointer) in [
        (200, &[0; 16][..], 6),
        (60, &[200, 0, 1, 4, 0, 0, 0, 0, 9, 9][..], 40),
    ] {
        lab.inject(&to_stack(next, payload));
        let sent = lab.sent();
        let error = Icmp::of(&Ip::parse(&sent[0])).expect("ICMP");
        assert_eq!((error.kind, error.word), ((4, 1), pointer));
    }
}

// req: RFC768-05, RFC1122udp-04, RFC1122udp-08, RFC8085-03, RFC8085-04, RFC8085-07, RFC8085-08, RFC6936-01
#[test]
fn datagrams_come_from_the_chosen_address_and_port_with_a_checksum() {
    for v6 in [false, true] {
        let mut lab = Lab::default();
        let to = SocketAddr::new(Lab::neighbour(v6), 7);
        for port in [0, 4_321] {
            let stack = &mut lab.host.stack;
            let local = SocketAddr::new(Lab::address(v6), port);
            let socket = stack.udp_bind(local).expect("a free port");
            let bound = stack.local_addr(socket).expect("bound");
            assert_eq!(bound.ip(), local.ip());
            assert!(if port == 0 {
                bound.port() >= 1_024
            } else {
                bound == local
            });
            calls::send_to(stack, socket, Some(to), b"hello").expect("room");
            let sent = Ip::parse(&lab.sent()[0]);
            // Reading it demands a checksum.
            let datagram = Udp::of(&sent).expect("UDP");
            assert_eq!((datagram.src, datagram.dst), (bound, to));
            let answer = Udp {
                src: to,
                dst: bound,
                payload: b"back".to_vec(),
            };
            lab.inject(&answer.to_packet());
            let received = calls::receive_from(&mut lab.host.stack, socket);
            assert_eq!(received.expect("an answer"), (b"back".to_vec(), to));
        }
    }
}

// req: RFC1191-02, RFC1191-14, RFC8201-07
#[test]
fn many_reports_of_one_flight_repeat_it_once() {
    for v6 in [false, true] {
        let offer = Offer {
            v6,
            ..Offer::default()
        };
        let mut remote = Remote::accepts(Lab::default(), &offer);
        remote.write(&[1; 10_000]);
        let flight = remote.sent();
        let mut repeated = Vec::new();
        for segment in &flight {
            remote.lab.inject(&too_big(segment, 1_300));
            repeated.extend(remote.sent());
        }
        let bytes: usize = repeated.iter().map(|segment| segment.payload.len()).sum();
        assert_eq!(bytes, 10_000, "each byte once");
        assert!(repeated.iter().all(|s| s.to_packet().len() <= 1_300));
    }
}

// req: RFC8201-14
#[test]
fn a_report_is_no_congestion() {
    let mut remote = Remote::accepts(Lab::default(), &Offer::default());
    for _ in 0..3 {
        remote.write(&[1; 60_000]);
        loop {
            let sent = remote.sent();
            let Some(last) = sent.last() else { break };
            remote.acknowledge(last);
        }
    }
    let window = remote.info().congestion_window;
    remote.write(&[1; 20_000]);
    let flight = remote.sent();
    remote.lab.inject(&too_big(&flight[0], 1_300));
    remote.sent();
    let info = remote.info();
    assert_eq!(
        (info.congestion_window, info.threshold),
        (window, usize::MAX)
    );
    assert!(!info.in_recovery && !info.after_timeout);
}

// req: RFC8201-06
#[test]
fn a_report_about_what_was_never_sent_is_not_believed() {
    let offer = Offer {
        v6: true,
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::default(), &offer);
    remote.write(&[1; 3_000]);
    let flight = remote.sent();
    let forged = Tcp {
        seq: flight[0].seq.wrapping_add(1 << 20),
        ..flight[0].clone()
    };
    let other = Tcp {
        src: SocketAddr::new(flight[0].src.ip(), 1),
        ..flight[0].clone()
    };
    for segment in [forged, other] {
        remote.lab.inject(&too_big(&segment, 1_280));
        remote.nothing();
        assert_eq!(remote.info().send_mss, 1_440);
    }
}

// req: RFC8201-16
#[test]
fn who_lost_a_packet_to_an_estimate_known_already_sends_it_again_at_once() {
    let offer = Offer {
        v6: true,
        ..Offer::default()
    };
    let mut first = Remote::accepts(Lab::default(), &offer);
    let to = SocketAddr::new(Lab::neighbour(true), 81);
    let second = first.lab.host.stack.tcp_connect(first.lab.now, to, None);
    let second = second.expect("a route");
    let syn = first.one();
    let answer = Tcp {
        src: syn.dst,
        dst: syn.src,
        seq: 1,
        ack: syn.end(),
        flags: ACK | suite::wire::SYN,
        window: 60_000,
        urgent: 0,
        options: suite::wire::options::mss(1_440),
        payload: Vec::new(),
    };
    first.inject(&answer);
    first.one();
    first.write(&[1; 3_000]);
    calls::write(&mut first.lab.host.stack, second, &[2; 3_000]).expect("room");
    let sent = first.sent();
    let of = |port: u16| sent.iter().find(|s| s.dst.port() == port);
    let (one, other) = (of(80).expect("sent"), of(81).expect("sent"));
    first.lab.inject(&too_big(one, 1_300));
    assert!(first.sent().iter().all(|s| s.dst.port() == 80));
    first.lab.inject(&too_big(other, 1_300));
    let again = first.sent();
    assert!(!again.is_empty());
    assert_eq!((again[0].seq, again[0].dst.port()), (other.seq, 81));
}

// req: RFC8200-14, RFC8200-34, RFC7112-01, RFC7112-05
#[test]
fn the_first_fragment_has_all_headers_and_every_one_the_same_ip_header() {
    let mut lab = Lab::default();
    let local = SocketAddr::new(Lab::address(true), 53);
    let socket = lab.host.stack.udp_bind(local).expect("a free port");
    let to = SocketAddr::new(Lab::neighbour(true), 53);
    calls::send_to(&mut lab.host.stack, socket, Some(to), &[1; 5_000]).expect("room");
    let sent = lab.sent();
    assert!(sent.len() >= 4);
    let first = Ip::parse(&sent[0]);
    assert_eq!(first.fragment.map(|(_, offset, _)| offset), Some(0));
    assert_eq!(first.payload[..4], [0, 53, 0, 53], "the ports");
    for packet in &sent {
        assert_eq!(packet[6], protocol::FRAGMENT, "no other header");
        assert_eq!(
            (&packet[..4], &packet[7..40]),
            (&sent[0][..4], &sent[0][7..40])
        );
    }
}

/// What the stack says of a fragment of UDP from `offset` on, which others follow or not.
fn told_of_fragment(next: u8, offset: u16, more: bool, payload: &[u8]) -> Option<Icmp> {
    let mut lab = Lab::default();
    let [high, low] = (offset | u16::from(more)).to_be_bytes();
    let mut fragment = vec![next, 0, high, low, 0, 0, 0, 7];
    fragment.extend(payload);
    let packet = to_stack(protocol::FRAGMENT, &fragment);
    lab.inject(&packet);
    let sent = lab.sent();
    assert!(sent.len() <= 1);
    let told = Icmp::of(&Ip::parse(sent.first()?))?;
    assert_eq!(told.payload, packet, "the fragment is quoted");
    Some(told)
}

// req: RFC8200-18, RFC8200-19, RFC8200-20, RFC7112-02, RFC7112-03
#[test]
fn what_is_wrong_with_a_fragment_is_told_even_without_its_transport_header() {
    for (next, offset, more, len, told) in [
        (protocol::TCP, 0, true, 8, Some((3, 0))),
        (60, 0, true, 8, Some((3, 0))),
        (protocol::UDP, 65_528, false, 8, Some((0, 42))),
        (protocol::UDP, 8, true, 9, Some((0, 4))),
        // Perhaps they are parts of errors.
        (protocol::ICMPV6, 65_528, false, 8, None),
        (protocol::ICMPV6, 8, true, 9, None),
    ] {
        let payload = vec![2; len];
        let seen = told_of_fragment(next, offset, more, &payload);
        let seen = seen.map(|told| (told.kind, told.word));
        let wanted = told.map(|(code, pointer)| ((4, code), pointer));
        assert_eq!(seen, wanted, "{next} {offset} {len}");
    }
}

// req: RFC1191-10, RFC1191-15, RFC8201-10
#[test]
fn a_path_that_is_taken_to_be_larger_again_repeats_nothing() {
    let mut remote = Remote::accepts(Lab::default(), &Offer::default());
    remote.write(&[1; 3_000]);
    let flight = remote.sent();
    remote.lab.inject(&too_big(&flight[0], 1_300));
    let last = remote.sent().pop().expect("some");
    remote.acknowledge(&last);
    assert!(remote.pass(Duration::from_secs(3_600)).is_empty());
    remote.write(&[1; 3_000]);
    let sent = remote.sent();
    let bytes: usize = sent.iter().map(|s| s.payload.len()).sum();
    assert_eq!(bytes, 3_000, "each byte once");
    assert!(sent[0].payload.len() > 1_300, "as long as the link takes");
    remote.nothing();
}

// req: RFC1122udp-10
#[test]
fn datagrams_from_nobody_reach_no_socket() {
    let mut lab = Lab::default();
    let local = SocketAddr::new(Lab::address(false), 53);
    let socket = lab.host.stack.udp_bind(local).expect("a free port");
    for source in ["255.255.255.255", "224.0.0.1", "127.0.0.1", "10.0.0.255"] {
        let datagram = Udp {
            src: SocketAddr::new(source.parse().expect("an address"), 9),
            dst: local,
            payload: b"who?".to_vec(),
        };
        lab.inject(&datagram.to_packet());
        let received = calls::receive_from(&mut lab.host.stack, socket);
        assert!(received.is_err(), "{source}");
        assert!(lab.sent().is_empty());
    }
}
