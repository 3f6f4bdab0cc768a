//! Datagrams and ICMP messages that make no sense.

use super::Case;
use super::headers::syn;
use suite::lab::Lab;
use suite::victim::{Record, Victim};
use suite::wire::{Icmp, ip4, packet, protocol};

const COMPLETE_TRANSPORT: u8 = 2;

pub(super) fn all() -> Vec<Case> {
    vec![
        udp_lengths(),
        Case::plain(
            "udp-checksums",
            false,
            &[
                ("udp", "in_bad_checksum"),
                ("udp", "in_no_checksum"),
                ("udp", "in_datagrams"),
            ],
            udp_checksums(),
        ),
        Case::plain(
            "icmp-types",
            false,
            &[("ip", "icmp_in_unknown_type"), ("ip", "icmp_in_bad_quote")],
            icmp_types(),
        ),
        Case::plain(
            "icmp-quotes",
            false,
            &[
                ("ip", "icmp_in_bad_quote"),
                ("ip", "icmp_in_not_ours"),
                ("tcp", "icmp_not_in_flight"),
            ],
            icmp_quotes(),
        ),
        Case::plain(
            "unknown-protocols",
            true,
            &[("ip", "in_unknown_protocol")],
            unknown_protocols(),
        ),
    ]
}

/// The length field says less than a header, less than there is, and more than there is.
fn udp_lengths() -> Case {
    let mut records = Vec::new();
    for v6 in [false, true] {
        for length in [0, 1, 7, 19, 1_000, u16::MAX] {
            let mut bytes = Victim::datagram(v6, false, b"0123456789").to_packet();
            let at = if v6 { 40 } else { 20 };
            bytes[at + 4..at + 6].copy_from_slice(&length.to_be_bytes());
            records.push(Record {
                flags: COMPLETE_TRANSPORT,
                time: 0,
                packet: bytes,
            });
        }
    }
    Case {
        name: "udp-lengths",
        records,
        all_dropped: true,
        counted: &[("udp", "in_bad_length")],
    }
}

/// Without a checksum, which IPv4 allows and IPv6 does not, and with wrong ones; and a stranger.
fn udp_checksums() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for v6 in [false, true] {
        let good = Victim::datagram(v6, false, b"0123456789").to_packet();
        let at = if v6 { 46 } else { 26 };
        for check in [[0, 0], [0xff, 0xff], [good[at] ^ 1, good[at + 1]]] {
            let mut bytes = good.clone();
            bytes[at..at + 2].copy_from_slice(&check);
            packets.push(bytes);
        }
        let mut stranger = Victim::datagram(v6, true, b"who?");
        stranger.src.set_port(1);
        packets.push(stranger.to_packet());
    }
    packets
}

/// Every type, in the right and in the wrong version of IP.
fn icmp_types() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for v6 in [false, true] {
        let (src, dst) = (Lab::neighbour(v6), Lab::address(v6));
        for kind in 0..=255 {
            let message = Icmp {
                src,
                dst,
                kind: (kind, 0),
                word: 0,
                payload: vec![kind; 8],
            };
            packets.push(message.to_packet());
        }
        let echo = Icmp::echo_request(src, dst, 1, 1, vec![0; 8]);
        let wrong = if v6 { protocol::ICMP } else { protocol::ICMPV6 };
        packets.push(packet(src, dst, wrong, &echo.to_message()));
    }
    packets
}

/// Errors that quote nothing, garbage, too little, errors, strangers' packets, and the other version.
fn icmp_quotes() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for v6 in [false, true] {
        let (src, dst) = (Lab::neighbour(v6), Lab::address(v6));
        // What the stack might have sent: from its address, to the neighbour.
        let mut ours = syn(v6);
        core::mem::swap(&mut ours.src, &mut ours.dst);
        let mut connected = ours.clone();
        connected.dst.set_port(9_000);
        let mut datagram = Victim::datagram(v6, true, b"x");
        core::mem::swap(&mut datagram.src, &mut datagram.dst);
        let nested = Icmp {
            src: dst,
            dst: src,
            kind: (3, 3),
            word: 0,
            payload: ours.to_packet(),
        };
        let mut quotes = vec![
            Vec::new(),
            vec![0x45],
            vec![0xff; 64],
            vec![0x40; 64],
            vec![0x4f; 40],
            vec![0x60; 39],
            ours.to_packet(),
            ours.to_packet()[..ours.to_packet().len() - 30].to_vec(),
            connected.to_packet(),
            datagram.to_packet(),
            nested.to_packet(),
            syn(!v6).to_packet(),
        ];
        if let (std::net::IpAddr::V4(from), std::net::IpAddr::V4(to)) = (dst, src) {
            // A later fragment, and one whose header fills the quotation.
            quotes.push(ip4(from, to, protocol::TCP, 1, 0x00ff, &[], &[0; 8]));
            quotes.push(ip4(from, to, protocol::TCP, 1, 0, &[1; 40], &[]));
        }
        for kind in error_kinds(v6) {
            for (word, quote) in quotes.iter().enumerate() {
                let message = Icmp {
                    src,
                    dst,
                    kind: *kind,
                    word: word as u32 * 100,
                    payload: quote.clone(),
                };
                packets.push(message.to_packet());
            }
        }
    }
    packets
}

/// Type and code of each error, and of some that nobody has defined.
fn error_kinds(v6: bool) -> &'static [(u8, u8)] {
    match v6 {
        false => &[
            (3, 0),
            (3, 1),
            (3, 2),
            (3, 3),
            (3, 4),
            (3, 200),
            (11, 0),
            (11, 1),
            (11, 9),
            (12, 0),
            (5, 0),
            (4, 0),
        ],
        true => &[
            (1, 0),
            (1, 4),
            (1, 200),
            (2, 0),
            (3, 0),
            (3, 1),
            (4, 0),
            (4, 1),
            (4, 2),
            (100, 0),
            (127, 0),
        ],
    }
}

/// Every protocol that the stack does not speak.
fn unknown_protocols() -> Vec<Vec<u8>> {
    let known = [
        protocol::ICMP,
        protocol::TCP,
        protocol::UDP,
        protocol::ICMPV6,
    ];
    let unknown = (0..=255).filter(|number| !known.contains(number));
    unknown
        .map(|number| packet(Lab::neighbour(false), Lab::address(false), number, &[9; 20]))
        .collect()
}
