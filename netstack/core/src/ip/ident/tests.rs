use std::collections::HashSet;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

// req: RFC791-12, RFC6864-05
#[test]
fn no_repeat_for_one_destination() {
    let mut idents = Idents::new(&mut Random::new([1; 32]));
    let (src, dst) = (ip("10.0.0.1"), ip("10.0.0.2"));
    let seen: HashSet<u16> = (0..65_536)
        .map(|_| idents.next(src, dst, IpProtocol::Udp) as u16)
        .collect();
    assert_eq!(seen.len(), 65_536);
}

// req: RFC6274-12, RFC8504-02
#[test]
fn destinations_and_protocols_differ() {
    let mut idents = Idents::new(&mut Random::new([2; 32]));
    let (src, a, b) = (ip("10.0.0.1"), ip("10.0.0.2"), ip("10.0.0.3"));
    let first = idents.next(src, a, IpProtocol::Udp);
    assert_ne!(first.abs_diff(idents.next(src, b, IpProtocol::Udp)), 1);
    assert_ne!(first.abs_diff(idents.next(src, a, IpProtocol::Icmp)), 1);
    let mut other = Idents::new(&mut Random::new([3; 32]));
    assert_ne!(first, other.next(src, a, IpProtocol::Udp));
}
