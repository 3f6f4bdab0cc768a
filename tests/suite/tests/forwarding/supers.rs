//! Super-packets go through whole where the next link takes their segments.

use super::{LEFT, MTU, RIGHT, Router, across, bytes};
use std::collections::VecDeque;
use suite::wire::{ACK, Icmp, Ip, Tcp, Udp};
use txbuf::{Checksum, Gso, GsoKind, Packet};

/// A TCP super-packet over IPv4 or IPv6 as a device with offload delivers it.
fn super_packet(router: &Router, v6: bool, dont_fragment: bool, size: u16) -> Packet {
    let (src, dst) = across(v6);
    let segment = Tcp {
        src,
        dst,
        seq: 1,
        ack: 2,
        flags: ACK,
        window: 1000,
        urgent: 0,
        options: Vec::new(),
        payload: (0..20_000).map(|i| (i / 3) as u8).collect(),
    };
    let mut bytes = segment.to_packet();
    let start = if v6 { 40 } else { 20 };
    if !v6 && !dont_fragment {
        bytes[6] = 0;
        bytes[10..12].fill(0);
        let check = !suite::wire::sum(&bytes[..20]);
        bytes[10..12].copy_from_slice(&check.to_be_bytes());
    }
    // What is partial has the sum of the pseudo-header in its field.
    let pseudo = {
        let mut zeroed = bytes[start..].to_vec();
        zeroed[16..18].fill(0);
        let whole = !suite::wire::transport_checksum(src.ip(), dst.ip(), 6, &zeroed);
        let own = suite::wire::sum(&zeroed);
        let difference = u32::from(whole) + u32::from(!own);
        ((difference & 0xffff) + (difference >> 16)) as u16
    };
    bytes[start + 16..start + 18].copy_from_slice(&pseudo.to_be_bytes());
    let mut packet = router.packet(&bytes);
    packet.meta.checksum = Checksum::Partial {
        start: start as u16,
        offset: 16,
    };
    packet.meta.gso = Some(Gso {
        kind: if v6 { GsoKind::TcpV6 } else { GsoKind::TcpV4 },
        size,
        headers: start as u16 + 20,
    });
    packet
}

/// The payload of all segments, whose checksums are right.
fn payload_of(segments: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    segments
        .flat_map(|bytes| Tcp::parse(&bytes).expect("TCP").payload)
        .collect()
}

#[test]
fn super_packets_go_through_uncut() {
    for v6 in [false, true] {
        let mut router = Router::new();
        let packet = super_packet(&router, v6, true, 1300);
        router.stack.handle_packet(router.now, LEFT, packet.clone());
        let mut sent = router.sent();
        let (iface, through) = sent.pop().unwrap();
        assert!(sent.is_empty() && iface == RIGHT);
        assert_eq!(through.meta.gso, packet.meta.gso);
        assert_eq!(through.meta.checksum, packet.meta.checksum);
        let mut segments = VecDeque::new();
        drivers::cut(through, &mut segments).unwrap();
        let payload = Tcp::parse(&super_packet_completed(packet)).unwrap().payload;
        assert_eq!(payload_of(segments.into_iter().map(bytes)), payload);
    }
}

fn super_packet_completed(mut packet: Packet) -> Vec<u8> {
    packet.complete_checksum().unwrap();
    packet.to_vec().unwrap()
}

#[test]
fn of_segments_too_big_for_the_next_link_the_first_is_quoted() {
    for v6 in [false, true] {
        let mut router = Router::new();
        let packet = super_packet(&router, v6, true, 1440);
        let sent = router.send_packet(LEFT, packet);
        assert_eq!((sent.len(), sent[0].0), (1, LEFT));
        let error = Icmp::of(&Ip::parse(&sent[0].1)).unwrap();
        assert_eq!(error.word as usize, MTU[1]);
        let length = if v6 {
            40 + usize::from(be16(&error.payload, 4))
        } else {
            be16(&error.payload, 2).into()
        };
        assert_eq!(
            length,
            if v6 { 1500 } else { 1480 },
            "as its sender has sent it"
        );
        assert_eq!(router.count("forward_too_big"), 1);
    }
}

#[test]
fn segments_that_may_be_fragmented_are_cut_first() {
    let mut router = Router::new();
    let packet = super_packet(&router, false, false, 1460);
    let whole = Tcp::parse(&super_packet_completed(packet.clone()))
        .unwrap()
        .payload;
    let sent: Vec<Vec<u8>> = router
        .send_packet(LEFT, packet)
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    assert!(sent.iter().all(|bytes| bytes.len() <= MTU[1]));
    let mut payload = Vec::new();
    let ident = |bytes: &Vec<u8>| be16(bytes, 4);
    for datagram in sent.chunk_by(|a, b| ident(a) == ident(b)) {
        let whole = Ip::reassemble(datagram);
        let bytes = suite::wire::packet(whole.src, whole.dst, 6, &whole.payload);
        payload.extend(Tcp::parse(&bytes).unwrap().payload);
    }
    assert!(payload == whole);
    assert_eq!(router.count("forward_not_cut"), 0);

    let mut router = Router::with(|config| config.cut = None);
    let packet = super_packet(&router, false, false, 1460);
    assert_eq!(router.send_packet(LEFT, packet), []);
    assert_eq!(router.count("forward_not_cut"), 1);
}

#[test]
fn a_datagram_of_a_udp_super_packet_has_its_own_length() {
    let mut router = Router::new();
    let (src, dst) = across(true);
    let whole = Udp {
        src,
        dst,
        payload: vec![3; 5000],
    }
    .to_packet();
    let mut packet = router.packet(&whole);
    packet.meta.checksum = Checksum::Partial {
        start: 40,
        offset: 6,
    };
    packet.meta.gso = Some(Gso {
        kind: GsoKind::Udp,
        size: 1352,
        headers: 48,
    });
    router.stack.handle_packet(router.now, LEFT, packet);
    let (_, through) = router.sent().pop().expect("1400 bytes on the wire fit");
    assert_eq!(through.len(), whole.len());
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}
