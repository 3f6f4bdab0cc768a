use std::collections::VecDeque;

use proptest::prelude::*;
use txbuf::{Checksum, Gso, GsoKind, Ledger, Offloads, Packet, Span, checksum};

use super::{Joiner, LONGEST, OPEN_FLOWS};
use crate::testing::{Scripted, Spec, parse, pool};
use crate::{Device, Edge};

/// Where the TCP header starts.
fn transport(spec: &Spec) -> usize {
    if spec.six { 40 } else { 20 }
}

/// Segments with complete checksums, one after the other in sequence and in storage. `change` may alter the headers
/// of each before the sums are made.
fn segments(
    spec: &Spec,
    sizes: &[usize],
    change: impl Fn(usize, &mut [u8]),
) -> (Ledger, Vec<Packet>) {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let total = sizes.iter().sum();
    let bytes: Vec<u8> = (0..total).map(|i: usize| (i * 7 + i / 251) as u8).collect();
    let payload = Span::from_owner(&ledger, bytes).unwrap();
    let mut at = 0;
    let packets = sizes.iter().enumerate().map(|(index, &size)| {
        let one = Spec {
            payload: size,
            size: 0,
            sequence: spec.sequence.wrapping_add(at as u32),
            identification: spec.identification.wrapping_add(index as u16),
            in_area: 0,
            ..spec.clone()
        };
        let mut packet = one.build(&pool);
        packet.set_span(payload.slice(at..at + size).unwrap());
        at += size;
        change(index, packet.headers_mut());
        complete(spec, &mut packet);
        packet
    });
    let packets = packets.collect();
    (ledger, packets)
}

/// Segments of which only the last is pushed.
fn plain(spec: &Spec, sizes: &[usize]) -> (Ledger, Vec<Packet>) {
    let push = transport(spec) + 13;
    let last = sizes.len() - 1;
    segments(spec, sizes, |index, headers| {
        if index < last {
            headers[push] &= !super::PSH;
        }
    })
}

fn complete(spec: &Spec, packet: &mut Packet) {
    if !spec.six {
        let headers = packet.headers_mut();
        headers[10..12].fill(0);
        let check = !checksum::sum(&headers[..20]);
        headers[10..12].copy_from_slice(&check.to_be_bytes());
    }
    packet.complete_checksum().unwrap();
}

fn join(packets: &mut Vec<Packet>) {
    let left = Joiner::default().join(packets, 0);
    assert_eq!(left, packets.len());
}

fn bytes(packets: &[Packet]) -> Vec<Vec<u8>> {
    packets.iter().map(|p| p.to_vec().unwrap()).collect()
}

/// What an edge makes of the packets for a device that can do nothing.
fn cut(packets: Vec<Packet>) -> Vec<Packet> {
    let mut edge = Edge::new(Scripted::new(Offloads::default(), []));
    let mut queue = VecDeque::from(packets);
    while !queue.is_empty() {
        edge.transmit(&mut queue).unwrap();
    }
    edge.into_inner().sent
}

/// Payload lengths after joining.
fn lengths(spec: &Spec, packets: &[Packet]) -> Vec<usize> {
    let headers = spec.header_length();
    packets.iter().map(|p| p.len() - headers).collect()
}

#[test]
fn segments_become_one_super_packet() {
    for six in [false, true] {
        let spec = Spec {
            six,
            ..Spec::tcp(0, 0)
        };
        let (ledger, mut packets) = plain(&spec, &[1000, 1000, 1000, 400]);
        let nodes = ledger.live_nodes();
        join(&mut packets);
        let [packet] = &packets[..] else {
            panic!("{} packets", packets.len());
        };
        let kind = if six { GsoKind::TcpV6 } else { GsoKind::TcpV4 };
        let headers = spec.header_length() as u16;
        assert_eq!(
            packet.meta.gso,
            Some(Gso {
                kind,
                size: 1000,
                headers
            })
        );
        let start = transport(&spec) as u16;
        assert_eq!(
            packet.meta.checksum,
            Checksum::Partial { start, offset: 16 }
        );
        assert_eq!(ledger.live_nodes(), nodes, "nothing was copied or gathered");
        // With its checksum completed it is a packet like any other.
        packets[0].complete_checksum().unwrap();
        let wire = parse(&packets[0].to_vec().unwrap());
        let tcp = wire.tcp.unwrap();
        assert_eq!(
            (tcp.sequence_number, tcp.psh, wire.payload.len()),
            (spec.sequence, true, 3400)
        );
        drop(packets);
        assert_eq!(ledger.live_nodes(), 0);
    }
}

#[test]
fn a_short_a_pushed_or_a_longer_segment_ends_it() {
    let spec = Spec::tcp(0, 0);
    let (_ledger, mut packets) = plain(&spec, &[500, 500, 200, 500, 500]);
    join(&mut packets);
    assert_eq!(lengths(&spec, &packets), [1200, 1000]);

    let (_ledger, mut packets) = plain(&spec, &[200, 500, 500]);
    join(&mut packets);
    assert_eq!(lengths(&spec, &packets), [200, 1000]);

    // PSH on each.
    let (_ledger, mut packets) = segments(&spec, &[500; 3], |_, _| {});
    let before = bytes(&packets);
    join(&mut packets);
    assert_eq!(bytes(&packets), before);

    let (_ledger, mut packets) = segments(&spec, &[500; 4], |index, headers| {
        if index != 1 {
            headers[33] &= !super::PSH;
        }
    });
    join(&mut packets);
    assert_eq!(lengths(&spec, &packets), [1000, 1000]);
    let pushed = |packet: &Packet| packet.headers()[33] & super::PSH != 0;
    assert_eq!((pushed(&packets[0]), pushed(&packets[1])), (true, false));
}

#[test]
fn what_says_something_else_is_not_joined() {
    // Place in the header and bits to change, IPv4 and IPv6.
    let four = [
        (1, 0x04),  // traffic class
        (3, 0x01),  // length
        (6, 0x40),  // don't fragment
        (8, 0x01),  // time to live
        (15, 0x01), // source address
        (19, 0x01), // destination address
        (21, 0x01), // source port
        (23, 0x01), // destination port
        (27, 0x01), // sequence number
        (31, 0x01), // acknowledgement number
        (33, 0x01), // FIN
        (33, 0x04), // RST
        (33, 0x20), // URG
        (33, 0x40), // ECE
        (33, 0x80), // CWR
        (35, 0x01), // window
        (39, 0x01), // urgent pointer
        (41, 0x02), // options
        (51, 0x02), // options, last byte
    ];
    let six = [
        (1, 0x10),
        (3, 0x01),
        (5, 0x01),
        (7, 0x01),
        (23, 0x01),
        (39, 0x01),
        (53, 0x01),
        (71, 0x02),
    ];
    let places = four.map(|place| (false, place)).into_iter();
    for (six, (at, bits)) in places.chain(six.map(|place| (true, place))) {
        let spec = Spec {
            six,
            ..Spec::tcp(0, 0)
        };
        let push = transport(&spec) + 13;
        let (_ledger, mut packets) = segments(&spec, &[100; 4], |index, headers| {
            headers[push] &= !super::PSH;
            if index == 2 {
                headers[at] ^= bits;
            }
        });
        let others = (bytes(&packets[2..3]), bytes(&packets[3..]));
        join(&mut packets);
        assert_eq!(packets[0].len(), spec.header_length() + 200);
        assert_eq!(
            (bytes(&packets[1..2]), bytes(&packets[2..])),
            others,
            "byte {at} of IPv{}",
            if six { 6 } else { 4 }
        );
    }
}

#[test]
fn what_may_be_fragmented_keeps_its_identification() {
    let spec = Spec::tcp(0, 0);
    for fragile in [true, false] {
        let (_ledger, mut packets) = segments(&spec, &[100; 5], |index, headers| {
            headers[33] &= !super::PSH;
            headers[6] = if fragile { 0x40 } else { 0 };
            // A sender that counts otherwise.
            headers[4] ^= u8::from(index == 2);
        });
        let before = bytes(&packets);
        join(&mut packets);
        if fragile {
            assert_eq!(lengths(&spec, &packets), [500]);
        } else {
            assert_eq!(lengths(&spec, &packets), [200, 100, 200]);
            assert_eq!(bytes(&cut(packets)), before);
        }
    }
}

#[test]
fn a_bad_checksum_is_left_for_the_stack_to_count() {
    for six in [false, true] {
        let spec = Spec {
            six,
            ..Spec::tcp(0, 0)
        };
        let header = if six { 40 } else { 10 };
        for at in [header, transport(&spec) + 16, transport(&spec) + 17] {
            let (_ledger, mut packets) = plain(&spec, &[100; 5]);
            packets[2].headers_mut()[at] ^= 0x10;
            let bad = bytes(&packets[2..3]);
            join(&mut packets);
            assert_eq!(lengths(&spec, &packets), [200, 100, 200]);
            assert_eq!(bytes(&packets[1..2]), bad);
            assert_eq!(packets[1].meta.checksum, Checksum::Complete);
        }
        // The payload, of the first of all.
        let (ledger, mut packets) = plain(&spec, &[100; 3]);
        let wrong = Span::from_owner(&ledger, vec![1; 100]).unwrap();
        packets[0].set_span(wrong);
        join(&mut packets);
        assert_eq!(lengths(&spec, &packets), [100, 200]);
        assert_eq!(packets[0].meta.checksum, Checksum::Complete);
    }
}

#[test]
fn what_a_device_vouches_for_is_not_summed_again() {
    let spec = Spec::tcp(0, 0);
    let (_ledger, mut packets) = plain(&spec, &[100; 3]);
    for packet in &mut packets {
        packet.headers_mut()[36] ^= 0xff;
        packet.meta.checksum = Checksum::Verified;
    }
    join(&mut packets);
    assert_eq!(lengths(&spec, &packets), [300]);
}

#[test]
fn nothing_longer_than_ip_can_say() {
    for six in [false, true] {
        let spec = Spec {
            six,
            ..Spec::tcp(0, 0)
        };
        let (_ledger, mut packets) = plain(&spec, &[1448; 100]);
        join(&mut packets);
        let most = (LONGEST - spec.header_length()) / 1448 * 1448;
        let rest = 144_800 - 2 * most;
        assert_eq!(lengths(&spec, &packets), [most, most, rest]);
    }
}

#[test]
fn only_what_lies_side_by_side_is_joined() {
    let spec = Spec::tcp(0, 0);
    let (ledger, mut packets) = plain(&spec, &[100; 4]);
    let copy = packets[2].span().unwrap().to_vec().unwrap();
    packets[2].set_span(Span::from_owner(&ledger, copy).unwrap());
    let expected = bytes(&packets);
    join(&mut packets);
    assert_eq!(lengths(&spec, &packets), [200, 100, 100]);
    assert_eq!(bytes(&cut(packets)), expected);
}

#[test]
fn order_is_kept_within_a_flow() {
    let spec = Spec::tcp(0, 0);
    // Swapped on the way.
    let (_ledger, mut packets) = segments(&spec, &[100; 6], |_, headers| {
        headers[33] &= !super::PSH;
    });
    packets.swap(2, 3);
    let expected = bytes(&packets);
    join(&mut packets);
    assert_eq!(lengths(&spec, &packets), [200, 100, 100, 200]);
    assert_eq!(bytes(&cut(packets)), expected);
    // A bare acknowledgement, and a FIN, between segments that would continue each other.
    for flags in [0x10, 0x11] {
        let (_ledger, mut packets) = segments(&spec, &[100; 4], |_, headers| {
            headers[33] &= !super::PSH;
        });
        let (_other, mut bare) = segments(&spec, &[0], |_, headers| headers[33] = flags);
        packets.insert(2, bare.remove(0));
        let expected = bytes(&packets);
        join(&mut packets);
        assert_eq!(packets.len(), 3);
        assert_eq!(bytes(&cut(packets)), expected);
    }
}

/// Segments of several flows, taken in turn from each.
fn interleaved(flows: usize, each: usize) -> Vec<Packet> {
    let port = |flow: usize| {
        move |_: usize, headers: &mut [u8]| {
            headers[33] &= !super::PSH;
            headers[20] = flow as u8;
        }
    };
    let spec = Spec::tcp(0, 0);
    let flows = (0..flows).map(|flow| segments(&spec, &vec![100; each], port(flow)).1);
    let mut flows: Vec<_> = flows.map(Vec::into_iter).collect();
    let turns = (0..each).flat_map(|_| {
        flows
            .iter_mut()
            .filter_map(Iterator::next)
            .collect::<Vec<_>>()
    });
    turns.collect()
}

#[test]
fn several_flows_are_joined_at_a_time() {
    let mut packets = interleaved(OPEN_FLOWS, 10);
    join(&mut packets);
    assert_eq!(lengths(&Spec::tcp(0, 0), &packets), [1000; OPEN_FLOWS]);
    let ports: Vec<_> = packets.iter().map(|p| p.headers()[20]).collect();
    assert_eq!(ports, (0..OPEN_FLOWS as u8).collect::<Vec<_>>());
}

#[test]
fn more_flows_than_that_lose_nothing() {
    let packets = interleaved(OPEN_FLOWS + 3, 10);
    let of = |packets: &[Packet], port: usize| {
        let mut own = bytes(packets);
        own.retain(|bytes| bytes[20] == port as u8);
        own
    };
    let expected: Vec<_> = (0..OPEN_FLOWS + 3).map(|port| of(&packets, port)).collect();
    let mut joined = packets;
    join(&mut joined);
    let sent = cut(joined);
    for (port, expected) in expected.iter().enumerate() {
        assert_eq!(&of(&sent, port), expected);
    }
}

#[test]
fn what_is_no_plain_segment_passes_as_it_is() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let mut arena = txbuf::Chain::arena(&pool);
    let tcp = |six| Spec {
        six,
        size: 0,
        ..Spec::tcp(500, 0)
    };
    let datagram = Spec {
        udp: true,
        options: 0,
        ..tcp(false)
    };
    let mut packets = vec![
        Spec::tcp(5000, 1000).build(&pool),
        datagram.build(&pool),
        Packet::inline(&[0x45; 10]).unwrap(),
        Packet::inline(&[]).unwrap(),
        Packet::copy_from(&[0x60; 200], &mut arena).unwrap(),
        Packet::copy_from(&[0xff; 1000], &mut arena).unwrap(),
    ];
    // A fragment; options; a length that is not that of the packet; a header shorter than a header.
    for (at, to) in [(7, 1), (6, 0x20), (0, 0x46), (3, 0), (32, 0x40)] {
        let mut packet = tcp(false).build(&pool);
        packet.headers_mut()[at] = to;
        packet.meta.checksum = Checksum::Complete;
        packets.push(packet);
    }
    let expected = bytes(&packets);
    let metas: Vec<_> = packets.iter().map(|packet| packet.meta).collect();
    join(&mut packets);
    assert_eq!(bytes(&packets), expected);
    let after: Vec<_> = packets.iter().map(|packet| packet.meta).collect();
    assert_eq!(after, metas);
}

#[test]
fn packets_before_the_batch_are_not_touched() {
    let spec = Spec::tcp(0, 0);
    let (_ledger, mut packets) = plain(&spec, &[100; 5]);
    assert_eq!(Joiner::default().join(&mut packets, 2), 1);
    assert_eq!(lengths(&spec, &packets), [100, 100, 300]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What an edge cut is what another edge puts together, and the other way round.
    #[test]
    fn cut_and_joined_and_cut_again(
        six: bool,
        payload in 1_usize..20_000,
        size in 500_u16..1460,
        pushed: bool,
        options in 0_usize..=10,
        sequence: u32,
        identification: u16,
    ) {
        let ledger = Ledger::new();
        let flags = [false, pushed, false];
        let spec = Spec { six, flags, options, sequence, identification, ..Spec::tcp(payload, size) };
        let whole = spec.build(&pool(&ledger));
        let segments = cut(vec![whole.clone()]);
        let expected = bytes(&segments);
        let mut joined = segments;
        join(&mut joined);
        prop_assert_eq!(joined.len(), 1);
        prop_assert_eq!(joined[0].span().unwrap().to_vec(), whole.span().unwrap().to_vec());
        prop_assert_eq!(joined[0].meta.gso.is_some(), payload > usize::from(size));
        // A device that makes the checksums itself gets what it needs for that.
        let offloads = Offloads { tx_checksum: true, ..Offloads::default() };
        let mut edge = Edge::new(Scripted::new(offloads, []));
        edge.transmit(&mut VecDeque::from(joined.clone())).unwrap();
        let mut sent = edge.into_inner().sent;
        for packet in &mut sent {
            let partial = matches!(packet.meta.checksum, Checksum::Partial { .. });
            prop_assert_eq!(partial, payload > usize::from(size));
            packet.complete_checksum().unwrap();
        }
        prop_assert_eq!(bytes(&sent), expected.clone());
        prop_assert_eq!(bytes(&cut(joined)), expected);
    }

    /// Bytes of any kind, in area and span, come through.
    #[test]
    fn noise_passes(noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8)) {
        let ledger = Ledger::new();
        let mut arena = txbuf::Chain::arena(&pool(&ledger));
        let mut packets: Vec<_> = noise.iter().map(|bytes| Packet::copy_from(bytes, &mut arena).unwrap()).collect();
        for (packet, bytes) in packets.iter_mut().zip(&noise) {
            packet.meta.checksum = if bytes.len() % 2 == 0 { Checksum::Complete } else { Checksum::Verified };
        }
        join(&mut packets);
        prop_assert_eq!(bytes(&packets), noise);
    }
}
