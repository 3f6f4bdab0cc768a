use etherparse::{IpHeaders, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::*;

/// What is done to the bytes of a message.
type Change = fn(&mut Vec<u8>);

const MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);

fn message(body: Body) -> Ndp {
    Ndp {
        source: "2001:db8::9".parse().unwrap(),
        destination: "2001:db8::7".parse().unwrap(),
        body,
        target: "2001:db8::5".parse().unwrap(),
        mac: Some(MAC),
    }
}

fn bodies() -> [Body; 3] {
    let advertisement = |solicited, replace| Body::Advertisement { solicited, replace };
    [
        Body::Solicitation,
        advertisement(true, false),
        advertisement(false, true),
    ]
}

/// Changes bytes of a message and makes its checksum anew.
fn changed(message: &Ndp, change: impl FnOnce(&mut Vec<u8>)) -> Packet {
    let mut bytes = message.packet().to_vec().unwrap();
    change(&mut bytes);
    let payload = bytes.len() - HEADER;
    bytes[4..6].copy_from_slice(&(payload as u16).to_be_bytes());
    bytes[42..44].fill(0);
    let address = |at: usize| Ipv6Addr::from(*bytes[at..].first_chunk::<16>().unwrap());
    let sum = !sum_of(address(8), address(24), &bytes[HEADER..]);
    bytes[42..44].copy_from_slice(&sum.to_be_bytes());
    Packet::inline(&bytes).unwrap()
}

// req: RFC6980-01
#[test]
fn what_is_written_is_read_and_others_find_its_checksum_right() {
    for body in bodies() {
        for mac in [Some(MAC), None] {
            let message = Ndp {
                mac,
                ..message(body)
            };
            let packet = message.packet();
            assert_eq!(Ndp::parse(&packet), Some(Ok(message)));
            let bytes = packet.to_vec().unwrap();
            // The shortest link carries it in one piece, and it has no fragment header.
            assert!(bytes.len() <= 1280 && bytes[6] == ICMPV6);
            let (ip, ..) = IpHeaders::from_slice(&bytes).unwrap();
            assert_eq!(ip.ipv6().unwrap().0.hop_limit, 255);
            let sliced = SlicedPacket::from_ip(&bytes).unwrap();
            let Some(TransportSlice::Icmpv6(icmp)) = sliced.transport else {
                panic!("{bytes:x?}");
            };
            let (source, destination) = (message.source.octets(), message.destination.octets());
            assert!(icmp.is_checksum_valid(source, destination));
        }
    }
}

// req: RFC4861-12, RFC4861-13, RFC4861-14
#[test]
fn what_breaks_a_rule_is_not_believed() {
    let cases: [(&str, Change); 10] = [
        ("a hop limit of less than 255", |bytes| bytes[7] = 254),
        ("a code", |bytes| bytes[41] = 1),
        ("a group as its target", |bytes| bytes[48] = 0xff),
        ("an option of no length", |bytes| bytes[65] = 0),
        ("an option beyond the end", |bytes| bytes[65] = 2),
        ("half an option", |bytes| bytes.truncate(70)),
        ("a byte behind the options", |bytes| bytes.push(1)),
        ("a group's link-layer address", |bytes| bytes[66] |= 1),
        ("a group as its source", |bytes| bytes[8] = 0xff),
        ("no target", |bytes| bytes.truncate(60)),
    ];
    for body in bodies() {
        for (what, change) in cases {
            let packet = changed(&message(body), change);
            assert_eq!(
                Ndp::parse(&packet),
                Some(Err(Invalid)),
                "{body:?} with {what}"
            );
        }
        let mut packet = message(body).packet();
        packet.headers_mut()[42] ^= 1;
        assert_eq!(Ndp::parse(&packet), Some(Err(Invalid)));
        let mut packet = message(body).packet();
        packet.headers_mut()[5] += 8;
        assert_eq!(Ndp::parse(&packet), Some(Err(Invalid)), "longer than it is");
    }
}

// req: RFC4861-12, RFC4861-13
#[test]
fn rules_of_each_kind_are_kept() {
    let nobody = Ipv6Addr::UNSPECIFIED;
    let target = message(Body::Solicitation).target;
    let asks = |destination, mac| Ndp {
        source: nobody,
        destination,
        mac,
        ..message(Body::Solicitation)
    };
    let group = solicited_node(target);
    let judged = |message: Ndp| Ndp::parse(&message.packet()).unwrap().is_ok();
    assert!(judged(asks(group, None)));
    assert!(!judged(asks(group, Some(MAC))));
    assert!(!judged(asks(target, None)));
    for (solicited, believed) in [(false, true), (true, false)] {
        let body = Body::Advertisement {
            solicited,
            replace: true,
        };
        let to_all = Ndp {
            destination: "ff02::1".parse().unwrap(),
            ..message(body)
        };
        assert_eq!(judged(to_all), believed);
        let from_nobody = Ndp {
            source: nobody,
            ..message(body)
        };
        assert!(!judged(from_nobody));
    }
}

// req: RFC4861-38
#[test]
fn other_options_and_other_packets_are_passed_over() {
    let packet = changed(&message(Body::Solicitation), |bytes| {
        let more = [200, 1, 0, 0, 0, 0, 0, 0];
        bytes.splice(64..64, more);
    });
    assert_eq!(Ndp::parse(&packet).unwrap().unwrap().mac, Some(MAC));
    for change in [
        (|bytes| bytes[40] = 128) as Change,
        |bytes| bytes[40] = 134,
        |bytes| bytes[6] = 44,
        |bytes| bytes[0] = 0x45,
        |bytes| bytes.truncate(40),
    ] {
        let mut bytes = message(Body::Solicitation).packet().to_vec().unwrap();
        change(&mut bytes);
        assert_eq!(Ndp::parse(&Packet::inline(&bytes).unwrap()), None);
    }
}

#[test]
fn a_group_follows_from_the_end_of_an_address() {
    let group = solicited_node("2001:db8::aa:bbcc:ddee".parse().unwrap());
    assert_eq!(group, "ff02::1:ffcc:ddee".parse::<Ipv6Addr>().unwrap());
}

proptest! {
    #[test]
    fn any_message_is_judged_without_a_panic(
        kind in prop_oneof![Just(SOLICITATION), Just(ADVERTISEMENT), any::<u8>()],
        rest in proptest::collection::vec(any::<u8>(), 0..90),
    ) {
        let packet = changed(&message(Body::Solicitation), |bytes| {
            bytes.truncate(HEADER + 4);
            bytes[40] = kind;
            bytes.extend(rest);
        });
        if let Some(Ok(message)) = Ndp::parse(&packet) {
            // What was believed means the same when it is said again.
            prop_assert_eq!(Ndp::parse(&message.packet()), Some(Ok(message)));
        }
    }
}
