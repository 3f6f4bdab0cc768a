use super::*;
use crate::headers::{TCP, UDP};
use proptest::prelude::*;
use txbuf::checksum;

/// Bytes of an Ethernet header.
const LINK: usize = 14;
const MTU: usize = 1500;

/// An IPv4 or IPv6 packet with a TCP or UDP header and `payload` bytes behind it.
fn packet(v6: bool, protocol: u8, payload: usize) -> Packet {
    let ip = if v6 { 40 } else { 20 };
    let transport = if protocol == TCP { 20 } else { 8 };
    let mut packet = Packet::new();
    let length = ip + transport + payload;
    let bytes = packet.push(length).expect("room");
    if v6 {
        bytes[0] = 0x60;
        bytes[4..6].copy_from_slice(&(length as u16 - 40).to_be_bytes());
        bytes[6] = protocol;
    } else {
        bytes[0] = 0x45;
        bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        bytes[9] = protocol;
    }
    match protocol {
        TCP => bytes[ip + 12] = 0x50,
        _ => bytes[ip + 4..ip + 6].copy_from_slice(&((length - ip) as u16).to_be_bytes()),
    }
    seal(&mut packet);
    packet
}

/// Makes the checksum of an IPv4 header of 20 bytes right.
fn seal(packet: &mut Packet) {
    let bytes = packet.headers_mut();
    if bytes[0] >> 4 == 4 {
        bytes[10..12].fill(0);
        let sum = !checksum::sum(&bytes[..20]);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

fn header(flags: u8, kind: u8, size: u16, start: u16, offset: u16) -> [u8; LONGEST] {
    let mut header = [0; LONGEST];
    (header[0], header[1]) = (flags, kind);
    header[4..6].copy_from_slice(&size.to_ne_bytes());
    header[6..8].copy_from_slice(&start.to_ne_bytes());
    header[8..10].copy_from_slice(&offset.to_ne_bytes());
    header
}

fn naming(length: u16) -> [u8; LONGEST] {
    let mut header = header(1, GSO_TCP_V4, 10, 20, 16);
    header[2..4].copy_from_slice(&length.to_ne_bytes());
    header
}

fn judge(header: &[u8; LONGEST], packet: &mut Packet) -> Result<Meta, Lie> {
    decode(header, packet, 0, MTU)
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
        for link in [0, LINK] {
            packet.meta = expected;
            let header = encode(&packet, link);
            let place = u16::from_ne_bytes([header[6], header[7]]);
            assert_eq!(place, start + link as u16);
            packet.meta = Meta::default();
            assert_eq!(decode(&header, &mut packet, link, MTU), Ok(expected));
        }
    }
}

#[test]
fn a_plain_packet_is_checked_by_the_stack_unless_the_kernel_vouches() {
    let mut packet = packet(false, TCP, 4);
    assert_eq!(
        judge(&[0; LONGEST], &mut packet).map(|meta| meta.checksum),
        Ok(Checksum::Complete)
    );
    let valid = header(DATA_VALID, 0, 0, 0, 0);
    assert_eq!(
        judge(&valid, &mut packet).map(|meta| meta.checksum),
        Ok(Checksum::Verified)
    );
}

#[test]
fn lies_are_found_and_told_apart() {
    let lies = [
        (
            "segments without a checksum to complete",
            header(0, GSO_TCP_V4, 10, 20, 16),
            Lie::ChecksumPlace,
        ),
        (
            "the other version",
            header(1, GSO_TCP_V6, 10, 20, 16),
            Lie::Kind,
        ),
        (
            "the other transport",
            header(1, GSO_UDP, 10, 20, 16),
            Lie::Kind,
        ),
        ("an unknown type", header(1, 9, 10, 20, 16), Lie::Kind),
        (
            "fragments of UDP, which are no segments",
            header(1, 3, 10, 20, 16),
            Lie::Kind,
        ),
        (
            "segments of nothing",
            header(1, GSO_TCP_V4, 0, 20, 16),
            Lie::Size,
        ),
        (
            "segments of seven bytes",
            header(1, GSO_TCP_V4, 7, 20, 16),
            Lie::Size,
        ),
        ("headers that end early", naming(39), Lie::Length),
        ("headers beyond the packet", naming(81), Lie::Length),
        (
            "a checksum inside the IP header",
            header(1, 0, 0, 10, 16),
            Lie::ChecksumPlace,
        ),
        (
            "a checksum elsewhere in the header",
            header(1, 0, 0, 20, 8),
            Lie::ChecksumPlace,
        ),
        (
            "a checksum beyond the packet",
            header(1, 0, 0, 60_000, 16),
            Lie::ChecksumPlace,
        ),
        (
            "the UDP checksum of a TCP packet",
            header(1, 0, 0, 20, 6),
            Lie::ChecksumPlace,
        ),
    ];
    for (what, header, lie) in lies {
        assert_eq!(
            judge(&header, &mut packet(false, TCP, 40)),
            Err(lie),
            "{what}"
        );
        let mut counters = DeviceCounters::default();
        lie.count(&mut counters);
        assert_eq!(counters.drops(), 1, "{what}");
    }
    for fits in [0, 40, 60, 80] {
        assert!(judge(&naming(fits), &mut packet(false, TCP, 40)).is_ok());
    }
}

#[test]
fn a_packet_whose_length_is_not_what_its_header_says_is_not_to_be_cut() {
    for v6 in [false, true] {
        let mut packet = packet(v6, TCP, 40);
        let (kind, start, place) = match v6 {
            false => (GSO_TCP_V4, 20, 3),
            true => (GSO_TCP_V6, 40, 5),
        };
        packet.headers_mut()[place] -= 1;
        let header = header(1, kind, 10, start, 16);
        assert_eq!(judge(&header, &mut packet), Err(Lie::Length));
    }
}

#[test]
fn segments_are_of_the_mtu_at_most() {
    let mut packet = packet(false, TCP, 80);
    let header = header(1, GSO_TCP_V4, 60, 20, 16);
    assert!(decode(&header, &mut packet, 0, 100).is_ok());
    assert_eq!(decode(&header, &mut packet, 0, 99), Err(Lie::TooBig));
}

/// As Linux takes it, the other way.
#[test]
fn a_packet_that_is_shorter_than_a_segment_is_an_ordinary_packet() {
    let header = header(1, GSO_TCP_V4, 40, 20, 16);
    let meta = judge(&header, &mut packet(false, TCP, 40)).unwrap();
    assert_eq!(meta.gso, None);
    assert!(
        judge(&header, &mut packet(false, TCP, 41))
            .unwrap()
            .gso
            .is_some()
    );
}

#[test]
fn a_header_without_payload_is_not_to_be_cut() {
    assert_eq!(
        judge(
            &header(1, GSO_TCP_V4, 10, 20, 16),
            &mut packet(false, TCP, 0)
        ),
        Err(Lie::Size)
    );
}

#[test]
fn a_checksum_inside_the_links_header_is_a_lie() {
    let header = header(1, 0, 0, 13, 16);
    assert_eq!(
        decode(&header, &mut packet(false, TCP, 40), LINK, MTU),
        Err(Lie::ChecksumPlace)
    );
}

#[test]
fn segments_with_cwr_say_so() {
    for cwr in [false, true] {
        let mut packet = packet(false, TCP, 40);
        packet.headers_mut()[33] = if cwr { CWR } else { 0 };
        packet.meta.checksum = Checksum::Partial {
            start: 20,
            offset: 16,
        };
        packet.meta.gso = Some(Gso {
            kind: GsoKind::TcpV4,
            size: 10,
            headers: 40,
        });
        let kind = encode(&packet, 0)[1];
        assert_eq!(kind, GSO_TCP_V4 | if cwr { GSO_ECN } else { 0 });
    }
}

/// An IPv6 packet with a TCP header behind extension headers, of which `first` is the kind of the first; each says what
/// follows.
fn extended(first: u8, extensions: &[[u8; 8]]) -> Packet {
    let mut packet = packet(true, TCP, 12 + 8 * extensions.len());
    let bytes = packet.headers_mut();
    bytes[6] = first;
    for (at, extension) in (40..).step_by(8).zip(extensions) {
        bytes[at..at + 8].copy_from_slice(extension);
    }
    bytes[40 + 8 * extensions.len() + 12] = 0x50;
    packet
}

#[test]
fn the_chain_of_ipv6_says_where_the_transport_is() {
    let judge_at = |start, mut packet: Packet| {
        let header = header(1, GSO_TCP_V6, 10, start, 16);
        judge(&header, &mut packet).map(|meta| meta.gso.is_some())
    };
    let options = [TCP, 0, 1, 4, 0, 0, 0, 0];
    let routing = [60, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(judge_at(48, extended(0, &[options])), Ok(true));
    assert_eq!(judge_at(56, extended(43, &[routing, options])), Ok(true));
    // The header says TCP: it is at 40 and nowhere else.
    for start in [41, 42, 48] {
        let wrong = judge_at(start, extended(TCP, &[options]));
        assert_eq!(wrong, Err(Lie::ChecksumPlace), "{start}");
    }
    // What is behind is no TCP, or longer than the packet, or has no end.
    for (first, extension) in [
        (0, [UDP, 0, 0, 0, 0, 0, 0, 0]),
        (0, [TCP, 200, 0, 0, 0, 0, 0, 0]),
    ] {
        let wrong = judge_at(48, extended(first, &[extension]));
        assert_eq!(wrong, Err(Lie::ChecksumPlace));
    }
    let endless = extended(0, &[[0; 8]; 10]);
    assert_eq!(judge_at(120, endless), Err(Lie::ChecksumPlace));
    let fragment = extended(44, &[[TCP, 0, 0, 1, 0, 0, 0, 0]]);
    assert_eq!(judge_at(48, fragment), Err(Lie::Fragment));
}

#[test]
fn what_segments_would_make_right_has_to_be_right_before() {
    let cut = |packet: &mut Packet, kind, offset| judge(&header(1, kind, 10, 20, offset), packet);
    let mut damaged = packet(false, TCP, 40);
    damaged.headers_mut()[10] ^= 1;
    assert_eq!(cut(&mut damaged, GSO_TCP_V4, 16), Err(Lie::HeaderChecksum));
    for flag in [0x02, 0x04, 0x20] {
        let mut packet = packet(false, TCP, 40);
        packet.headers_mut()[33] = 0x10 | flag;
        assert_eq!(cut(&mut packet, GSO_TCP_V4, 16), Err(Lie::Flags), "{flag}");
    }
    for length in [0, 9, 47, 49] {
        let mut packet = packet(false, UDP, 40);
        packet.headers_mut()[25] = length;
        assert_eq!(cut(&mut packet, GSO_UDP, 6), Err(Lie::Length), "{length}");
    }
    for pieces in [[0x20, 0], [0, 1]] {
        let mut packet = packet(false, TCP, 40);
        packet.headers_mut()[6..8].copy_from_slice(&pieces);
        seal(&mut packet);
        assert_eq!(cut(&mut packet, GSO_TCP_V4, 16), Err(Lie::Fragment));
        let whole = header(1, 0, 0, 20, 16);
        assert_eq!(judge(&whole, &mut packet), Err(Lie::Fragment), "its sum");
    }
    for lie in [Lie::Fragment, Lie::HeaderChecksum, Lie::Flags] {
        let mut counters = DeviceCounters::default();
        lie.count(&mut counters);
        assert_eq!(counters.drops(), 1, "{lie:?}");
    }
    // A packet that is one segment is passed on as it is, and whoever it is for finds out.
    let mut single = packet(false, TCP, 10);
    single.headers_mut()[10] ^= 1;
    assert_eq!(
        cut(&mut single, GSO_TCP_V4, 16).map(|meta| meta.gso),
        Ok(None)
    );
}

proptest! {
    #[test]
    fn any_header_and_packet_are_judged_without_a_panic(
        header in any::<[u8; LONGEST]>(),
        link in prop_oneof![Just(0), Just(LINK)],
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut packet = Packet::new();
        packet.put(bytes.len()).expect("room").copy_from_slice(&bytes);
        if let Ok(meta) = decode(&header, &mut packet, link, MTU)
            && let Some(gso) = meta.gso
        {
            prop_assert!(gso.size > 0 && usize::from(gso.headers) < packet.len());
        }
    }
}
