use std::collections::VecDeque;
use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use txbuf::{Chain, Ledger, Packet, Pool};

use super::super::tests::configured;
use super::super::{Backend, Tun, TunConfig};
use super::{Batches, PLACE};
use crate::Device;
use crate::netlink::Netns;
use crate::testing::{Spec, netns_or_skip, pool, udp};

const BACKENDS: [Backend; 2] = [Backend::Calls, Backend::Ring];

fn open(netns: &Netns, backend: Backend, pool: &Pool) -> Tun {
    let config = TunConfig {
        backend,
        ..configured(netns, 1500)
    };
    Tun::open(&config, pool).unwrap()
}

/// What arrives at the kernel's port 2000 until nothing more does.
fn received(socket: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut buffer = [0; 10_000];
    (0..count)
        .map(|_| {
            let length = socket.recv(&mut buffer).unwrap();
            buffer[..length].to_vec()
        })
        .collect()
}

#[test]
fn batches_arrive_whole_and_in_order_by_either_backend() {
    let Some(netns) = netns_or_skip("batches_arrive_whole_and_in_order_by_either_backend") else {
        return;
    };
    for backend in BACKENDS {
        let ledger = Ledger::new();
        let pool = pool(&ledger);
        let mut tun = open(&netns, backend, &pool);
        let socket = netns
            .run(|| UdpSocket::bind("0.0.0.0:2000"))
            .unwrap()
            .unwrap();
        // Lengths on both sides of what fits a header area, and payload in several pieces, some of it lent.
        let lengths: Vec<usize> = (0..80).map(|i| 28 + i * 37 % 700).collect();
        let mut arena = Chain::arena(&pool);
        let mut queue: VecDeque<Packet> = lengths.iter().map(|n| udp(&mut arena, *n)).collect();
        let pieces = Spec {
            udp: true,
            options: 0,
            pieces: 5,
            lent: true,
            ..Spec::tcp(1000, 0)
        };
        let mut scattered = pieces.build(&pool);
        scattered.complete_checksum().unwrap();
        queue.insert(50, scattered);
        assert_eq!(tun.transmit(&mut queue).unwrap(), 81);
        assert!(queue.is_empty());
        let mut arrived = received(&socket, 81);
        assert_eq!(arrived.remove(50), pieces.payload_bytes(), "{backend:?}");
        let seen: Vec<usize> = arrived.iter().map(|payload| payload.len() + 28).collect();
        assert_eq!(seen, lengths, "{backend:?}");
        assert_eq!(tun.counters().tx_packets, 81);
        let by_ring = matches!(tun.channel.batches, Batches::Ring(_));
        assert_eq!(by_ring, backend == Backend::Ring);
        drop((tun, arena));
        assert_eq!(ledger.live_nodes(), 0, "{backend:?}");
    }
}

#[test]
fn what_was_summed_arrives_as_it_is_joined_or_too_long_to_be() {
    let Some(netns) = netns_or_skip("what_was_summed_arrives_as_it_is_joined_or_too_long_to_be")
    else {
        return;
    };
    for backend in BACKENDS {
        let ledger = Ledger::new();
        let pool = pool(&ledger);
        let config = TunConfig {
            backend,
            ..configured(&netns, 9000)
        };
        let mut tun = Tun::open(&config, &pool).unwrap();
        let socket = netns
            .run(|| UdpSocket::bind("0.0.0.0:2000"))
            .unwrap()
            .unwrap();
        let specs: Vec<Spec> = [100, PLACE - 29, PLACE - 28, PLACE - 27, 8000, 1]
            .into_iter()
            .map(|payload| Spec {
                udp: true,
                options: 0,
                pieces: 3,
                ..Spec::tcp(payload, 0)
            })
            .collect();
        // All in a batch, and one alone.
        for specs in [&specs[..], &specs[..1]] {
            let made = specs.iter().map(|spec| {
                let mut packet = spec.build(&pool);
                packet.complete_checksum().unwrap();
                packet
            });
            let mut queue: VecDeque<Packet> = made.collect();
            assert_eq!(tun.transmit_summed(&mut queue).unwrap(), specs.len());
            let sent: Vec<_> = specs.iter().map(Spec::payload_bytes).collect();
            assert_eq!(received(&socket, specs.len()), sent, "{backend:?}");
        }
        drop(tun);
        assert_eq!(ledger.live_nodes(), 0, "{backend:?}");
    }
}

#[test]
fn what_the_kernel_refuses_or_the_device_does_not_take_does_not_stop_the_rest() {
    let Some(netns) = netns_or_skip("what_the_kernel_refuses_does_not_stop_the_rest") else {
        return;
    };
    for backend in BACKENDS {
        let ledger = Ledger::new();
        let pool = pool(&ledger);
        let mut tun = open(&netns, backend, &pool);
        let socket = netns
            .run(|| UdpSocket::bind("0.0.0.0:2000"))
            .unwrap()
            .unwrap();
        let mut arena = Chain::arena(&pool);
        let neither_version = Packet::inline(&[0x15; 40]).unwrap();
        let mut queue: VecDeque<Packet> = (0..20).map(|_| udp(&mut arena, 100)).collect();
        queue.insert(5, neither_version);
        queue.insert(10, udp(&mut arena, 1501));
        queue.insert(15, Spec::tcp(100, 0).build(&pool));
        assert_eq!(tun.transmit(&mut queue).unwrap(), 23);
        assert_eq!(received(&socket, 20).len(), 20);
        let counters = tun.counters();
        assert_eq!(
            [
                counters.tx_packets,
                counters.tx_refused,
                counters.tx_too_big,
                counters.tx_unsupported
            ],
            [20, 1, 1, 1],
            "{backend:?}"
        );
    }
}

#[test]
fn a_batch_for_a_device_that_is_down_stays() {
    let Some(netns) = netns_or_skip("a_batch_for_a_device_that_is_down_stays") else {
        return;
    };
    for backend in BACKENDS {
        let pool = pool(&Ledger::new());
        let config = TunConfig {
            netns: Some(netns.clone()),
            backend,
            ..TunConfig::new("tun0")
        };
        let mut tun = Tun::open(&config, &pool).unwrap();
        let mut arena = Chain::arena(&pool);
        let mut queue: VecDeque<Packet> = (0..20).map(|_| udp(&mut arena, 100)).collect();
        let error = tun.transmit(&mut queue).unwrap_err();
        assert_eq!(
            (error.kind(), queue.len()),
            (io::ErrorKind::NetworkDown, 20),
            "{backend:?}"
        );
    }
}

/// The kernel takes a ring apart some time after it was closed.
#[test]
fn a_device_is_free_as_soon_as_what_sent_batches_is_closed() {
    let Some(netns) = netns_or_skip("a_device_is_free_as_soon_as_what_sent_batches_is_closed")
    else {
        return;
    };
    let pool = pool(&Ledger::new());
    for _ in 0..20 {
        let mut tun = open(&netns, Backend::Ring, &pool);
        let mut arena = Chain::arena(&pool);
        let mut queue: VecDeque<Packet> = (0..20).map(|_| udp(&mut arena, 100)).collect();
        assert_eq!(tun.transmit(&mut queue).unwrap(), 20);
        assert!(matches!(tun.channel.batches, Batches::Ring(_)));
    }
}
