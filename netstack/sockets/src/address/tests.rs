use super::{Domain, SockAddr, Target, to_bind, to_connect, to_send};
use crate::Errno;
use std::net::SocketAddr;

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[test]
fn what_is_written_is_read() {
    for text in ["10.1.2.3:80", "[fd00::1]:443", "0.0.0.0:0", "[::]:65535"] {
        assert_eq!(SockAddr::from(at(text)).address(), Some(at(text)));
    }
}

#[test]
fn mapped_addresses_are_of_ipv4() {
    let mapped = Domain::V6.write(at("10.0.0.1:9"));
    assert_eq!(mapped.len(), 28);
    assert_eq!(
        to_connect(Domain::V6, false, &mapped),
        Ok(Target::Peer(at("[::ffff:10.0.0.1]:9")))
    );
    assert_eq!(
        to_connect(Domain::V6, true, &mapped),
        Err(Errno::ENETUNREACH)
    );
    assert_eq!(to_bind(Domain::V6, true, &mapped), Err(Errno::EINVAL));
    let plain = SockAddr::from(at("10.0.0.1:9"));
    assert_eq!(
        to_send(Domain::V6, false, &plain),
        Ok(Some(at("[::ffff:10.0.0.1]:9"))),
        "datagram sockets of IPv6 take names of IPv4"
    );
    assert_eq!(to_send(Domain::V6, true, &plain), Err(Errno::ENETUNREACH));
}

#[test]
fn every_length_and_family_has_an_answer() {
    let whole = SockAddr::from(at("[fd00::1]:443"));
    for len in 0..=whole.len() {
        let name = whole.get(..len).expect("a part");
        assert_eq!(to_bind(Domain::V6, false, name).is_ok(), len >= 24);
        assert_eq!(to_connect(Domain::V6, false, name).is_ok(), len >= 24);
        assert!(to_bind(Domain::V4, false, name).is_err());
        assert!(to_send(Domain::V4, false, name).is_err());
    }
    let mut name = whole.to_vec();
    for family in 0..=255 {
        name[0] = family;
        let bound = to_bind(Domain::V6, false, &name);
        assert_eq!(bound.is_ok(), i32::from(family) == libc::AF_INET6);
    }
}
