use proptest::prelude::*;

use super::super::testing::*;
use super::*;
use crate::counters::IpCounters;
use crate::ip::icmp::{IcmpError, Problem};
use smoltcp::wire::IpProtocol;

fn parse_bytes(bytes: &[u8]) -> Result<IpHeader, IpDrop> {
    let memory = Memory::new();
    let mut spanned = memory.packet(bytes);
    let result = parse(&mut spanned);
    if let Some(mut inline) = Packet::inline(bytes) {
        assert_eq!(
            parse(&mut inline),
            result,
            "inline and spanned packets differ"
        );
    }
    if let Ok(header) = &result {
        assert!(spanned.headers().len() >= header.header_len);
        assert_eq!(spanned.len(), header.header_len + header.payload_len);
    }
    result
}

#[test]
fn a_plain_packet() {
    let mut bytes = v4(A4, B4, UDP, &pattern(100));
    bytes[1] = 0b1011_1001;
    fix_v4(&mut bytes);
    let header = parse_bytes(&bytes).unwrap();
    assert_eq!(
        header,
        IpHeader {
            src: ip(A4),
            dst: ip(B4),
            protocol: IpProtocol::Udp,
            protocol_offset: 9,
            hop_limit: 64,
            traffic_class: 0b1011_1001,
            header_len: 20,
            payload_len: 100,
            fragment: None,
        }
    );
    assert!(header.is_v4());
    assert_eq!(header.ecn(), 0b01);
}

// req: RFC791-03
#[test]
fn link_padding_is_cut_off() {
    let memory = Memory::new();
    let mut bytes = v4(A4, B4, UDP, &pattern(10));
    bytes.resize(46, 0xff);
    for mut packet in [memory.packet(&bytes), memory.received(&bytes)] {
        let header = parse(&mut packet).unwrap();
        assert_eq!((header.payload_len, packet.len()), (10, 30));
        assert_eq!(packet.to_vec().unwrap(), bytes[..30]);
    }
}

// req: RFC791-01, RFC1122-03, RFC6274-01, RFC6274-02, RFC6274-03, RFC6274-04, RFC8200-01
#[test]
fn bad_versions_and_lengths() {
    assert_eq!(parse_bytes(&[]), Err(IpDrop::Truncated));
    assert_eq!(parse_bytes(&[0x50; 40]), Err(IpDrop::BadVersion));
    assert_eq!(parse_bytes(&[0x45; 19]), Err(IpDrop::Truncated));
    let good = v4(A4, B4, UDP, &pattern(8));
    let with = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        fix_v4(&mut bytes);
        parse_bytes(&bytes)
    };
    assert_eq!(with(0, &[0x44]), Err(IpDrop::BadHeaderLength));
    assert_eq!(with(0, &[0x48]), Err(IpDrop::BadTotalLength));
    assert_eq!(with(2, &[0, 19]), Err(IpDrop::BadTotalLength));
    assert_eq!(with(2, &[0, 29]), Err(IpDrop::Truncated));
    assert!(with(2, &[0, 20]).is_ok());
}

// req: RFC791-02, RFC1122-04, RFC1812-02
#[test]
fn bad_checksum() {
    let mut bytes = v4(A4, B4, UDP, &pattern(8));
    bytes[11] ^= 1;
    assert_eq!(parse_bytes(&bytes), Err(IpDrop::BadChecksum));
    assert_eq!(IpDrop::BadChecksum.error(), None);
}

// req: RFC1122-14
#[test]
fn low_ttl_is_no_reason_to_drop() {
    for ttl in [0, 1] {
        let mut bytes = v4(A4, B4, UDP, &pattern(8));
        bytes[8] = ttl;
        fix_v4(&mut bytes);
        assert_eq!(parse_bytes(&bytes).unwrap().hop_limit, ttl);
    }
}

// req: RFC1122-17, RFC1122-21, RFC6274-09, RFC6274-10
#[test]
fn options_are_walked() {
    let parse_options =
        |options: &[u8]| parse_bytes(&v4_options(A4, B4, UDP, options, &pattern(8)));
    let header = parse_options(&[1, 1, 200, 2, 0, 0, 0, 0]).unwrap();
    assert_eq!((header.header_len, header.payload_len), (28, 8));
    assert!(parse_options(&[1; 40]).is_ok());
    assert_eq!(
        parse_options(&[131, 7, 4, 1, 2, 3, 4, 0]),
        Err(IpDrop::SourceRouted)
    );
    let bad = parse_options(&[1, 200, 9, 0]).unwrap_err();
    assert_eq!(bad, IpDrop::BadOption { pointer: 21 });
    assert_eq!(
        bad.error(),
        Some(IcmpError::ParameterProblem {
            problem: Problem::Header,
            pointer: 21
        })
    );
}

// req: RFC1122-07, RFC1122-08, RFC6274-17
#[test]
fn martians() {
    for src in [
        "127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
        "250.1.1.1",
    ] {
        assert_eq!(
            parse_bytes(&v4(src, B4, UDP, &[0; 8])),
            Err(IpDrop::BadSource),
            "{src}"
        );
    }
    for dst in ["127.0.0.1", "0.0.0.0", "250.1.1.1"] {
        assert_eq!(
            parse_bytes(&v4(A4, dst, UDP, &[0; 8])),
            Err(IpDrop::BadDestination),
            "{dst}"
        );
    }
    assert!(parse_bytes(&v4(A4, "255.255.255.255", UDP, &[0; 8])).is_ok());
    assert!(parse_bytes(&v4(A4, "224.0.0.1", UDP, &[0; 8])).is_ok());
}

// req: RFC6274-05, RFC6274-06
#[test]
fn fragments() {
    let header = parse_bytes(&v4_fragment(UDP, 7, 1480, true, &pattern(16))).unwrap();
    assert_eq!(
        header.fragment,
        Some(FragmentInfo {
            ident: 7,
            offset: 1480,
            more: true
        })
    );
    assert!(parse_bytes(&v4_fragment(UDP, 7, 1480, false, &pattern(15))).is_ok());
    let bad = Err(IpDrop::BadFragmentLength { v6: false });
    assert_eq!(
        parse_bytes(&v4_fragment(UDP, 7, 0, true, &pattern(15))),
        bad
    );
    assert_eq!(parse_bytes(&v4_fragment(UDP, 7, 8, false, &[])), bad);
    let long = Err(IpDrop::FragmentTooLong { pointer: None });
    assert_eq!(
        parse_bytes(&v4_fragment(UDP, 7, 65_512, false, &pattern(8))),
        long
    );
    assert!(parse_bytes(&v4_fragment(UDP, 7, 65_504, false, &pattern(11))).is_ok());
    assert_eq!(
        parse_bytes(&v4_fragment(UDP, 7, 65_504, false, &pattern(12))),
        long
    );
}

#[test]
fn every_drop_has_its_counter() {
    let drops = [
        IpDrop::Truncated,
        IpDrop::BadVersion,
        IpDrop::BadHeaderLength,
        IpDrop::BadTotalLength,
        IpDrop::BadChecksum,
        IpDrop::BadOption { pointer: 0 },
        IpDrop::SourceRouted,
        IpDrop::BadSource,
        IpDrop::BadDestination,
        IpDrop::BadExtension,
        IpDrop::UnknownOption {
            report: None,
            even_multicast: false,
        },
        IpDrop::RoutingHeader { pointer: 0 },
        IpDrop::MisplacedHopByHop { pointer: 0 },
        IpDrop::HeaderChainTooLong,
        IpDrop::NoNextHeader,
        IpDrop::IncompleteHeaderChain,
        IpDrop::BadFragmentLength { v6: true },
        IpDrop::FragmentTooLong { pointer: None },
        IpDrop::Unreadable,
    ];
    let mut counters = IpCounters::default();
    for drop in drops {
        drop.count(&mut counters);
    }
    let ones: Vec<_> = counters.iter().filter(|&(_, value)| value == 1).collect();
    assert_eq!(ones.len(), drops.len());
}

/// Packets that are nearly right: the interesting ones.
fn nearly_right() -> impl Strategy<Value = Vec<u8>> {
    let base = prop_oneof![
        Just(udp_packet(A4, B4, &pattern(50))),
        Just(udp_packet(A6, B6, &pattern(50))),
        Just(v4_options(
            A4,
            B4,
            UDP,
            &[7, 7, 4, 0, 0, 0, 0, 0],
            &pattern(200)
        )),
        Just(v4_fragment(UDP, 9, 64, true, &pattern(64))),
        Just(v6_fragment(UDP, 9, 64, true, &pattern(64))),
        Just(v6_fragment(60, 9, 0, true, &pattern(64))),
        Just(v6(
            A6,
            B6,
            0,
            &[
                options_header(60, &[5, 2, 0, 0]),
                options_header(17, &[1, 0]),
                pattern(20)
            ]
            .concat()
        )),
        Just(v6(
            A6,
            B6,
            43,
            &[vec![17, 2, 0, 0, 0, 0, 0, 0], pattern(40)].concat()
        )),
    ];
    let change = (any::<prop::sample::Index>(), any::<u8>());
    (
        base,
        prop::collection::vec(change, 0..6),
        0usize..300,
        any::<bool>(),
    )
        .prop_map(|(mut bytes, changes, cut, fix)| {
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if cut < bytes.len() {
                bytes.truncate(cut);
            }
            if fix && bytes.len() >= 20 && bytes[0] >> 4 == 4 {
                fix_v4(&mut bytes);
            }
            bytes
        })
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), version in prop_oneof![Just(4u8), Just(6), any::<u8>()]) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = version << 4 | (*first & 0xf);
        }
        let _ = parse_bytes(&bytes);
    }

    #[test]
    fn mutated_packets_never_panic(bytes in nearly_right()) {
        let memory = Memory::new();
        let mut packet = memory.received(&bytes);
        let result = parse(&mut packet);
        if let Ok(header) = result {
            prop_assert_eq!(packet.len(), header.header_len + header.payload_len);
            prop_assert!(packet.pull(header.header_len).is_ok());
        } else if let Err(drop) = result {
            drop.count(&mut IpCounters::default());
            let _ = drop.error();
        }
        drop(packet);
        prop_assert_eq!(memory.ledger.live_nodes(), 0);
    }
}
