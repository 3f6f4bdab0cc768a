use std::os::fd::AsFd as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use txbuf::Ledger;

use super::undo;
use crate::netlink::{
    self, Address, Changes, Cidr, LinkConfig, NetlinkError, Netns, Route, configure, link_state,
};
use crate::testing::{netns_or_skip, pool};
use crate::{Tun, TunConfig, sys};

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn addresses(texts: &[&str]) -> Vec<Address> {
    let address = |text: &&str| Address {
        local: cidr(text),
        peer: None,
    };
    texts.iter().map(address).collect()
}

/// Opens `tun0`, so that it has a carrier.
fn open(netns: &Netns) -> Tun {
    let config = TunConfig {
        netns: Some(netns.clone()),
        ..TunConfig::new("tun0")
    };
    Tun::open(&config, &pool(&Ledger::new())).unwrap()
}

/// A device that stays when it is closed, and has been up once: only then has it the queueing discipline it keeps.
fn persistent(netns: &Netns) {
    let tun = open(netns);
    sys::set_tun_persistent(tun.as_fd(), true).unwrap();
    ip(netns, "link set tun0 up");
    ip(netns, "link set tun0 down");
}

/// Runs `ip` in the namespace.
fn ip(netns: &Netns, line: &str) -> String {
    let output = netns
        .run(|| Command::new("ip").args(line.split(' ')).output())
        .unwrap()
        .unwrap();
    assert!(output.status.success(), "ip {line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// All that `ip` tells of the device and of what leads through it, once the kernel has taken new addresses into use.
fn picture(netns: &Netns) -> [String; 3] {
    let deadline = Instant::now() + Duration::from_secs(5);
    while ip(netns, "addr show dev tun0").contains("tentative") && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(2));
    }
    ["addr", "-4 route", "-6 route"].map(|what| ip(netns, &format!("-d {what} show dev tun0")))
}

fn change(netns: &Netns, config: &LinkConfig) -> Changes {
    configure(Some(netns), "tun0", config).unwrap()
}

#[test]
fn what_was_there_before_is_there_again() {
    let Some(netns) = netns_or_skip("what_was_there_before_is_there_again") else {
        return;
    };
    persistent(&netns);
    for line in [
        "addr add 192.0.2.1/24 brd 192.0.2.200 dev tun0 valid_lft 7000 preferred_lft 7000",
        "addr add 192.0.2.7/24 dev tun0",
        "addr add 10.0.0.1 peer 10.0.0.2/32 dev tun0",
        "addr add 2001:db8::1/64 dev tun0",
        "addr add 2001:db8::2/64 dev tun0 nodad",
    ] {
        ip(&netns, line);
    }
    // Lifetimes count down: all that is looked at is that they do not become unlimited.
    let without_time = |[addresses, ipv4, ipv6]: [String; 3]| {
        let is_limited = |word: &&str| word.starts_with("69") && word.ends_with("sec");
        let words = addresses.split_whitespace();
        let words: Vec<&str> = words
            .map(|word| if is_limited(&word) { "7000sec" } else { word })
            .collect();
        [words.join(" "), ipv4, ipv6]
    };
    let before = without_time(picture(&netns));
    let config = LinkConfig {
        mtu: Some(1400),
        tx_queue: Some(4000),
        addresses: addresses(&[
            "192.0.2.1/24",
            "192.0.2.9/24",
            "198.51.100.1/24",
            "2001:db8::1/64",
            "fd00:9::1/64",
        ]),
        routes: vec![Route {
            destination: cidr("203.0.113.0/24"),
            via: None,
        }],
        up: true,
    };
    let changes = change(&netns, &config);
    assert_eq!(
        changes.addresses(),
        addresses(&["192.0.2.9/24", "198.51.100.1/24", "fd00:9::1/64"])
    );
    assert_eq!(changes.routes(), config.routes);
    assert_eq!((changes.before().mtu, changes.after().mtu), (1500, 1400));
    assert_eq!((changes.before().up, changes.after().up), (false, true));

    // The second time there is nothing to do, and nothing to take back.
    let routeless = LinkConfig {
        routes: Vec::new(),
        ..config
    };
    let during = without_time(picture(&netns));
    let again = change(&netns, &routeless);
    assert_eq!(again.addresses(), []);
    undo(Some(&netns), "tun0", &again).unwrap();
    assert_eq!(without_time(picture(&netns)), during);

    for _ in 0..2 {
        undo(Some(&netns), "tun0", &changes).unwrap();
        assert_eq!(without_time(picture(&netns)), before);
    }
    netlink::delete(Some(&netns), "tun0").unwrap();
    undo(Some(&netns), "tun0", &changes).unwrap();
    // Another device of the same name is none of its business.
    persistent(&netns);
    ip(&netns, "addr add 198.51.100.1/24 dev tun0");
    let before = picture(&netns);
    undo(Some(&netns), "tun0", &changes).unwrap();
    assert_eq!(picture(&netns), before);
}

#[test]
fn an_mtu_that_ends_ipv6_is_undone_with_all_it_cost() {
    let Some(netns) = netns_or_skip("an_mtu_that_ends_ipv6_is_undone_with_all_it_cost") else {
        return;
    };
    persistent(&netns);
    for line in [
        // The kernel makes an address of its own anew when it next finds a carrier, and it is another one.
        "link set tun0 addrgenmode none",
        "link set tun0 up",
        "addr add 2001:db8::1/64 dev tun0",
        "addr add 2001:db8::2/64 dev tun0",
        "-6 route add 2001:db8:1::/48 dev tun0 metric 7",
        "-6 route add 2001:db8:2::/48 via 2001:db8::9 dev tun0",
    ] {
        ip(&netns, line);
    }
    let before = picture(&netns);
    let config = LinkConfig {
        mtu: Some(1000),
        addresses: addresses(&["192.0.2.1/24"]),
        ..LinkConfig::default()
    };
    let changes = change(&netns, &config);
    assert!(!picture(&netns)[0].contains("2001:db8"));
    undo(Some(&netns), "tun0", &changes).unwrap();
    assert_eq!(picture(&netns), before);
}

#[test]
fn what_others_have_changed_since_stays() {
    let Some(netns) = netns_or_skip("what_others_have_changed_since_stays") else {
        return;
    };
    persistent(&netns);
    let config = LinkConfig {
        mtu: Some(1400),
        addresses: addresses(&["192.0.2.1/24", "fd00:9::1/64"]),
        up: true,
        ..LinkConfig::default()
    };
    let changes = change(&netns, &config);
    for line in [
        "link set tun0 mtu 1300",
        // The kernel drops the first with the primary address, the other with the link.
        "addr add 192.0.2.5/24 dev tun0",
        "addr add fd00:8::1/64 dev tun0",
        "addr del fd00:9::1/64 dev tun0",
    ] {
        ip(&netns, line);
    }
    undo(Some(&netns), "tun0", &changes).unwrap();
    let after = link_state(Some(&netns), "tun0").unwrap();
    assert_eq!((after.mtu, after.up), (1300, false));
    let addresses = ip(&netns, "-o addr show dev tun0");
    let is_there = |address| addresses.contains(address);
    assert!(
        is_there(" 192.0.2.5/24 ") && is_there(" fd00:8::1/64 "),
        "{addresses}"
    );
    assert_eq!(addresses.lines().count(), 2, "{addresses}");
}

#[test]
fn a_device_that_cannot_be_set_up_is_as_before() {
    let Some(netns) = netns_or_skip("a_device_that_cannot_be_set_up_is_as_before") else {
        return;
    };
    persistent(&netns);
    ip(&netns, "addr add fd00:9::1/128 dev tun0");
    let before = picture(&netns);
    let config = LinkConfig {
        mtu: Some(1400),
        addresses: addresses(&["192.0.2.1/24", "fd00:9::1/64"]),
        up: true,
        ..LinkConfig::default()
    };
    // The kernel has an IPv6 address once on a device, whatever its prefix.
    let error = configure(Some(&netns), "tun0", &config).unwrap_err();
    assert!(matches!(error, NetlinkError::Exists { .. }), "{error}");
    assert_eq!(picture(&netns), before);
}

#[test]
fn the_address_that_comes_with_a_carrier_goes() {
    let Some(netns) = netns_or_skip("the_address_that_comes_with_a_carrier_goes") else {
        return;
    };
    persistent(&netns);
    ip(&netns, "link set tun0 up");
    let before = picture(&netns);
    let tun = open(&netns);
    let changes = tun.changes().unwrap().clone();
    assert!(picture(&netns)[0].contains("fe80::"));
    drop(tun);
    undo(Some(&netns), "tun0", &changes).unwrap();
    assert_eq!(picture(&netns), before);
}
