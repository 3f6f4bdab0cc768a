use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use txbuf::{Gso, GsoKind};

use super::super::input;
use super::super::testing::*;
use super::*;

fn header(src: &str, dst: &str) -> OutHeader {
    OutHeader {
        src: ip(src),
        dst: ip(dst),
        protocol: IpProtocol::Udp,
        hop_limit: 64,
        traffic_class: 0,
        ident: 0x1234,
        dont_fragment: false,
        flow_label: 0,
    }
}

#[test]
fn v4_bytes() {
    let memory = Memory::new();
    let mut packet = Packet::with_payload(memory.span(&pattern(100)));
    push_header(&mut packet, &header(A4, B4)).unwrap();
    assert_eq!(packet.to_vec().unwrap(), v4(A4, B4, UDP, &pattern(100)));
}

#[test]
fn v6_bytes() {
    let memory = Memory::new();
    let mut packet = Packet::with_payload(memory.span(&pattern(100)));
    let header = OutHeader {
        flow_label: 0xfffa_bcde,
        traffic_class: 0xb9,
        ..header(A6, B6)
    };
    push_header(&mut packet, &header).unwrap();
    let mut expected = v6(A6, B6, UDP, &pattern(100));
    expected[..4].copy_from_slice(&[0x6b, 0x9a, 0xbc, 0xde]);
    assert_eq!(packet.to_vec().unwrap(), expected);
}

// req: RFC791-05
#[test]
fn dont_fragment_is_the_only_flag() {
    let mut packet = Packet::new();
    push_header(
        &mut packet,
        &OutHeader {
            dont_fragment: true,
            ..header(A4, B4)
        },
    )
    .unwrap();
    assert_eq!(packet.headers()[6..8], [0x40, 0]);
}

// req: RFC1122-13
#[test]
fn no_packet_leaves_dead() {
    for (src, dst, at) in [(A4, B4, 8), (A6, B6, 7)] {
        let mut packet = Packet::new();
        push_header(
            &mut packet,
            &OutHeader {
                hop_limit: 0,
                ..header(src, dst)
            },
        )
        .unwrap();
        assert_eq!(packet.headers()[at], 1);
    }
}

#[test]
fn offsets_of_offloads_move_along() {
    for (src, dst, len) in [(A4, B4, 20), (A6, B6, 40)] {
        let mut packet = Packet::new();
        packet.meta.checksum = Checksum::Partial {
            start: 0,
            offset: 16,
        };
        packet.meta.gso = Some(Gso {
            kind: GsoKind::TcpV4,
            size: 1448,
            headers: 32,
        });
        push_header(&mut packet, &header(src, dst)).unwrap();
        assert_eq!(
            packet.meta.checksum,
            Checksum::Partial {
                start: len,
                offset: 16
            }
        );
        assert_eq!(packet.meta.gso.unwrap().headers, 32 + len);
    }
}

#[test]
fn lengths_that_do_not_fit() {
    let memory = Memory::new();
    for (src, dst, most) in [(A4, B4, 65_515), (A6, B6, 65_535)] {
        let mut packet = Packet::with_payload(memory.span(&vec![0; most]));
        push_header(&mut packet, &header(src, dst)).unwrap();
        let mut packet = Packet::with_payload(memory.span(&vec![0; most + 1]));
        assert_eq!(push_header(&mut packet, &header(src, dst)), Err(NoRoom));
        assert_eq!(packet.len(), most + 1);
    }
    assert_eq!(
        push_header(&mut Packet::new(), &header(A4, B6)),
        Err(NoRoom)
    );
    let mut full = Packet::new();
    full.push(150).unwrap();
    assert_eq!(push_header(&mut full, &header(A4, B4)), Err(NoRoom));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        v6: bool, src in 0x0b00_0000u32..0x0fff_ffff, dst in 0x0b00_0000u32..0x0fff_ffff,
        protocol in 61u8..=255, hop_limit in 1u8.., traffic_class: u8, ident: u16, dont_fragment: bool, flow_label: u32,
        len in 0usize..3000,
    ) {
        let memory = Memory::new();
        let addr = |bits: u32| if v6 {
            IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(bits)))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits(bits))
        };
        let out = OutHeader {
            src: addr(src), dst: addr(dst), protocol: protocol.into(), hop_limit, traffic_class, ident,
            dont_fragment, flow_label,
        };
        let mut packet = Packet::with_payload(memory.span(&pattern(len)));
        push_header(&mut packet, &out).unwrap();
        let read = input::parse(&mut packet).unwrap();
        prop_assert_eq!((read.src, read.dst), (out.src, out.dst));
        prop_assert_eq!(read.protocol, out.protocol);
        prop_assert_eq!((read.hop_limit, read.traffic_class), (hop_limit, traffic_class));
        prop_assert_eq!((read.payload_len, read.fragment), (len, None));
    }
}
