use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::process::Command;

use txbuf::Ledger;

use super::*;
use crate::netlink::{Address, LinkConfig, Netns};
use crate::testing::{Spec, netns_or_skip, parse, pool, wait_readable};
use crate::tun::VnetHeader;
use crate::{Edge, Tun, sys};

const WAIT: Duration = Duration::from_secs(5);

/// A device named tap0 that is up, with addresses of both versions on the kernel's side.
fn configured(netns: &Netns) -> TunConfig {
    let address = |text: &str| Address {
        local: text.parse().unwrap(),
        peer: None,
    };
    TunConfig {
        name: "tap0".into(),
        netns: Some(netns.clone()),
        link: Some(LinkConfig {
            mtu: Some(1500),
            addresses: vec![address("198.51.100.7/24"), address("2001:db8:ffee::2/64")],
            up: true,
            ..LinkConfig::default()
        }),
        ..TunConfig::default()
    }
}

fn ethernet() -> Ethernet {
    let addresses = ["198.51.100.9/24", "2001:db8:ffee::9/64"];
    Ethernet::with_addresses(addresses.map(|text| text.parse().unwrap()))
}

/// Receives until a packet comes that `wanted` wants, or the time is over.
fn receive(device: &mut impl Device, wanted: impl Fn(&[u8]) -> bool) -> Option<Packet> {
    let end = Instant::now() + WAIT;
    let mut packets = Vec::new();
    while Instant::now() < end {
        wait_readable(device.poll_fd().unwrap(), Duration::from_millis(100));
        device.receive(&mut packets, 64).unwrap();
        for mut packet in packets.drain(..) {
            if wanted(&packet.to_vec().unwrap()) {
                let _ = packet.complete_checksum();
                return Some(packet);
            }
        }
    }
    None
}

/// Whether a packet is of UDP to this port.
fn is_udp_to(port: u16) -> impl Fn(&[u8]) -> bool {
    move |bytes| {
        let at = if bytes[0] >> 4 == 4 { 20 } else { 40 };
        let protocol = if at == 20 { bytes[9] } else { bytes[6] };
        protocol == 17 && bytes.get(at + 2..at + 4) == Some(&port.to_be_bytes())
    }
}

/// Packets of all lengths go both ways, over both versions of IP.
fn exchange(netns: &Netns, device: &mut impl Device, pool: &Pool) {
    for (six, any, remote) in [
        (false, "0.0.0.0", "198.51.100.9"),
        (true, "::", "2001:db8:ffee::9"),
    ] {
        let socket = netns.run(|| UdpSocket::bind((any, 2000))).unwrap().unwrap();
        socket.set_read_timeout(Some(WAIT)).unwrap();
        for length in [1, 10, 1200, 1400] {
            socket.send_to(&vec![5; length], (remote, 3000)).unwrap();
            let packet = receive(device, is_udp_to(3000)).expect("a packet");
            assert_eq!(parse(&packet.to_vec().unwrap()).payload, vec![5; length]);
        }
        for (payload, size, count) in [(10, 0, 1), (1400, 0, 1), (10_000, 1001, 3)] {
            let spec = Spec {
                six,
                udp: true,
                options: 0,
                pieces: 5,
                ..Spec::tcp(payload, size)
            };
            let mut queue: VecDeque<_> = (0..count).map(|_| spec.build(pool)).collect();
            assert_eq!(device.transmit(&mut queue).unwrap(), count);
            let mut received = Vec::new();
            let mut buffer = [0; 2000];
            while received.len() < count * payload {
                // It may have to find the kernel first.
                device.receive(&mut Vec::new(), 64).unwrap();
                let length = socket.recv(&mut buffer).unwrap();
                received.extend_from_slice(&buffer[..length]);
            }
            assert_eq!(received, spec.payload_bytes().repeat(count));
        }
    }
}

#[test]
fn packets_pass_between_kernel_and_tap_with_and_without_offload() {
    let Some(netns) = netns_or_skip("packets_pass_between_kernel_and_tap_with_and_without_offload")
    else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    for (offload, header) in [
        (false, VnetHeader::Plain),
        (true, VnetHeader::Plain),
        (true, VnetHeader::Mergeable),
    ] {
        let config = TunConfig {
            offload,
            header,
            ..configured(&netns)
        };
        let tap = TapDevice::open(&config, &ethernet(), &pool).unwrap();
        assert_eq!((tap.name(), tap.is_persistent()), ("tap0", false));
        let mut device = Edge::new(tap);
        assert_eq!(device.inner().capabilities().offloads.tso, offload);
        exchange(&netns, &mut device, &pool);
        let counters = device.counters();
        // The kernel looks for routers and listeners, which is for nobody here to answer.
        assert_eq!(counters.drops(), 0, "{counters:?}");
        assert!(counters.neighbour_messages >= 2, "{counters:?}");
    }
    drop(pool);
    assert_eq!(ledger.live_nodes(), 0);
}

/// It is asked for when there is a packet for it, by the clock again, and found when it is there.
#[test]
fn a_kernel_that_comes_late_is_found() {
    let Some(netns) = netns_or_skip("a_kernel_that_comes_late_is_found") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let config = configured(&netns);
    let up = LinkConfig {
        addresses: Vec::new(),
        ..config.link.clone().unwrap()
    };
    let bare = TunConfig {
        link: Some(up),
        ..config.clone()
    };
    let mut tap = TapDevice::open(&bare, &ethernet(), &pool).unwrap();
    let spec = Spec {
        udp: true,
        options: 0,
        ..Spec::tcp(100, 0)
    };
    let mut packet = spec.build(&pool);
    packet.complete_checksum().unwrap();
    assert_eq!(tap.transmit(&mut VecDeque::from([packet])).unwrap(), 1);
    assert!(tap.link.poll_timeout().is_some());
    netlink::configure(Some(&netns), "tap0", &config.link.unwrap()).unwrap();
    let socket = netns
        .run(|| UdpSocket::bind("0.0.0.0:2000"))
        .unwrap()
        .unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 200];
    let end = Instant::now() + WAIT;
    let received = loop {
        // Only when the descriptor says so: the clock must make it readable.
        if wait_readable(tap.poll_fd().unwrap(), Duration::from_millis(20)) {
            tap.receive(&mut Vec::new(), 64).unwrap();
        }
        match socket.recv(&mut buffer) {
            Ok(length) => break length,
            Err(_) => assert!(Instant::now() < end, "{:?}", tap.counters()),
        }
    };
    assert_eq!(buffer[..received], spec.payload_bytes());
    assert_eq!(tap.counters().tx_unresolved, 0);
}

#[test]
fn the_kernel_remembers_the_address_that_it_was_told() {
    let Some(netns) = netns_or_skip("the_kernel_remembers_the_address_that_it_was_told") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let mac: Mac = "02:00:5e:10:00:09".parse().unwrap();
    let ethernet = Ethernet {
        mac: Some(mac),
        ..ethernet()
    };
    let tap = TapDevice::open(&configured(&netns), &ethernet, &pool).unwrap();
    assert_eq!(tap.mac(), mac);
    let mut device = Edge::new(tap);
    exchange(&netns, &mut device, &pool);
    let listing = netns
        .run(|| {
            Command::new("ip")
                .args(["neigh", "show", "dev", "tap0"])
                .output()
        })
        .unwrap();
    let Ok(listing) = listing else {
        return;
    };
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    for address in ["198.51.100.9", "2001:db8:ffee::9"] {
        let line = listing.lines().find(|line| line.contains(address));
        assert!(
            line.is_some_and(|line| line.contains(&mac.to_string())),
            "{listing}"
        );
    }
}

#[test]
fn devices_of_the_other_kind_are_refused() {
    let Some(netns) = netns_or_skip("devices_of_the_other_kind_are_refused") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let tap = TapDevice::open(&configured(&netns), &ethernet(), &pool).unwrap();
    assert!(matches!(
        TapDevice::open(&configured(&netns), &ethernet(), &pool),
        Err(TunError::Busy {
            kind: LinkKind::Tap,
            ..
        })
    ));
    assert!(matches!(
        Tun::open(&configured(&netns), &pool),
        Err(TunError::OtherKind {
            kind: LinkKind::Tun,
            ..
        })
    ));
    drop(tap);
    let tun = Tun::open(&configured(&netns), &pool).unwrap();
    let refused = TapDevice::open(&configured(&netns), &ethernet(), &pool).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "tap0 exists but is not a TAP device with a single queue: choose another name, or delete it by `ip link delete tap0`"
    );
    drop(tun);
}

#[test]
fn a_persistent_tap_is_reset_and_a_lost_one_says_so() {
    let Some(netns) = netns_or_skip("a_persistent_tap_is_reset_and_a_lost_one_says_so") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let flags = sys::IFF_TAP | sys::IFF_VNET_HDR | 0x1000;
    let fd = netns
        .run(|| sys::open_tun_with("tap0", flags))
        .unwrap()
        .unwrap();
    sys::set_tun_persistent(fd.as_fd(), true).unwrap();
    sys::set_tun_offload(fd.as_fd(), 0x0f).unwrap();
    sys::set_tun_vnet_header_size(fd.as_fd(), 12).unwrap();
    sys::set_tap_filter(fd.as_fd(), [2, 0, 0, 0, 0, 99]).unwrap();
    drop(fd);
    for offload in [false, true] {
        let config = TunConfig {
            offload,
            ..configured(&netns)
        };
        let mut device = Edge::new(TapDevice::open(&config, &ethernet(), &pool).unwrap());
        assert!(device.inner().is_persistent());
        exchange(&netns, &mut device, &pool);
    }
    let mut tap = TapDevice::open(&configured(&netns), &ethernet(), &pool).unwrap();
    netlink::delete(Some(&netns), "tap0").unwrap();
    let error = tap.receive(&mut Vec::new(), 1).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    assert_eq!(
        error.to_string(),
        "TAP device tap0 was deleted while in use: open it again"
    );
}
