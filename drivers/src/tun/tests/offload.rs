//! Devices with a virtio header of either length in front of each packet.

use std::collections::VecDeque;
use std::net::UdpSocket;
use std::os::fd::{AsFd, OwnedFd};

use txbuf::{Ledger, Pool, PoolConfig};

use super::{NO_PACKET_INFORMATION, WAIT, configured, receive_udp};
use crate::netlink::{self, Netns};
use crate::testing::{Spec, netns_or_skip, parse, pool};
use crate::tun::{Backend, Tun, TunConfig, TunError, VnetHeader};
use crate::{Device, Edge, sys};

const VIRTIO: u16 = sys::IFF_TUN | sys::IFF_VNET_HDR | NO_PACKET_INFORMATION;

fn open(netns: &Netns, flags: u16) -> OwnedFd {
    netns
        .run(|| sys::open_tun_with("tun0", flags))
        .unwrap()
        .unwrap()
}

/// A UDP super-packet goes to the kernel, and a packet comes back, over both versions of IP.
fn exchange(netns: &Netns, device: &mut impl Device, pool: &Pool) {
    for (six, any, remote) in [
        (false, "0.0.0.0", "198.51.100.9"),
        (true, "::", "2001:db8:ffee::9"),
    ] {
        let socket = netns.run(|| UdpSocket::bind((any, 2000))).unwrap().unwrap();
        socket.set_read_timeout(Some(WAIT)).unwrap();
        let spec = Spec {
            six,
            udp: true,
            options: 0,
            pieces: 5,
            ..Spec::tcp(10_000, 1001)
        };
        // One by one and in a batch.
        for count in [1, 3] {
            let mut queue: VecDeque<_> = (0..count).map(|_| spec.build(pool)).collect();
            assert_eq!(device.transmit(&mut queue).unwrap(), count);
            let mut received = Vec::new();
            let mut buffer = [0; 2000];
            while received.len() < count * 10_000 {
                let length = socket.recv(&mut buffer).unwrap();
                received.extend_from_slice(&buffer[..length]);
            }
            assert_eq!(received, spec.payload_bytes().repeat(count));
        }
        socket.send_to(&[9; 1200], (remote, 3000)).unwrap();
        let mut packet = receive_udp(device, 3000);
        packet.complete_checksum().unwrap();
        assert_eq!(parse(&packet.to_vec().unwrap()).payload, [9; 1200]);
    }
    let counters = device.counters();
    assert_eq!(counters.drops(), 0, "{counters:?}");
}

#[test]
fn headers_of_ten_and_of_twelve_bytes_carry_the_same() {
    let Some(netns) = netns_or_skip("headers_of_ten_and_of_twelve_bytes_carry_the_same") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    for header in [VnetHeader::Plain, VnetHeader::Mergeable] {
        let config = TunConfig {
            offload: true,
            header,
            ..configured(&netns, 1500)
        };
        let mut device = Edge::new(Tun::open(&config, &pool).unwrap());
        let size = sys::tun_vnet_header_size(device.inner().as_fd()).unwrap();
        assert_eq!(size, header.length());
        exchange(&netns, &mut device, &pool);
    }
}

#[test]
fn descriptors_with_a_virtio_header_are_adopted_or_refused() {
    let Some(netns) = netns_or_skip("descriptors_with_a_virtio_header_are_adopted_or_refused")
    else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    for size in [10, 12] {
        let fd = open(&netns, VIRTIO);
        sys::set_tun_vnet_header_size(fd.as_fd(), size).unwrap();
        let link = configured(&netns, 1500).link.unwrap();
        netlink::configure(Some(&netns), "tun0", &link).unwrap();
        let mut device = Edge::new(Tun::adopt(fd, Some(1500), Backend::Auto, &pool).unwrap());
        assert!(device.inner().capabilities().offloads.tso);
        exchange(&netns, &mut device, &pool);
    }
    let fd = open(&netns, VIRTIO);
    sys::set_tun_vnet_header_size(fd.as_fd(), 20).unwrap();
    assert!(matches!(
        Tun::adopt(fd, Some(1500), Backend::Auto, &pool),
        Err(TunError::VnetHeader { size: 20, .. })
    ));
    let fd = open(&netns, VIRTIO & !NO_PACKET_INFORMATION);
    assert!(matches!(
        Tun::adopt(fd, Some(1500), Backend::Auto, &pool),
        Err(TunError::PacketInformation { .. })
    ));
}

/// Whatever its last user had: fewer offloads, another header.
#[test]
fn attaching_with_offload_resets_a_persistent_device_too() {
    let Some(netns) = netns_or_skip("attaching_with_offload_resets_a_persistent_device_too") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let fd = open(&netns, VIRTIO);
    sys::set_tun_persistent(fd.as_fd(), true).unwrap();
    sys::set_tun_offload(fd.as_fd(), 0).unwrap();
    sys::set_tun_vnet_header_size(fd.as_fd(), 20).unwrap();
    drop(fd);
    let config = TunConfig {
        offload: true,
        ..configured(&netns, 1500)
    };
    let mut device = Edge::new(Tun::open(&config, &pool).unwrap());
    assert!(device.inner().is_persistent());
    exchange(&netns, &mut device, &pool);
    drop(device);
    netlink::delete(Some(&netns), "tun0").unwrap();
}

/// A read has to have room for a super-packet, but what is short takes no more than its length: who holds many short
/// packets holds at most as much again.
#[test]
fn short_packets_that_are_held_lie_side_by_side() {
    let Some(netns) = netns_or_skip("short_packets_that_are_held_lie_side_by_side") else {
        return;
    };
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let config = TunConfig {
        offload: true,
        ..configured(&netns, 1500)
    };
    let mut device = Tun::open(&config, &pool).unwrap();
    let socket = netns.run(|| UdpSocket::bind(("0.0.0.0", 2000)));
    let socket = socket.unwrap().unwrap();
    let mut held = Vec::new();
    for _ in 0..2000 {
        socket.send_to(&[7; 1000], ("198.51.100.9", 3000)).unwrap();
        held.push(receive_udp(&mut device, 3000));
    }
    let bytes: usize = held.iter().map(txbuf::Packet::len).sum();
    let pinned = pool.in_use();
    assert!(pinned <= 2 * bytes, "{pinned} bytes for {bytes}");
    assert_eq!(device.counters().drops(), 0);
}

#[test]
fn segments_for_one_super_packet_alone_are_refused() {
    let Some(netns) = netns_or_skip("segments_for_one_super_packet_alone_are_refused") else {
        return;
    };
    let config = TunConfig {
        offload: true,
        ..configured(&netns, 1500)
    };
    let narrow = PoolConfig {
        segment: 64 << 10,
        limit: 1 << 20,
        keep: 0,
    };
    assert!(matches!(
        Tun::open(&config, &Pool::new(&Ledger::new(), narrow)),
        Err(TunError::ArenaTooSmall { least: 131_072, .. })
    ));
}
