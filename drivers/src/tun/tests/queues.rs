//! Several queues of one device, and how the kernel chooses among them.

use std::collections::VecDeque;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;
use txbuf::{Chain, Ledger, Packet, Pool};

use super::configured;
use crate::netlink::{self, Netns};
use crate::testing::{V4, netns_or_skip, pool};
use crate::tun::{Tun, TunConfig, TunError};
use crate::{Device, sys};

/// The queues at which packets from port `port` of the kernel's side come within a while, one for each packet.
fn queues_of(queues: &mut [Tun], port: u16, count: usize) -> Vec<usize> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut came = Vec::new();
    while came.len() < count && Instant::now() < deadline {
        for (number, queue) in queues.iter_mut().enumerate() {
            let mut packets = Vec::new();
            queue.receive(&mut packets, 64).unwrap();
            came.extend(packets.iter().filter_map(|packet| {
                let bytes = packet.to_vec().unwrap();
                (bytes[0] >> 4 == 4 && bytes[20..22] == port.to_be_bytes()).then_some(number)
            }));
        }
    }
    came
}

fn send(netns: &Netns, port: u16, times: usize) {
    let socket = netns
        .run(|| UdpSocket::bind(("198.51.100.7", port)))
        .unwrap()
        .unwrap();
    for _ in 0..times {
        socket.send_to(&[7; 100], "198.51.100.9:9").unwrap();
    }
}

/// A datagram of the stack's side to that port.
fn answer(port: u16, pool: &Pool) -> Packet {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4(V4[0], V4[1], 64)
        .udp(9, port)
        .write(&mut bytes, &[1; 50])
        .unwrap();
    Packet::copy_from(&bytes, &mut Chain::arena(pool)).unwrap()
}

#[test]
fn a_flow_stays_on_its_queue_until_another_one_answers_it() {
    let Some(netns) = netns_or_skip("a_flow_stays_on_its_queue_until_another_one_answers_it")
    else {
        return;
    };
    for offload in [false, true] {
        let ledger = Ledger::new();
        let config = TunConfig {
            offload,
            ..configured(&netns, 1500)
        };
        let pools = [pool(&ledger), pool(&ledger)];
        let mut queues = Tun::open_queues(&config, &pools).unwrap();
        assert_eq!(queues.len(), 2);
        assert!(queues.iter().all(|queue| queue.name() == "tun0"));
        let mut used = [0; 2];
        for port in 3000..3064 {
            send(&netns, port, 4);
            let came = queues_of(&mut queues, port, 4);
            assert_eq!(came.len(), 4, "port {port}");
            assert!(
                came.iter().all(|queue| *queue == came[0]),
                "port {port}: {came:?}"
            );
            used[came[0]] += 1;
            // An answer by the other queue brings the flow there.
            let other = 1 - came[0];
            let mut batch = VecDeque::from([answer(port, &pools[0])]);
            assert_eq!(queues[other].transmit(&mut batch).unwrap(), 1);
            send(&netns, port, 4);
            assert_eq!(queues_of(&mut queues, port, 4), [other; 4], "port {port}");
        }
        assert!(used.iter().all(|flows| *flows > 8), "{used:?}");
    }
}

#[test]
fn devices_with_one_queue_and_with_several_are_not_the_same() {
    let Some(netns) = netns_or_skip("devices_with_one_queue_and_with_several_are_not_the_same")
    else {
        return;
    };
    let ledger = Ledger::new();
    let pools = [pool(&ledger), pool(&ledger)];
    let config = TunConfig {
        netns: Some(netns.clone()),
        ..TunConfig::new("tun0")
    };
    let single = Tun::open(&config, &pools[0]).unwrap();
    sys::set_tun_persistent(single.poll_fd().unwrap(), true).unwrap();
    drop(single);
    let refused = Tun::open_queues(&config, &pools).unwrap_err();
    assert!(
        matches!(refused, TunError::NotMultiQueue { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("multi_queue"));
    netlink::delete(Some(&netns), "tun0").unwrap();

    let several = Tun::open_queues(&config, &pools).unwrap();
    sys::set_tun_persistent(several[0].poll_fd().unwrap(), true).unwrap();
    drop(several);
    let refused = Tun::open(&config, &pools[0]).unwrap_err();
    assert!(matches!(refused, TunError::OtherKind { .. }), "{refused}");
    assert_eq!(Tun::open_queues(&config, &pools).unwrap().len(), 2);
    netlink::delete(Some(&netns), "tun0").unwrap();
    assert!(Tun::open_queues(&config, &[]).unwrap().is_empty());
}
