use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn cidr(text: &str) -> IpCidr {
    text.parse().unwrap()
}

fn route(index: u32) -> Route {
    Route {
        iface: IfaceId::new(index),
        via: None,
        source: None,
    }
}

fn lookup(routes: &Routes, dst: &str) -> Option<u32> {
    routes
        .lookup(dst.parse().unwrap())
        .map(|route| route.iface.index())
}

// req: RFC1812-30
#[test]
fn the_longest_prefix_wins() {
    let mut routes = Routes::new();
    for (index, text) in ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32"]
        .iter()
        .enumerate()
    {
        assert_eq!(routes.add(cidr(text), route(index as u32)), None);
    }
    assert_eq!(lookup(&routes, "192.0.2.1"), Some(0));
    assert_eq!(lookup(&routes, "10.9.9.9"), Some(1));
    assert_eq!(lookup(&routes, "10.1.9.9"), Some(2));
    assert_eq!(lookup(&routes, "10.1.2.3"), Some(3));
    assert_eq!(lookup(&routes, "2001:db8::1"), None);
}

#[test]
fn versions_do_not_mix() {
    let mut routes = Routes::new();
    routes.add(cidr("::/0"), route(1));
    assert_eq!(lookup(&routes, "10.0.0.1"), None);
    assert_eq!(lookup(&routes, "2001:db8::1"), Some(1));
}

#[test]
fn host_bits_do_not_count() {
    let mut routes = Routes::new();
    routes.add(cidr("10.0.0.7/24"), route(1));
    assert_eq!(lookup(&routes, "10.0.0.200"), Some(1));
    assert_eq!(routes.add(cidr("10.0.0.9/24"), route(2)), Some(route(1)));
    assert_eq!(lookup(&routes, "10.0.0.200"), Some(2));
}

proptest! {
    #[test]
    fn agrees_with_a_scan(
        prefixes in proptest::collection::vec((any::<u32>(), 0u8..=32), 0..40),
        dst: u32,
        near in any::<proptest::sample::Index>(),
        flip in 0u32..32,
    ) {
        let mut routes = Routes::new();
        let mut list: Vec<(u32, u8, u32)> = Vec::new();
        for (index, &(bits, len)) in prefixes.iter().enumerate() {
            let network = if len == 0 { 0 } else { bits & (u32::MAX << (32 - len)) };
            list.retain(|&(other, other_len, _)| (other, other_len) != (network, len));
            list.push((network, len, index as u32));
            routes.add(IpCidr::new(Ipv4Addr::from_bits(bits).into(), len), route(index as u32));
        }
        let near = if prefixes.is_empty() { dst } else { prefixes[near.index(prefixes.len())].0 ^ (1 << flip) };
        for dst in [dst, near] {
            let expected = list
                .iter()
                .filter(|&&(network, len, _)| len == 0 || dst & (u32::MAX << (32 - len)) == network)
                .max_by_key(|&&(_, len, _)| len)
                .map(|&(_, _, index)| index);
            let found = routes.lookup(Ipv4Addr::from_bits(dst).into()).map(|route| route.iface.index());
            prop_assert_eq!(found, expected);
        }
    }
}
