//! Sockets that share addresses and ports.

use super::*;
use netstack_core::{BindError, ConnectError};
use std::net::IpAddr;

const DUAL: BindOptions = BindOptions {
    dual: true,
    reuse_address: false,
    reuse_port: false,
    device: None,
};
const REUSE: BindOptions = BindOptions {
    dual: false,
    reuse_address: true,
    reuse_port: false,
    device: None,
};
const GROUP: BindOptions = BindOptions {
    dual: false,
    reuse_address: false,
    reuse_port: true,
    device: None,
};

#[test]
fn a_dual_socket_takes_both_versions_and_names_ipv4_mapped() {
    let mut lab = Lab::default();
    let socket = bind(&mut lab, "[::]:53", DUAL);
    lab.inject(&datagram("10.0.0.1:53", b"four").to_packet());
    lab.inject(&datagram("[fd00::1]:53", b"six").to_packet());
    let (bytes, received) = receive(&mut lab.host.stack, socket).expect("a datagram");
    assert_eq!(bytes, b"four");
    let mapped = address("[::ffff:10.0.0.2]:5000");
    assert_eq!(received.from, Some(mapped));
    let to: IpAddr = "::ffff:10.0.0.1".parse().expect("a literal");
    assert_eq!(received.arrival.map(|arrival| arrival.to), Some(to));
    let (bytes, received) = receive(&mut lab.host.stack, socket).expect("a datagram");
    assert_eq!(bytes, b"six");
    assert_eq!(received.from, Some(address("[fd00::2]:5000")));
    // Answers go the way that the addresses say.
    for to in [mapped, address("[fd00::2]:5000")] {
        send(&mut lab, socket, b"x", SendControl::to(to)).expect("room");
    }
    let versions: Vec<u8> = lab.sent().iter().map(|packet| packet[0] >> 4).collect();
    assert_eq!(versions, [4, 6]);
    let plain = send(
        &mut lab,
        socket,
        b"x",
        SendControl::to(address("10.0.0.2:7")),
    );
    assert_eq!(plain, Err(SendError::InvalidAddress));
    let stack = &mut lab.host.stack;
    stack.udp_connect(socket, mapped).expect("a route");
    assert_eq!(stack.peer_addr(socket), Ok(mapped));
    assert_eq!(
        stack.local_addr(socket),
        Ok(address("[::ffff:10.0.0.1]:53"))
    );
}

#[test]
fn a_socket_for_ipv6_alone_leaves_ipv4_to_others() {
    let mut lab = Lab::default();
    let six = bind(&mut lab, "[::]:53", BindOptions::default());
    let four = bind(&mut lab, "0.0.0.0:53", BindOptions::default());
    lab.inject(&datagram("10.0.0.1:53", b"four").to_packet());
    assert_eq!(payloads(&mut lab, four).len(), 1);
    assert!(payloads(&mut lab, six).is_empty());
    let mapped = address("[::ffff:10.0.0.2]:7");
    let refused = send(&mut lab, six, b"x", SendControl::to(mapped));
    assert_eq!(refused, Err(SendError::InvalidAddress));
}

#[test]
fn which_sockets_can_be_bound_beside_which() {
    let both = BindOptions {
        dual: true,
        ..REUSE
    };
    let wide = BindOptions::default();
    let cases = [
        ("[::]:9", DUAL, "0.0.0.0:9", wide, false),
        ("0.0.0.0:9", wide, "[::]:9", DUAL, false),
        ("10.0.0.1:9", wide, "[::]:9", DUAL, false),
        ("[::ffff:10.0.0.1]:9", DUAL, "10.0.0.1:9", wide, false),
        ("[::ffff:10.0.0.1]:9", DUAL, "[::]:9", wide, true),
        ("0.0.0.0:9", wide, "[::]:9", wide, true),
        ("0.0.0.0:9", wide, "10.0.0.1:9", wide, false),
        ("0.0.0.0:9", REUSE, "10.0.0.1:9", wide, false),
        ("0.0.0.0:9", wide, "10.0.0.1:9", REUSE, false),
        ("0.0.0.0:9", REUSE, "10.0.0.1:9", REUSE, true),
        ("0.0.0.0:9", REUSE, "[::]:9", both, true),
        ("0.0.0.0:9", GROUP, "0.0.0.0:9", GROUP, true),
        ("0.0.0.0:9", GROUP, "0.0.0.0:9", REUSE, false),
        ("10.0.0.1:9", wide, "10.7.0.1:9", wide, true),
    ];
    for (first, options, second, others, works) in cases {
        let mut lab = Lab::default();
        second_interface(&mut lab);
        bind(&mut lab, first, options);
        let bound = lab.host.stack.udp_bind_with(address(second), &others);
        let expected = if works { None } else { Some(BindError::InUse) };
        assert_eq!(bound.err(), expected, "{first}, {second}");
    }
}

#[test]
fn the_socket_that_names_most_gets_the_datagram_and_the_last_of_equals() {
    let mut lab = Lab::default();
    let any = bind(&mut lab, "0.0.0.0:53", REUSE);
    let here = bind(&mut lab, "10.0.0.1:53", REUSE);
    let later = bind(&mut lab, "10.0.0.1:53", REUSE);
    let peer = bind(&mut lab, "10.0.0.1:53", REUSE);
    let other = address("10.0.0.9:1");
    lab.host.stack.udp_connect(peer, other).expect("a route");
    let packet = datagram("10.0.0.1:53", b"x").to_packet();
    lab.inject(&packet);
    let counts = |lab: &mut Lab| [any, here, later, peer].map(|id| payloads(lab, id).len());
    assert_eq!(counts(&mut lab), [0, 0, 1, 0]);
    let from_peer = Udp {
        src: other,
        ..datagram("10.0.0.1:53", b"x")
    };
    lab.inject(&from_peer.to_packet());
    assert_eq!(counts(&mut lab), [0, 0, 0, 1]);
    lab.host.stack.close(lab.now, later);
    lab.inject(&packet);
    assert_eq!(counts(&mut lab), [0, 1, 0, 0]);
    // What is for many is for all of them.
    lab.inject(&datagram("10.0.0.255:53", b"x").to_packet());
    assert_eq!(payloads(&mut lab, any).len(), 1);
}

#[test]
fn a_group_shares_what_comes_and_a_peer_stays_with_one() {
    let mut lab = Lab::default();
    let group: Vec<SocketId> = (0..4)
        .map(|_| bind(&mut lab, "0.0.0.0:53", GROUP))
        .collect();
    for round in 0..2 {
        for port in 0..400 {
            let mut one = datagram("10.0.0.1:53", &[round]);
            one.src.set_port(1_000 + port);
            lab.inject(&one.to_packet());
        }
    }
    let mut seen = std::collections::HashMap::new();
    for (n, id) in group.iter().enumerate() {
        let mut count = 0;
        while let Ok((_, received)) = receive(&mut lab.host.stack, *id) {
            assert_eq!(*seen.entry(received.from).or_insert(n), n, "stays");
            count += 1;
        }
        assert!((100..=300).contains(&count), "socket {n}: {count} of 800");
    }
    assert_eq!(seen.len(), 400);
}

#[test]
fn a_socket_of_one_interface_hears_and_speaks_by_that() {
    let mut lab = Lab::default();
    let first = lab.host.iface;
    let second = second_interface(&mut lab);
    let on = |device| BindOptions {
        device: Some(device),
        ..BindOptions::default()
    };
    let sockets = [first, second].map(|iface| bind(&mut lab, "0.0.0.0:53", on(iface)));
    let packet = datagram("10.0.0.1:53", b"x").to_packet();
    inject_by(&mut lab, second, &packet);
    let counts = |lab: &mut Lab| sockets.map(|id| payloads(lab, id).len());
    assert_eq!(
        counts(&mut lab),
        [0, 1],
        "an address is the host's, by whatever interface"
    );
    lab.inject(&packet);
    assert_eq!(counts(&mut lab), [1, 0]);
    let to = SendControl::to(address("10.7.0.9:7"));
    send(&mut lab, sockets[0], b"x", to).expect("room");
    assert!(sent_by(&mut lab, second).is_empty());
    assert_eq!(lab.sent().len(), 1);
    let stack = &mut lab.host.stack;
    let nowhere = stack.udp_bind_with(address("0.0.0.0:54"), &on(IfaceId::new(9)));
    assert_eq!(nowhere, Err(BindError::NotAvailable));
}

#[test]
fn what_is_not_the_peers_is_for_nobody() {
    let mut lab = Lab::default();
    let socket = bind(&mut lab, "0.0.0.0:53", BindOptions::default());
    let peer = address("10.0.0.9:1");
    lab.host.stack.udp_connect(socket, peer).expect("a route");
    lab.inject(&datagram("10.0.0.1:53", b"x").to_packet());
    assert!(payloads(&mut lab, socket).is_empty());
    assert_eq!(lab.host.stack.counters().udp.in_not_peer, 1);
    let six = address("[fd00::9]:1");
    let refused = lab.host.stack.udp_connect(socket, six);
    assert_eq!(refused, Err(ConnectError::InvalidAddress));
}
