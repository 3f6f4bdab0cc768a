//! Multicast groups: who receives, and what routers hear of it.

use super::*;
use netstack_core::{ConnectError, GroupError};
use std::net::IpAddr;
use suite::wire::{Icmp, Ip, ip4};

const GROUP: &str = "239.1.2.3";
const GROUP6: &str = "ff05::1:3";

fn ip(text: &str) -> IpAddr {
    text.parse().expect("a literal")
}

fn join(lab: &mut Lab, socket: SocketId, group: &str) -> Result<(), GroupError> {
    let (now, iface) = (lab.now, lab.host.iface);
    lab.host
        .stack
        .join_group(now, socket, ip(group), Some(iface))
}

fn leave(lab: &mut Lab, socket: SocketId, group: &str) -> Result<(), GroupError> {
    let (now, iface) = (lab.now, lab.host.iface);
    lab.host
        .stack
        .leave_group(now, socket, ip(group), Some(iface))
}

/// The records of a report, as type and group, after all else of it was checked.
// What a report of either protocol is made of stands at fixed places: the stack sends no sources.
fn records(packet: &[u8]) -> Vec<(u8, IpAddr)> {
    let v6 = packet[0] >> 4 == 6;
    let message = match v6 {
        false => {
            let ip = Ip::parse(packet);
            assert_eq!((packet[1], packet[8], ip.protocol), (0xc0, 1, 2));
            assert_eq!(packet[20..24], [148, 4, 0, 0], "router alert");
            assert_eq!(ip.dst.to_string(), "224.0.0.22");
            assert_eq!(txbuf::checksum::sum(&ip.payload), 0xffff);
            assert_eq!(ip.payload[..2], [0x22, 0]);
            ip.payload
        }
        true => {
            assert_eq!((packet[6], packet[7]), (0, 1), "hop by hop, hop limit");
            assert_eq!(packet[8..24], [0; 16], "no link-local address here");
            assert_eq!(packet[40..48], [58, 0, 5, 2, 0, 0, 1, 0], "router alert");
            let bare = [&packet[..40], &packet[48..]].concat();
            let (mut bare, len) = (bare, packet.len() - 48);
            bare[4..6].copy_from_slice(&(len as u16).to_be_bytes());
            bare[6] = 58;
            let icmp = Icmp::of(&Ip::parse(&bare)).expect("ICMPv6, its checksum right");
            assert_eq!(icmp.kind, (143, 0));
            assert_eq!(icmp.dst.to_string(), "ff02::16");
            packet[48..].to_vec()
        }
    };
    let (size, len) = if v6 { (20, 16) } else { (8, 4) };
    let count = usize::from(u16::from_be_bytes([message[6], message[7]]));
    assert_eq!(message.len(), 8 + count * size);
    let record = |record: &[u8]| {
        assert_eq!(record[1..4], [0, 0, 0], "no auxiliary data, no sources");
        let group = match <[u8; 4]>::try_from(&record[4..4 + len]) {
            Ok(octets) => IpAddr::from(octets),
            Err(_) => IpAddr::from(<[u8; 16]>::try_from(&record[4..20]).expect("16 bytes")),
        };
        (record[0], group)
    };
    message[8..].chunks(size).map(record).collect()
}

/// A query of a router for `group`, or for all.
fn query(v6: bool, group: Option<&str>, tenths: u8, len: usize) -> Vec<u8> {
    if v6 {
        let mut message = vec![];
        message.extend((u16::from(tenths) * 100).to_be_bytes());
        message.extend([0, 0]);
        message.extend(match group.map(ip) {
            Some(IpAddr::V6(group)) => group.octets(),
            _ => [0; 16],
        });
        message.resize(len - 4, 0);
        let (src, dst) = (ip("fe80::9"), ip(group.unwrap_or("ff02::1")));
        let icmp = Icmp {
            src,
            dst,
            kind: (130, 0),
            word: u32::from_be_bytes([message[0], message[1], 0, 0]),
            payload: message[4..].to_vec(),
        };
        let mut packet = icmp.to_packet();
        let alert = [58, 0, 5, 2, 0, 0, 1, 0];
        packet.splice(40..40, alert);
        let len = u16::try_from(packet.len() - 40).expect("a short message");
        packet[4..6].copy_from_slice(&len.to_be_bytes());
        packet[6..8].copy_from_slice(&[0, 1]);
        return packet;
    }
    let mut message = vec![0x11, tenths, 0, 0];
    message.extend(match group.map(ip) {
        Some(IpAddr::V4(group)) => group.octets(),
        _ => [0; 4],
    });
    message.resize(len, 0);
    let check = !txbuf::checksum::sum(&message);
    message[2..4].copy_from_slice(&check.to_be_bytes());
    let dst = ip(group.unwrap_or("224.0.0.1"));
    let (IpAddr::V4(src), IpAddr::V4(dst)) = (Lab::neighbour(false), dst) else {
        panic!("IPv4");
    };
    let mut packet = ip4(src, dst, 2, 0, 0, &[148, 4, 0, 0], &message);
    packet[8] = 1;
    packet[10..12].fill(0);
    let check = !txbuf::checksum::sum(&packet[..24]);
    packet[10..12].copy_from_slice(&check.to_be_bytes());
    packet
}

// req: RFC3376-01, RFC3376-05, RFC3376-06, RFC3376-08, RFC3810-01, RFC3810-03, RFC3810-04, RFC3810-07, RFC8504-09
#[test]
fn routers_hear_twice_of_who_joins_and_who_leaves() {
    for (local, group) in [("0.0.0.0:53", GROUP), ("[::]:53", GROUP6)] {
        let mut lab = Lab::default();
        let socket = bind(&mut lab, local, BindOptions::default());
        for (kind, joins) in [(4, true), (3, false)] {
            let done = match joins {
                true => join(&mut lab, socket, group),
                false => leave(&mut lab, socket, group),
            };
            assert_eq!(done, Ok(()));
            let sent = lab.pass(SECOND * 10);
            assert_eq!(sent.len(), 2, "{group}");
            assert_eq!(sent[0].0, Duration::ZERO);
            assert!(sent[1].0 > Duration::ZERO && sent[1].0 <= SECOND);
            for (_, report) in sent {
                assert_eq!(records(&report), [(kind, ip(group))]);
            }
        }
        assert_eq!(lab.host.stack.poll_timeout(), None);
    }
}

#[test]
fn only_the_first_member_and_the_last_are_told_of() {
    let mut lab = Lab::default();
    let reuse = BindOptions {
        reuse_address: true,
        ..BindOptions::default()
    };
    let sockets = [0, 1].map(|_| bind(&mut lab, "0.0.0.0:53", reuse));
    join(&mut lab, sockets[0], GROUP).expect("a group");
    assert_eq!(lab.pass(SECOND * 2).len(), 2);
    join(&mut lab, sockets[1], GROUP).expect("a group");
    assert_eq!(join(&mut lab, sockets[1], GROUP), Err(GroupError::Already));
    leave(&mut lab, sockets[0], GROUP).expect("a member");
    assert_eq!(
        leave(&mut lab, sockets[0], GROUP),
        Err(GroupError::NotMember)
    );
    assert_eq!(lab.pass(SECOND * 2), []);
    lab.host.stack.close(lab.now, sockets[1]);
    let sent = lab.pass(SECOND * 2);
    assert_eq!(records(&sent[0].1), [(3, ip(GROUP))]);
    assert_eq!(sent.len(), 2);
}

// req: RFC1122-64
#[test]
fn members_receive_and_nobody_else() {
    for (local, group) in [("0.0.0.0:53", GROUP), ("[::]:53", GROUP6)] {
        let mut lab = Lab::default();
        let reuse = BindOptions {
            reuse_address: true,
            ..BindOptions::default()
        };
        let sockets = [0, 1, 2].map(|_| bind(&mut lab, local, reuse));
        let to = SocketAddr::new(ip(group), 53);
        let packet = datagram(&to.to_string(), b"to all").to_packet();
        lab.inject(&packet);
        assert_eq!(lab.host.stack.counters().ip.in_other_group, 1);
        for member in &sockets[..2] {
            join(&mut lab, *member, group).expect("a group");
        }
        lab.inject(&packet);
        let (_, received) = receive(&mut lab.host.stack, sockets[0]).expect("a datagram");
        assert_eq!(received.arrival.map(|arrival| arrival.to), Some(ip(group)));
        let counts = sockets.map(|id| payloads(&mut lab, id).len());
        assert_eq!(counts, [0, 1, 0], "the first has read its own");
        // A larger one is a reference for each.
        lab.inject(&datagram(&to.to_string(), &[7; 1_400]).to_packet());
        let held = lab.held();
        assert!(held < 2 * 1_500, "{held} bytes for two readers");
        leave(&mut lab, sockets[0], group).expect("a member");
        leave(&mut lab, sockets[1], group).expect("a member");
        lab.inject(&packet);
        assert_eq!(lab.host.stack.counters().ip.in_other_group, 2);
    }
}

// req: RFC3376-09, RFC3810-08, RFC3376-04, RFC3810-06
#[test]
fn queries_are_answered_after_a_while_that_is_random_and_bounded() {
    for (v6, local, groups) in [
        (false, "0.0.0.0:53", ["239.1.0.1", "239.1.0.2"]),
        (true, "[::]:53", ["ff05::1", "ff05::2"]),
    ] {
        let mut delays = std::collections::BTreeSet::new();
        let mut lab = Lab::default();
        let socket = bind(&mut lab, local, BindOptions::default());
        for group in groups {
            join(&mut lab, socket, group).expect("a group");
        }
        lab.pass(SECOND * 2);
        let len = if v6 { 28 } else { 12 };
        for _ in 0..20 {
            lab.inject(&query(v6, None, 100, len));
            let sent = lab.pass(SECOND * 20);
            assert_eq!(sent.len(), 1, "both groups in one report");
            assert_eq!(records(&sent[0].1), groups.map(|group| (2, ip(group))));
            assert!(sent[0].0 > Duration::ZERO && sent[0].0 <= SECOND * 10);
            delays.insert(sent[0].0);
        }
        assert!(delays.len() > 10, "{delays:?}");
        lab.inject(&query(v6, Some(groups[1]), 10, len));
        let sent = lab.pass(SECOND * 20);
        assert_eq!(records(&sent[0].1), [(2, ip(groups[1]))]);
        assert!(sent.len() == 1 && sent[0].0 <= SECOND);
        // A query for a group that nobody here is in.
        let other = if v6 { "ff05::9" } else { "239.9.9.9" };
        lab.inject(&query(v6, Some(other), 10, len));
        assert_eq!(lab.pass(SECOND * 20), []);
    }
}

// req: RFC3376-02, RFC3376-03, RFC3376-10, RFC3810-02, RFC3810-05, RFC3810-12
#[test]
fn what_is_no_query_is_counted_and_not_answered() {
    let mut lab = Lab::default();
    let four = bind(&mut lab, "0.0.0.0:53", BindOptions::default());
    let six = bind(&mut lab, "[::]:53", BindOptions::default());
    join(&mut lab, four, GROUP).expect("a group");
    join(&mut lab, six, GROUP6).expect("a group");
    lab.pass(SECOND * 2);
    let mut damaged = query(false, None, 10, 12);
    damaged[26] ^= 1;
    lab.inject(&damaged);
    assert_eq!(lab.host.stack.counters().ip.igmp_in_bad_checksum, 1);
    let mut damaged = query(true, None, 10, 28);
    damaged[50] ^= 1;
    lab.inject(&damaged);
    assert_eq!(lab.host.stack.counters().ip.icmp_in_bad_checksum, 1);
    let mut far = query(true, None, 10, 28);
    far[7] = 64;
    let mut quiet = query(true, None, 10, 28);
    quiet[42] = 1;
    for packet in [
        query(false, None, 10, 10),
        query(true, None, 10, 26),
        far,
        quiet,
    ] {
        lab.inject(&packet);
    }
    assert_eq!(lab.host.stack.counters().ip.group_messages_ignored, 4);
    assert_eq!(lab.pass(SECOND * 30), []);
}

// req: RFC3376-11, RFC3810-09
#[test]
fn routers_of_older_versions_are_spoken_to_in_theirs() {
    for (v6, code, len, report, done) in [
        (false, 0, 8, 0x12, None),
        (false, 10, 8, 0x16, Some((0x17, "224.0.0.2"))),
        (true, 10, 24, 131, Some((132, "ff02::2"))),
    ] {
        let mut lab = Lab::default();
        let (local, group) = if v6 {
            ("[::]:53", GROUP6)
        } else {
            ("0.0.0.0:53", GROUP)
        };
        let socket = bind(&mut lab, local, BindOptions::default());
        join(&mut lab, socket, group).expect("a group");
        lab.pass(SECOND * 2);
        lab.inject(&query(v6, None, code, len));
        let sent = lab.pass(SECOND * 20);
        assert_eq!(sent.len(), 1);
        let message = |packet: &[u8]| packet[if v6 { 48 } else { 24 }];
        let to = |packet: &[u8]| match v6 {
            true => IpAddr::from(<[u8; 16]>::try_from(&packet[24..40]).expect("16 bytes")),
            false => Ip::parse(packet).dst,
        };
        assert_eq!((message(&sent[0].1), to(&sent[0].1)), (report, ip(group)));
        leave(&mut lab, socket, group).expect("a member");
        let sent = lab.pass(SECOND * 2);
        assert_eq!(sent.len(), if done.is_some() { 2 } else { 0 });
        if let Some((kind, routers)) = done {
            assert_eq!((message(&sent[0].1), to(&sent[0].1)), (kind, ip(routers)));
        }
        // Some minutes later nobody speaks of it any more.
        lab.pass(SECOND * 300);
        join(&mut lab, socket, group).expect("a group");
        assert_eq!(records(&lab.sent()[0]), [(4, ip(group))]);
    }
}

// req: RFC3376-14, RFC3810-10
#[test]
fn groups_of_all_nodes_and_bounds() {
    let mut lab = Lab::default();
    let four = bind(&mut lab, "0.0.0.0:53", BindOptions::default());
    let six = bind(&mut lab, "[::]:53", BindOptions::default());
    for (socket, group) in [(four, "224.0.0.1"), (six, "ff02::1"), (six, "ff01::5")] {
        assert_eq!(join(&mut lab, socket, group), Ok(()));
        lab.inject(&query(false, None, 1, 12));
    }
    assert_eq!(lab.pass(SECOND * 20), []);
    assert_eq!(join(&mut lab, four, "10.0.0.9"), Err(GroupError::NotGroup));
    for n in 2..=64 {
        assert_eq!(join(&mut lab, four, &format!("239.0.0.{n}")), Ok(()));
    }
    let more = join(&mut lab, four, "239.0.0.65");
    assert_eq!(more, Err(GroupError::TooMany));
    let (now, group) = (lab.now, ip("239.0.0.99"));
    let nowhere = lab.host.stack.join_group(now, six, group, None);
    assert_eq!(nowhere, Err(GroupError::NoInterface), "no route says where");
}

#[test]
fn datagrams_to_groups_leave_with_a_hop_limit_of_their_own_and_come_back() {
    for (local, group) in [("0.0.0.0:53", GROUP), ("[::]:53", GROUP6)] {
        let mut lab = Lab::default();
        let socket = bind(&mut lab, local, BindOptions::default());
        let to = SendControl::to(SocketAddr::new(ip(group), 53));
        assert_eq!(send(&mut lab, socket, b"x", to), Err(SendError::NoRoute));
        let iface = lab.host.iface;
        option(
            &mut lab,
            socket,
            SocketOption::MulticastInterface(Some(iface)),
        );
        let hop_limits = |lab: &mut Lab| {
            send(lab, socket, b"x", to).expect("room");
            let sent = lab.sent();
            sent.iter()
                .map(|one| Ip::parse(one).hop_limit)
                .collect::<Vec<_>>()
        };
        assert_eq!(hop_limits(&mut lab), [1]);
        option(&mut lab, socket, SocketOption::MulticastHopLimit(9));
        assert_eq!(hop_limits(&mut lab), [9]);
        assert!(
            payloads(&mut lab, socket).is_empty(),
            "this host is not in it"
        );
        join(&mut lab, socket, group).expect("a group");
        lab.pass(SECOND * 2);
        assert_eq!(hop_limits(&mut lab), [9]);
        assert_eq!(payloads(&mut lab, socket).len(), 1, "what it sent itself");
        option(&mut lab, socket, SocketOption::MulticastHopLimit(0));
        assert!(hop_limits(&mut lab).is_empty());
        assert_eq!(payloads(&mut lab, socket).len(), 1);
        option(&mut lab, socket, SocketOption::MulticastLoop(false));
        option(&mut lab, socket, SocketOption::MulticastHopLimit(1));
        assert_eq!(hop_limits(&mut lab), [1]);
        assert!(payloads(&mut lab, socket).is_empty());
    }
}

#[test]
fn what_is_for_everybody_leaves_by_the_link_that_has_its_source() {
    let mut lab = Lab::default();
    let bound = bind(&mut lab, "10.0.0.1:53", BindOptions::default());
    let unbound = bind(&mut lab, "0.0.0.0:54", BindOptions::default());
    for many in [GROUP, "255.255.255.255"] {
        let to = SocketAddr::new(ip(many), 53);
        let nowhere = send(&mut lab, unbound, b"x", SendControl::to(to));
        assert_eq!(nowhere, Err(SendError::NoRoute));
        send(&mut lab, bound, b"x", SendControl::to(to)).expect("its link");
        assert_eq!(Ip::parse(&lab.sent()[0]).dst, to.ip());
        lab.host.stack.udp_connect(bound, to).expect("its link");
        send(&mut lab, bound, b"x", SendControl::default()).expect("a peer");
        assert_eq!(Ip::parse(&lab.sent()[0]).dst, to.ip());
        lab.host.stack.udp_disconnect(bound).expect("connected");
    }
}

#[test]
fn who_may_not_broadcast_is_told_so() {
    let mut lab = Lab::default();
    let socket = bind(&mut lab, "10.0.0.1:53", BindOptions::default());
    option(&mut lab, socket, SocketOption::Broadcast(false));
    for all in ["10.0.0.255", "255.255.255.255"] {
        let to = SocketAddr::new(ip(all), 53);
        let sent = send(&mut lab, socket, b"x", SendControl::to(to));
        assert_eq!(sent, Err(SendError::NotPermitted), "{all}");
        let connected = lab.host.stack.udp_connect(socket, to);
        assert_eq!(connected, Err(ConnectError::NotPermitted), "{all}");
    }
    assert!(lab.sent().is_empty());
    let group = SendControl::to(SocketAddr::new(ip(GROUP), 53));
    assert_eq!(send(&mut lab, socket, b"x", group), Ok(1));
}
