use txbuf::Ledger;

use super::{Headers, LONGEST, TCP, UDP};
use crate::testing::{Spec, pool};

fn of(packet: &[u8]) -> Option<Headers> {
    Headers::of(|at| packet.get(at).copied().unwrap_or(0))
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
            let headers = Headers {
                transport: if six { 40 } else { 20 },
                payload: spec.header_length(),
                protocol: Some(if udp { UDP } else { TCP }),
            };
            assert_eq!(of(&packet), Some(headers));
        }
    }
}

#[test]
fn fragments_and_other_protocols_have_an_ip_header() {
    let ledger = Ledger::new();
    let mut packet = Spec::tcp(500, 0).build(&pool(&ledger)).to_vec().unwrap();
    for (at, bits) in [(6, 0x20), (7, 1), (9, 7)] {
        packet[at] ^= bits;
        let headers = Headers {
            transport: 20,
            payload: 20,
            protocol: None,
        };
        assert_eq!(of(&packet), Some(headers));
        packet[at] ^= bits;
    }
    packet[0] = 0x20;
    assert_eq!(of(&packet), None);
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
            assert!(Headers::of(checked).is_none_or(|headers| headers.payload <= LONGEST));
        }
    }
}
