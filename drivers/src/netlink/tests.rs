use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use super::{
    Address, Cidr, CidrError, LinkConfig, NetlinkError, Netns, Route, configure, delete, link_state,
};
use crate::testing::{netns_or_skip, pool, skip};
use crate::{Tun, TunConfig};

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn address(local: &str, peer: Option<&str>) -> Address {
    Address {
        local: cidr(local),
        peer: peer.map(cidr),
    }
}

#[test]
fn cidrs_are_read_and_written() {
    for text in ["192.0.2.1/24", "0.0.0.0/0", "2001:db8::1/64", "::/0"] {
        assert_eq!(cidr(text).to_string(), text);
    }
    assert_eq!(cidr("192.0.2.1"), cidr("192.0.2.1/32"));
    assert_eq!(cidr("::1").prefix(), 128);
    for (text, network) in [
        ("192.0.2.77/25", "192.0.2.0"),
        ("192.0.2.77/0", "0.0.0.0"),
        ("192.0.2.77/32", "192.0.2.77"),
        ("2001:db8:1:2:3::/63", "2001:db8:1:2::"),
        ("2001:db8::5/0", "::"),
    ] {
        assert_eq!(cidr(text).network(), network.parse::<IpAddr>().unwrap());
    }
    for text in [
        "",
        "/",
        "192.0.2.1/",
        "192.0.2.1/33",
        "192.0.2.1/-1",
        "::1/129",
        "x/24",
        "192.0.2.1/24/1",
    ] {
        assert!(text.parse::<Cidr>().is_err(), "{text}");
    }
    let long: CidrError = "192.0.2.1/33".parse::<Cidr>().unwrap_err();
    assert_eq!(
        long.to_string(),
        "the prefix length \"33\" is not a number from 0 to 32"
    );
}

#[test]
fn names_that_lead_elsewhere_are_no_namespaces() {
    for name in [
        "",
        ".",
        "..",
        "../run",
        "a/b",
        "a\0b",
        "there-is-none-of-this-name",
    ] {
        let error = Netns::by_name(name).unwrap_err();
        assert!(
            matches!(error, NetlinkError::NoSuchNamespace { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_private_namespace_needs_a_single_thread() {
    // The test harness has at least two.
    let error = super::private_namespace().unwrap_err();
    assert!(
        matches!(error, NetlinkError::NotSingleThreaded { threads } if threads > 1),
        "{error}"
    );
}

#[test]
fn an_anonymous_namespace_has_a_loopback_device_that_is_up() {
    let Some(netns) = netns_or_skip("an_anonymous_namespace_has_a_loopback_device_that_is_up")
    else {
        return;
    };
    assert!(link_state(Some(&netns), "lo").unwrap().up);
    let (client, server) = netns
        .run(|| {
            let listener = TcpListener::bind("[::1]:0").unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (client, listener.accept().unwrap())
        })
        .unwrap();
    assert_eq!(client.local_addr().unwrap(), server.1);
}

#[test]
fn a_device_is_set_up_looked_at_and_deleted() {
    let Some(netns) = netns_or_skip("a_device_is_set_up_looked_at_and_deleted") else {
        return;
    };
    let pool = pool(&txbuf::Ledger::new());
    let _tun = Tun::open(
        &TunConfig {
            netns: Some(netns.clone()),
            ..TunConfig::new("tun0")
        },
        &pool,
    )
    .unwrap();
    let before = link_state(Some(&netns), "tun0").unwrap();
    assert!(!before.up && before.mtu == 1500);
    let config = LinkConfig {
        mtu: Some(1280),
        tx_queue: Some(4000),
        addresses: vec![
            address("192.0.2.1/24", None),
            address("10.0.0.1/32", Some("10.9.0.2/32")),
            address("2001:db8::1/64", None),
        ],
        routes: vec![
            Route {
                destination: cidr("203.0.113.9/24"),
                via: Some("192.0.2.2".parse().unwrap()),
            },
            Route {
                destination: cidr("2001:db8:1::/48"),
                via: None,
            },
        ],
        up: true,
    };
    let after = configure(Some(&netns), "tun0", &config)
        .unwrap()
        .after()
        .clone();
    assert_eq!(
        (after.mtu, after.tx_queue, after.up, after.carries_ipv6()),
        (1280, 4000, true, true)
    );
    // A route's source address tells that address and route are there; no detection of duplicates is waited for.
    for (to, from) in [
        ("192.0.2.2", "192.0.2.1"),
        ("10.9.0.2", "10.0.0.1"),
        ("203.0.113.1", "192.0.2.1"),
        ("2001:db8::2", "2001:db8::1"),
        ("2001:db8:1::5", "2001:db8::1"),
    ] {
        assert_eq!(source_towards(&netns, to), from, "towards {to}");
    }
    let again = LinkConfig {
        routes: Vec::new(),
        ..config.clone()
    };
    assert_eq!(
        configure(Some(&netns), "tun0", &again).unwrap().after(),
        &after
    );
    assert!(matches!(
        configure(Some(&netns), "tun0", &config),
        Err(NetlinkError::Exists { .. })
    ));
    delete(Some(&netns), "tun0").unwrap();
    let gone = link_state(Some(&netns), "tun0").unwrap_err();
    assert!(
        matches!(&gone, NetlinkError::NoSuchDevice { name } if name == "tun0"),
        "{gone}"
    );
}

/// The address that the kernel of `netns` would send from to reach `to`.
fn source_towards(netns: &Netns, to: &str) -> String {
    let any = if to.contains(':') {
        "[::]:0"
    } else {
        "0.0.0.0:0"
    };
    let source = netns.run(|| {
        let socket = UdpSocket::bind(any).unwrap();
        socket.connect((to, 9)).unwrap();
        socket.local_addr().unwrap().ip()
    });
    source.unwrap().to_string()
}

#[test]
fn ipv6_below_its_smallest_mtu_is_refused_with_the_reason() {
    let Some(netns) = netns_or_skip("ipv6_below_its_smallest_mtu_is_refused_with_the_reason")
    else {
        return;
    };
    let pool = pool(&txbuf::Ledger::new());
    let _tun = Tun::open(
        &TunConfig {
            netns: Some(netns.clone()),
            ..TunConfig::new("tun0")
        },
        &pool,
    )
    .unwrap();
    let config = LinkConfig {
        mtu: Some(1000),
        addresses: vec![address("2001:db8::1/64", None)],
        up: true,
        ..LinkConfig::default()
    };
    let error = configure(Some(&netns), "tun0", &config).unwrap_err();
    assert_eq!(
        error.to_string(),
        "device tun0 has an MTU of 1000, and IPv6 needs at least 1280: raise the MTU or leave out 2001:db8::1/64"
    );
    // What had been set by then is undone.
    let state = link_state(Some(&netns), "tun0").unwrap();
    assert!(state.carries_ipv6() && !state.up);
    let off = LinkConfig {
        mtu: Some(1500),
        addresses: vec![address("2001:db8::1/64", None)],
        ..LinkConfig::default()
    };
    netns
        .run(|| {
            std::fs::write(
                "/proc/thread-self/../../sys/net/ipv6/conf/tun0/disable_ipv6",
                "1",
            )
            .ok()
        })
        .unwrap();
    // /proc/sys may be read-only or of another namespace here: then there is nothing to see.
    match configure(Some(&netns), "tun0", &off) {
        Ok(_) | Err(NetlinkError::Ipv6Disabled { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn mixed_families_are_refused() {
    let Some(netns) = netns_or_skip("mixed_families_are_refused") else {
        return;
    };
    let addresses = vec![address("192.0.2.1/24", Some("2001:db8::1/64"))];
    let error = configure(
        Some(&netns),
        "lo",
        &LinkConfig {
            addresses,
            ..LinkConfig::default()
        },
    )
    .unwrap_err();
    assert!(matches!(error, NetlinkError::PeerFamily { .. }), "{error}");
    let routes = vec![Route {
        destination: cidr("192.0.2.0/24"),
        via: Some("::1".parse().unwrap()),
    }];
    let error = configure(
        Some(&netns),
        "lo",
        &LinkConfig {
            routes,
            ..LinkConfig::default()
        },
    )
    .unwrap_err();
    assert!(matches!(error, NetlinkError::PeerFamily { .. }), "{error}");
}

/// Namespaces are known by the names that `ip netns` gives them.
#[test]
fn a_namespace_is_found_by_its_name() {
    if netns_or_skip("a_namespace_is_found_by_its_name").is_none() {
        return;
    }
    let name = format!("drivers-test-{}", std::process::id());
    let ip = |action: &str| Command::new("ip").args(["netns", action, &name]).status();
    if !ip("add").is_ok_and(|status| status.success()) {
        skip(
            "a_namespace_is_found_by_its_name",
            "`ip netns add` does not work here",
        );
        return;
    }
    let found = Netns::by_name(&name)
        .and_then(|netns| configure(Some(&netns), "lo", &LinkConfig::default()));
    assert!(ip("delete").unwrap().success());
    assert!(!found.unwrap().after().up);
    assert!(matches!(
        Netns::by_name(&name),
        Err(NetlinkError::NoSuchNamespace { .. })
    ));
}

#[test]
fn work_in_a_namespace_does_not_move_the_caller() {
    let Some(netns) = netns_or_skip("work_in_a_namespace_does_not_move_the_caller") else {
        return;
    };
    let here = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    let there = netns
        .run(|| std::fs::read_link("/proc/thread-self/ns/net").unwrap())
        .unwrap();
    assert_ne!(here, there);
    assert_eq!(
        std::fs::read_link("/proc/thread-self/ns/net").unwrap(),
        here
    );
    let current = netns.run(Netns::current).unwrap().unwrap();
    assert_eq!(
        current
            .run(|| std::fs::read_link("/proc/thread-self/ns/net").unwrap())
            .unwrap(),
        there
    );
}
