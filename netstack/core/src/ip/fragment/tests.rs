use proptest::prelude::*;
use txbuf::{Gso, GsoKind};

use super::super::testing::*;
use super::*;

/// Cuts, checks what every fragment must be, and returns the joined payload.
fn cut_and_join(packet: Packet, mtu: usize, ident: u32) -> (Vec<u8>, usize) {
    let fragments: Vec<Packet> = fragment(packet, mtu, ident).unwrap().collect();
    let mut payload = Vec::new();
    for (index, fragment) in fragments.iter().enumerate() {
        let bytes = fragment.to_vec().unwrap();
        let last = index + 1 == fragments.len();
        assert!(bytes.len() <= mtu, "{} bytes", bytes.len());
        assert!(matches!(fragment.meta.checksum, Checksum::Complete));
        let (header_len, offset, more) = match bytes[0] >> 4 {
            4 => {
                let header_len = usize::from(bytes[0] & 0xf) * 4;
                assert_eq!(checksum::sum(&bytes[..header_len]), 0xffff);
                assert_eq!(
                    usize::from(u16::from_be_bytes([bytes[2], bytes[3]])),
                    bytes.len()
                );
                assert_eq!(bytes[4..6], [0x12, 0x34]);
                let field = u16::from_be_bytes([bytes[6], bytes[7]]);
                (
                    header_len,
                    usize::from(field & 0x1fff) * 8,
                    field & 0x2000 != 0,
                )
            }
            _ => {
                assert_eq!(
                    usize::from(u16::from_be_bytes([bytes[4], bytes[5]])),
                    bytes.len() - 40
                );
                assert_eq!((bytes[6], bytes[40], bytes[41]), (44, UDP, 0));
                assert_eq!(bytes[44..48], ident.to_be_bytes());
                let field = u16::from_be_bytes([bytes[42], bytes[43]]);
                assert_eq!(field & 0b110, 0);
                (48, usize::from(field & !7), field & 1 != 0)
            }
        };
        assert_eq!((offset, more), (payload.len(), !last));
        assert!(last || (bytes.len() - header_len) % 8 == 0);
        assert!(bytes.len() > header_len, "an empty fragment");
        // The fewest fragments.
        assert!(
            last || bytes.len() + 8 > mtu,
            "{} of {mtu} bytes used",
            bytes.len()
        );
        payload.extend(&bytes[header_len..]);
    }
    (payload, fragments.len())
}

// req: RFC791-07, RFC791-11, RFC1812-06
#[test]
fn every_mtu_v4() {
    // Fragmentation at every MTU
    let memory = Memory::new();
    let segment = pattern(3000);
    let bytes = v4(A4, B4, UDP, &segment);
    for mtu in 68..=3021 {
        let mut packet = memory.packet(&bytes);
        // Part of the payload in the header area, as after reading a transport header.
        packet.pull(28).unwrap();
        let (payload, count) = if mtu >= 3020 {
            let whole: Vec<Packet> = fragment(packet, mtu, 0).unwrap().collect();
            assert_eq!(whole[0].to_vec().unwrap(), bytes);
            (segment.clone(), whole.len())
        } else {
            cut_and_join(packet, mtu, 0)
        };
        assert_eq!(payload, segment, "MTU {mtu}");
        assert_eq!(
            count,
            if mtu >= 3020 {
                1
            } else {
                3000usize.div_ceil((mtu - 20) / 8 * 8)
            },
            "MTU {mtu}"
        );
    }
    assert_eq!(memory.ledger.live_nodes(), 0);
}

// req: RFC8200-13, RFC8200-15, RFC5722-01
#[test]
fn v6_at_several_mtus() {
    let memory = Memory::new();
    let segment = pattern(9000);
    for mtu in (1280..1600).chain([4000, 9000, 9039]) {
        let (payload, _) =
            cut_and_join(memory.packet(&v6(A6, B6, UDP, &segment)), mtu, 0xfeed_f00d);
        assert_eq!(payload, segment, "MTU {mtu}");
    }
}

#[test]
fn payload_is_referred_to_and_not_copied() {
    let memory = Memory::new();
    let packet = memory.packet(&v4(A4, B4, UDP, &pattern(60_000)));
    let fragments: Vec<Packet> = fragment(packet, 1500, 0).unwrap().collect();
    assert_eq!(fragments.len(), 41);
    assert_eq!(memory.ledger.live_nodes(), 1);
    assert!(
        fragments
            .iter()
            .all(|fragment| fragment.headers().len() == 20)
    );
    drop(fragments);
    assert_eq!(memory.ledger.live_nodes(), 0);
}

#[test]
fn a_partial_checksum_is_completed_first() {
    let memory = Memory::new();
    for (src, dst, at) in [(A4, B4, 20), (A6, B6, 40)] {
        let complete = udp_packet(src, dst, &pattern(5000));
        let mut partial = complete.clone();
        // The sum of the pseudo-header alone: that of the packet with an empty segment.
        partial[at + 6..at + 8].fill(0);
        let pseudo = super::super::pseudo_header_sum(ip(src), ip(dst), IpProtocol::Udp, 5008);
        partial[at + 6..at + 8].copy_from_slice(&pseudo.to_be_bytes());
        let mut packet = memory.packet(&partial);
        packet.meta.checksum = Checksum::Partial {
            start: at as u16,
            offset: 6,
        };
        let (payload, _) = cut_and_join(packet, 1280, 0);
        assert_eq!(payload, complete[at..]);
    }
}

// req: RFC791-06, RFC6864-06
#[test]
fn what_must_not_be_cut() {
    let memory = Memory::new();
    let mut bytes = v4(A4, B4, UDP, &pattern(2000));
    bytes[6] = 0x40;
    fix_v4(&mut bytes);
    assert_eq!(
        fragment(memory.packet(&bytes), 1500, 0).err(),
        Some(FragmentError::Forbidden)
    );
    assert_eq!(fragment(memory.packet(&bytes), 2020, 0).unwrap().count(), 1);
    let mut superpacket = memory.packet(&v4(A4, B4, TCP, &pattern(2000)));
    superpacket.meta.gso = Some(Gso {
        kind: GsoKind::TcpV4,
        size: 1000,
        headers: 40,
    });
    assert_eq!(
        fragment(superpacket, 1500, 0).err(),
        Some(FragmentError::NotOnePacket)
    );
    let small = v4(A4, B4, UDP, &pattern(2000));
    assert_eq!(
        fragment(memory.packet(&small), 27, 0).err(),
        Some(FragmentError::PathTooSmall)
    );
    assert_eq!(fragment(memory.packet(&small), 28, 0).unwrap().count(), 250);
    assert_eq!(
        fragment(Packet::new(), 1500, 0).err(),
        Some(FragmentError::NotOnePacket)
    );
    let extended = v6(
        A6,
        B6,
        0,
        &[options_header(UDP, &[]), pattern(2000)].concat(),
    );
    assert_eq!(
        fragment(memory.packet(&extended), 1500, 0).err(),
        Some(FragmentError::NotOnePacket)
    );
}

// req: RFC791-08
#[test]
fn options_go_where_they_belong() {
    let memory = Memory::new();
    let options = [7, 7, 4, 0, 0, 0, 0, 200, 3, 9, 0, 0];
    let bytes = v4_options(A4, B4, UDP, &options, &pattern(100));
    let fragments: Vec<Vec<u8>> = fragment(memory.packet(&bytes), 80, 0)
        .unwrap()
        .map(|packet| packet.to_vec().unwrap())
        .collect();
    assert_eq!(fragments.len(), 2);
    assert_eq!(fragments[0][..2], [0x48, 0]);
    assert_eq!(fragments[0][20..32], options);
    for later in &fragments[1..] {
        assert_eq!(later[0], 0x46);
        assert_eq!(later[20..24], [200, 3, 9, 0]);
    }
    let (payload, _) = cut_and_join(
        memory.packet(&v4_options(A4, B4, UDP, &[1; 40], &pattern(100))),
        68,
        0,
    );
    assert_eq!(payload, pattern(100));
}

#[test]
fn a_fragment_can_be_cut_again() {
    let memory = Memory::new();
    let bytes = v4_fragment(UDP, 7, 800, true, &pattern(800));
    let fields: Vec<_> = fragment(memory.packet(&bytes), 420, 0)
        .unwrap()
        .map(|packet| u16::from_be_bytes([packet.headers()[6], packet.headers()[7]]))
        .collect();
    assert_eq!(fields, [0x2000 | 100, 0x2000 | 150]);
}

#[test]
fn a_packet_that_lies_in_the_header_area() {
    let memory = Memory::new();
    for (bytes, mtu) in [
        (v4(A4, B4, UDP, &pattern(124)), 68),
        (v6(A6, B6, UDP, &pattern(104)), 80),
    ] {
        let (payload, _) = cut_and_join(memory.received(&bytes), mtu, 1);
        assert_eq!(payload, bytes[bytes.len() - payload.len()..]);
        assert_eq!(payload.len(), if mtu == 68 { 124 } else { 104 });
    }
    // Headers and area payload together exceed the area of a fragment.
    let mut full = memory.packet(&v6(A6, B6, UDP, &pattern(1400)));
    full.pull(160).unwrap();
    let fragments: Vec<Packet> = fragment(full, 1280, 1).unwrap().collect();
    let payload: Vec<u8> = fragments
        .iter()
        .flat_map(|packet| packet.to_vec().unwrap()[48..].to_vec())
        .collect();
    assert_eq!(payload, pattern(1400));
}

proptest! {
    #[test]
    fn never_panics_never_loses(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        version in prop_oneof![Just(4u8), Just(6)],
        mtu in 0usize..700,
        pulled in 0usize..160,
    ) {
        let memory = Memory::new();
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = version << 4 | (*first & 0xf);
        }
        let mut packet = memory.packet(&bytes);
        let _ = packet.pull(pulled.min(bytes.len()));
        if let Ok(fragments) = fragment(packet, mtu, 7) {
            let header_len = if version == 4 { usize::from(bytes[0] & 0xf) * 4 } else { 40 };
            let whole = bytes.len() <= mtu;
            let mut total = 0;
            for piece in fragments {
                let piece = piece.to_vec().unwrap();
                prop_assert!(piece.len() <= mtu);
                total += piece.len() - if whole { 0 } else if version == 4 { usize::from(piece[0] & 0xf) * 4 } else { 48 };
            }
            prop_assert_eq!(total, if whole { bytes.len() } else { bytes.len() - header_len });
        }
        prop_assert_eq!(memory.ledger.live_nodes(), 0);
    }
}
