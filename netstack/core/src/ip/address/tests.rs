use super::*;

const ETH: IfaceId = IfaceId::new(0);
const TUN: IfaceId = IfaceId::new(1);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn addresses(list: &[(IfaceId, &str)]) -> Addresses {
    let mut addresses = Addresses::new();
    for (iface, cidr) in list {
        addresses.add(*iface, cidr.parse().unwrap()).unwrap();
    }
    addresses
}

fn source(addresses: &Addresses, iface: IfaceId, dst: &str) -> String {
    addresses
        .select_source(iface, ip(dst), None)
        .map_or("none".into(), |addr| addr.to_string())
}

#[test]
fn owns_what_was_added() {
    let all = addresses(&[(ETH, "10.0.0.1/24"), (TUN, "2001:db8::1/64")]);
    assert!(all.owns(ip("10.0.0.1")));
    assert!(!all.owns(ip("10.0.0.2")));
    assert_eq!(all.owner(ip("2001:db8::1")), Some(TUN));
    assert_eq!(all.of(ETH).count(), 1);
}

#[test]
fn refuses_what_is_no_host() {
    let mut all = Addresses::new();
    for bad in [
        "224.0.0.1/4",
        "0.0.0.0/0",
        "255.255.255.255/32",
        "127.0.0.1/8",
        "::/128",
        "ff02::1/64",
    ] {
        assert_eq!(
            all.add(ETH, bad.parse().unwrap()),
            Err(AddressError::NotUnicast),
            "{bad}"
        );
    }
    all.add(ETH, "10.0.0.1/24".parse().unwrap()).unwrap();
    assert_eq!(
        all.add(TUN, "10.0.0.1/8".parse().unwrap()),
        Err(AddressError::InUse)
    );
}

// req: RFC1122-61
#[test]
fn broadcasts() {
    let all = addresses(&[
        (ETH, "10.0.0.1/24"),
        (TUN, "10.1.0.0/31"),
        (TUN, "10.2.0.1/32"),
    ]);
    for yes in ["255.255.255.255", "10.0.0.255", "10.0.0.0"] {
        assert!(all.is_broadcast(ip(yes)), "{yes}");
    }
    for no in [
        "10.0.0.1",
        "10.0.1.255",
        "10.1.0.1",
        "10.1.0.0",
        "10.2.0.1",
        "ff02::1",
    ] {
        assert!(!all.is_broadcast(ip(no)), "{no}");
    }
}

#[test]
fn v4_source_is_the_primary_of_the_subnet() {
    let all = addresses(&[
        (ETH, "192.0.2.1/24"),
        (ETH, "10.0.0.1/24"),
        (ETH, "10.0.0.2/24"),
        (TUN, "10.9.0.1/24"),
    ]);
    assert_eq!(source(&all, ETH, "10.0.0.77"), "10.0.0.1");
    assert_eq!(source(&all, ETH, "8.8.8.8"), "192.0.2.1");
    assert_eq!(source(&all, TUN, "8.8.8.8"), "10.9.0.1");
    assert_eq!(source(&all, TUN, "10.0.0.2"), "10.0.0.2");
    assert_eq!(
        all.select_source(ETH, ip("8.8.8.8"), Some(ip("10.0.0.254"))),
        Some(ip("10.0.0.1"))
    );
    assert_eq!(source(&all, IfaceId::new(7), "8.8.8.8"), "192.0.2.1");
    assert_eq!(source(&all, ETH, "2001:db8::1"), "none");
}

// req: RFC8504-13
#[test]
fn v6_source_follows_scope_then_prefix() {
    let all = addresses(&[
        (ETH, "fe80::1/64"),
        (ETH, "2001:db8:1::1/64"),
        (ETH, "2001:db8:2::1/64"),
        (ETH, "fd00::1/64"),
        (TUN, "fe80::2/64"),
    ]);
    assert_eq!(source(&all, ETH, "fe80::99"), "fe80::1");
    assert_eq!(source(&all, TUN, "fe80::99"), "fe80::2");
    assert_eq!(source(&all, ETH, "ff02::1"), "fe80::1");
    assert_eq!(source(&all, ETH, "2001:db8:2::99"), "2001:db8:2::1");
    assert_eq!(source(&all, ETH, "2001:db8:1::99"), "2001:db8:1::1");
    assert_eq!(source(&all, ETH, "fd00::99"), "fd00::1");
    assert_eq!(source(&all, ETH, "2001:db8:2::1"), "2001:db8:2::1");
    // No global address on that interface: one of another is better than a link-local one.
    assert_eq!(source(&all, TUN, "2001:db8:1::9"), "2001:db8:1::1");
}

#[test]
fn v6_source_when_only_link_local() {
    let all = addresses(&[(ETH, "fe80::1/64")]);
    assert_eq!(source(&all, ETH, "2001:db8::1"), "fe80::1");
    assert_eq!(source(&all, TUN, "2001:db8::1"), "none");
}
