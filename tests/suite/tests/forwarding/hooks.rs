//! Without a socket: a filter, a mirror, a translator and a generator, made of hooks.

use super::{LEFT, RIGHT, Router, across, bytes, host};
use core::net::SocketAddr;
use netstack_core::{IfaceId, Injector, Instant, InterfaceConfig, Passage, Verdict};
use std::sync::mpsc;
use suite::wire::{Icmp, Ip, Udp};
use txbuf::{Offloads, Packet, checksum};

fn datagram(v6: bool, port: u16) -> Vec<u8> {
    let (src, dst) = across(v6);
    let dst = SocketAddr::new(dst.ip(), port);
    Udp {
        src,
        dst,
        payload: vec![1; 700],
    }
    .to_packet()
}

/// The port that a UDP packet is for.
fn port_of(packet: &mut Packet) -> Option<u16> {
    packet.pull(1).ok()?;
    let transport = if packet.headers()[0] >> 4 == 4 {
        20
    } else {
        40
    };
    packet.pull(transport + 8).ok()?;
    let head = packet.headers();
    Some(u16::from_be_bytes([
        head[transport + 2],
        head[transport + 3],
    ]))
}

#[test]
fn a_filter() {
    let mut router = Router::new();
    router.stack.add_hook(
        |_: Instant, at: Passage, packet: &mut Packet, _: &mut Injector| match at {
            Passage::Through { from, to } => {
                assert_eq!((from, to), (LEFT, RIGHT));
                if port_of(packet) == Some(23) {
                    Verdict::Drop
                } else {
                    Verdict::Pass
                }
            }
            _ => Verdict::Pass,
        },
    );
    for v6 in [false, true] {
        assert_eq!(router.send(LEFT, &datagram(v6, 23)), []);
        assert_eq!(router.send(LEFT, &datagram(v6, 24)).len(), 1);
    }
    assert_eq!(
        (router.count("hook_dropped"), router.count("forwarded")),
        (2, 2)
    );
}

#[test]
fn a_mirror_of_both_directions_on_a_third_interface() {
    let mut router = Router::new();
    let monitor = InterfaceConfig {
        name: "monitor".into(),
        mtu: 1500,
        offloads: Offloads::default(),
    };
    let monitor = router.stack.add_interface(monitor).unwrap();
    router.stack.add_hook(
        move |_: Instant, at: Passage, packet: &mut Packet, inject: &mut Injector| {
            if matches!(at, Passage::In { .. } | Passage::Out { .. }) {
                inject.send(monitor, packet.clone()).expect("room");
            }
            Verdict::Pass
        },
    );
    let (there, ping) = (
        datagram(false, 7),
        Icmp::echo_request(host(LEFT, true, 9), host(LEFT, true, 1), 1, 1, vec![]),
    );
    let came = router.send(LEFT, &there);
    let answered = router.send(LEFT, &ping.to_packet());
    let mut mirrored = Vec::new();
    while let Some(packet) = router.stack.poll_transmit(router.now, monitor) {
        mirrored.push(bytes(packet));
    }
    assert_eq!(
        mirrored,
        [
            there,
            came[0].1.clone(),
            ping.to_packet(),
            answered[0].1.clone()
        ]
    );
    assert_eq!(
        router.count("injected"),
        4,
        "what is injected is not mirrored again"
    );
}

#[test]
fn a_translator_of_addresses() {
    // 10.0.2.9 is reached under 10.0.2.99: in by a changed destination, back by a changed source.
    let mut router = Router::new();
    router.stack.add_hook(
        |_: Instant, at: Passage, packet: &mut Packet, _: &mut Injector| {
            let (from, to, place) = match at {
                Passage::In { iface: LEFT } => (99, 9, 16),
                Passage::Out { iface: LEFT } => (9, 99, 12),
                _ => return Verdict::Pass,
            };
            packet.pull(28).expect("UDP");
            let head = packet.headers_mut();
            if head[place..place + 4] == [10, 0, 2, from] {
                let word = |n: u8| u16::from_be_bytes([2, n]);
                for field in [10, 26] {
                    let check = u16::from_be_bytes([head[field], head[field + 1]]);
                    let check = checksum::update(check, word(from), word(to));
                    head[field..field + 2].copy_from_slice(&check.to_be_bytes());
                }
                head[place + 3] = to;
            }
            Verdict::Pass
        },
    );
    let at = |side, number, port| SocketAddr::new(host(side, false, number), port);
    let request = Udp {
        src: at(LEFT, 9, 5),
        dst: at(RIGHT, 99, 53),
        payload: vec![1; 30],
    };
    let came = router.send(LEFT, &request.to_packet());
    let seen = Udp::of(&Ip::parse(&came[0].1)).expect("its checksums are right");
    assert_eq!((came[0].0, seen.dst), (RIGHT, at(RIGHT, 9, 53)));
    let reply = Udp {
        src: seen.dst,
        dst: seen.src,
        payload: vec![2; 30],
    };
    let came = router.send(RIGHT, &reply.to_packet());
    let seen = Udp::of(&Ip::parse(&came[0].1)).expect("its checksums are right");
    assert_eq!((came[0].0, seen.src), (LEFT, at(RIGHT, 99, 53)));
}

#[test]
fn taking_and_answering_without_a_socket() {
    let (taken, packets) = mpsc::channel();
    let mut router = Router::new();
    router.stack.add_hook(
        move |_: Instant, at: Passage, packet: &mut Packet, inject: &mut Injector| {
            if !matches!(at, Passage::In { .. }) || port_of(packet) != Some(4242) {
                return Verdict::Pass;
            }
            let answer = packet.clone();
            assert!(inject.send(LEFT, answer).is_ok());
            taken.send(core::mem::take(packet)).expect("a receiver");
            Verdict::Taken
        },
    );
    let sent = datagram(true, 4242);
    assert_eq!(router.send(LEFT, &sent), [(LEFT, sent.clone())]);
    assert_eq!(bytes(packets.try_recv().unwrap()), sent);
    assert_eq!(
        (router.count("hook_taken"), router.count("forwarded")),
        (1, 0)
    );

    // One that empties a packet and lets it pass has taken it, too.
    let mut router = Router::new();
    router.stack.add_hook(
        |_: Instant, _: Passage, packet: &mut Packet, _: &mut Injector| {
            *packet = Packet::new();
            Verdict::Pass
        },
    );
    assert_eq!(router.send(LEFT, &sent), []);
    assert_eq!(router.count("hook_taken"), 1);
}

#[test]
fn injecting_from_outside() {
    let mut router = Router::new();
    let sent = datagram(false, 9);
    let packet = router.packet(&sent);
    router.stack.inject(RIGHT, packet.clone()).unwrap();
    assert!(router.stack.has_output());
    assert_eq!(bytes(router.sent().pop().unwrap().1), sent);
    assert!(
        router
            .stack
            .inject(IfaceId::new(9), packet.clone())
            .is_err()
    );
    let fitting = (0..5000)
        .filter(|_| router.stack.inject(RIGHT, packet.clone()).is_ok())
        .count();
    assert_eq!(fitting, 1024, "what waits is bounded");
}

#[test]
fn what_hooks_inject_is_bounded() {
    let mut router = Router::new();
    router.stack.add_hook(
        |_: Instant, at: Passage, packet: &mut Packet, inject: &mut Injector| {
            if matches!(at, Passage::In { .. }) {
                while inject.send(RIGHT, packet.clone()).is_ok() {}
                while inject.send(IfaceId::new(77), packet.clone()).is_ok() {}
            }
            Verdict::Pass
        },
    );
    let packet = router.packet(&datagram(false, 9));
    router.stack.handle_packet(router.now, LEFT, packet.clone());
    router.stack.handle_packet(router.now, LEFT, packet);
    assert_eq!(router.sent().len(), 1024 + 2);
    assert_eq!(router.count("inject_refused"), 1024);
}
