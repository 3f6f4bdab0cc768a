use super::*;
use crate::ip::testing::{
    A4, A6, B4, B6, Memory, TCP, UDP, fix_v4, ip, pattern, v4, v4_options, v6,
};
use txbuf::{Gso, GsoKind};

fn both(payload: &[u8]) -> [Vec<u8>; 2] {
    [v4(A4, B4, UDP, payload), v6(A6, B6, UDP, payload)]
}

#[test]
fn every_hop_limit_goes_down_by_one_and_the_header_stays_right() {
    let memory = Memory::new();
    for bytes in both(&pattern(300)) {
        for hop_limit in 1..=255u8 {
            let (mut sent, at) = (bytes.clone(), if bytes[0] >> 4 == 4 { 8 } else { 7 });
            sent[at] = hop_limit;
            if bytes[0] >> 4 == 4 {
                fix_v4(&mut sent);
            }
            let mut packet = memory.received(&sent);
            let transit = parse(&mut packet).unwrap();
            assert_eq!(transit.hop_limit, hop_limit);
            decrement_hop_limit(&mut packet);
            let mut expected = sent.clone();
            expected[at] = hop_limit - 1;
            if bytes[0] >> 4 == 4 {
                fix_v4(&mut expected);
            }
            assert_eq!(packet.to_vec().unwrap(), expected);
        }
    }
}

#[test]
fn headers_that_are_wrong_are_refused() {
    let memory = Memory::new();
    let refused = |bytes: &[u8]| parse(&mut memory.received(bytes)).unwrap_err();
    let [four, six] = both(&pattern(40));
    let with = |at: usize, value: u8| {
        let mut bytes = four.clone();
        bytes[at] = value;
        bytes
    };
    assert_eq!(refused(&[]), IpDrop::Truncated);
    assert_eq!(refused(&four[..59]), IpDrop::Truncated);
    assert_eq!(refused(&six[..79]), IpDrop::Truncated);
    assert_eq!(refused(&six[..30]), IpDrop::Truncated);
    assert_eq!(refused(&with(0, 0x55)), IpDrop::BadVersion);
    assert_eq!(refused(&with(0, 0x44)), IpDrop::BadHeaderLength);
    assert_eq!(refused(&with(3, 19)), IpDrop::BadTotalLength);
    assert_eq!(refused(&with(10, four[10] ^ 1)), IpDrop::BadChecksum);
    assert_eq!(refused(&v4("127.0.0.1", B4, UDP, &[])), IpDrop::BadSource);
    assert_eq!(
        refused(&v4(A4, "240.0.0.1", UDP, &[])),
        IpDrop::BadDestination
    );
    assert_eq!(refused(&v6(A6, "::1", UDP, &[])), IpDrop::BadDestination);
    let route = v4_options(A4, B4, UDP, &[131, 7, 4, 1, 2, 3, 4, 0], &[]);
    assert_eq!(refused(&route), IpDrop::SourceRouted);
    let option = v4_options(A4, B4, UDP, &[7, 1, 0, 0], &[]);
    assert_eq!(refused(&option), IpDrop::BadOption { pointer: 20 });
}

#[test]
fn bytes_behind_the_packet_are_cut_off() {
    let memory = Memory::new();
    for bytes in both(&pattern(600)) {
        let mut packet = memory.received(&[&bytes[..], &[9; 7]].concat());
        parse(&mut packet).unwrap();
        assert_eq!(packet.to_vec().unwrap(), bytes);
    }
}

#[test]
fn destinations_are_read_from_any_packet_with_a_header() {
    let memory = Memory::new();
    let of = |bytes: &[u8]| destination(&mut memory.received(bytes));
    let [four, six] = both(&[]);
    assert_eq!((of(&four), of(&six)), (Some(ip(B4)), Some(ip(B6))));
    assert_eq!(
        (of(&four[..19]), of(&six[..39]), of(&[])),
        (None, None, None)
    );
}

#[test]
fn addresses_of_one_link_stay_there() {
    let may = |src: &str, dst: &str| {
        may_leave_link(&Transit {
            src: ip(src),
            dst: ip(dst),
            hop_limit: 1,
        })
    };
    assert!(may(A4, B4) && may(A6, B6));
    assert!(!may("169.254.1.1", B4) && !may(A4, "169.254.1.1"));
    assert!(!may("fe80::1", B6) && !may(A6, "fe80::1") && !may("::", B6));
}

#[test]
fn the_first_of_a_super_packet_is_a_packet_of_its_own() {
    let memory = Memory::new();
    for (bytes, headers) in both(&pattern(5000)).into_iter().zip([40, 60]) {
        let mut packet = memory.received(&bytes);
        packet.meta.gso = Some(Gso {
            kind: GsoKind::TcpV4,
            size: 1000,
            headers,
        });
        parse(&mut packet).unwrap();
        let wire = usize::from(headers) + 1000;
        assert_eq!(wire_len(&packet), wire);
        let mut first = first_on_wire(&packet);
        assert_eq!((first.len(), first.meta.gso), (wire, None));
        parse(&mut first).unwrap();
        assert_eq!(first.len(), wire, "its length field says so too");
        assert_eq!(packet.to_vec().unwrap(), bytes);
    }
    let whole = memory.received(&v4(A4, B4, TCP, &pattern(100)));
    assert_eq!(
        first_on_wire(&whole).to_vec().unwrap(),
        whole.to_vec().unwrap()
    );
}
