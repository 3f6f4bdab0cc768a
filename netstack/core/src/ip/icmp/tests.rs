use proptest::prelude::*;

use super::super::testing::*;
use super::*;
use crate::counters::IpCounters;

const ETH: IfaceId = IfaceId::new(0);

/// This host is B; its subnet's broadcast address is 10.0.0.255.
fn addresses() -> Addresses {
    let mut addresses = Addresses::new();
    for cidr in ["10.0.0.2/24", "2001:db8::2/64", "fe80::2/64"] {
        addresses.add(ETH, cidr.parse().unwrap()).unwrap();
    }
    addresses
}

fn answer(kind: IcmpError, bytes: &[u8]) -> Option<Vec<u8>> {
    let memory = Memory::new();
    let mut arena = memory.arena();
    let original = memory.received(bytes);
    let addresses = addresses();
    let to = recipient(kind, &original, &addresses)?;
    let packet = error(kind, &original, to, ETH, &addresses, 0x77, &mut arena)?;
    let bytes = packet.to_vec().unwrap();
    drop((packet, original, arena));
    assert_eq!(memory.ledger.live_nodes(), 0);
    Some(bytes)
}

const PORT: IcmpError = IcmpError::Unreachable(Unreachable::Port);

// req: RFC792-01, RFC792-07, RFC1122-23, RFC1122-25, RFC1122-32, RFC1812-14, RFC1812-15
#[test]
fn an_error_v4() {
    let original = udp_packet(A4, B4, &pattern(1000));
    let packet = answer(PORT, &original).unwrap();
    assert_eq!(packet.len(), 576);
    assert_eq!(packet[..20], {
        let mut expected = v4(B4, A4, ICMP, &packet[20..]);
        expected[4..6].copy_from_slice(&[0, 0x77]);
        fix_v4(&mut expected);
        expected[..20].to_vec()
    });
    assert_eq!(transport_sum(&packet, 20, ICMP), 0xffff);
    assert_eq!(packet[20..22], [3, 3]);
    assert_eq!(packet[24..28], [0; 4]);
    assert_eq!(packet[28..], original[..548]);
}

// req: RFC4443-01, RFC4443-02, RFC4443-06, RFC4443-12, RFC4443-25
#[test]
fn an_error_v6() {
    let original = udp_packet(A6, B6, &pattern(2000));
    let packet = answer(PORT, &original).unwrap();
    assert_eq!(packet.len(), 1280);
    assert_eq!(packet[..40], v6(B6, A6, ICMP6, &packet[40..])[..40]);
    assert_eq!(transport_sum(&packet, 40, ICMP6), 0xffff);
    assert_eq!(packet[40..42], [1, 4]);
    assert_eq!(packet[44..48], [0; 4]);
    assert_eq!(packet[48..], original[..1232]);
}

#[test]
fn short_packets_are_quoted_whole() {
    for (src, dst, at) in [(A4, B4, 28), (A6, B6, 48)] {
        for len in [0, 1, 50, 100, 101, 300] {
            let original = udp_packet(src, dst, &pattern(len));
            let packet = answer(PORT, &original).unwrap();
            assert_eq!(packet[at..], original);
            let protocol = if src == A4 { ICMP } else { ICMP6 };
            assert_eq!(transport_sum(&packet, at - 8, protocol), 0xffff);
        }
    }
}

// req: RFC1191-09, RFC4443-19
#[test]
fn codes_and_words() {
    let problem = |problem, pointer| IcmpError::ParameterProblem { problem, pointer };
    let cases = [
        (
            IcmpError::Unreachable(Unreachable::Network),
            Some([3, 0, 0, 0]),
            Some([1, 0, 0, 0]),
        ),
        (
            IcmpError::Unreachable(Unreachable::Host),
            Some([3, 1, 0, 0]),
            Some([1, 3, 0, 0]),
        ),
        (
            IcmpError::Unreachable(Unreachable::Protocol),
            Some([3, 2, 0, 0]),
            None,
        ),
        (PORT, Some([3, 3, 0, 0]), Some([1, 4, 0, 0])),
        (
            IcmpError::Unreachable(Unreachable::Prohibited),
            Some([3, 13, 0, 0]),
            Some([1, 1, 0, 0]),
        ),
        (
            IcmpError::TooBig { mtu: 1400 },
            Some([3, 4, 0, 1400]),
            Some([2, 0, 0, 1400]),
        ),
        (
            IcmpError::TimeExceeded(TimeExceeded::HopLimit),
            Some([11, 0, 0, 0]),
            Some([3, 0, 0, 0]),
        ),
        (
            IcmpError::TimeExceeded(TimeExceeded::Reassembly),
            Some([11, 1, 0, 0]),
            Some([3, 1, 0, 0]),
        ),
        (
            problem(Problem::Header, 21),
            Some([12, 0, 21 << 8, 0]),
            Some([4, 0, 0, 21]),
        ),
        (
            problem(Problem::NextHeader, 6),
            Some([3, 2, 0, 0]),
            Some([4, 1, 0, 6]),
        ),
        (
            problem(
                Problem::Option {
                    even_multicast: false,
                },
                43,
            ),
            None,
            Some([4, 2, 0, 43]),
        ),
        (problem(Problem::HeaderChain, 0), None, Some([4, 3, 0, 0])),
        (IcmpError::Unknown { kind: 99, code: 9 }, None, None),
    ];
    for (kind, in_v4, in_v6) in cases {
        for (src, dst, at, expected) in [(A4, B4, 20, in_v4), (A6, B6, 40, in_v6)] {
            let found = answer(kind, &udp_packet(src, dst, &pattern(50))).map(|bytes| {
                let word = |at| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
                [
                    bytes[at].into(),
                    bytes[at + 1].into(),
                    word(at + 4),
                    word(at + 6),
                ]
            });
            assert_eq!(found, expected, "{kind:?}");
        }
    }
}

#[test]
fn what_is_written_is_read() {
    for kind in [
        IcmpError::Unreachable(Unreachable::Network),
        IcmpError::Unreachable(Unreachable::Host),
        PORT,
        IcmpError::Unreachable(Unreachable::Prohibited),
        IcmpError::TooBig { mtu: 1400 },
        IcmpError::TimeExceeded(TimeExceeded::HopLimit),
        IcmpError::TimeExceeded(TimeExceeded::Reassembly),
        IcmpError::ParameterProblem {
            problem: Problem::Header,
            pointer: 20,
        },
    ] {
        for (src, dst) in [(A4, B4), (A6, B6)] {
            let original = udp_packet(src, dst, &pattern(3000));
            let memory = Memory::new();
            let mut packet = memory.received(&answer(kind, &original).unwrap());
            let header = super::super::input::parse(&mut packet).unwrap();
            let IcmpIn::Error(read, quoted) = input(&header, &mut packet) else {
                panic!("{kind:?}")
            };
            assert_eq!(read, kind);
            assert_eq!((quoted.src.ip(), quoted.src.port()), (ip(src), 1000));
            assert_eq!((quoted.dst.ip(), quoted.dst.port()), (ip(dst), 2000));
            assert_eq!(quoted.total_len, original.len());
        }
    }
}

// req: RFC1122-26, RFC1122-27, RFC1122-29, RFC1122-30, RFC1812-18, RFC4443-07, RFC4443-08, RFC4443-09
#[test]
fn who_is_never_told() {
    let silent: &[Vec<u8>] = &[
        icmp_packet(A4, B4, 3, 3, 0, &udp_packet(B4, A4, &[])),
        icmp_packet(A4, B4, 5, 1, 0, &udp_packet(B4, A4, &[])),
        icmp_packet(A4, B4, 77, 0, 0, &[]),
        icmp_packet(A6, B6, 1, 4, 0, &udp_packet(B6, A6, &[])),
        icmp_packet(A6, B6, 137, 0, 0, &pattern(32)),
        v4(A4, B4, ICMP, &[]),
        udp_packet(A4, "255.255.255.255", &[]),
        udp_packet(A4, "10.0.0.255", &[]),
        udp_packet(A4, "224.0.0.1", &[]),
        udp_packet(A6, "ff02::1", &[]),
        udp_packet("0.0.0.0", B4, &[]),
        udp_packet("10.0.0.255", B4, &[]),
        udp_packet("127.0.0.1", B4, &[]),
        udp_packet("250.0.0.1", B4, &[]),
        udp_packet("224.0.0.1", B4, &[]),
        udp_packet("::", B6, &[]),
        udp_packet("ff02::1", B6, &[]),
        v4_fragment(UDP, 7, 8, false, &pattern(8)),
        v6_fragment(UDP, 7, 8, false, &pattern(8)),
    ];
    for bytes in silent {
        assert_eq!(answer(PORT, bytes), None, "{bytes:02x?}");
    }
    let answered: &[Vec<u8>] = &[
        icmp_packet(A4, B4, 8, 0, 0, &[]),
        icmp_packet(A6, B6, 128, 0, 0, &[]),
        v4_fragment(UDP, 7, 0, true, &pattern(8)),
        v6_fragment(UDP, 7, 0, true, &pattern(8)),
        transport_packet(A4, B4, 99, &[]),
    ];
    for bytes in answered {
        assert!(answer(PORT, bytes).is_some(), "{bytes:02x?}");
    }
}

// req: RFC4443-03
#[test]
fn two_errors_about_v6_multicast() {
    let multicast = udp_packet("fe80::1", "ff02::1", &pattern(20));
    let option = |even_multicast| IcmpError::ParameterProblem {
        problem: Problem::Option { even_multicast },
        pointer: 42,
    };
    for kind in [IcmpError::TooBig { mtu: 1280 }, option(true)] {
        let packet = answer(kind, &multicast).unwrap();
        // From a unicast address of the interface, and one of the right scope.
        assert_eq!(packet[8..24], ip_bytes("fe80::2"));
    }
    assert_eq!(answer(option(false), &multicast), None);
    assert_eq!(
        answer(
            IcmpError::TooBig { mtu: 1280 },
            &udp_packet(A4, "224.0.0.1", &[])
        ),
        None
    );
}

fn ip_bytes(text: &str) -> Vec<u8> {
    match ip(text) {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}

// req: RFC1812-16
#[test]
fn an_error_about_a_packet_for_others_comes_from_the_interface() {
    let packet = answer(
        IcmpError::TimeExceeded(TimeExceeded::HopLimit),
        &udp_packet(A4, "192.0.2.9", &[]),
    )
    .unwrap();
    assert_eq!(packet[12..16], ip_bytes(B4));
}

fn ping(memory: &Memory, bytes: &[u8]) -> Result<Packet, IcmpDrop> {
    let mut packet = memory.received(bytes);
    ping_packet(&mut packet, if bytes[0] >> 4 == 4 { B4 } else { B6 })
}

fn ping_packet(packet: &mut Packet, source: &str) -> Result<Packet, IcmpDrop> {
    let header = super::super::input::parse(packet).unwrap();
    match input(&header, packet) {
        IcmpIn::EchoRequest => {}
        IcmpIn::Dropped(reason) => return Err(reason),
        other => panic!("{other:?}"),
    }
    let from = ReplyFrom {
        source: ip(source),
        hop_limit: 64,
        ident: 0x1234,
    };
    echo_reply(&header, core::mem::take(packet), &from)
}

// req: RFC792-02, RFC792-03, RFC1122-40, RFC1122-41, RFC1122-42, RFC4443-20, RFC4443-21, RFC4443-23
#[test]
fn echo() {
    let memory = Memory::new();
    for (a, b, request, reply) in [(A4, B4, 8, 0), (A6, B6, 128, 129)] {
        for len in [0, 1, 2, 56, 99, 100, 137, 1000, 1473, 65_400] {
            let bytes = icmp_packet(a, b, request, 0, 0xbeef_0007, &pattern(len));
            let answer = ping(&memory, &bytes).unwrap();
            let expected = icmp_packet(b, a, reply, 0, 0xbeef_0007, &pattern(len));
            assert_eq!(answer.to_vec().unwrap(), expected, "{len} bytes");
            assert_eq!(answer.meta.checksum, txbuf::Checksum::Complete);
        }
    }
    assert_eq!(memory.ledger.live_nodes(), 0);
}

#[test]
fn echo_never_copies_its_payload() {
    let memory = Memory::new();
    let answer = ping(&memory, &icmp_packet(A4, B4, 8, 0, 1, &pattern(5000))).unwrap();
    assert_eq!(memory.ledger.live_nodes(), 1);
    assert_eq!(
        (answer.headers().len(), answer.span().unwrap().len()),
        (28, 5000)
    );
}

// req: RFC4443-03, RFC4443-22
#[test]
fn echo_to_a_multicast_address() {
    let memory = Memory::new();
    let answer = ping(
        &memory,
        &icmp_packet(A6, "ff02::1", 128, 0, 1, &pattern(50)),
    )
    .unwrap();
    assert_eq!(
        answer.to_vec().unwrap(),
        icmp_packet(B6, A6, 129, 0, 1, &pattern(50))
    );
}

#[test]
fn echo_with_ip_options() {
    let memory = Memory::new();
    let mut bytes = icmp_packet(A4, B4, 8, 0, 1, &pattern(50));
    let message = bytes.split_off(20);
    let answer = ping(&memory, &v4_options(A4, B4, ICMP, &[1; 40], &message)).unwrap();
    assert_eq!(
        answer.to_vec().unwrap(),
        icmp_packet(B4, A4, 0, 0, 1, &pattern(50))
    );
}

#[test]
fn echo_with_a_checksum_that_a_device_vouches_for_or_left_open() {
    let memory = Memory::new();
    for (a, b, request, reply, at) in [(A4, B4, 8, 0, 20), (A6, B6, 128, 129, 40)] {
        let bytes = icmp_packet(a, b, request, 0, 1, &pattern(200));
        let expected = icmp_packet(b, a, reply, 0, 1, &pattern(200));
        let mut packet = memory.packet(&bytes);
        packet.meta.checksum = txbuf::Checksum::Verified;
        let answer = ping_packet(&mut packet, b).unwrap();
        assert_eq!(answer.to_vec().unwrap(), expected);

        let mut open = bytes.clone();
        let pseudo = if at == 20 {
            0
        } else {
            pseudo_header_sum(ip(a), ip(b), IpProtocol::Icmpv6, 208)
        };
        open[at + 2..at + 4].copy_from_slice(&pseudo.to_be_bytes());
        let mut packet = memory.packet(&open);
        packet.meta.checksum = txbuf::Checksum::Partial {
            start: at as u16,
            offset: 2,
        };
        let mut answer = ping_packet(&mut packet, b).unwrap();
        answer.complete_checksum().unwrap();
        assert_eq!(answer.to_vec().unwrap(), expected);
    }
}

// req: RFC1122-22, RFC4443-01, RFC4443-05, RFC4443-04
#[test]
fn bad_messages() {
    for (a, b, at, request, error, protocol) in
        [(A4, B4, 20, 8, 3, ICMP), (A6, B6, 40, 128, 1, ICMP6)]
    {
        let mut bytes = icmp_packet(a, b, request, 0, 1, &pattern(50));
        bytes[at + 20] ^= 1;
        assert_eq!(read_icmp(&bytes), IcmpIn::Dropped(IcmpDrop::BadChecksum));
        assert_eq!(
            read_icmp(&transport_packet(a, b, protocol, &[8, 0, 0])),
            IcmpIn::Dropped(IcmpDrop::Truncated)
        );
        assert_eq!(
            read_icmp(&icmp_packet(a, b, 200, 0, 1, &[])),
            IcmpIn::Dropped(IcmpDrop::UnknownType)
        );
        let other = if a == A4 {
            udp_packet(B6, A6, &[])
        } else {
            udp_packet(B4, A4, &[])
        };
        for quote in [vec![], pattern(40), other] {
            assert_eq!(
                read_icmp(&icmp_packet(a, b, error, 0, 0, &quote)),
                IcmpIn::Dropped(IcmpDrop::BadQuote)
            );
        }
        let reply = if a == A4 { 0 } else { 129 };
        assert_eq!(
            read_icmp(&icmp_packet(a, b, reply, 0, 0x0102_0304, &[])),
            IcmpIn::EchoReply
        );
    }
    // An unknown error is passed on.
    let unknown = icmp_packet(A6, B6, 100, 3, 0, &udp_packet(B6, A6, &[]));
    assert!(matches!(
        read_icmp(&unknown),
        IcmpIn::Error(IcmpError::Unknown { kind: 100, code: 3 }, _)
    ));
    // ICMP of the other version.
    assert_eq!(
        read_icmp(&v6(A6, B6, ICMP, &pattern(8))),
        IcmpIn::Dropped(IcmpDrop::UnknownType)
    );
}

// req: RFC1122-34
#[test]
fn hard_and_soft() {
    assert!(PORT.is_hard());
    assert!(IcmpError::Unreachable(Unreachable::Protocol).is_hard());
    assert!(
        IcmpError::ParameterProblem {
            problem: Problem::NextHeader,
            pointer: 6
        }
        .is_hard()
    );
    for soft in [
        Unreachable::Network,
        Unreachable::Host,
        Unreachable::Other(5),
        Unreachable::Prohibited,
    ] {
        assert!(!IcmpError::Unreachable(soft).is_hard());
    }
    assert!(!IcmpError::TimeExceeded(TimeExceeded::HopLimit).is_hard());
    assert!(!IcmpError::TooBig { mtu: 1280 }.is_hard());
}

#[test]
fn every_drop_has_its_counter() {
    let drops = [
        IcmpDrop::Truncated,
        IcmpDrop::BadChecksum,
        IcmpDrop::UnknownType,
        IcmpDrop::BadQuote,
        IcmpDrop::Unreadable,
        IcmpDrop::NoRoom,
    ];
    let mut counters = IpCounters::default();
    for drop in drops {
        drop.count(&mut counters);
    }
    assert_eq!(
        counters.iter().filter(|&(_, value)| value == 1).count(),
        drops.len()
    );
}

proptest! {
    #[test]
    fn any_message_is_read_or_dropped(
        v6: bool, kind: u8, code in 0u8..20, word: u32, data in prop::collection::vec(any::<u8>(), 0..200), wrong: bool,
    ) {
        let memory = Memory::new();
        let (a, b) = if v6 { (A6, B6) } else { (A4, B4) };
        let mut bytes = icmp_packet(a, b, kind, code, word, &data);
        if wrong {
            let last = bytes.len() - 1;
            bytes[last] = !bytes[last];
        }
        let mut packet = memory.received(&bytes);
        let header = super::super::input::parse(&mut packet).unwrap();
        match input(&header, &mut packet) {
            IcmpIn::EchoRequest => {
                let from = ReplyFrom { source: ip(b), hop_limit: 64, ident: 1 };
                prop_assert!(echo_reply(&header, packet, &from).is_ok());
            }
            IcmpIn::Dropped(reason) => {
                prop_assert_eq!(reason == IcmpDrop::BadChecksum, wrong);
            }
            _ => prop_assert!(!wrong),
        }
    }

    #[test]
    fn any_packet_is_answered_or_not(bytes in prop::collection::vec(any::<u8>(), 0..200), version in prop_oneof![Just(4u8), Just(6)]) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = version << 4 | 5;
        }
        if let Some(packet) = answer(IcmpError::TooBig { mtu: 1280 }, &bytes) {
            prop_assert!(packet.len() <= 1280);
        }
    }
}
