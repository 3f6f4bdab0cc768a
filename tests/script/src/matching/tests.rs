use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::{differences, quote};
use crate::ast::{Action, Icmp, Quote};
use crate::capture::{Direction, Record};
use crate::flow::Flow;
use crate::wire::{self, Address};

fn datagram(v6: bool, len: usize) -> Vec<u8> {
    let (src, dst) = if v6 {
        ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap())
    } else {
        ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap())
    };
    let address = Address {
        src,
        dst,
        class: 0,
        ttl: 64,
        label: 0,
    };
    wire::udp(address, 7, 9, &vec![5; len])
}

fn message(v6: bool, len: u16) -> Icmp {
    Icmp {
        v6,
        kind: 3,
        code: 3,
        mtu: None,
        pointer: None,
        quote: Quote::Udp(len),
    }
}

fn received(bytes: &[u8]) -> [Record; 1] {
    [Record {
        at: Duration::ZERO,
        direction: Direction::Received,
        bytes: bytes.to_vec(),
    }]
}

#[test]
fn a_quote_is_the_packet_as_it_was_received() {
    let packet = datagram(false, 100);
    let run = received(&packet);
    for end in [28, 60, packet.len()] {
        assert_eq!(quote(&message(false, 100), &packet[..end], &run), None);
    }
    let told = |quoted: &[u8]| quote(&message(false, 100), quoted, &run).unwrap();
    assert!(told(&packet[..27]).contains("27 bytes, which have to be 28"));
    let mut other = packet.clone();
    other[8] -= 1;
    assert!(told(&other).contains("byte 8 of what it quotes is 0x3f, and was 0x40"));
    other = packet.clone();
    other.push(0);
    assert!(told(&other).contains("more than the 128 bytes"));
}

#[test]
fn over_ipv6_as_much_is_quoted_as_fits() {
    let packet = datagram(true, 1400);
    let run = received(&packet);
    assert_eq!(quote(&message(true, 1400), &packet[..1232], &run), None);
    let short = quote(&message(true, 1400), &packet[..1231], &run);
    assert!(short.unwrap().contains("1232 at least"));
}

#[test]
fn an_error_is_about_a_packet_that_there_was() {
    let packet = datagram(false, 100);
    let run = received(&packet);
    let told = quote(&message(false, 99), &packet, &run).unwrap();
    assert!(told.contains("not sent to the host"));
    assert!(quote(&message(false, 100), &packet, &[]).is_some());
}

#[test]
fn a_packet_that_routers_may_fragment_is_not_one_that_stays_whole() {
    let text = "0 > [df] udp (10)\n0 > udp (10)\n";
    let script = crate::parse(Path::new("a.pkt"), text).unwrap();
    let told = |line: usize, packet: &[u8]| {
        let Action::Outbound(expected) = &script.events[line].action else {
            panic!("it is a packet of the host");
        };
        let seen = wire::read(packet).unwrap();
        let ends = |port| SocketAddr::new(seen.src, port);
        let mut flow = Flow::new(ends(7), SocketAddr::new(seen.dst, 9));
        let wrong = differences(expected, &seen, &mut flow, &[]);
        wrong.iter().any(|why| why == "routers may fragment it")
    };
    for v6 in [false, true] {
        let mut packet = datagram(v6, 10);
        if !v6 {
            packet[6] &= !0x40;
        }
        assert_eq!((told(0, &packet), told(1, &packet)), (!v6, false));
        if !v6 {
            packet[6] |= 0x40;
            assert!(!told(0, &packet));
        }
    }
}
