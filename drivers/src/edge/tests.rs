use std::collections::VecDeque;

use proptest::prelude::*;
use txbuf::{Checksum, GsoKind, Ledger, Offloads, Packet};

use crate::testing::{Loan, Scripted, Spec, Wire, parse, pool};
use crate::{Device, Edge};

/// Sends one packet through an edge over a device that takes as many packets a call as `script` says, calling until
/// all is sent. Returns what was on the wire.
fn send(spec: &Spec, script: &[usize]) -> Vec<Wire> {
    let ledger = Ledger::new();
    let packet = spec.build(&pool(&ledger));
    let wire = read(&send_packet(packet, script));
    assert_eq!(ledger.live_nodes(), 0);
    wire
}

fn send_packet(packet: Packet, script: &[usize]) -> Vec<Packet> {
    let mut edge = Edge::new(Scripted::new(
        Offloads::default(),
        script.iter().copied().map(Some),
    ));
    let mut queue = VecDeque::from([packet]);
    let mut calls = 0;
    while !queue.is_empty() {
        edge.transmit(&mut queue).unwrap();
        calls += 1;
        assert!(calls <= script.len() + 1, "no progress");
    }
    edge.into_inner().sent
}

fn read(sent: &[Packet]) -> Vec<Wire> {
    let bytes = sent.iter().map(|packet| packet.to_vec().unwrap());
    bytes.map(|bytes| parse(&bytes)).collect()
}

/// Checks the segments against the super-packet, field by field.
fn check(spec: &Spec, wire: &[Wire]) {
    let size = if spec.size == 0 {
        usize::MAX
    } else {
        spec.size.into()
    };
    let expected = spec.payload_bytes();
    let mut at = 0;
    for (i, segment) in wire.iter().enumerate() {
        let last = i + 1 == wire.len();
        let length = size.min(expected.len() - at);
        assert_eq!(
            segment.payload,
            expected[at..at + length],
            "payload of segment {i}"
        );
        if !spec.six {
            assert_eq!(
                segment.identification,
                Some(spec.identification.wrapping_add(i as u16))
            );
        }
        if let Some(tcp) = &segment.tcp {
            assert_eq!(
                tcp.sequence_number,
                spec.sequence.wrapping_add(at as u32),
                "sequence of segment {i}"
            );
            let [fin, psh, cwr] = spec.flags;
            assert_eq!(
                (tcp.fin, tcp.psh, tcp.cwr),
                (fin && last, psh && last, cwr && i == 0),
                "flags of segment {i}"
            );
            assert_eq!(
                (tcp.ack, tcp.acknowledgment_number, tcp.window_size),
                (true, 77, 8192)
            );
            assert_eq!(tcp.options.len(), 4 * spec.options);
        }
        at += length;
    }
    assert_eq!(at, expected.len(), "all payload was sent");
    assert_eq!(wire.len(), expected.len().div_ceil(size).max(1));
}

#[test]
fn a_64_kib_super_packet_becomes_mtu_packets() {
    for six in [false, true] {
        let spec = Spec {
            six,
            flags: [true; 3],
            ..Spec::tcp(65000, 1448)
        };
        let wire = send(&spec, &[]);
        assert_eq!(wire.len(), 45);
        check(&spec, &wire);
    }
}

#[test]
fn segments_share_the_payload() {
    let ledger = Ledger::new();
    let packet = Spec::tcp(20_000, 1448).build(&pool(&ledger));
    let whole = packet.span().unwrap().contiguous().unwrap().as_ptr_range();
    let nodes = ledger.live_nodes();
    let sent = send_packet(packet, &[]);
    assert_eq!(ledger.live_nodes(), nodes);
    for segment in sent {
        let part = segment.span().unwrap().contiguous().unwrap().as_ptr_range();
        assert!(whole.start <= part.start && part.end <= whole.end);
    }
}

#[test]
fn lent_payload_is_cut_where_it_lies_and_comes_back_with_the_last_segment() {
    let ledger = Ledger::new();
    let spec = Spec::tcp(20_000, 1448);
    let mut packet = spec.build(&pool(&ledger));
    let mut loan = Loan::of(&mut packet, &ledger);
    let mut sent = send_packet(packet, &[]);
    assert!(sent.iter().all(|segment| segment.span().unwrap().is_lent()));
    let wire: Vec<_> = sent
        .iter()
        .map(|segment| parse(&segment.to_vec().unwrap()))
        .collect();
    check(&spec, &wire);
    let last = sent.pop();
    drop(sent);
    assert_eq!(loan.completion(), None);
    drop(last);
    assert_eq!((loan.completion(), loan.lent()), (Some(false), 0));
}

#[test]
fn what_the_device_does_not_take_stays_as_a_super_packet() {
    let ledger = Ledger::new();
    let spec = Spec {
        flags: [true; 3],
        ..Spec::tcp(10_000, 1000)
    };
    let mut edge = Edge::new(Scripted::new(
        Offloads::default(),
        [Some(3), Some(0), Some(6)],
    ));
    let mut queue = VecDeque::from([spec.build(&pool(&ledger))]);
    assert_eq!(edge.transmit(&mut queue).unwrap(), 0);
    let rest = &queue[0];
    assert_eq!(rest.len(), spec.header_length() + 7000);
    assert_eq!(
        rest.meta.gso.map(|gso| (gso.kind, gso.size)),
        Some((GsoKind::TcpV4, 1000))
    );
    assert!(matches!(rest.meta.checksum, Checksum::Partial { .. }));
    assert_eq!(edge.transmit(&mut queue).unwrap(), 0);
    assert_eq!(queue[0].len(), spec.header_length() + 7000);
    assert_eq!(edge.transmit(&mut queue).unwrap(), 0);
    // One segment is left: no super-packet any more.
    assert_eq!(queue[0].len(), spec.header_length() + 1000);
    assert_eq!(queue[0].meta.gso, None);
    assert_eq!(edge.transmit(&mut queue).unwrap(), 1);
    check(&spec, &read(&edge.inner().sent));
}

#[test]
fn order_is_kept_between_plain_and_super_packets() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let one = |sequence, payload| {
        Spec {
            sequence,
            ..Spec::tcp(payload, 1000)
        }
        .build(&pool)
    };
    for script in [
        vec![],
        vec![
            Some(0),
            Some(1),
            Some(0),
            Some(2),
            Some(1),
            Some(1),
            Some(3),
        ],
    ] {
        let mut queue: VecDeque<_> =
            [one(0, 500), one(500, 3500), one(4000, 1000), one(5000, 0)].into();
        queue[0].meta.gso = None;
        queue[2].meta.gso = None;
        queue[3].meta.gso = None;
        let mut edge = Edge::new(Scripted::new(Offloads::default(), script));
        while !queue.is_empty() {
            edge.transmit(&mut queue).unwrap();
        }
        let sent = &edge.inner().sent;
        let sequences: Vec<_> = sent
            .iter()
            .map(|p| parse(&p.to_vec().unwrap()).tcp.unwrap().sequence_number)
            .collect();
        assert_eq!(sequences, [0, 500, 1500, 2500, 3500, 4000, 5000]);
    }
}

#[test]
fn an_error_of_the_device_loses_nothing() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let spec = Spec::tcp(5000, 1000);
    let mut edge = Edge::new(Scripted::new(Offloads::default(), [None]));
    let mut queue = VecDeque::from([spec.build(&pool)]);
    assert_eq!(
        edge.transmit(&mut queue).unwrap_err().kind(),
        std::io::ErrorKind::NetworkDown
    );
    assert_eq!(edge.transmit(&mut queue).unwrap(), 1);
    check(&spec, &read(&edge.inner().sent));
}

#[test]
fn a_device_with_offloads_gets_packets_as_they_are() {
    let ledger = Ledger::new();
    let all = Offloads {
        tx_checksum: true,
        rx_checksum: true,
        tso: true,
        uso: true,
    };
    let mut edge = Edge::new(Scripted::new(all, []));
    let mut queue = VecDeque::from([Spec::tcp(5000, 1000).build(&pool(&ledger))]);
    assert_eq!(edge.transmit(&mut queue).unwrap(), 1);
    assert!(edge.inner().sent[0].meta.gso.is_some());
}

#[test]
fn a_device_with_checksum_offload_gets_segments_with_partial_checksums() {
    let ledger = Ledger::new();
    let spec = Spec {
        six: true,
        ..Spec::tcp(5000, 1000)
    };
    let some = Offloads {
        tx_checksum: true,
        ..Offloads::default()
    };
    let mut edge = Edge::new(Scripted::new(some, []));
    let mut queue = VecDeque::from([spec.build(&pool(&ledger))]);
    assert_eq!(edge.transmit(&mut queue).unwrap(), 1);
    let mut sent = edge.into_inner().sent;
    assert_eq!(sent.len(), 5);
    for packet in &mut sent {
        assert_eq!(
            packet.meta.checksum,
            Checksum::Partial {
                start: 40,
                offset: 16
            }
        );
        packet.complete_checksum().unwrap();
    }
    check(&spec, &read(&sent));
}

#[test]
fn contradictory_metadata_is_dropped_and_counted() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let good = || Spec::tcp(5000, 1000).build(&pool);
    let gso = good().meta.gso.unwrap();
    let mut bad = Vec::new();
    for headers in [0, 19, 20, 39, 51, 53, 60, 5000, u16::MAX] {
        let mut packet = good();
        packet.meta.gso = Some(txbuf::Gso { headers, ..gso });
        bad.push(packet);
    }
    for (kind, size) in [
        (GsoKind::TcpV6, 1000),
        (GsoKind::Udp, 1000),
        (GsoKind::TcpV4, 0),
    ] {
        let mut packet = good();
        packet.meta.gso = Some(txbuf::Gso { kind, size, ..gso });
        bad.push(packet);
    }
    for start in [0, 19, 21, 40, u16::MAX] {
        let mut packet = good();
        packet.meta.checksum = Checksum::Partial { start, offset: 16 };
        bad.push(packet);
    }
    for first in [0x00, 0x40, 0x44, 0x4f, 0x65, 0xff] {
        let mut packet = good();
        packet.headers_mut()[0] = first;
        bad.push(packet);
    }
    let mut empty = Packet::new();
    empty.meta.gso = Some(gso);
    bad.push(empty);
    // A plain packet whose checksum lies outside of it.
    let mut plain = Spec {
        size: 0,
        ..Spec::tcp(10, 0)
    }
    .build(&pool);
    plain.meta.checksum = Checksum::Partial {
        start: 5000,
        offset: 16,
    };
    bad.push(plain);

    let count = bad.len();
    let mut queue: VecDeque<_> = bad.into();
    let mut edge = Edge::new(Scripted::new(Offloads::default(), []));
    assert_eq!(edge.transmit(&mut queue).unwrap(), count);
    assert_eq!(edge.counters().tx_malformed, count as u64);
    assert!(edge.inner().sent.is_empty());
}

#[test]
fn headers_that_lie_in_the_span_are_moved() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let spec = Spec::tcp(5000, 1000);
    let built = spec.build(&pool);
    let mut packet =
        Packet::copy_from(&built.to_vec().unwrap(), &mut txbuf::Chain::arena(&pool)).unwrap();
    packet.meta = built.meta;
    let wire: Vec<_> = send_packet(packet, &[])
        .iter()
        .map(|packet| parse(&packet.to_vec().unwrap()))
        .collect();
    check(&spec, &wire);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_packet_is_cut_right(
        six: bool,
        udp: bool,
        payload in prop_oneof![0_usize..4000, 60_000_usize..=65_400],
        size in prop_oneof![Just(0_u16), 1_u16..1460, 1_u16..64, Just(1448), 1400_u16..9000],
        flags: [bool; 3],
        options in 0_usize..=10,
        sequence: u32,
        identification: u16,
        in_area in prop_oneof![4 => Just(0_usize), 1 => 0_usize..60],
        pieces in 1_usize..=16,
        lent: bool,
        script in prop::collection::vec(0_usize..70, 0..40),
    ) {
        let options = if udp { 0 } else { options };
        // So many that the time is spent on something else than tiny segments.
        let payload = if size > 0 { payload.min(usize::from(size) * 200) } else { payload };
        let spec = Spec { six, udp, payload, size, flags, options, sequence, identification, in_area, pieces, lent };
        check(&spec, &send(&spec, &script));
    }
}
