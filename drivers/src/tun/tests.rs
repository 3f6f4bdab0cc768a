use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use tun_tap::{Iface, Mode};
use txbuf::{Chain, Kind, Ledger, Pool, PoolConfig};

use super::{Backend, Tun, TunConfig, TunError};
use crate::netlink::{self, Address, LinkConfig, NetlinkError, Netns};
use crate::testing::{Loan, Spec, netns_or_skip, parse, pool, udp, wait_readable};
use crate::{Device, Edge, sys};

mod offload;
mod queues;

/// `IFF_NO_PI` of linux/if_tun.h.
const NO_PACKET_INFORMATION: u16 = 0x1000;
const WAIT: Duration = Duration::from_secs(5);

/// A device named tun0 that is up, with addresses of both versions on the kernel's side.
pub(super) fn configured(netns: &Netns, mtu: u32) -> TunConfig {
    let address = |text: &str| Address {
        local: text.parse().unwrap(),
        peer: None,
    };
    let addresses = vec![address("198.51.100.7/24"), address("2001:db8:ffee::2/64")];
    let link = LinkConfig {
        mtu: Some(mtu),
        tx_queue: Some(4000),
        addresses,
        up: true,
        ..LinkConfig::default()
    };
    TunConfig {
        name: "tun0".into(),
        netns: Some(netns.clone()),
        link: Some(link),
        ..TunConfig::default()
    }
}

/// Receives until a UDP packet to port `port` comes: the kernel sends multicast of its own.
fn receive_udp(device: &mut impl Device, port: u16) -> txbuf::Packet {
    let mut packets = Vec::new();
    loop {
        assert!(
            wait_readable(device.poll_fd().unwrap(), WAIT),
            "nothing came"
        );
        device.receive(&mut packets, 64).unwrap();
        for packet in packets.drain(..) {
            let bytes = packet.to_vec().unwrap();
            let at = if bytes[0] >> 4 == 4 { 20 } else { 40 };
            if bytes.get(at + 2..at + 4) == Some(&port.to_be_bytes()) {
                return packet;
            }
        }
    }
}

#[test]
fn packets_pass_between_kernel_and_device() {
    let Some(netns) = netns_or_skip("packets_pass_between_kernel_and_device") else {
        return;
    };
    let ledger = Ledger::new();
    let mut tun = Tun::open(&configured(&netns, 1500), &pool(&ledger)).unwrap();
    assert_eq!(
        (tun.name(), tun.capabilities().mtu, tun.is_persistent()),
        ("tun0", 1500, false)
    );
    for (local, remote) in [
        ("198.51.100.7", "198.51.100.9"),
        ("2001:db8:ffee::2", "2001:db8:ffee::9"),
    ] {
        let socket = netns
            .run(|| UdpSocket::bind((local, 2000)))
            .unwrap()
            .unwrap();
        socket.set_read_timeout(Some(WAIT)).unwrap();
        for length in [10, 1400] {
            socket.send_to(&vec![5; length], (remote, 3000)).unwrap();
            let packet = receive_udp(&mut tun, 3000);
            assert_eq!(parse(&packet.to_vec().unwrap()).payload, vec![5; length]);
            // Small packets hold no storage of the pool.
            assert_eq!(packet.span().is_some(), length == 1400);
        }
    }
    assert_eq!(tun.counters().tx_packets, 0);
    drop(tun);
    assert_eq!(ledger.live_nodes(), 0);
    assert!(matches!(
        netlink::link_state(Some(&netns), "tun0"),
        Err(NetlinkError::NoSuchDevice { .. })
    ));
}

#[test]
fn payloads_of_packets_in_a_row_lie_side_by_side() {
    let Some(netns) = netns_or_skip("payloads_of_packets_in_a_row_lie_side_by_side") else {
        return;
    };
    let ledger = Ledger::new();
    let mut tun = Tun::open(&configured(&netns, 1500), &pool(&ledger)).unwrap();
    let mut receive = |local: &str, remote: &str, length: usize| {
        let socket = netns
            .run(|| UdpSocket::bind((local, 2000)))
            .unwrap()
            .unwrap();
        socket.send_to(&vec![5; length], (remote, 3000)).unwrap();
        let packet = receive_udp(&mut tun, 3000);
        assert_eq!(parse(&packet.to_vec().unwrap()).payload, vec![5; length]);
        packet
    };
    // Of whatever length the headers are, a small packet between them or not.
    let four = ("198.51.100.7", "198.51.100.9", 28);
    let six = ("2001:db8:ffee::2", "2001:db8:ffee::9", 48);
    let mut all: Option<txbuf::Span> = None;
    for (local, remote, headers) in [four, four, six, four, six, six] {
        let mut packet = receive(local, remote, 1000);
        assert_eq!(packet.headers().len(), headers);
        let span = packet.take_span().unwrap();
        match &mut all {
            Some(all) => all.try_merge(span).unwrap(),
            None => all = Some(span),
        }
        assert!(receive(local, remote, 10).span().is_none());
    }
    assert_eq!(all.unwrap().to_vec().unwrap(), vec![5; 6000]);
}

#[test]
fn what_is_carried_on_comes_in_one_piece() {
    let Some(netns) = netns_or_skip("what_is_carried_on_comes_in_one_piece") else {
        return;
    };
    let mut tun = Tun::open(&configured(&netns, 1500), &pool(&Ledger::new())).unwrap();
    let socket = netns.run(|| UdpSocket::bind("198.51.100.7:1000"));
    let socket = socket.unwrap().unwrap();
    let payload: Vec<u8> = (0..1000_u32).map(|byte| byte as u8).collect();
    let send = || socket.send_to(&payload, "198.51.100.9:2000").unwrap();
    send();
    let parted = receive_udp(&mut tun, 2000);
    tun.receive_whole();
    send();
    let mut whole = receive_udp(&mut tun, 2000);
    let lengths = [&parted, &whole].map(|packet| (packet.headers().len(), packet.len()));
    assert_eq!(lengths, [(28, 1028), (0, 1028)]);
    assert_eq!(whole.to_vec().unwrap()[28..], payload);
    // Who wants to see its headers pulls them.
    whole.pull(28).unwrap();
    assert_eq!(whole.span().map(txbuf::Span::len), Some(1000));
    let mut queue = VecDeque::from([whole]);
    assert_eq!(tun.transmit(&mut queue).unwrap(), 1);
}

#[test]
fn the_kernel_takes_super_packets_through_the_edge() {
    let Some(netns) = netns_or_skip("the_kernel_takes_super_packets_through_the_edge") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let mut device = Edge::new(Tun::open(&configured(&netns, 1500), &pool).unwrap());
    for six in [false, true] {
        let any = if six { "::" } else { "0.0.0.0" };
        let socket = netns.run(|| UdpSocket::bind((any, 2000))).unwrap().unwrap();
        socket.set_read_timeout(Some(WAIT)).unwrap();
        let spec = Spec {
            six,
            udp: true,
            options: 0,
            pieces: 5,
            ..Spec::tcp(10_000, 1001)
        };
        let mut queue = VecDeque::from([spec.build(&pool)]);
        assert_eq!(device.transmit(&mut queue).unwrap(), 1);
        let mut received = Vec::new();
        let mut buffer = [0; 2000];
        while received.len() < 10_000 {
            let length = socket
                .recv(&mut buffer)
                .unwrap_or_else(|error| panic!("six {six}, {} bytes: {error}", received.len()));
            received.extend_from_slice(&buffer[..length]);
        }
        assert_eq!(received, spec.payload_bytes());
    }
    assert_eq!(
        (device.counters().tx_packets, device.counters().tx_refused),
        (20, 0)
    );
}

#[test]
fn a_device_that_is_down_or_gone_says_so() {
    let Some(netns) = netns_or_skip("a_device_that_is_down_or_gone_says_so") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let mut tun = Tun::open(
        &TunConfig {
            netns: Some(netns.clone()),
            ..TunConfig::new("tun0")
        },
        &pool,
    )
    .unwrap();
    let mut queue = VecDeque::from([udp(&mut Chain::arena(&pool), 1000)]);
    let error = tun.transmit(&mut queue).unwrap_err();
    assert_eq!((error.kind(), queue.len()), (io::ErrorKind::NetworkDown, 1));
    assert_eq!(
        error.to_string(),
        "TUN device tun0 is down: bring it up by `ip link set tun0 up`"
    );
    netlink::delete(Some(&netns), "tun0").unwrap();
    assert_eq!(
        tun.transmit(&mut queue).unwrap_err().kind(),
        io::ErrorKind::NotConnected
    );
    assert_eq!(
        tun.receive(&mut Vec::new(), 1).unwrap_err().kind(),
        io::ErrorKind::NotConnected
    );
    assert_eq!(queue.len(), 1);
}

#[test]
fn what_the_device_cannot_send_is_dropped_and_counted() {
    let Some(netns) = netns_or_skip("what_the_device_cannot_send_is_dropped_and_counted") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let mut tun = Tun::open(&configured(&netns, 1400), &pool).unwrap();
    let mut arena = Chain::arena(&pool);
    let mut queue: VecDeque<_> = [
        udp(&mut arena, 1401),
        Spec::tcp(10, 0).build(&pool),
        udp(&mut arena, 1400),
    ]
    .into();
    queue.push_back(txbuf::Packet::inline(&[0; 40]).unwrap());
    assert_eq!(tun.transmit(&mut queue).unwrap(), 4);
    let counters = tun.counters();
    let dropped = (
        counters.tx_too_big,
        counters.tx_unsupported,
        counters.tx_refused,
    );
    assert_eq!((dropped, counters.tx_packets), ((1, 1, 1), 1));
}

#[test]
fn a_packet_of_many_pieces_is_sent_in_one() {
    let Some(netns) = netns_or_skip("a_packet_of_many_pieces_is_sent_in_one") else {
        return;
    };
    let ledger = Ledger::new();
    let small = Pool::new(
        &ledger,
        PoolConfig {
            segment: 64,
            limit: 1 << 20,
            keep: 0,
        },
    );
    let mut tun = Tun::open(&configured(&netns, 9000), &pool(&ledger)).unwrap();
    let socket = netns
        .run(|| UdpSocket::bind("198.51.100.7:2000"))
        .unwrap()
        .unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    let mut chain = Chain::stream(&small);
    let payload: Vec<u8> = (0..4000).map(|i| i as u8).collect();
    chain.append(&payload).unwrap();
    let spans = (0..8).map(|i| chain.span(i * 500, 500));
    let span = txbuf::Span::gather(&ledger, spans).unwrap();
    assert!(span.extents().count() > sys::EXTENTS);
    let mut packet = Spec {
        udp: true,
        options: 0,
        payload: 4000,
        ..Spec::tcp(0, 0)
    }
    .build(&pool(&ledger));
    packet.set_span(span);
    packet.complete_checksum().unwrap();
    let mut queue = VecDeque::from([packet]);
    assert_eq!(tun.transmit(&mut queue).unwrap(), 1);
    let mut received = [0; 5000];
    assert_eq!(socket.recv(&mut received).unwrap(), 4000);
    assert_eq!(received[..4000], payload);
}

#[test]
fn lent_payload_is_written_from_where_it_lies() {
    let Some(netns) = netns_or_skip("lent_payload_is_written_from_where_it_lies") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let spec = Spec {
        udp: true,
        options: 0,
        ..Spec::tcp(1400, 0)
    };
    for (offload, withdrawn) in [(false, false), (true, false), (true, true)] {
        let config = TunConfig {
            offload,
            ..configured(&netns, 1500)
        };
        let socket = netns
            .run(|| UdpSocket::bind("0.0.0.0:2000"))
            .unwrap()
            .unwrap();
        socket.set_read_timeout(Some(WAIT)).unwrap();
        let mut device = Edge::new(Tun::open(&config, &pool).unwrap());
        let mut packet = spec.build(&pool);
        let mut loan = Loan::of(&mut packet, &ledger);
        if withdrawn {
            // Then from a copy.
            loan.withdraw();
        }
        device.transmit(&mut VecDeque::from([packet])).unwrap();
        assert_eq!((loan.completion(), loan.lent()), (Some(withdrawn), 0));
        let mut received = [0; 2000];
        assert_eq!(socket.recv(&mut received).unwrap(), 1400);
        assert_eq!(received[..1400], spec.payload_bytes());
    }
}

#[test]
fn at_the_cap_of_the_pool_small_packets_still_come() {
    let Some(netns) = netns_or_skip("at_the_cap_of_the_pool_small_packets_still_come") else {
        return;
    };
    let ledger = Ledger::new();
    let tiny = Pool::new(
        &ledger,
        PoolConfig {
            segment: 2048,
            limit: 2048,
            keep: 1,
        },
    );
    let mut tun = Tun::open(&configured(&netns, 1500), &tiny).unwrap();
    let socket = netns
        .run(|| UdpSocket::bind("198.51.100.7:2000"))
        .unwrap()
        .unwrap();
    socket.send_to(&[1; 1400], "198.51.100.9:3000").unwrap();
    let held = receive_udp(&mut tun, 3000);
    socket.send_to(&[2; 1400], "198.51.100.9:3000").unwrap();
    socket.send_to(&[3; 20], "198.51.100.9:3000").unwrap();
    assert_eq!(
        parse(&receive_udp(&mut tun, 3000).to_vec().unwrap()).payload,
        [3; 20]
    );
    assert_eq!(tun.counters().rx_no_memory, 1);
    drop(held);
    socket.send_to(&[4; 1400], "198.51.100.9:3000").unwrap();
    assert_eq!(
        parse(&receive_udp(&mut tun, 3000).to_vec().unwrap()).payload,
        [4; 1400]
    );
    assert_eq!(ledger.report().of(Kind::Buffered).nodes, 1);
}

#[test]
fn a_busy_device_and_a_device_of_another_kind_are_refused() {
    let Some(netns) = netns_or_skip("a_busy_device_and_a_device_of_another_kind_are_refused")
    else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let config = |name: &str| TunConfig {
        netns: Some(netns.clone()),
        ..TunConfig::new(name)
    };
    let _tun = Tun::open(&config("tun0"), &pool).unwrap();
    assert!(matches!(
        Tun::open(&config("tun0"), &pool),
        Err(TunError::Busy { .. })
    ));
    assert!(matches!(
        Tun::open(&config("lo"), &pool),
        Err(TunError::OtherKind { .. })
    ));
    for name in ["", "a_name_of_16_bytes", "a/b", "a b", ".."] {
        let refused = Tun::open(&config(name), &pool);
        assert!(
            matches!(
                refused,
                Err(TunError::Netlink(NetlinkError::BadName { .. }))
            ),
            "{name}"
        );
    }
    assert_eq!(Tun::open(&config("tun%d"), &pool).unwrap().name(), "tun1");
    let huge = LinkConfig {
        mtu: Some(70_000),
        ..LinkConfig::default()
    };
    let refused = Tun::open(
        &TunConfig {
            link: Some(huge),
            ..config("tun2")
        },
        &pool,
    )
    .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the MTU 70000 is out of range for device tun2: choose one from 68 to 65535"
    );
    let narrow = Pool::new(
        &ledger,
        PoolConfig {
            segment: 1024,
            limit: 1 << 20,
            keep: 0,
        },
    );
    assert!(matches!(
        Tun::open(&config("tun3"), &narrow),
        Err(TunError::ArenaTooSmall { least: 1501, .. })
    ));
}

#[test]
fn descriptors_are_adopted_or_refused() {
    let Some(netns) = netns_or_skip("descriptors_are_adopted_or_refused") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let open = |name: &str, mode| {
        netns
            .run(|| Iface::without_packet_info(name, mode).map(sys::into_owned_fd))
            .unwrap()
            .unwrap()
    };
    let fd = open("tun0", Mode::Tun);
    let tun = Tun::adopt_number(fd.as_raw_fd(), Some(1500), Backend::Auto, &pool).unwrap();
    assert_eq!(tun.name(), "tun0");
    // In its own namespace the MTU can be looked up.
    assert_eq!(
        netns
            .run(|| Tun::adopt(fd, None, Backend::Auto, &pool))
            .unwrap()
            .unwrap()
            .capabilities()
            .mtu,
        1500
    );
    let refused = |fd: OwnedFd| Tun::adopt(fd, Some(1500), Backend::Auto, &pool).unwrap_err();
    assert!(matches!(
        refused(open("tap0", Mode::Tap)),
        TunError::Tap { .. }
    ));
    let with_information = netns
        .run(|| Iface::new("tun1", Mode::Tun).map(sys::into_owned_fd))
        .unwrap()
        .unwrap();
    assert!(matches!(
        refused(with_information),
        TunError::PacketInformation { .. }
    ));
    let up = LinkConfig {
        up: true,
        ..LinkConfig::default()
    };
    let with_information = netns
        .run(|| Iface::new("tun2", Mode::Tun).map(sys::into_owned_fd))
        .unwrap()
        .unwrap();
    netlink::configure(Some(&netns), "tun2", &up).unwrap();
    assert!(matches!(
        refused(with_information),
        TunError::PacketInformation { .. }
    ));
    assert!(matches!(
        refused(File::open("/dev/net/tun").unwrap().into()),
        TunError::NotAttached
    ));
    assert!(matches!(
        refused(File::open("/dev/null").unwrap().into()),
        TunError::NotATunDescriptor
    ));
    assert!(matches!(
        refused(File::open("/").unwrap().into()),
        TunError::NotATunDescriptor
    ));
    for number in [-1, 1 << 20] {
        assert!(matches!(
            Tun::adopt_number(number, None, Backend::Auto, &pool),
            Err(TunError::NotOpen { .. })
        ));
    }
}

/// A persistent device keeps what its last user set: a plain user would get super-packets, cut short.
#[test]
fn attaching_to_a_persistent_device_resets_its_offloads() {
    let Some(netns) = netns_or_skip("attaching_to_a_persistent_device_resets_its_offloads") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let flags = sys::IFF_TUN | sys::IFF_VNET_HDR | NO_PACKET_INFORMATION;
    let fd = netns
        .run(|| sys::open_tun_with("tun0", flags))
        .unwrap()
        .unwrap();
    sys::set_tun_persistent(fd.as_fd(), true).unwrap();
    sys::set_tun_offload(fd.as_fd(), 0x07).unwrap();
    sys::set_tun_vnet_header_size(fd.as_fd(), 12).unwrap();
    drop(fd);
    let mut tun = Tun::open(&configured(&netns, 1500), &pool).unwrap();
    assert!(tun.is_persistent());
    // With the old offload mask this would be one packet with an incomplete checksum.
    let listener = netns.run(|| {
        std::net::TcpStream::connect_timeout(
            &"198.51.100.9:80".parse().unwrap(),
            Duration::from_millis(50),
        )
    });
    assert!(listener.unwrap().is_err());
    let mut packets = Vec::new();
    tun.receive(&mut packets, 64).unwrap();
    let syn = packets
        .iter()
        .find(|packet| packet.headers()[0] == 0x45 && packet.headers()[9] == 6)
        .expect("a SYN");
    assert!(parse(syn.headers()).tcp.unwrap().syn);
    drop(tun);
    assert!(netlink::link_state(Some(&netns), "tun0").is_ok());
    netlink::delete(Some(&netns), "tun0").unwrap();
}
