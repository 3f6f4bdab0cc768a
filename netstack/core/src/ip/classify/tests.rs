use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

// req: RFC1122-07, RFC1122-08, RFC6274-07, RFC6274-17
#[test]
fn sources() {
    for bad in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.255",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::ffff:10.0.0.1",
        "ff02::1",
        "ff0e::1",
    ] {
        assert!(!may_be_source(ip(bad)), "{bad}");
    }
    for good in [
        "10.0.0.1",
        "1.1.1.1",
        "169.254.1.1",
        "::",
        "fe80::1",
        "2001:db8::1",
        "fd00::1",
    ] {
        assert!(may_be_source(ip(good)), "{good}");
    }
}

#[test]
fn destinations() {
    for bad in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "240.0.0.1",
        "255.255.255.254",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "ff00::1",
        "ff01::1",
    ] {
        assert!(!may_be_destination(ip(bad)), "{bad}");
    }
    for good in [
        "10.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "fe80::1",
        "ff02::1",
        "ff0e::1",
        "2001:db8::1",
    ] {
        assert!(may_be_destination(ip(good)), "{good}");
    }
}

#[test]
fn one_host() {
    for bad in [
        "::",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "ff02::1",
        "127.0.0.1",
    ] {
        assert!(!names_one_host(ip(bad)), "{bad}");
    }
    assert!(names_one_host(ip("10.0.0.1")));
    assert!(names_one_host(ip("2001:db8::1")));
}

#[test]
fn scopes_are_ordered() {
    let scope_of = |text: &str| scope(text.parse().unwrap());
    assert_eq!(scope_of("fe80::1"), scope_of("ff02::1"));
    assert_eq!(scope_of("2001:db8::1"), scope_of("fd00::1"));
    assert!(scope_of("fe80::1") < scope_of("fec0::1"));
    assert!(scope_of("fec0::1") < scope_of("2001:db8::1"));
}
