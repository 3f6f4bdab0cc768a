//! Headers that are cut short or contradict themselves.

use super::Case;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use suite::lab::{Lab, Offer, Remote};
use suite::victim::{Record, Victim, WITHIN};
use suite::wire::{ACK, Icmp, PSH, Tcp, ip4, ip6, protocol, sum};

const COMPLETE_IP: u8 = 1;
const COMPLETE_TRANSPORT: u8 = 2;

pub(super) fn v4() -> (Ipv4Addr, Ipv4Addr) {
    (Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 1))
}

pub(super) fn v6() -> (Ipv6Addr, Ipv6Addr) {
    let address = |last| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last);
    (address(2), address(1))
}

/// A SYN for the listener.
pub(super) fn syn(v6: bool) -> Tcp {
    let offer = Offer {
        v6,
        scale: Some(7),
        sack: true,
        timestamp: Some(1),
        ..Offer::default()
    };
    Remote::syn(
        (Lab::neighbour(v6), 7_777).into(),
        (Lab::address(v6), 80).into(),
        &offer,
    )
}

/// A segment for the established connection; its numbers count from that one's.
fn segment(v6: bool, flags: u8, options: Vec<u8>, payload: &[u8]) -> Tcp {
    Tcp {
        src: (Lab::neighbour(v6), 9_000).into(),
        dst: (Lab::address(v6), 80).into(),
        seq: 0,
        ack: 0,
        flags,
        window: 60_000,
        urgent: 0,
        options,
        payload: payload.to_vec(),
    }
}

fn echo(v6: bool) -> Icmp {
    Icmp::echo_request(Lab::neighbour(v6), Lab::address(v6), 1, 2, vec![3; 20])
}

/// One valid packet of each kind.
fn valid() -> Vec<Vec<u8>> {
    let of = |v6: bool| {
        let data = segment(v6, ACK, Vec::new(), b"some data");
        let datagram = Victim::datagram(v6, false, b"datagram");
        [
            syn(v6).to_packet(),
            data.to_packet(),
            datagram.to_packet(),
            echo(v6).to_packet(),
        ]
    };
    [of(false), of(true)].concat()
}

/// The IPv4 header checksum put right, whatever else is wrong.
fn checked(mut packet: Vec<u8>) -> Vec<u8> {
    let len = (usize::from(packet[0] & 15) * 4).clamp(20, packet.len());
    packet[10..12].fill(0);
    let check = !sum(&packet[..len]);
    packet[10..12].copy_from_slice(&check.to_be_bytes());
    packet
}

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::plain("truncated", true, &[("ip", "in_truncated")], truncated()),
        truncated_transport(),
        Case::plain("versions", true, &[("ip", "in_bad_version")], versions()),
        Case::plain(
            "ipv4-lengths",
            true,
            &[
                ("ip", "in_bad_header_length"),
                ("ip", "in_bad_total_length"),
                ("ip", "in_truncated"),
            ],
            ipv4_lengths(),
        ),
        Case::plain(
            "ipv4-checksum",
            true,
            &[("ip", "in_bad_checksum")],
            ipv4_checksum(),
        ),
        Case::plain(
            "ipv4-options",
            false,
            &[("ip", "in_bad_option"), ("ip", "in_source_routed")],
            ipv4_options(),
        ),
        Case::plain(
            "ipv6-lengths",
            true,
            &[("ip", "in_truncated")],
            ipv6_lengths(),
        ),
        Case::plain(
            "ipv6-extensions",
            false,
            &[
                ("ip", "in_bad_extension"),
                ("ip", "in_unknown_option"),
                ("ip", "in_routing_header"),
                ("ip", "in_misplaced_hop_by_hop"),
                ("ip", "in_header_chain_too_long"),
                ("ip", "in_no_next_header"),
            ],
            ipv6_extensions(),
        ),
        tcp_data_offsets(),
        tcp_options(),
        tcp_flags(),
    ]
}

/// Every packet cut after each of its bytes.
fn truncated() -> Vec<Vec<u8>> {
    let cut = |packet: Vec<u8>| (0..packet.len()).map(move |len| packet[..len].to_vec());
    valid().into_iter().flat_map(cut).collect()
}

/// The same, but the IP header claims no more than there is.
fn truncated_transport() -> Case {
    let records = truncated().into_iter().map(|packet| Record {
        flags: COMPLETE_IP,
        time: 0,
        packet,
    });
    Case {
        name: "truncated-transport",
        records: records.collect(),
        all_dropped: true,
        counted: &[
            ("tcp", "in_malformed"),
            ("tcp", "in_bad_checksum"),
            ("udp", "in_truncated"),
            ("udp", "in_bad_length"),
            ("ip", "icmp_in_truncated"),
            ("ip", "icmp_in_bad_checksum"),
        ],
    }
}

/// Sixty bytes that begin with each nibble that is no version.
fn versions() -> Vec<Vec<u8>> {
    let other = (0..=255u8).filter(|first| !matches!(first >> 4, 4 | 6));
    other
        .map(|first| [vec![first], vec![0x45; 59]].concat())
        .collect()
}

fn ipv4_lengths() -> Vec<Vec<u8>> {
    let packet = syn(false).to_packet();
    let mut packets = Vec::new();
    for header_len in (0..5).chain(12..16) {
        let mut bad = packet.clone();
        bad[0] = 0x40 | header_len;
        // Long headers end in the middle of the segment, whose bytes make no options.
        packets.push(if header_len < 5 { checked(bad) } else { bad });
    }
    for total in [0, 1, 19, packet.len() as u16 + 1, 1_500, u16::MAX] {
        let mut bad = packet.clone();
        bad[2..4].copy_from_slice(&total.to_be_bytes());
        packets.push(checked(bad));
    }
    packets
}

/// Each byte of the header damaged but the version.
fn ipv4_checksum() -> Vec<Vec<u8>> {
    let damaged = (4..20).map(|at| {
        let mut bad = syn(false).to_packet();
        bad[at] ^= 0x10;
        bad
    });
    damaged.collect()
}

fn ipv4_options() -> Vec<Vec<u8>> {
    let (src, dst) = v4();
    let segment = syn(false).to_segment();
    let options: [&[u8]; 14] = [
        // Loose and strict source routes, and one that is finished.
        &[131, 7, 4, 10, 0, 0, 9, 0],
        &[137, 7, 4, 10, 0, 0, 9, 0],
        &[131, 7, 8, 10, 0, 0, 9, 0],
        // Lengths of 0, 1, and beyond the header.
        &[7, 0, 0, 0],
        &[7, 1, 0, 0],
        &[7, 200, 4, 0],
        &[131, 255, 4, 0],
        &[68, 0, 0, 0],
        // A kind without its length.
        &[1, 1, 1, 7],
        // Record route and timestamp with pointers that point nowhere.
        &[7, 7, 0, 0, 0, 0, 0, 0],
        &[7, 7, 255, 0, 0, 0, 0, 0],
        &[68, 8, 255, 0xf3, 0, 0, 0, 0],
        // Garbage behind the end, and forty bytes of padding.
        &[0, 7, 0, 255],
        &[1; 40],
    ];
    options
        .iter()
        .map(|options| ip4(src, dst, protocol::TCP, 0, 0, options, &segment))
        .collect()
}

fn ipv6_lengths() -> Vec<Vec<u8>> {
    let packet = syn(true).to_packet();
    let len = packet.len() as u16 - 40;
    let claimed = [len + 1, 1_500, u16::MAX];
    let with = |claimed: u16| {
        let mut bad = packet.clone();
        bad[4..6].copy_from_slice(&claimed.to_be_bytes());
        bad
    };
    claimed.into_iter().map(with).collect()
}

fn ipv6_extensions() -> Vec<Vec<u8>> {
    let (src, dst) = v6();
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const NONE: u8 = 59;
    const DESTINATION: u8 = 60;
    let segment = syn(true).to_segment();
    let chain = |first: u8, headers: &[&[u8]]| {
        let bytes = [headers.concat(), segment.clone()].concat();
        ip6(src, dst, first, &bytes)
    };
    let pad = |next: u8| vec![next, 0, 1, 4, 0, 0, 0, 0];
    let option = |kind: u8| vec![protocol::TCP, 0, kind, 2, 0, 0, 1, 0];
    let mut packets = vec![
        // Headers whose length ends behind the packet.
        ip6(
            src,
            dst,
            HOP_BY_HOP,
            &[protocol::TCP, 255, 1, 4, 0, 0, 0, 0],
        ),
        ip6(src, dst, DESTINATION, &[protocol::TCP]),
        ip6(src, dst, ROUTING, &[protocol::TCP, 9, 0, 0, 0, 0, 0, 0]),
        ip6(src, dst, protocol::FRAGMENT, &[protocol::TCP, 0, 0]),
        ip6(src, dst, HOP_BY_HOP, &[]),
        // Options whose length ends behind their header.
        chain(HOP_BY_HOP, &[&[protocol::TCP, 0, 1, 200, 0, 0, 0, 0]]),
        chain(DESTINATION, &[&[protocol::TCP, 0, 1, 1, 0, 0, 0, 5]]),
        // Hop-by-hop where it must not be, twice, and behind others.
        chain(DESTINATION, &[&pad(HOP_BY_HOP), &pad(protocol::TCP)]),
        chain(HOP_BY_HOP, &[&pad(HOP_BY_HOP), &pad(protocol::TCP)]),
        // Routing headers: with segments left, of every type that ever was, and with none left.
        chain(ROUTING, &[&[protocol::TCP, 2, 0, 1, 0, 0, 0, 0], &[0; 16]]),
        chain(ROUTING, &[&[protocol::TCP, 2, 2, 1, 0, 0, 0, 0], &[0; 16]]),
        chain(ROUTING, &[&[protocol::TCP, 0, 99, 255, 0, 0, 0, 0]]),
        chain(ROUTING, &[&[protocol::TCP, 2, 0, 0, 0, 0, 0, 0], &[0; 16]]),
        // Nothing behind the headers, and headers behind nothing.
        chain(NONE, &[]),
        chain(DESTINATION, &[&pad(NONE)]),
        // Fragments that are none, in chains.
        chain(
            protocol::FRAGMENT,
            &[
                &[protocol::FRAGMENT, 0, 0, 0, 0, 0, 0, 1],
                &[protocol::TCP, 0, 0, 0, 0, 0, 0, 2],
            ],
        ),
        // Unknown protocols.
        chain(253, &[]),
        chain(DESTINATION, &[&pad(253)]),
    ];
    // Unknown options of each of the four ways to treat them, and the jumbo payload.
    packets.extend([0x1e, 0x5e, 0x9e, 0xde, 0xc2].map(|kind| chain(HOP_BY_HOP, &[&option(kind)])));
    packets.extend([0x1e, 0x5e, 0x9e, 0xde].map(|kind| chain(DESTINATION, &[&option(kind)])));
    // Chains of every length.
    for count in [1, 7, 8, 9, 10, 30, 150] {
        let headers = [pad(DESTINATION).repeat(count - 1), pad(protocol::TCP)].concat();
        packets.push(chain(DESTINATION, &[&headers]));
    }
    // One header of two thousand bytes.
    let long = [vec![protocol::TCP, 255, 1, 253], vec![0; 2_044]].concat();
    packets.push(chain(DESTINATION, &[&long]));
    packets
}

fn tcp_data_offsets() -> Case {
    let mut records = Vec::new();
    for v6 in [false, true] {
        for offset in 0..16u8 {
            let mut packet = segment(v6, ACK | PSH, Vec::new(), b"0123456789").to_packet();
            let at = if v6 { 40 } else { 20 };
            packet[at + 12] = offset << 4;
            // Six or seven words of header leave data, which the connection may take.
            if !(5..=7).contains(&offset) {
                records.push(Record {
                    flags: WITHIN | COMPLETE_TRANSPORT,
                    time: 0,
                    packet,
                });
            }
        }
    }
    Case {
        name: "tcp-data-offset",
        records,
        all_dropped: true,
        counted: &[("tcp", "in_malformed")],
    }
}

fn tcp_options() -> Case {
    let mut options: Vec<Vec<u8>> = vec![
        vec![2, 0, 0, 0],
        vec![2, 1, 0, 0],
        vec![2, 3, 0, 0],
        vec![2, 255, 0, 0],
        vec![1, 1, 1, 2],
        vec![2, 4, 0, 0],
        vec![2, 4, 0, 1],
        vec![2, 4, 255, 255],
        vec![3, 3, 255, 0],
        vec![3, 3, 14, 0],
        vec![3, 4, 1, 0],
        vec![4, 3, 0, 0],
        vec![5, 2, 0, 0],
        vec![5, 3, 0, 0],
        vec![5, 255, 0, 0],
        vec![8, 10, 0, 0],
        vec![8, 2, 0, 0],
        vec![1, 1, 8, 10, 0, 0, 0, 0],
        vec![0, 255, 255, 255],
        vec![254, 2, 253, 0],
    ];
    options.extend([
        vec![1; 40],
        vec![0; 40],
        vec![255; 40],
        vec![2; 40],
        [2, 4, 0, 9].repeat(10),
    ]);
    // Selective acknowledgements of everything, of nothing, and back to front.
    for (left, right) in [(0, u32::MAX), (5, 5), (9, 3), (u32::MAX, 0)] {
        let block = [left.to_be_bytes(), right.to_be_bytes()].concat();
        options.push([vec![1, 1, 5, 34], block.repeat(4), vec![0, 0]].concat());
    }
    let mut records = Vec::new();
    for options in options {
        let options = [
            options.clone(),
            vec![0; options.len().next_multiple_of(4) - options.len()],
        ]
        .concat();
        for v6 in [false, true] {
            let to_listener = Tcp {
                options: options.clone(),
                ..syn(v6)
            };
            records.push(Record {
                flags: COMPLETE_TRANSPORT,
                time: 0,
                packet: to_listener.to_packet(),
            });
            let packet = segment(v6, ACK, options.clone(), b"").to_packet();
            records.push(Record {
                flags: WITHIN | COMPLETE_TRANSPORT,
                time: 0,
                packet,
            });
        }
    }
    Case {
        name: "tcp-options",
        records,
        all_dropped: false,
        counted: &[],
    }
}

/// All flags, for the listener, for nobody, and for a connection: a fresh stack for none of them.
fn tcp_flags() -> Case {
    let mut records = Vec::new();
    for flags in 0..=255u8 {
        let base = Tcp {
            flags,
            ..syn(false)
        };
        let nobody = Tcp {
            dst: (IpAddr::V4(v4().1), 81).into(),
            ..base.clone()
        };
        let other_port = Tcp {
            src: (IpAddr::V4(v4().0), 1_000 + u16::from(flags)).into(),
            ..base
        };
        records.push(Record::plain(nobody.to_packet()));
        records.push(Record::plain(other_port.to_packet()));
        // Not the reset that ends the connection, which would hide the others.
        let connected = Tcp {
            seq: 7,
            flags,
            ..segment(false, 0, Vec::new(), b"data")
        };
        records.push(Record {
            flags: WITHIN | COMPLETE_TRANSPORT,
            time: 11,
            packet: connected.to_packet(),
        });
    }
    let counted = &[
        ("tcp", "in_bad_flags"),
        ("tcp", "in_no_connection"),
        ("tcp", "out_challenges"),
    ];
    Case {
        name: "tcp-flags",
        records,
        all_dropped: false,
        counted,
    }
}
