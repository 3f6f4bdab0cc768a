use etherparse::PacketBuilder;
use proptest::prelude::*;
use txbuf::{Ledger, Pool, PoolConfig};

use super::*;
use crate::netlink::Cidr;
use crate::testing::{Loan, Spec, pool};
use crate::tun::Outgoing as _;

const SECOND: Duration = Duration::from_secs(1);
const A: Mac = Mac([2, 0, 0, 0, 0, 0xa]);
const B: Mac = Mac([2, 0, 0, 0, 0, 0xb]);
const C: Mac = Mac([2, 0, 0, 0, 0, 0xc]);

/// The addresses that end in `last`.
fn config(last: u8) -> Ethernet {
    let addresses = [
        format!("10.0.0.{last}/24"),
        format!("2001:db8::{last:x}/64"),
    ];
    Ethernet::with_addresses(addresses.map(|text| text.parse::<Cidr>().unwrap()))
}

fn link(last: u8, mac: Mac) -> Link {
    let mut link = Link::new(&config(last), mac, 7);
    // What it says of itself at the start has a test of its own.
    link.ready.clear();
    link
}

fn udp(from: u8, to: u8, six: bool) -> Packet {
    let mut bytes = Vec::new();
    let address = |last| {
        let mut address = [0; 16];
        address[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
        address[15] = last;
        address
    };
    let builder = match six {
        true => PacketBuilder::ipv6(address(from), address(to), 64),
        false => PacketBuilder::ipv4([10, 0, 0, from], [10, 0, 0, to], 64),
    };
    builder.udp(1, 2).write(&mut bytes, b"hello").unwrap();
    Packet::inline(&bytes).unwrap()
}

fn header(frame: &Frame) -> [u8; ETHERNET] {
    frame.link().try_into().unwrap()
}

/// What the link gives to the stack of a frame with this header.
fn take(link: &mut Link, to: Mac, from: Mac, protocol: u16, packet: Packet) -> Option<Packet> {
    let frame = Frame::new(from, to, protocol, packet);
    link.input(SECOND, &header(&frame), frame.packet)
}

/// Carries what is ready between two links until nothing is, and returns what the second gives to its stack.
fn carry(now: Duration, one: &mut Link, other: &mut Link) -> Vec<Packet> {
    let mut passed = Vec::new();
    loop {
        let there: Vec<_> = one.ready().drain(..).collect();
        let back: Vec<_> = other.ready().drain(..).collect();
        if there.is_empty() && back.is_empty() {
            return passed;
        }
        for frame in there {
            passed.extend(other.input(now, &header(&frame), frame.packet));
        }
        for frame in back {
            assert!(one.input(now, &header(&frame), frame.packet).is_none());
        }
    }
}

fn send(link: &mut Link, packet: Packet) -> Option<Frame> {
    let mut arena = Chain::arena(&pool(&Ledger::new()));
    link.output(SECOND, packet, &mut arena)
}

// req: RFC826-01
#[test]
fn two_links_find_each_other() {
    for six in [false, true] {
        let (mut one, mut other) = (link(1, A), link(2, B));
        for _ in 0..2 {
            assert!(send(&mut one, udp(1, 2, six)).is_none());
        }
        let passed = carry(SECOND, &mut one, &mut other);
        let sent = udp(1, 2, six).to_vec().unwrap();
        let passed: Vec<_> = passed
            .iter()
            .map(|packet| packet.to_vec().unwrap())
            .collect();
        assert_eq!(passed, [sent.clone(), sent]);
        // From now on at once, the other way too: who was asked knows who asked.
        let there = send(&mut one, udp(1, 2, six)).unwrap();
        let back = send(&mut other, udp(2, 1, six)).unwrap();
        assert_eq!(
            (&header(&there)[..6], &header(&back)[..6]),
            (&B.0[..], &A.0[..])
        );
        let protocol = if six { frame::IPV6 } else { frame::IPV4 };
        assert_eq!(header(&there)[12..], protocol.to_be_bytes());
        for link in [&one, &other] {
            let counters = link.counters();
            assert_eq!((counters.neighbour_messages, counters.drops()), (1, 0));
        }
    }
}

// req: RFC4861-29
#[test]
fn a_link_tells_of_itself() {
    let mut one = Link::new(&config(1), A, 7);
    let mut other = link(2, B);
    // Whoever had its addresses remembered is corrected.
    for six in [false, true] {
        send(&mut other, udp(2, 1, six));
    }
    let questions = other.ready().drain(..).count();
    assert_eq!(questions, 2);
    let told: Vec<_> = one.ready().iter().map(header).collect();
    let to = |header: &[u8; ETHERNET]| Mac::at(header).unwrap();
    assert_eq!(to(&told[0]), Mac::BROADCAST);
    assert_eq!(to(&told[1]).to_string(), "33:33:00:00:00:01");
    let unasked = one
        .ready()
        .iter()
        .find_map(|frame| Ndp::parse(&frame.packet));
    let body = Body::Advertisement {
        solicited: false,
        replace: true,
    };
    assert_eq!(unasked.unwrap().unwrap().body, body);
    let passed = carry(SECOND, &mut other, &mut one);
    assert_eq!(passed.len(), 2);
    for six in [false, true] {
        assert!(send(&mut other, udp(2, 1, six)).is_some());
    }
}

#[test]
fn groups_and_all_are_not_asked_for() {
    let mut link = link(1, A);
    let mut group = udp(1, 2, false);
    group.headers_mut()[16..20].copy_from_slice(&[224, 0, 0, 251]);
    let mut all = udp(1, 2, false);
    all.headers_mut()[19] = 255;
    let mut six = udp(1, 2, true);
    six.headers_mut()[24] = 0xff;
    for (packet, to) in [
        (group, "01:00:5e:00:00:fb"),
        (all, "ff:ff:ff:ff:ff:ff"),
        (six, "33:33:00:00:00:02"),
    ] {
        let frame = send(&mut link, packet).unwrap();
        assert_eq!(Mac::at(&header(&frame)).unwrap().to_string(), to);
    }
    assert!(link.ready().is_empty());
}

#[test]
fn gateways_and_permanent_neighbours_are_gone_by() {
    let config = Ethernet {
        gateways: vec![("0.0.0.0/0".parse().unwrap(), [10, 0, 0, 2].into())],
        neighbours: vec![([10, 0, 0, 2].into(), B)],
        ..config(1)
    };
    let mut link = Link::new(&config, A, 7);
    link.ready.clear();
    let mut far = udp(1, 9, false);
    far.headers_mut()[16..20].copy_from_slice(&[192, 0, 2, 1]);
    let frame = send(&mut link, far).unwrap();
    assert_eq!(Mac::at(&header(&frame)), Some(B));
}

#[test]
fn who_is_not_there_is_given_up_and_counted() {
    let mut link = link(1, A);
    send(&mut link, udp(1, 2, false));
    send(&mut link, udp(1, 2, true));
    for second in 2..9 {
        link.handle_timeout(SECOND * second);
    }
    assert_eq!(link.poll_timeout(), None);
    let counters = link.counters();
    assert_eq!((counters.tx_unresolved, counters.drops()), (2, 2));
    assert_eq!(link.ready().len(), 6);
}

#[test]
fn what_cannot_be_asked_for_is_dropped_at_once() {
    let only_v4 = Ethernet::with_addresses(["10.0.0.1/24".parse().unwrap()]);
    let mut link = Link::new(&only_v4, A, 7);
    link.ready.clear();
    assert!(send(&mut link, udp(1, 2, true)).is_none());
    let mut nowhere = udp(1, 2, false);
    nowhere.headers_mut()[16..20].fill(0);
    assert!(send(&mut link, nowhere).is_none());
    assert!(send(&mut link, Packet::inline(&[0x45; 10]).unwrap()).is_none());
    let counters = link.counters();
    assert_eq!((counters.tx_unresolved, counters.tx_malformed), (2, 1));
    assert!(link.ready().is_empty());
}

#[test]
fn what_is_lent_waits_as_a_copy() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let mut link = link(1, A);
    let spec = Spec {
        udp: true,
        options: 0,
        ..Spec::tcp(1400, 0)
    };
    let mut packet = spec.build(&pool);
    let mut loan = Loan::of(&mut packet, &ledger);
    let mut arena = Chain::arena(&pool);
    // To a neighbour, whom a link without a gateway takes it to be for.
    assert!(link.output(SECOND, packet, &mut arena).is_none());
    assert_eq!((loan.completion(), loan.lent()), (Some(true), 0));
    let none = Pool::new(
        &ledger,
        PoolConfig {
            segment: 2048,
            limit: 0,
            keep: 0,
        },
    );
    let mut packet = spec.build(&pool);
    let _loan = Loan::of(&mut packet, &ledger);
    assert!(
        link.output(SECOND, packet, &mut Chain::arena(&none))
            .is_none()
    );
    assert_eq!(link.counters().tx_no_memory, 1);
}

#[test]
fn frames_for_others_and_of_other_kinds_are_dropped_by_name() {
    let mut link = link(1, A);
    let ip = || udp(2, 1, false);
    assert!(take(&mut link, A, B, frame::IPV4, ip()).is_some());
    assert!(take(&mut link, C, B, frame::IPV4, ip()).is_none());
    // To all on the link, and to one by its IP address.
    assert!(take(&mut link, Mac::BROADCAST, B, frame::IPV4, ip()).is_none());
    assert_eq!(link.counters().rx_not_for_us, 2);
    let mut all = ip();
    all.headers_mut()[19] = 255;
    assert!(take(&mut link, Mac::BROADCAST, B, frame::IPV4, all).is_some());
    for other in [0x8100, 0x88cc, 46] {
        assert!(take(&mut link, A, B, other, ip()).is_none());
    }
    assert_eq!(link.counters().rx_unknown_protocol, 3);
    assert!(take(&mut link, A, B, frame::IPV6, ip()).is_none());
    assert!(take(&mut link, A, B, frame::IPV4, udp(2, 1, true)).is_none());
    for length in [0, 1, 19] {
        let mut short = ip();
        short.trim(length).unwrap();
        assert!(take(&mut link, A, B, frame::IPV4, short).is_none());
    }
    assert_eq!(link.counters().rx_malformed, 5);
    assert_eq!(link.counters().drops(), 10);
}

#[test]
fn the_padding_of_short_frames_is_cut_off() {
    let mut link = link(1, A);
    for six in [false, true] {
        let packet = udp(2, 1, six);
        let mut padded = packet.clone();
        padded.put(13).unwrap();
        let protocol = if six { frame::IPV6 } else { frame::IPV4 };
        let passed = take(&mut link, A, B, protocol, padded).unwrap();
        assert_eq!(passed.to_vec(), packet.to_vec());
    }
}

fn arp(operation: Operation, sender: u8, sender_mac: Mac, target: u8) -> Arp {
    Arp {
        operation,
        sender: [10, 0, 0, sender].into(),
        sender_mac,
        target: [10, 0, 0, target].into(),
        target_mac: Mac([0; 6]),
    }
}

// req: RFC826-02
#[test]
fn malformed_messages_change_nothing() {
    let mut link = link(1, A);
    send(&mut link, udp(1, 2, false));
    link.ready().clear();
    let sound = arp(Operation::Reply, 2, B, 1).packet().to_vec().unwrap();
    let mut bad = vec![sound[..27].to_vec(), Vec::new()];
    // Hardware, protocol, lengths, operation, a group as the sender's address of either kind.
    for (at, value) in [
        (1, 6),
        (2, 0x86),
        (4, 8),
        (5, 16),
        (7, 3),
        (8, 3),
        (14, 224),
    ] {
        let mut bytes = sound.clone();
        bytes[at] = value;
        bad.push(bytes);
    }
    let count = bad.len() as u64;
    for bytes in bad {
        let packet = Packet::inline(&bytes).unwrap();
        assert!(take(&mut link, A, B, frame::ARP, packet).is_none());
    }
    assert_eq!(link.counters().rx_malformed, count);
    assert!(send(&mut link, udp(1, 2, false)).is_none());
    // Padded, it is sound.
    let mut padded = Packet::inline(&sound).unwrap();
    padded.put(18).unwrap();
    take(&mut link, A, B, frame::ARP, padded);
    assert_eq!(link.ready().len(), 2);
    let mut six = Ndp {
        source: "2001:db8::2".parse().unwrap(),
        destination: "2001:db8::1".parse().unwrap(),
        body: Body::Solicitation,
        target: "2001:db8::1".parse().unwrap(),
        mac: Some(B),
    }
    .packet();
    six.headers_mut()[7] = 64;
    assert!(take(&mut link, A, B, frame::IPV6, six).is_none());
    assert_eq!(link.counters().rx_malformed, count + 1);
    assert_eq!(link.ready().len(), 2);
}

/// The message in the next frame that is ready, and where the frame goes.
fn said(link: &mut Link) -> (Mac, Ndp) {
    let frame = link.ready().pop_front().unwrap();
    let to = Mac::at(&header(&frame)).unwrap();
    (to, Ndp::parse(&frame.packet).unwrap().unwrap())
}

/// A question of B, at 2001:db8::2, about A.
fn question() -> Ndp {
    let target = "2001:db8::1".parse().unwrap();
    Ndp {
        source: "2001:db8::2".parse().unwrap(),
        destination: ndp::solicited_node(target),
        body: Body::Solicitation,
        target,
        mac: Some(B),
    }
}

// req: RFC4861-15
#[test]
fn a_question_to_a_group_says_who_asks() {
    let mut link = link(1, A);
    assert!(send(&mut link, udp(1, 2, true)).is_none());
    let (to, asked) = said(&mut link);
    let group = ndp::solicited_node("2001:db8::2".parse().unwrap());
    assert_eq!(to, Mac::of_group_v6(group));
    assert_eq!((asked.destination, asked.mac), (group, Some(A)));
    assert_eq!(asked.source, "2001:db8::1".parse::<Ipv6Addr>().unwrap());
}

// req: RFC4861-16, RFC4861-22, RFC4861-23, RFC4861-24
#[test]
fn an_answer_says_the_link_layer_address_and_that_it_was_asked_for() {
    let mut link = link(1, A);
    let group = Mac::of_group_v6(question().destination);
    take(&mut link, group, B, frame::IPV6, question().packet());
    let frame = link.ready().pop_front().unwrap();
    // Not a router; asked for; in the place of what was known before.
    let flags = frame.packet.to_vec().unwrap()[44];
    assert_eq!(flags, 0x60);
    let told = Ndp::parse(&frame.packet).unwrap().unwrap();
    assert_eq!(Mac::at(&header(&frame)), Some(B));
    assert_eq!((told.destination, told.mac), (question().source, Some(A)));
    // Who has no address yet is told with all others, and not by name.
    let nameless = Ndp {
        source: Ipv6Addr::UNSPECIFIED,
        mac: None,
        ..question()
    };
    take(&mut link, group, B, frame::IPV6, nameless.packet());
    let (to, told) = said(&mut link);
    let body = Body::Advertisement {
        solicited: false,
        replace: true,
    };
    assert_eq!(
        (to, told.destination),
        (Mac::of_group_v6(ALL_NODES), ALL_NODES)
    );
    assert_eq!((told.body, told.mac), (body, Some(A)));
}

// req: RFC6980-02
#[test]
fn a_question_in_a_fragment_is_not_answered() {
    let mut link = link(1, A);
    let whole = question().packet().to_vec().unwrap();
    let mut bytes = whole[..40].to_vec();
    bytes[6] = 44;
    bytes[5] += 8;
    bytes.extend([58, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend(&whole[40..]);
    let to = Mac::of_group_v6(question().destination);
    let packet = Packet::inline(&bytes).unwrap();
    // The stack gets it, as any fragment, and knows no such message.
    assert!(take(&mut link, to, B, frame::IPV6, packet).is_some());
    assert!(link.ready().is_empty());
    assert!(
        send(&mut link, udp(1, 2, true)).is_none(),
        "nothing was learnt"
    );
}

// req: RFC4861-05
#[test]
fn who_looks_for_a_router_is_not_answered() {
    let mut link = link(1, A);
    // A solicitation, an advertisement and a redirect of routers.
    for kind in [133, 134, 137] {
        let mut packet = question().packet();
        packet.headers_mut()[40] = kind;
        take(
            &mut link,
            Mac::of_group_v6(ALL_NODES),
            B,
            frame::IPV6,
            packet,
        );
        assert!(link.ready().is_empty(), "{kind}");
    }
    assert!(
        send(&mut link, udp(1, 2, true)).is_none(),
        "nothing was learnt"
    );
}

// req: RFC4861-20
#[test]
fn who_looks_whether_an_address_is_free_is_told_and_not_remembered() {
    let mut link = link(1, A);
    let mut probe = arp(Operation::Request, 0, B, 1);
    probe.sender = Ipv4Addr::UNSPECIFIED;
    take(&mut link, Mac::BROADCAST, B, frame::ARP, probe.packet());
    let reply = link.ready().pop_front().unwrap();
    let reply = Arp::parse(reply.packet.headers()).unwrap();
    assert_eq!((reply.sender_mac, reply.target), (A, Ipv4Addr::UNSPECIFIED));
    let target = "2001:db8::1".parse().unwrap();
    let group = ndp::solicited_node(target);
    let probe = Ndp {
        source: Ipv6Addr::UNSPECIFIED,
        destination: group,
        body: Body::Solicitation,
        target,
        mac: None,
    };
    take(
        &mut link,
        Mac::of_group_v6(group),
        B,
        frame::IPV6,
        probe.packet(),
    );
    let told = link.ready().pop_front().unwrap();
    let told = Ndp::parse(&told.packet).unwrap().unwrap();
    assert_eq!((told.destination, told.mac), (ALL_NODES, Some(A)));
    assert!(send(&mut link, udp(1, 2, false)).is_none());
}

// req: RFC4861-16
#[test]
fn who_speaks_as_this_host_is_counted_and_not_believed() {
    let mut link = link(1, A);
    for operation in [Operation::Request, Operation::Reply] {
        let packet = arp(operation, 1, B, 1).packet();
        take(&mut link, Mac::BROADCAST, B, frame::ARP, packet);
    }
    let target = "2001:db8::1".parse().unwrap();
    let told = Ndp {
        source: target,
        destination: ALL_NODES,
        body: Body::Advertisement {
            solicited: false,
            replace: true,
        },
        target,
        mac: Some(B),
    };
    take(
        &mut link,
        Mac::of_group_v6(ALL_NODES),
        B,
        frame::IPV6,
        told.packet(),
    );
    assert_eq!(link.counters().address_conflicts, 3);
    // Its own voice is no conflict.
    let packet = arp(Operation::Request, 1, A, 1).packet();
    take(&mut link, Mac::BROADCAST, A, frame::ARP, packet);
    assert_eq!(link.counters().address_conflicts, 3);
    assert!(link.ready().is_empty());
}

#[test]
fn who_asks_for_others_or_from_elsewhere_is_not_remembered() {
    let mut link = link(1, A);
    let for_others = arp(Operation::Request, 2, B, 9);
    take(
        &mut link,
        Mac::BROADCAST,
        B,
        frame::ARP,
        for_others.packet(),
    );
    assert!(link.ready().is_empty());
    let mut from_elsewhere = arp(Operation::Request, 2, B, 1);
    from_elsewhere.sender = [192, 0, 2, 1].into();
    take(&mut link, A, B, frame::ARP, from_elsewhere.packet());
    // It is answered all the same.
    assert_eq!(link.ready().drain(..).count(), 1);
    assert!(send(&mut link, udp(1, 2, false)).is_none());
}

#[test]
fn answers_are_bounded_while_nothing_leaves() {
    let mut link = link(1, A);
    for _ in 0..READY + 5 {
        let request = arp(Operation::Request, 2, B, 1);
        take(&mut link, A, B, frame::ARP, request.packet());
    }
    assert_eq!(link.ready().len(), READY);
    assert_eq!(link.counters().tx_neighbour_full, 5);
}

proptest! {
    #[test]
    fn any_frame_is_taken_without_a_panic(
        header in any::<[u8; ETHERNET]>(),
        protocol in prop_oneof![Just(frame::ARP), Just(frame::IPV4), Just(frame::IPV6), any::<u16>()],
        group in any::<bool>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..140),
        start in prop_oneof![Just(0x45_u8), Just(0x60), Just(0)],
    ) {
        let mut link = link(1, A);
        let mut header = header;
        header[..6].copy_from_slice(&if group { Mac::BROADCAST } else { A }.0);
        header[12..].copy_from_slice(&protocol.to_be_bytes());
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = start;
        }
        let length = bytes.len();
        let passed = link.input(SECOND, &header, Packet::inline(&bytes).unwrap());
        let counters = link.counters();
        match passed {
            Some(packet) => prop_assert!(packet.len() <= length && counters.drops() == 0),
            None => prop_assert_eq!(counters.drops() + counters.neighbour_messages, 1),
        }
    }
}
