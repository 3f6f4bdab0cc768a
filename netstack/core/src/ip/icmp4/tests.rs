use super::super::testing::*;
use super::*;

#[test]
fn codes_of_unreachable() {
    let quoted = udp_packet(B4, A4, &[]);
    for (code, expected) in [
        (0, Unreachable::Network),
        (1, Unreachable::Host),
        (2, Unreachable::Protocol),
        (3, Unreachable::Port),
        (5, Unreachable::Other(5)),
        (9, Unreachable::Prohibited),
        (10, Unreachable::Prohibited),
        (13, Unreachable::Prohibited),
    ] {
        let message = read_icmp(&icmp_packet(A4, B4, 3, code, 0, &quoted));
        assert!(
            matches!(message, IcmpIn::Error(IcmpError::Unreachable(reason), _) if reason == expected)
        );
    }
}

// req: RFC1191-05
#[test]
fn old_routers_name_no_mtu() {
    let message = read_icmp(&icmp_packet(A4, B4, 3, 4, 0, &udp_packet(B4, A4, &[])));
    assert!(matches!(
        message,
        IcmpIn::Error(IcmpError::TooBig { mtu: 0 }, _)
    ));
    // Only the lower half of the word is the MTU.
    let message = read_icmp(&icmp_packet(
        A4,
        B4,
        3,
        4,
        0xffff_0578,
        &udp_packet(B4, A4, &[]),
    ));
    assert!(matches!(
        message,
        IcmpIn::Error(IcmpError::TooBig { mtu: 1400 }, _)
    ));
}

// req: RFC1122-45, RFC1122-47, RFC6633-05, RFC1122-37
#[test]
fn historic_messages_are_dropped() {
    for kind in [4, 5, 9, 10, 13, 15, 17, 18] {
        let message = read_icmp(&icmp_packet(A4, B4, kind, 0, 0, &udp_packet(B4, A4, &[])));
        assert_eq!(message, IcmpIn::Dropped(IcmpDrop::UnknownType), "{kind}");
    }
}
