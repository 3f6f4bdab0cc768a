use proptest::prelude::*;

use super::*;
use crate::ip::output::{OutHeader, push_header};
use crate::ip::testing::*;
use crate::udp::input;

fn whole(src: &str, dst: &str, payload: &[u8]) -> Packet {
    let memory = Memory::new();
    let (src, dst) = (
        SocketAddr::new(ip(src), 1000),
        SocketAddr::new(ip(dst), 2000),
    );
    let payload = (!payload.is_empty()).then(|| memory.span(payload));
    let mut packet = build(src, dst, payload, None).unwrap();
    let header = OutHeader {
        src: src.ip(),
        dst: dst.ip(),
        protocol: IpProtocol::Udp,
        hop_limit: 64,
        traffic_class: 0,
        ident: 0x1234,
        dont_fragment: false,
        flow_label: 0,
    };
    push_header(&mut packet, &header).unwrap();
    packet
}

#[test]
fn the_edge_completes_it() {
    for (src, dst) in [(A4, B4), (A6, B6)] {
        for len in [0, 1, 2, 99, 1472] {
            let mut packet = whole(src, dst, &pattern(len));
            packet.complete_checksum().unwrap();
            assert_eq!(
                packet.to_vec().unwrap(),
                udp_packet(src, dst, &pattern(len))
            );
        }
    }
}

// req: RFC768-02, RFC8200-29, RFC6935-01
#[test]
fn a_checksum_of_zero_is_sent_as_ones() {
    for (src, dst, at) in [(A4, B4, 20), (A6, B6, 40)] {
        let unset = udp_packet(src, dst, &[0, 0]);
        // What makes the sum of everything else 0xffff.
        let missing = &unset[at + 6..at + 8];
        let mut packet = whole(src, dst, missing);
        packet.complete_checksum().unwrap();
        assert_eq!(packet.to_vec().unwrap()[at + 6..at + 8], [0xff, 0xff]);
    }
}

#[test]
fn the_length_field_is_the_limit() {
    let memory = Memory::new();
    let socket = SocketAddr::new(ip(A6), 1);
    assert!(build(socket, socket, Some(memory.span(&vec![0; 65_527])), None).is_ok());
    assert_eq!(
        build(socket, socket, Some(memory.span(&vec![0; 65_528])), None).err(),
        Some(NoRoom)
    );
}

proptest! {
    #[test]
    fn what_is_built_is_read(v6: bool, payload in prop::collection::vec(any::<u8>(), 0..2000)) {
        let (src, dst) = if v6 { (A6, B6) } else { (A4, B4) };
        let mut packet = whole(src, dst, &payload);
        packet.complete_checksum().unwrap();
        let ip = crate::ip::input::parse(&mut packet).unwrap();
        let header = input::parse(&ip, &mut packet).unwrap();
        prop_assert_eq!(header.payload_len, payload.len());
        prop_assert_eq!(&packet.to_vec().unwrap()[header.payload_at..], &payload[..]);
    }
}
