use super::super::testing::*;
use super::*;

#[test]
fn codes_of_unreachable() {
    let quoted = udp_packet(B6, A6, &[]);
    for (code, expected) in [
        (0, Unreachable::Network),
        (1, Unreachable::Prohibited),
        (2, Unreachable::BeyondScope),
        (3, Unreachable::Host),
        (4, Unreachable::Port),
        (5, Unreachable::Prohibited),
        (6, Unreachable::Prohibited),
    ] {
        let message = read_icmp(&icmp_packet(A6, B6, 1, code, 0, &quoted));
        assert!(
            matches!(message, IcmpIn::Error(IcmpError::Unreachable(reason), _) if reason == expected)
        );
    }
}

// req: RFC4443-24
#[test]
fn unknown_codes_are_passed_on() {
    let quoted = udp_packet(B6, A6, &[]);
    for kind in [200, 255] {
        let message = read_icmp(&icmp_packet(A6, B6, kind, 1, 0, &quoted));
        assert_eq!(message, IcmpIn::Dropped(IcmpDrop::UnknownType), "no error");
    }
    for (kind, code) in [(3, 9), (4, 9), (5, 0), (127, 1)] {
        let message = read_icmp(&icmp_packet(A6, B6, kind, code, 0, &quoted));
        assert!(
            matches!(message, IcmpIn::Error(IcmpError::Unknown { kind: k, code: c }, _) if (k, c) == (kind, code))
        );
    }
}

#[test]
fn the_whole_mtu_field_counts() {
    let message = read_icmp(&icmp_packet(
        A6,
        B6,
        2,
        0,
        0x0001_0000,
        &udp_packet(B6, A6, &[]),
    ));
    assert!(matches!(
        message,
        IcmpIn::Error(IcmpError::TooBig { mtu: 65_536 }, _)
    ));
}

// req: RFC4443-01, RFC8200-28
#[test]
fn the_checksum_covers_the_addresses() {
    let mut bytes = icmp_packet(A6, B6, 128, 0, 1, &pattern(20));
    bytes[23] ^= 4;
    assert_eq!(read_icmp(&bytes), IcmpIn::Dropped(IcmpDrop::BadChecksum));
}
