use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

#[test]
fn known_v4_sum() {
    let src = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 1));
    let dst = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 2));
    // c0a8 + 0101 + c0a8 + 0102 + 0011 + 000c = 1 8370 -> 8371
    assert_eq!(pseudo_header_sum(src, dst, IpProtocol::Udp, 12), 0x8371);
}

proptest! {
    #[test]
    fn equals_the_sum_of_the_bytes(src: u128, dst: u128, proto: u8, len in 0usize..70_000) {
        let (src6, dst6) = (Ipv6Addr::from_bits(src), Ipv6Addr::from_bits(dst));
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&src6.octets());
        bytes.extend_from_slice(&dst6.octets());
        bytes.extend_from_slice(&(len as u32).to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, proto]);
        let ours = pseudo_header_sum(src6.into(), dst6.into(), IpProtocol::from(proto), len);
        // 0 and 0xffff are the same number; only an all-zero input sums to 0.
        prop_assert_eq!(ours, checksum::sum(&bytes));
    }

    #[test]
    fn equals_the_sum_of_the_bytes_v4(src: u32, dst: u32, proto: u8, len in 0u16..) {
        let (src4, dst4) = (Ipv4Addr::from_bits(src), Ipv4Addr::from_bits(dst));
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&src4.octets());
        bytes.extend_from_slice(&dst4.octets());
        bytes.extend_from_slice(&[0, proto]);
        bytes.extend_from_slice(&len.to_be_bytes());
        let ours = pseudo_header_sum(src4.into(), dst4.into(), IpProtocol::from(proto), len.into());
        prop_assert_eq!(ours, checksum::sum(&bytes));
    }
}
