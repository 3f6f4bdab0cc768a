use txbuf::Ledger;

use super::{LONGEST, header_length, shift};
use crate::testing::{Spec, pool};

fn of(packet: &[u8]) -> usize {
    header_length(|at| packet.get(at).copied().unwrap_or(0))
}

#[test]
fn headers_end_where_payload_begins() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    for six in [false, true] {
        for (udp, options) in [(true, 0), (false, 0), (false, 3), (false, 10)] {
            let spec = Spec {
                six,
                udp,
                options,
                size: 0,
                ..Spec::tcp(500, 0)
            };
            let packet = spec.build(&pool).to_vec().unwrap();
            assert_eq!(of(&packet), spec.header_length());
        }
    }
}

#[test]
fn fragments_and_other_protocols_have_an_ip_header() {
    let ledger = Ledger::new();
    let mut packet = Spec::tcp(500, 0).build(&pool(&ledger)).to_vec().unwrap();
    for (at, bits) in [(6, 0x20), (7, 1), (9, 7)] {
        packet[at] ^= bits;
        assert_eq!(of(&packet), 20);
        packet[at] ^= bits;
    }
    packet[0] = 0x20;
    assert_eq!(of(&packet), 0);
}

#[test]
fn no_packet_has_longer_headers() {
    for first in 0..=u8::MAX {
        for fill in [0x00, 0x06, 0xf6, 0xff] {
            let byte = |at| match at {
                0 => first,
                6 | 7 if first >> 4 == 4 => 0,
                6 | 9 => 6,
                _ => fill,
            };
            let checked = |at| {
                assert!(at < LONGEST);
                byte(at)
            };
            assert!(header_length(checked) <= LONGEST);
        }
    }
}

#[test]
fn the_border_moves_both_ways() {
    let packet: Vec<u8> = (0..200).collect();
    for from in 0..=LONGEST {
        for to in [0, 1, 20, 40, 52, 119, LONGEST] {
            let (mut front, mut room) = ([0; LONGEST], [0; 200]);
            front[..from].copy_from_slice(&packet[..from]);
            room[..200 - from].copy_from_slice(&packet[from..]);
            shift(&mut front, &mut room, from, to, 200 - from);
            assert_eq!(front[..to], packet[..to]);
            assert_eq!(room[..200 - to], packet[to..]);
        }
    }
}
