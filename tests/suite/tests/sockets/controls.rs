//! What goes and comes with a datagram beside its payload.

use super::*;
use netstack_core::OptionError;
use std::net::IpAddr;
use suite::wire::{Icmp, Ip};

fn traffic_class(packet: &[u8]) -> u8 {
    match packet[0] >> 4 {
        4 => packet[1],
        _ => packet[0] << 4 | packet[1] >> 4,
    }
}

/// Sets TTL or hop limit, and TOS or traffic class, of a packet.
fn mark(packet: &mut [u8], hop_limit: u8, class: u8) {
    if packet[0] >> 4 == 6 {
        packet[0] = 0x60 | class >> 4;
        packet[1] = class << 4 | packet[1] & 15;
        packet[7] = hop_limit;
        return;
    }
    (packet[1], packet[8]) = (class, hop_limit);
    packet[10..12].fill(0);
    let check = !txbuf::checksum::sum(&packet[..20]);
    packet[10..12].copy_from_slice(&check.to_be_bytes());
}

// req: RFC1122-12, RFC1122udp-07, RFC1122udp-12, RFC8085-13, RFC8504-10
#[test]
fn a_datagram_comes_with_how_it_arrived() {
    for local in ["0.0.0.0:53", "[::]:53"] {
        let mut lab = Lab::default();
        let socket = bind(&mut lab, local, BindOptions::default());
        let v6 = address(local).is_ipv6();
        let to = SocketAddr::new(Lab::address(v6), 53);
        let sent = datagram(&to.to_string(), b"x");
        let mut packet = sent.to_packet();
        mark(&mut packet, 7, 0xb9);
        let came = lab.now;
        lab.inject(&packet);
        lab.pass(SECOND);
        let (_, received) = receive(&mut lab.host.stack, socket).expect("a datagram");
        let arrival = received.arrival.expect("datagrams say how they arrived");
        assert_eq!(received.from, Some(sent.src));
        assert_eq!((arrival.to, arrival.iface), (to.ip(), lab.host.iface));
        assert_eq!((arrival.hop_limit, arrival.traffic_class), (7, 0xb9));
        assert_eq!(arrival.time, came, "not the time of reading");
    }
}

// req: RFC1122-11, RFC1122-15, RFC1122udp-11
#[test]
fn hop_limit_and_class_are_those_of_the_message_before_those_of_the_socket() {
    for v6 in [false, true] {
        let mut lab = Lab::default();
        let local = if v6 { "[::]:53" } else { "0.0.0.0:53" };
        let socket = bind(&mut lab, local, BindOptions::default());
        let to = SocketAddr::new(Lab::neighbour(v6), 7);
        let marks = |lab: &mut Lab, control: SendControl<'_>| {
            send(lab, socket, b"x", control).expect("room");
            let sent = lab.sent();
            assert_eq!(sent.len(), 1);
            (Ip::parse(&sent[0]).hop_limit, traffic_class(&sent[0]))
        };
        assert_eq!(marks(&mut lab, SendControl::to(to)), (64, 0));
        option(&mut lab, socket, SocketOption::HopLimit(Some(3)));
        option(&mut lab, socket, SocketOption::TrafficClass(0x28));
        assert_eq!(marks(&mut lab, SendControl::to(to)), (3, 0x28));
        let control = SendControl {
            hop_limit: Some(9),
            traffic_class: Some(0xb8),
            ..SendControl::to(to)
        };
        assert_eq!(marks(&mut lab, control), (9, 0xb8));
        option(&mut lab, socket, SocketOption::HopLimit(None));
        assert_eq!(marks(&mut lab, SendControl::to(to)), (64, 0x28));
        let now = lab.now;
        let zero = SocketOption::HopLimit(Some(0));
        let refused = lab.host.stack.set_option(now, socket, zero);
        assert_eq!(refused, Err(OptionError::Invalid));
    }
}

// req: RFC1122udp-08
#[test]
fn a_message_names_its_source_and_its_interface() {
    let mut lab = Lab::default();
    let second = second_interface(&mut lab);
    let socket = bind(&mut lab, "0.0.0.0:53", BindOptions::default());
    let to = address("10.7.0.9:7");
    let named = SendControl {
        source: Some(Lab::address(false)),
        ..SendControl::to(to)
    };
    send(&mut lab, socket, b"x", named).expect("room");
    let sent = sent_by(&mut lab, second);
    assert_eq!(Ip::parse(&sent[0]).src, Lab::address(false));
    // The other interface has no route there; what is said to be behind it is behind it.
    let aside = SendControl {
        iface: Some(lab.host.iface),
        ..SendControl::to(to)
    };
    send(&mut lab, socket, b"x", aside).expect("room");
    assert!(sent_by(&mut lab, second).is_empty());
    let sent = lab.sent();
    assert_eq!(Ip::parse(&sent[0]).src, Lab::address(false));
    for source in ["10.0.0.77", "fd00::1"] {
        let foreign = SendControl {
            source: Some(source.parse().expect("a literal")),
            ..SendControl::to(to)
        };
        let refused = send(&mut lab, socket, b"x", foreign);
        assert_eq!(refused, Err(SendError::InvalidAddress), "{source}");
    }
    let nowhere = SendControl {
        iface: Some(IfaceId::new(9)),
        ..SendControl::to(to)
    };
    let refused = send(&mut lab, socket, b"x", nowhere);
    assert_eq!(refused, Err(SendError::NoRoute));
}

// req: RFC1122-58, RFC8085-12
#[test]
fn who_asks_any_address_of_a_host_is_answered_from_that() {
    for (local, second) in [("0.0.0.0:53", "10.0.0.88/24"), ("[::]:53", "fd00::88/64")] {
        let mut lab = Lab::default();
        let (iface, cidr) = (lab.host.iface, second.parse().expect("a literal"));
        let stack = &mut lab.host.stack;
        stack.add_address(iface, cidr).expect("another address");
        let socket = bind(&mut lab, local, BindOptions::default());
        let second: IpAddr = cidr.address().into();
        for asked in [Lab::address(second.is_ipv6()), second] {
            let question = datagram(&SocketAddr::new(asked, 53).to_string(), b"?");
            lab.inject(&question.to_packet());
            let (_, received) = receive(&mut lab.host.stack, socket).expect("a datagram");
            let arrival = received.arrival.expect("datagrams say how they arrived");
            let answer = SendControl {
                source: Some(arrival.to),
                ..SendControl::to(question.src)
            };
            send(&mut lab, socket, b"!", answer).expect("room");
            let ping = Icmp::echo_request(question.src.ip(), asked, 1, 1, b"ping".to_vec());
            lab.inject(&ping.to_packet());
            let sent = lab.sent();
            let sources: Vec<IpAddr> = sent.iter().map(|packet| Ip::parse(packet).src).collect();
            assert_eq!(sources, [asked, asked]);
        }
    }
}

// req: RFC1122udp-09
#[test]
fn a_connected_socket_knows_its_address_until_it_is_not_connected() {
    for (any, v6) in [("0.0.0.0:53", false), ("[::]:53", true)] {
        let mut lab = Lab::default();
        let socket = bind(&mut lab, any, BindOptions::default());
        let peer = SocketAddr::new(Lab::neighbour(v6), 7);
        let stack = &mut lab.host.stack;
        stack.udp_connect(socket, peer).expect("a route");
        let own = SocketAddr::new(Lab::address(v6), 53);
        assert_eq!(stack.local_addr(socket), Ok(own));
        assert_eq!(stack.peer_addr(socket), Ok(peer));
        stack.udp_disconnect(socket).expect("a UDP socket");
        assert_eq!(stack.local_addr(socket), Ok(address(any)));
        assert!(stack.peer_addr(socket).is_err());
        lab.inject(&datagram(&own.to_string(), b"from anybody").to_packet());
        assert_eq!(payloads(&mut lab, socket).len(), 1);
    }
}

// req: RFC1122-56, RFC8085-01, RFC8085-02
#[test]
fn a_datagram_that_must_not_be_fragmented_is_refused_when_it_is_too_long() {
    for v6 in [false, true] {
        let mut lab = Lab::default();
        let local = if v6 { "[::]:53" } else { "0.0.0.0:53" };
        let socket = bind(&mut lab, local, BindOptions::default());
        option(&mut lab, socket, SocketOption::DontFragment(true));
        let to = SendControl::to(SocketAddr::new(Lab::neighbour(v6), 7));
        let most = 1500 - if v6 { 48 } else { 28 };
        assert_eq!(send(&mut lab, socket, &vec![0; most], to), Ok(most));
        let sent = lab.sent();
        assert_eq!(sent.len(), 1);
        assert!(Ip::parse(&sent[0]).dont_fragment);
        let long = send(&mut lab, socket, &vec![0; most + 1], to);
        assert_eq!(long, Err(SendError::TooLong));
        // A router takes less: that is learnt, and holds for the next one.
        let error = Icmp {
            src: Lab::neighbour(v6),
            dst: Lab::address(v6),
            kind: if v6 { (2, 0) } else { (3, 4) },
            word: 1300,
            payload: sent[0][..sent[0].len().min(500)].to_vec(),
        };
        lab.inject(&error.to_packet());
        let most = most - 200;
        let long = send(&mut lab, socket, &vec![0; most + 1], to);
        assert_eq!(long, Err(SendError::TooLong));
        assert_eq!(send(&mut lab, socket, &vec![0; most], to), Ok(most));
    }
}
