use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use txbuf::{Chain, Checksum, DeviceExtent, DeviceMemory, Ledger, Offloads, Span};

use super::{EndConfig, MemoryConfig, pair, raw_pair};
use crate::Device;
use crate::testing::{Loan, Spec, parse, pool, udp, wait_readable};

const ALL: Offloads = Offloads {
    tx_checksum: true,
    rx_checksum: true,
    tso: true,
    uso: true,
};

#[test]
fn packets_arrive_in_order_both_ways() {
    let ledger = Ledger::new();
    let mut arena = Chain::arena(&pool(&ledger));
    let (mut one, mut other) = pair(MemoryConfig::default()).unwrap();
    let mut queue: VecDeque<_> = (0..10).map(|i| udp(&mut arena, 100 + i)).collect();
    assert_eq!(one.transmit(&mut queue).unwrap(), 10);
    queue.push_back(udp(&mut arena, 1500));
    assert_eq!(other.transmit(&mut queue).unwrap(), 1);
    let mut received = Vec::new();
    assert_eq!(other.receive(&mut received, 4).unwrap(), 4);
    assert_eq!(other.receive(&mut received, 64).unwrap(), 6);
    assert_eq!(other.receive(&mut received, 64).unwrap(), 0);
    assert_eq!(
        received
            .iter()
            .map(|packet| packet.len())
            .collect::<Vec<_>>(),
        (100..110).collect::<Vec<_>>()
    );
    assert_eq!(one.receive(&mut received, 64).unwrap(), 1);
    assert_eq!(
        (
            one.counters().rx_packets,
            one.counters().tx_packets,
            one.counters().rx_bytes
        ),
        (1, 10, 1500)
    );
    drop((received, arena));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn without_offload_the_link_carries_complete_packets_of_the_mtu() {
    let ledger = Ledger::new();
    let (mut one, mut other) = pair(MemoryConfig::default()).unwrap();
    let spec = Spec::tcp(50_000, 1448);
    let mut queue = VecDeque::from([spec.build(&pool(&ledger))]);
    assert_eq!(one.transmit(&mut queue).unwrap(), 1);
    let mut received = Vec::new();
    // Below the edge: the packets as the link carries them.
    assert_eq!(other.inner_mut().receive(&mut received, 64).unwrap(), 35);
    for packet in &received {
        assert!(packet.len() <= 1500);
        assert_eq!(
            (packet.meta.checksum, packet.meta.gso),
            (Checksum::Complete, None)
        );
        parse(&packet.to_vec().unwrap());
    }
}

#[test]
fn with_offload_the_link_carries_super_packets() {
    let ledger = Ledger::new();
    let (mut one, mut other) = pair(MemoryConfig::symmetric(1500, ALL)).unwrap();
    assert_eq!(one.inner().capabilities().offloads, ALL);
    let mut queue = VecDeque::from([Spec::tcp(50_000, 1448).build(&pool(&ledger))]);
    assert_eq!(one.transmit(&mut queue).unwrap(), 1);
    let mut received = Vec::new();
    assert_eq!(other.receive(&mut received, 64).unwrap(), 1);
    assert!(received[0].meta.gso.is_some());
    assert!(matches!(
        received[0].meta.checksum,
        Checksum::Partial { .. }
    ));
}

#[test]
fn an_offload_is_used_only_where_both_ends_have_it() {
    let ends = [
        EndConfig {
            mtu: 1500,
            offloads: ALL,
        },
        EndConfig {
            mtu: 1500,
            offloads: Offloads::default(),
        },
    ];
    let (one, other) = raw_pair(MemoryConfig {
        ends,
        ..MemoryConfig::default()
    })
    .unwrap();
    let expected = Offloads {
        rx_checksum: true,
        ..Offloads::default()
    };
    assert_eq!(one.capabilities().offloads, expected);
    assert_eq!(other.capabilities().offloads, Offloads::default());
}

#[test]
fn a_full_link_takes_no_more_and_loses_nothing() {
    let ledger = Ledger::new();
    let mut arena = Chain::arena(&pool(&ledger));
    let (mut one, mut other) = pair(MemoryConfig {
        queue: 8,
        ..MemoryConfig::default()
    })
    .unwrap();
    let mut queue: VecDeque<_> = (0..20).map(|i| udp(&mut arena, 200 + i)).collect();
    let mut received = Vec::new();
    assert_eq!(one.transmit(&mut queue).unwrap(), 8);
    assert_eq!((queue.len(), one.transmit(&mut queue).unwrap()), (12, 0));
    while !queue.is_empty() {
        other.receive(&mut received, 3).unwrap();
        one.transmit(&mut queue).unwrap();
    }
    other.receive(&mut received, 64).unwrap();
    assert_eq!(
        received
            .iter()
            .map(|packet| packet.len())
            .collect::<Vec<_>>(),
        (200..220).collect::<Vec<_>>()
    );
    assert!(one.counters().tx_backpressure > 0);
}

#[test]
fn what_breaks_the_capabilities_is_dropped_and_counted() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let mut arena = Chain::arena(&pool);
    let ends = [1500, 1280].map(|mtu| EndConfig {
        mtu,
        offloads: Offloads::default(),
    });
    let (mut one, mut other) = raw_pair(MemoryConfig {
        ends,
        ..MemoryConfig::default()
    })
    .unwrap();
    let mut queue: VecDeque<_> = [
        udp(&mut arena, 1501),
        udp(&mut arena, 1281),
        Spec::tcp(3000, 1000).build(&pool),
        Spec::tcp(10, 0).build(&pool),
    ]
    .into();
    assert_eq!(one.transmit(&mut queue).unwrap(), 4);
    assert_eq!(other.receive(&mut Vec::new(), 64).unwrap(), 0);
    assert_eq!(
        (one.counters().tx_too_big, one.counters().tx_unsupported),
        (1, 2)
    );
    assert_eq!(other.counters().rx_too_big, 1);
}

#[test]
fn dropping_an_end_frees_what_was_on_its_way() {
    let ledger = Ledger::new();
    let mut arena = Chain::arena(&pool(&ledger));
    let (mut one, other) = pair(MemoryConfig::default()).unwrap();
    let mut queue: VecDeque<_> = (0..5).map(|_| udp(&mut arena, 1000)).collect();
    one.transmit(&mut queue).unwrap();
    queue.push_back(udp(&mut arena, 1000));
    drop((other, arena));
    assert_eq!(one.transmit(&mut queue).unwrap(), 1);
    assert_eq!((one.counters().tx_no_peer, ledger.live_nodes()), (1, 0));
}

#[test]
fn the_descriptor_tells_of_packets_and_of_room() {
    let ledger = Ledger::new();
    let mut arena = Chain::arena(&pool(&ledger));
    let (mut one, mut other) = pair(MemoryConfig {
        queue: 4,
        wakeup: true,
        ..MemoryConfig::default()
    })
    .unwrap();
    let readable = |device: &dyn Device| wait_readable(device.poll_fd().unwrap(), Duration::ZERO);
    assert!(!readable(&one) && !readable(&other));
    let mut queue: VecDeque<_> = (0..6).map(|_| udp(&mut arena, 1000)).collect();
    one.transmit(&mut queue).unwrap();
    assert!(!readable(&one) && readable(&other));
    let mut received = Vec::new();
    other.receive(&mut received, 1).unwrap();
    // Three left to receive, not yet half of the queue free.
    assert!(!readable(&one) && readable(&other));
    other.receive(&mut received, 3).unwrap();
    assert!(readable(&one) && !readable(&other));
    assert_eq!(one.receive(&mut received, 64).unwrap(), 0);
    assert!(!readable(&one));
    drop(other);
    assert!(readable(&one));
}

#[test]
fn two_threads_pass_everything_in_order() {
    const PACKETS: usize = 20_000;
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let (mut one, mut other) = pair(MemoryConfig {
        queue: 32,
        wakeup: true,
        ..MemoryConfig::default()
    })
    .unwrap();
    let stuck = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stuck = &stuck;
        scope.spawn(move || {
            let mut arena = Chain::arena(&pool);
            let mut queue = VecDeque::new();
            let mut made = 0;
            while made < PACKETS || !queue.is_empty() {
                while made < PACKETS && queue.len() < 50 {
                    queue.push_back(udp(&mut arena, 28 + made % 400));
                    made += 1;
                }
                one.transmit(&mut queue).unwrap();
                if !queue.is_empty()
                    && !wait_readable(one.poll_fd().unwrap(), Duration::from_secs(10))
                {
                    stuck.store(true, Ordering::Relaxed);
                    return;
                }
                one.receive(&mut Vec::new(), 64).unwrap();
            }
        });
        let mut received = Vec::new();
        let mut count = 0;
        while count < PACKETS && !stuck.load(Ordering::Relaxed) {
            assert!(
                wait_readable(other.poll_fd().unwrap(), Duration::from_secs(10)),
                "stuck after {count}"
            );
            other.receive(&mut received, 20).unwrap();
            for packet in received.drain(..) {
                assert_eq!(packet.len(), 28 + count % 400);
                count += 1;
            }
        }
    });
    assert!(!stuck.into_inner(), "the sender was not told of room");
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn lent_payload_arrives_as_a_copy_and_the_sender_waits_for_nobody() {
    for offloads in [Offloads::default(), ALL] {
        let ledger = Ledger::new();
        let (mut one, mut other) = pair(MemoryConfig::symmetric(1500, offloads)).unwrap();
        let copies = one.inner().copies().clone();
        let spec = Spec::tcp(20_000, 1448);
        let mut packet = spec.build(&pool(&ledger));
        let mut loan = Loan::of(&mut packet, &ledger);
        one.transmit(&mut VecDeque::from([packet])).unwrap();
        // Nobody has received it yet.
        assert_eq!((loan.completion(), loan.lent()), (Some(true), 0));
        let mut received = Vec::new();
        other.receive(&mut received, 64).unwrap();
        let mut payload = Vec::new();
        for packet in &mut received {
            assert!(!packet.span().unwrap().is_lent());
            packet.complete_checksum().unwrap();
            payload.extend(parse(&packet.to_vec().unwrap()).payload);
        }
        assert_eq!(payload, spec.payload_bytes());
        drop((one, other, received));
        assert_eq!((ledger.live_nodes(), copies.ledger().live_nodes()), (0, 0));
    }
}

#[test]
fn a_receiver_that_keeps_copies_stops_only_lent_payload() {
    let ledger = Ledger::new();
    let own = pool(&ledger);
    let (mut one, mut other) = raw_pair(MemoryConfig::symmetric(65_535, ALL)).unwrap();
    let spec = Spec {
        lent: true,
        ..Spec::tcp(60_000, 1448)
    };
    let (mut kept, mut sent) = (Vec::new(), 0);
    while one.counters().tx_no_memory == 0 {
        assert_eq!(
            one.transmit(&mut VecDeque::from([spec.build(&own)]))
                .unwrap(),
            1
        );
        other.receive(&mut kept, 64).unwrap();
        sent += 1;
        assert!(one.copies().in_use() <= one.copies().limit() && sent < 1000);
    }
    assert_eq!(kept.len(), sent - 1);
    // Others pass, and it goes on when there is room again.
    one.transmit(&mut VecDeque::from([Spec::tcp(60_000, 1448).build(&own)]))
        .unwrap();
    assert_eq!(other.receive(&mut kept, 64).unwrap(), 1);
    kept.clear();
    one.transmit(&mut VecDeque::from([spec.build(&own)]))
        .unwrap();
    assert_eq!(other.receive(&mut kept, 64).unwrap(), 1);
    assert_eq!(ledger.live_nodes(), 0);
}

struct Card;

impl DeviceMemory for Card {
    fn provider(&self) -> u64 {
        1
    }

    fn release(&self, _: u64, _: usize) {}
}

#[test]
fn memory_of_a_device_crosses_as_it_is_unless_it_has_to_be_summed() {
    let ledger = Ledger::new();
    for (offloads, arrives) in [(Offloads::default(), 0), (ALL, 1)] {
        let (mut one, mut other) = pair(MemoryConfig::symmetric(1500, offloads)).unwrap();
        let mut packet = Spec::tcp(1, 0).build(&pool(&ledger));
        packet.set_span(Span::from_device(&ledger, Arc::new(Card), 4096, 1000, None).unwrap());
        one.transmit(&mut VecDeque::from([packet])).unwrap();
        let mut received = Vec::new();
        assert_eq!(other.receive(&mut received, 64).unwrap(), arrives);
        assert_eq!(one.counters().tx_unreadable, 1 - arrives as u64);
        for packet in received {
            let place = packet.span().unwrap().extents().next().unwrap().device();
            let expected = DeviceExtent {
                provider: 1,
                offset: 4096,
                len: 1000,
            };
            assert_eq!(place, Some(expected));
        }
    }
    assert_eq!(ledger.live_nodes(), 0);
}
