use super::*;
use proptest::prelude::*;

/// An IPv4 or IPv6 packet with a TCP or UDP header and `payload` bytes behind it.
fn packet(v6: bool, protocol: u8, payload: usize) -> Packet {
    let ip = if v6 { 40 } else { 20 };
    let transport = if protocol == TCP { 20 } else { 8 };
    let mut packet = Packet::new();
    let bytes = packet.put(ip + transport + payload).expect("room");
    if v6 {
        bytes[0] = 0x60;
        bytes[6] = protocol;
    } else {
        bytes[0] = 0x45;
        bytes[9] = protocol;
    }
    if protocol == TCP {
        bytes[ip + 12] = 0x50;
    }
    packet
}

fn header(flags: u8, kind: u8, size: u16, start: u16, offset: u16) -> [u8; LENGTH] {
    let mut header = [0; LENGTH];
    (header[0], header[1]) = (flags, kind);
    header[4..6].copy_from_slice(&size.to_ne_bytes());
    header[6..8].copy_from_slice(&start.to_ne_bytes());
    header[8..10].copy_from_slice(&offset.to_ne_bytes());
    header
}

#[test]
fn what_is_encoded_decodes_for_every_kind() {
    for (v6, protocol, kind, offset) in [
        (false, TCP, GsoKind::TcpV4, TCP_CHECKSUM_AT),
        (true, TCP, GsoKind::TcpV6, TCP_CHECKSUM_AT),
        (false, UDP, GsoKind::Udp, UDP_CHECKSUM_AT),
        (true, UDP, GsoKind::Udp, UDP_CHECKSUM_AT),
    ] {
        let mut packet = packet(v6, protocol, 40);
        let start = if v6 { 40 } else { 20 };
        let headers = start + if protocol == TCP { 20 } else { 8 };
        packet.meta.checksum = Checksum::Partial { start, offset };
        packet.meta.gso = Some(Gso {
            kind,
            size: 10,
            headers,
        });
        let expected = packet.meta;
        let header = encode(&packet.meta);
        packet.meta = Meta::default();
        assert_eq!(decode(&header, &mut packet), Ok(expected));
    }
}

#[test]
fn a_plain_packet_is_checked_by_the_stack_unless_the_kernel_vouches() {
    let mut packet = packet(false, TCP, 4);
    assert_eq!(
        decode(&[0; LENGTH], &mut packet).map(|meta| meta.checksum),
        Ok(Checksum::Complete)
    );
    let valid = header(DATA_VALID, 0, 0, 0, 0);
    assert_eq!(
        decode(&valid, &mut packet).map(|meta| meta.checksum),
        Ok(Checksum::Verified)
    );
}

#[test]
fn lies_are_found() {
    let lies = [
        (
            "segments without a checksum to complete",
            header(0, GSO_TCP_V4, 10, 20, 16),
        ),
        ("the other version", header(1, GSO_TCP_V6, 10, 20, 16)),
        ("the other transport", header(1, GSO_UDP, 10, 20, 16)),
        ("an unknown type", header(1, 9, 10, 20, 16)),
        ("segments of nothing", header(1, GSO_TCP_V4, 0, 20, 16)),
        ("a checksum inside the IP header", header(1, 0, 0, 10, 16)),
        ("a checksum elsewhere in the header", header(1, 0, 0, 20, 8)),
        ("a checksum beyond the packet", header(1, 0, 0, 60_000, 16)),
        ("the UDP checksum of a TCP packet", header(1, 0, 0, 20, 6)),
    ];
    for (what, header) in lies {
        assert_eq!(
            decode(&header, &mut packet(false, TCP, 40)),
            Err(Lie),
            "{what}"
        );
    }
}

#[test]
fn a_header_without_payload_is_not_to_be_cut() {
    assert_eq!(
        decode(
            &header(1, GSO_TCP_V4, 10, 20, 16),
            &mut packet(false, TCP, 0)
        ),
        Err(Lie)
    );
}

proptest! {
    #[test]
    fn any_header_and_packet_are_judged_without_a_panic(
        header in any::<[u8; LENGTH]>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut packet = Packet::new();
        packet.put(bytes.len()).expect("room").copy_from_slice(&bytes);
        if let Ok(meta) = decode(&header, &mut packet)
            && let Some(gso) = meta.gso
        {
            prop_assert!(gso.size > 0 && usize::from(gso.headers) < packet.len());
        }
    }
}
