//! Addresses and ports that no packet has.

use super::Case;
use super::headers::syn;
use std::net::{IpAddr, SocketAddr};
use suite::lab::Lab;
use suite::wire::{Icmp, Tcp, Udp};

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::plain("land", true, &[("ip", "in_bad_source")], land()),
        Case::plain(
            "port-zero",
            true,
            &[("tcp", "in_bad_port"), ("udp", "in_no_port")],
            port_zero(),
        ),
        Case::plain(
            "bad-addresses",
            true,
            &[
                ("ip", "in_bad_source"),
                ("ip", "in_bad_destination"),
                ("ip", "in_not_ours"),
                ("ip", "in_other_group"),
            ],
            bad_addresses(),
        ),
        Case::plain(
            "broadcasts",
            false,
            &[
                ("tcp", "in_not_unicast"),
                ("udp", "in_no_port"),
                ("ip", "icmp_out_suppressed"),
            ],
            broadcasts(),
        ),
    ]
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("literal")
}

/// One packet of each transport from `src` to `dst`.
fn each(src: IpAddr, dst: IpAddr) -> [Vec<u8>; 3] {
    let from = SocketAddr::new(src, 80);
    let tcp = Tcp {
        src: from,
        dst: (dst, 80).into(),
        ..syn(src.is_ipv6())
    };
    let udp = Udp {
        src: from,
        dst: (dst, 99).into(),
        payload: vec![1; 9],
    };
    [
        tcp.to_packet(),
        udp.to_packet(),
        Icmp::echo_request(src, dst, 1, 1, vec![2; 9]).to_packet(),
    ]
}

/// From the stack to itself, as somebody else says.
fn land() -> Vec<Vec<u8>> {
    let packets = [false, true].map(|v6| each(Lab::address(v6), Lab::address(v6)));
    packets.concat()
}

fn port_zero() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for v6 in [false, true] {
        let (from, to) = (Lab::neighbour(v6), Lab::address(v6));
        for (src, dst) in [(0, 80), (1_000, 0), (0, 0)] {
            let tcp = Tcp {
                src: (from, src).into(),
                dst: (to, dst).into(),
                ..syn(v6)
            };
            packets.push(tcp.to_packet());
        }
        let udp = Udp {
            src: (from, 1_000).into(),
            dst: (to, 0).into(),
            payload: vec![1],
        };
        packets.push(udp.to_packet());
    }
    packets
}

fn bad_addresses() -> Vec<Vec<u8>> {
    let (ours4, ours6) = (Lab::address(false), Lab::address(true));
    let (other4, other6) = (Lab::neighbour(false), Lab::neighbour(true));
    let mut packets = Vec::new();
    for src in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "10.0.0.255",
        "10.0.0.0",
    ] {
        packets.extend(each(address(src), ours4));
    }
    for dst in [
        "0.0.0.0",
        "127.0.0.1",
        "240.0.0.1",
        "10.0.0.99",
        "192.0.2.1",
        "224.0.0.99",
    ] {
        packets.extend(each(other4, address(dst)));
    }
    for src in ["::1", "::ffff:10.0.0.2", "ff02::1"] {
        packets.extend(each(address(src), ours6));
    }
    for dst in [
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "ff00::1",
        "ff01::1",
        "fd00::99",
        "2001:db8::1",
        "ff02::99",
    ] {
        packets.extend(each(other6, address(dst)));
    }
    packets
}

/// To all: nothing may answer but the echo of IPv6.
fn broadcasts() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for dst in ["10.0.0.255", "10.0.0.0", "255.255.255.255", "224.0.0.1"] {
        packets.extend(each(Lab::neighbour(false), address(dst)));
    }
    packets.extend(each(Lab::neighbour(true), address("ff02::1")));
    // A host without an address asks; nobody may answer it.
    packets.extend(each(address("::"), Lab::address(true)));
    packets
}
