//! Games with fragments.

use super::Case;
use super::headers::{v4, v6};
use suite::victim::{Record, Victim, fragmented};
use suite::wire::{ip4, ip6, protocol};

const MORE: u16 = 0x2000;

/// An IPv4 fragment of UDP: `at` in bytes.
fn part4(ident: u16, at: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let (src, dst) = v4();
    ip4(
        src,
        dst,
        protocol::UDP,
        ident,
        (at / 8) | if more { MORE } else { 0 },
        &[],
        payload,
    )
}

/// An IPv6 fragment: `at` in bytes.
fn part6(ident: u16, at: u16, more: bool, next: u8, payload: &[u8]) -> Vec<u8> {
    let (src, dst) = v6();
    let [high, low] = ident.to_be_bytes();
    let [at_high, at_low] = (at | u16::from(more)).to_be_bytes();
    let bytes = [&[next, 0, at_high, at_low, 0, 0, high, low], payload].concat();
    ip6(src, dst, protocol::FRAGMENT, &bytes)
}

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::plain(
            "teardrop",
            false,
            &[("ip", "reassembly_overlaps"), ("ip", "reassembly_refused")],
            teardrop(),
        ),
        Case::plain(
            "ping-of-death",
            true,
            &[("ip", "in_fragment_too_long")],
            ping_of_death(),
        ),
        Case::plain(
            "tiny-fragments",
            true,
            &[
                ("ip", "reassembly_tiny"),
                ("ip", "in_bad_fragment_length"),
                ("ip", "in_incomplete_header_chain"),
            ],
            tiny(),
        ),
        Case::plain(
            "fragment-ends",
            false,
            &[
                ("ip", "reassembly_inconsistent"),
                ("ip", "reassembly_duplicates"),
                ("ip", "reassembly_bad_ecn"),
            ],
            ends(),
        ),
        Case::plain("fragment-nesting", false, &[], nesting()),
        waiting(),
        Case::plain(
            "fragments-valid",
            false,
            &[("ip", "reassembled"), ("udp", "in_datagrams")],
            valid(),
        ),
    ]
}

/// Fragments that overlap in every way: at the front, at the back, inside, around, and by one unit.
fn teardrop() -> Vec<Vec<u8>> {
    let pairs: [(u16, usize, u16, usize); 6] = [
        (0, 32, 24, 32),
        (24, 32, 0, 32),
        (0, 64, 16, 16),
        (16, 16, 0, 64),
        (0, 32, 0, 40),
        (8, 32, 32, 16),
    ];
    let mut packets = Vec::new();
    for (ident, (first, first_len, second, second_len)) in pairs.into_iter().enumerate() {
        let ident = ident as u16;
        for v6 in [false, true] {
            let part = |at: u16, len: usize| match v6 {
                false => part4(ident, at, true, &vec![0xaa; len]),
                true => part6(ident, at, true, protocol::UDP, &vec![0xaa; len]),
            };
            packets.extend([part(first, first_len), part(second, second_len)]);
            // What comes later of a refused datagram is refused too.
            packets.push(part(96, 8));
        }
    }
    packets
}

/// The last fragment reaches past the longest datagram.
fn ping_of_death() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for (at, len) in [(65_528, 8), (65_528, 100), (65_000, 1_400), (64_512, 1_024)] {
        packets.push(part4(1, at, false, &vec![0; len]));
        packets.push(part4(1, at, true, &vec![0; len / 8 * 8]));
        packets.push(part6(1, at, false, protocol::ICMPV6, &vec![0; len]));
    }
    packets
}

/// Fragments too small for the headers they begin, empty ones, and ragged ones.
fn tiny() -> Vec<Vec<u8>> {
    let (src, dst) = v4();
    let tcp = super::headers::syn(false).to_segment();
    vec![
        // A TCP header in two parts, so that a filter sees no flags.
        ip4(src, dst, protocol::TCP, 1, MORE, &[], &tcp[..8]),
        ip4(src, dst, protocol::TCP, 1, MORE, &[], &tcp[..16]),
        part4(2, 0, true, b""),
        part4(3, 8, false, b""),
        part4(4, 0, true, &[0; 9]),
        part4(5, 8, true, &[0; 15]),
        part6(2, 0, true, protocol::UDP, b""),
        part6(4, 0, true, protocol::UDP, &[0; 9]),
        // The first fragment ends within the chain of headers, or within the transport header.
        part6(6, 0, true, 60, &[protocol::TCP, 3, 1, 4, 0, 0, 0, 0]),
        part6(7, 0, true, protocol::TCP, &tcp[..16]),
    ]
}

/// Two ends, an end before what was received, more behind the end, repetitions, and congestion marks
/// that do not go together.
fn ends() -> Vec<Vec<u8>> {
    let mut packets = vec![
        part4(1, 64, false, &[0; 8]),
        part4(1, 32, false, &[0; 8]),
        part4(2, 64, true, &[0; 8]),
        part4(2, 32, false, &[0; 8]),
        part4(3, 32, false, &[0; 8]),
        part4(3, 64, true, &[0; 8]),
        part4(4, 8, true, &[0; 8]),
        part4(4, 8, true, &[0; 8]),
        part4(4, 8, false, &[0; 8]),
        part6(1, 64, false, protocol::UDP, &[0; 8]),
        part6(1, 32, false, protocol::UDP, &[0; 8]),
        part6(4, 8, true, protocol::UDP, &[0; 8]),
        part6(4, 8, true, protocol::UDP, &[0; 8]),
    ];
    for (at, class) in [(0, 0x00), (32, 0x03)] {
        let mut marked = part4(9, at, true, &[0; 16]);
        marked[1] = class;
        marked[10..12].fill(0);
        let check = !suite::wire::sum(&marked[..20]);
        marked[10..12].copy_from_slice(&check.to_be_bytes());
        packets.push(marked);
    }
    packets
}

/// Datagrams that turn out to be fragments again, or nonsense, when they are whole.
fn nesting() -> Vec<Vec<u8>> {
    let inner = [&[protocol::UDP, 0, 0, 1, 0, 0, 0, 9][..], &[0; 16]].concat();
    let options = [&[protocol::FRAGMENT, 0, 1, 4, 0, 0, 0, 0][..], &inner].concat();
    let mut packets = Vec::new();
    for (ident, next, bytes) in [
        (1, protocol::FRAGMENT, &inner),
        (2, 60, &options),
        (3, 59, &inner),
        (4, 41, &inner),
    ] {
        packets.push(part6(ident, 0, true, next, &bytes[..16]));
        packets.push(part6(ident, 16, false, next, &bytes[16..]));
    }
    // Atomic fragments: whole datagrams with a fragment header.
    let datagram = Victim::datagram(true, false, b"atomic").to_segment();
    packets.push(part6(5, 0, false, protocol::UDP, &datagram));
    packets
}

/// Datagrams that are never whole: given up after a while.
fn waiting() -> Case {
    let mut records = Vec::new();
    for ident in 0..40 {
        let lengths = 16 + usize::from(ident);
        records.push(Record::plain(part4(
            ident,
            0,
            true,
            &vec![1; lengths / 8 * 8],
        )));
        records.push(Record::plain(part6(
            ident,
            800,
            false,
            protocol::UDP,
            &vec![1; lengths],
        )));
    }
    // Sixty-five seconds and more.
    records.push(Record {
        flags: 0,
        time: 17,
        packet: part4(99, 0, true, &[1; 8]),
    });
    let counted = &[("ip", "reassembly_timeouts"), ("ip", "icmp_out_errors")];
    Case {
        name: "fragments-waiting",
        records,
        all_dropped: false,
        counted,
    }
}

/// What is right arrives: in order, backwards, and with every part twice.
fn valid() -> Vec<Vec<u8>> {
    let payload: Vec<u8> = (0..2_000u16).map(|i| i as u8).collect();
    let mut packets = Vec::new();
    for v6 in [false, true] {
        packets.extend(fragmented(v6, 21, &payload, 512));
        packets.extend(fragmented(v6, 22, &payload, 256).into_iter().rev());
        packets.extend(
            fragmented(v6, 23, &payload, 1024)
                .into_iter()
                .flat_map(|part| [part.clone(), part]),
        );
    }
    packets
}
