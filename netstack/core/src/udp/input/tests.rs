use proptest::prelude::*;
use txbuf::{Checksum, Gso};

use super::*;
use crate::ip::testing::*;

fn parse_packet(packet: &mut Packet) -> Result<UdpHeader, UdpDrop> {
    let ip = crate::ip::input::parse(packet).unwrap();
    parse(&ip, packet)
}

fn parse_bytes(bytes: &[u8]) -> Result<UdpHeader, UdpDrop> {
    let memory = Memory::new();
    let result = parse_packet(&mut memory.packet(bytes));
    assert_eq!(parse_packet(&mut memory.received(bytes)), result);
    result
}

/// A UDP packet with its length field and payload as given, its checksum right for the whole of it.
fn packet(src: &str, dst: &str, len: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = udp_packet(src, dst, payload);
    let at = bytes.len() - payload.len() - 8;
    bytes[at + 4..at + 6].copy_from_slice(&len.to_be_bytes());
    fix_transport(&mut bytes, at, 6, UDP);
    bytes
}

#[test]
fn a_datagram() {
    for (src, dst, at) in [(A4, B4, 28), (A6, B6, 48)] {
        let header = parse_bytes(&udp_packet(src, dst, &pattern(300))).unwrap();
        assert_eq!(header.src, SocketAddr::new(ip(src), 1000));
        assert_eq!(header.dst, SocketAddr::new(ip(dst), 2000));
        assert_eq!(
            (header.payload_at, header.payload_len, header.segment),
            (at, 300, None)
        );
        assert_eq!(
            parse_bytes(&udp_packet(src, dst, &[])).unwrap().payload_len,
            0
        );
    }
}

// req: RFC768-01, RFC768-06
#[test]
fn lengths() {
    for (src, dst) in [(A4, B4), (A6, B6)] {
        assert_eq!(
            parse_bytes(&transport_packet(src, dst, UDP, &[0; 7])),
            Err(UdpDrop::Truncated)
        );
        assert_eq!(
            parse_bytes(&packet(src, dst, 7, &pattern(20))),
            Err(UdpDrop::BadLength)
        );
        assert_eq!(
            parse_bytes(&packet(src, dst, 29, &pattern(20))),
            Err(UdpDrop::BadLength)
        );
        // A shorter length is the datagram's; what follows is not covered by its checksum.
        let mut long = udp_packet(src, dst, &pattern(20));
        let at = long.len() - 28;
        let short = udp_packet(src, dst, &pattern(9));
        let from = short.len() - 17;
        long[at..at + 17].copy_from_slice(&short[from..]);
        let memory = Memory::new();
        let mut packet = memory.received(&long);
        assert_eq!(parse_packet(&mut packet).unwrap().payload_len, 9);
        assert_eq!(packet.len(), at + 17);
    }
}

// req: RFC768-03, RFC1122udp-05, RFC8200-30, RFC6935-02, RFC6936-04, RFC8085-05
#[test]
fn checksums() {
    for (src, dst, at) in [(A4, B4, 20), (A6, B6, 40)] {
        let mut bytes = udp_packet(src, dst, &pattern(33));
        bytes[at + 12] ^= 1;
        assert_eq!(parse_bytes(&bytes), Err(UdpDrop::BadChecksum));
        bytes[at + 6..at + 8].fill(0);
        let unchecked = parse_bytes(&bytes);
        if src == A4 {
            assert!(unchecked.is_ok());
        } else {
            assert_eq!(unchecked, Err(UdpDrop::NoChecksum));
        }
    }
}

#[test]
fn what_the_device_vouches_for_is_not_read() {
    let memory = Memory::new();
    let mut bytes = udp_packet(A6, B6, &pattern(33));
    bytes[50] ^= 1;
    let with = |checksum| {
        let mut packet = memory.packet(&bytes);
        packet.meta.checksum = checksum;
        parse_packet(&mut packet)
    };
    assert!(with(Checksum::Verified).is_ok());
    assert!(
        with(Checksum::Partial {
            start: 40,
            offset: 6
        })
        .is_ok()
    );
    // That would be about another checksum than this one.
    assert_eq!(
        with(Checksum::Partial {
            start: 48,
            offset: 6
        }),
        Err(UdpDrop::BadChecksum)
    );
    assert_eq!(with(Checksum::Complete), Err(UdpDrop::BadChecksum));
}

#[test]
fn joined_datagrams() {
    let memory = Memory::new();
    let mut packet = memory.packet(&udp_packet(A4, B4, &pattern(1000)));
    packet.meta.gso = Some(Gso {
        kind: GsoKind::Udp,
        size: 300,
        headers: 28,
    });
    assert_eq!(parse_packet(&mut packet).unwrap().segment, Some(300));
}

proptest! {
    #[test]
    fn any_segment_is_read_or_dropped(v6: bool, bytes in prop::collection::vec(any::<u8>(), 0..100), len in 0u16..110) {
        let mut bytes = bytes;
        if let Some(field) = bytes.get_mut(4..6) {
            field.copy_from_slice(&len.to_be_bytes());
        }
        let (src, dst) = if v6 { (A6, B6) } else { (A4, B4) };
        let mut packet = transport_packet(src, dst, UDP, &bytes);
        let _ = parse_bytes(&packet);
        if bytes.len() >= 8 {
            let at = packet.len() - bytes.len();
            fix_transport(&mut packet, at, 6, UDP);
            let _ = parse_bytes(&packet);
        }
    }
}
