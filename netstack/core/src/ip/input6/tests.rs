use super::super::icmp::{IcmpError, Problem};
use super::super::input;
use super::super::testing::*;
use super::*;

fn parse_bytes(bytes: &[u8]) -> Result<IpHeader, IpDrop> {
    let memory = Memory::new();
    let result = input::parse(&mut memory.packet(bytes));
    if let Some(mut inline) = Packet::inline(bytes) {
        assert_eq!(
            input::parse(&mut inline),
            result,
            "inline and spanned packets differ"
        );
    }
    result
}

fn chain(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn pointer_of(drop: IpDrop) -> (Problem, u32) {
    match drop.error() {
        Some(IcmpError::ParameterProblem { problem, pointer }) => (problem, pointer),
        other => panic!("{drop:?} asks for {other:?}"),
    }
}

const DST_OPTS: u8 = 60;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const NO_NEXT: u8 = 59;

#[test]
fn a_plain_packet() {
    let mut bytes = v6(A6, B6, UDP, &pattern(20));
    bytes[0..2].copy_from_slice(&[0x6b, 0x90]);
    bytes.extend([9; 6]);
    let header = parse_bytes(&bytes).unwrap();
    assert_eq!(header.traffic_class, 0xb9);
    assert_eq!(header.protocol, IpProtocol::Udp);
    assert_eq!(
        (
            header.header_len,
            header.payload_len,
            header.protocol_offset
        ),
        (40, 20, 6)
    );
    assert_eq!(header.hop_limit, 64);
    assert!(!header.is_v4());
}

// req: RFC8200-33
#[test]
fn lengths() {
    let mut bytes = v6(A6, B6, UDP, &pattern(20));
    bytes.truncate(59);
    assert_eq!(parse_bytes(&bytes), Err(IpDrop::Truncated));
    assert_eq!(parse_bytes(&bytes[..39]), Err(IpDrop::Truncated));
    assert_eq!(parse_bytes(&v6(A6, B6, UDP, &[])).unwrap().payload_len, 0);
    let mut padded = v6(A6, B6, UDP, &pattern(20));
    padded.resize(80, 0xff);
    assert_eq!(parse_bytes(&padded).unwrap().payload_len, 20);
}

// req: RFC8200-05, RFC8200-07, RFC8200-09
#[test]
fn extension_headers_in_any_order() {
    let routing = [DST_OPTS, 0, 4, 0, 0, 0, 0, 0];
    let body = chain(&[
        &options_header(DST_OPTS, &[5, 2, 0, 0]),
        &options_header(ROUTING, &[0x1e, 1, 7]),
        &routing,
        &options_header(UDP, &[]),
        &pattern(20),
    ]);
    let header = parse_bytes(&v6(A6, B6, HOP_BY_HOP, &body)).unwrap();
    assert_eq!(header.protocol, IpProtocol::Udp);
    assert_eq!(
        (
            header.header_len,
            header.payload_len,
            header.protocol_offset
        ),
        (72, 20, 64)
    );
}

// req: RFC8200-04
#[test]
fn hop_by_hop_only_at_the_start() {
    let body = chain(&[
        &options_header(HOP_BY_HOP, &[]),
        &options_header(UDP, &[]),
        &pattern(20),
    ]);
    let drop = parse_bytes(&v6(A6, B6, DST_OPTS, &body)).unwrap_err();
    assert_eq!(pointer_of(drop), (Problem::NextHeader, 40));
}

// req: RFC8200-08
#[test]
fn unknown_options() {
    let parse_option = |kind: u8| {
        let body = chain(&[&options_header(UDP, &[0, kind, 1, 7]), &pattern(20)]);
        parse_bytes(&v6(A6, B6, DST_OPTS, &body))
    };
    assert!(parse_option(0x1e).is_ok());
    let silent = parse_option(0x5e).unwrap_err();
    assert_eq!(silent.error(), None);
    for (kind, even_multicast) in [(0x9e, true), (0xde, false)] {
        let drop = parse_option(kind).unwrap_err();
        assert_eq!(pointer_of(drop), (Problem::Option { even_multicast }, 43));
    }
}

// req: RFC8200-10, RFC8504-04
#[test]
fn routing_headers() {
    for kind in [0, 2, 4, 253] {
        let body = chain(&[&[UDP, 0, kind, 0, 0, 0, 0, 0], &pattern(20)]);
        assert!(
            parse_bytes(&v6(A6, B6, ROUTING, &body)).is_ok(),
            "type {kind}"
        );
        let body = chain(&[&[UDP, 0, kind, 1, 0, 0, 0, 0], &pattern(20)]);
        let drop = parse_bytes(&v6(A6, B6, ROUTING, &body)).unwrap_err();
        assert_eq!(pointer_of(drop), (Problem::Header, 42), "type {kind}");
    }
}

// req: RFC8200-23
#[test]
fn no_next_header() {
    assert_eq!(
        parse_bytes(&v6(A6, B6, NO_NEXT, &pattern(8))),
        Err(IpDrop::NoNextHeader)
    );
    let body = chain(&[&options_header(NO_NEXT, &[]), &pattern(8)]);
    assert_eq!(
        parse_bytes(&v6(A6, B6, DST_OPTS, &body)),
        Err(IpDrop::NoNextHeader)
    );
}

#[test]
fn cut_off_extension_headers() {
    let body = options_header(
        UDP,
        &[
            1, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
    );
    for len in 0..body.len() {
        assert_eq!(
            parse_bytes(&v6(A6, B6, DST_OPTS, &body[..len])),
            Err(IpDrop::Truncated),
            "{len}"
        );
    }
    assert!(parse_bytes(&v6(A6, B6, DST_OPTS, &body)).is_ok());
    let overlong = options_header(UDP, &[1, 200, 0, 0]);
    assert_eq!(
        parse_bytes(&v6(A6, B6, DST_OPTS, &overlong)),
        Err(IpDrop::BadExtension)
    );
}

#[test]
fn too_many_extension_headers() {
    let mut body = Vec::new();
    for _ in 0..MAX_EXTENSIONS - 1 {
        body.extend(options_header(DST_OPTS, &[]));
    }
    let enough = chain(&[&body, &options_header(UDP, &[]), &pattern(20)]);
    assert!(parse_bytes(&v6(A6, B6, DST_OPTS, &enough)).is_ok());
    let more = chain(&[
        &body,
        &options_header(DST_OPTS, &[]),
        &options_header(UDP, &[]),
        &pattern(20),
    ]);
    assert_eq!(
        parse_bytes(&v6(A6, B6, DST_OPTS, &more)),
        Err(IpDrop::HeaderChainTooLong)
    );
}

// req: RFC8200-07
#[test]
fn long_extension_headers_are_taken_out() {
    // RFC 8504 section 5.3: options of any length are accepted.
    let memory = Memory::new();
    for padding in [30, 60, 90, 250] {
        let mut option = vec![1, padding];
        option.resize(2 + usize::from(padding), 0);
        let options = options_header(UDP, &option);
        let segment = pattern(300);
        let bytes = v6(A6, B6, DST_OPTS, &chain(&[&options, &segment]));
        let mut packet = memory.packet(&bytes);
        packet.meta.checksum = Checksum::Partial {
            start: 40 + options.len() as u16,
            offset: 6,
        };
        let header = input::parse(&mut packet).unwrap();
        let whole = packet.to_vec().unwrap();
        assert_eq!(header.protocol, IpProtocol::Udp);
        assert_eq!(whole[header.header_len..], segment);
        assert_eq!(
            packet.meta.checksum,
            Checksum::Partial {
                start: header.header_len as u16,
                offset: 6
            }
        );
        assert!(
            packet.pull(header.header_len + MAX_TRANSPORT).is_ok(),
            "no room for a TCP header"
        );
        if padding > 44 {
            assert_eq!(whole[..], v6(A6, B6, UDP, &segment));
            assert_eq!(header.protocol_offset, 6);
        } else {
            assert_eq!(whole[..], bytes);
        }
    }
}

#[test]
fn long_extension_headers_before_a_fragment() {
    let memory = Memory::new();
    let mut option = vec![1, 100];
    option.resize(102, 0);
    let options = options_header(FRAGMENT, &option);
    let fragment = fragment_header(UDP, 77, 80, true);
    let bytes = v6(
        A6,
        B6,
        DST_OPTS,
        &chain(&[&options, &fragment, &pattern(80)]),
    );
    let mut packet = memory.packet(&bytes);
    let header = input::parse(&mut packet).unwrap();
    assert_eq!(
        packet.to_vec().unwrap(),
        v6_fragment(UDP, 77, 80, true, &pattern(80))
    );
    assert_eq!(
        header.fragment,
        Some(FragmentInfo {
            ident: 77,
            offset: 80,
            more: true
        })
    );
    assert_eq!((header.header_len, header.payload_len), (48, 80));
}

#[test]
fn fragment_fields() {
    let header = parse_bytes(&v6_fragment(UDP, 0xdead_beef, 1240, true, &pattern(64))).unwrap();
    assert_eq!(
        header.fragment,
        Some(FragmentInfo {
            ident: 0xdead_beef,
            offset: 1240,
            more: true
        })
    );
    assert_eq!((header.header_len, header.payload_len), (48, 64));
    assert_eq!(header.protocol, IpProtocol::Udp);
}

// req: RFC6946-01, RFC8200-22
#[test]
fn atomic_fragments_are_whole_packets() {
    let header = parse_bytes(&v6_fragment(UDP, 7, 0, false, &pattern(20))).unwrap();
    assert_eq!(header.fragment, None);
    assert_eq!(
        (
            header.header_len,
            header.payload_len,
            header.protocol_offset
        ),
        (48, 20, 40)
    );
    // The headers after it count as well.
    let body = chain(&[&options_header(UDP, &[0x5e, 0]), &pattern(20)]);
    assert!(parse_bytes(&v6_fragment(DST_OPTS, 7, 0, false, &body)).is_err());
}

// req: RFC8200-18, RFC8200-19
#[test]
fn fragment_lengths() {
    let odd = parse_bytes(&v6_fragment(UDP, 7, 0, true, &pattern(63))).unwrap_err();
    assert_eq!(pointer_of(odd), (Problem::Header, 4));
    assert_eq!(
        parse_bytes(&v6_fragment(UDP, 7, 8, false, &[])),
        Err(IpDrop::BadFragmentLength { v6: true })
    );
    assert!(parse_bytes(&v6_fragment(UDP, 7, 65_528, false, &pattern(7))).is_ok());
    let long = parse_bytes(&v6_fragment(UDP, 7, 65_528, false, &pattern(8))).unwrap_err();
    assert_eq!(pointer_of(long), (Problem::Header, 42));
}

// req: RFC8200-20, RFC7112-02, RFC7112-03
#[test]
fn first_fragments_hold_all_headers() {
    let drop = parse_bytes(&v6_fragment(TCP, 7, 0, true, &pattern(16))).unwrap_err();
    assert_eq!(pointer_of(drop), (Problem::HeaderChain, 0));
    assert!(parse_bytes(&v6_fragment(TCP, 7, 0, true, &pattern(24))).is_ok());
    assert!(parse_bytes(&v6_fragment(UDP, 7, 0, true, &pattern(8))).is_ok());
    let body = chain(&[
        &options_header(UDP, &[1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        &pattern(8),
    ]);
    assert_eq!(
        parse_bytes(&v6_fragment(DST_OPTS, 7, 0, true, &body[..16])),
        Err(IpDrop::IncompleteHeaderChain)
    );
    assert_eq!(
        parse_bytes(&v6_fragment(DST_OPTS, 7, 0, true, &body[..8])),
        Err(IpDrop::IncompleteHeaderChain)
    );
    // A later fragment may begin with anything.
    assert!(parse_bytes(&v6_fragment(DST_OPTS, 7, 8, true, &body[..8])).is_ok());
}

#[test]
fn martians() {
    for src in ["::1", "::ffff:10.0.0.1", "ff02::1"] {
        assert_eq!(
            parse_bytes(&v6(src, B6, UDP, &[0; 8])),
            Err(IpDrop::BadSource),
            "{src}"
        );
    }
    for dst in ["::", "::1", "::ffff:10.0.0.1", "ff01::1"] {
        assert_eq!(
            parse_bytes(&v6(A6, dst, UDP, &[0; 8])),
            Err(IpDrop::BadDestination),
            "{dst}"
        );
    }
    assert!(parse_bytes(&v6("::", "ff02::1", ICMP6, &[0; 8])).is_ok());
}
