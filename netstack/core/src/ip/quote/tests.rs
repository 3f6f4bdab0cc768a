use proptest::prelude::*;

use super::super::testing::*;
use super::*;

fn read_bytes(bytes: &[u8]) -> Option<Quoted> {
    let memory = Memory::new();
    let padded = [&[0xaa; 5], bytes].concat();
    let quoted = read(&memory.packet(&padded), 5);
    assert_eq!(read(&memory.received(bytes), 0), quoted);
    quoted
}

fn socket(addr: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip(addr), port)
}

#[test]
fn udp_and_tcp() {
    for (src, dst) in [(A4, B4), (A6, B6)] {
        let bytes = udp_packet(src, dst, &pattern(500));
        let quoted = read_bytes(&bytes).unwrap();
        assert_eq!(quoted.protocol, IpProtocol::Udp);
        assert_eq!(
            (quoted.src, quoted.dst),
            (socket(src, 1000), socket(dst, 2000))
        );
        assert_eq!((quoted.sequence, quoted.total_len), (None, bytes.len()));
        let tcp = transport_packet(src, dst, TCP, &[0, 80, 1, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0]);
        let quoted = read_bytes(&tcp).unwrap();
        assert_eq!((quoted.src.port(), quoted.dst.port()), (80, 256));
        assert_eq!(quoted.sequence, Some(0xdead_beef));
        assert!(!quoted.is_icmp_error());
    }
}

// req: RFC792-01
#[test]
fn eight_bytes_of_transport_are_enough_and_needed() {
    for (src, dst) in [(A4, B4), (A6, B6)] {
        let header_len = if src == A4 { 20 } else { 40 };
        let bytes = transport_packet(src, dst, TCP, &pattern(100));
        assert_eq!(read_bytes(&bytes[..header_len + 8]), read_bytes(&bytes));
        for len in 0..header_len + 8 {
            assert_eq!(read_bytes(&bytes[..len]), None, "{len}");
        }
    }
}

#[test]
fn extension_headers_and_fragments() {
    let body = [
        options_header(43, &[]),
        vec![44, 0, 0, 0, 0, 0, 0, 0],
        fragment_header(UDP, 7, 0, true).to_vec(),
        pattern(8),
    ];
    let quoted = read_bytes(&v6(A6, B6, 60, &body.concat())).unwrap();
    assert_eq!(quoted.protocol, IpProtocol::Udp);
    assert_ne!(quoted.src.port(), 0);
    for bytes in [
        v6_fragment(UDP, 7, 80, true, &[]),
        v4_fragment(UDP, 7, 80, true, &[]),
    ] {
        let quoted = read_bytes(&bytes).unwrap();
        assert!(quoted.later_fragment);
        assert_eq!((quoted.protocol, quoted.src.port()), (IpProtocol::Udp, 0));
    }
}

#[test]
fn icmp_errors_and_queries() {
    for (kind, error) in [
        (0, false),
        (8, false),
        (13, false),
        (3, true),
        (4, true),
        (5, true),
        (11, true),
        (12, true),
        (99, true),
    ] {
        let quoted = read_bytes(&icmp_packet(A4, B4, kind, 0, 0x0042_0001, &[])).unwrap();
        assert_eq!(quoted.is_icmp_error(), error, "{kind}");
        assert_eq!(
            quoted.src.port(),
            if matches!(kind, 0 | 8) { 0x42 } else { 0 }
        );
    }
    for (kind, error) in [
        (1, true),
        (4, true),
        (100, true),
        (127, true),
        (128, false),
        (129, false),
        (135, false),
        (137, true),
    ] {
        let quoted = read_bytes(&icmp_packet(A6, B6, kind, 0, 0x0042_0001, &[])).unwrap();
        assert_eq!(quoted.is_icmp_error(), error, "{kind}");
    }
    assert!(read_bytes(&v4(A4, B4, ICMP, &[])).unwrap().is_icmp_error());
}

#[test]
fn copies_are_cut_and_pin_nothing() {
    let memory = Memory::new();
    let mut arena = memory.arena();
    let bytes = pattern(3000);
    let mut packet = memory.packet(&bytes);
    packet.pull(60).unwrap();
    for (limit, len) in [(548, 548), (4000, 3000), (20, 20), (0, 0)] {
        assert_eq!(
            copy(&packet, limit, &mut arena).unwrap().to_vec().unwrap(),
            bytes[..len]
        );
    }
    let quote = copy(&packet, 548, &mut arena);
    drop((packet, arena));
    assert_eq!(memory.ledger.live_nodes(), 1);
    drop(quote);
    assert_eq!(memory.ledger.live_nodes(), 0);
    assert!(
        copy(
            &memory.received(&bytes[..100]),
            548,
            &mut Memory::limited(0).arena()
        )
        .is_none()
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), version in 3u8..8, next in prop_oneof![Just(0u8), Just(43), Just(44), Just(60), any::<u8>()]) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = version << 4 | (*first & 0xf);
        }
        if let Some(at) = bytes.get_mut(6) {
            *at = next;
        }
        let _ = read_bytes(&bytes);
    }
}
