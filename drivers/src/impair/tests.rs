use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use txbuf::{Checksum, Ledger, Packet, Pool, Span};

use super::*;
use crate::testing::{self, Spec};

const MS: Duration = Duration::from_millis(1);

fn pool(ledger: &Ledger) -> Pool {
    testing::pool(ledger)
}

/// A packet of `length` bytes with a number in it.
fn numbered(number: u32, length: usize) -> Packet {
    let mut bytes = vec![0x45; length];
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    Packet::from_span(Span::from_bytes(&Ledger::new(), bytes.into()).unwrap())
}

fn number(packet: &Packet) -> u32 {
    let mut bytes = [0; 4];
    packet.copy_to(4, &mut bytes).unwrap();
    u32::from_be_bytes(bytes)
}

/// Pushes a packet each millisecond; what comes out, and when.
fn run(config: &Impairments, seed: u64, count: u32, length: usize) -> Vec<(Duration, u32)> {
    let mut pipeline = config.pipeline(seed, 0);
    let (mut out, mut came) = (VecDeque::new(), Vec::new());
    let mut drain = |at: Duration, out: &mut VecDeque<Packet>| {
        came.extend(out.drain(..).map(|packet| (at, number(&packet))));
    };
    for i in 0..count {
        let now = MS * i;
        while let Some(at) = pipeline.poll_at().filter(|at| *at <= now) {
            pipeline.poll(at, &mut out);
            drain(at, &mut out);
        }
        pipeline.push(now, numbered(i, length), &mut out);
        drain(now, &mut out);
    }
    while let Some(at) = pipeline.poll_at() {
        pipeline.poll(at, &mut out);
        drain(at, &mut out);
    }
    came
}

fn counter(pipeline: &Pipeline, name: &str) -> u64 {
    let counters = pipeline.counters();
    let found = counters.iter().find(|(other, _)| *other == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {counters:?}"))
        .1
}

#[test]
fn nothing_happens_by_default() {
    assert!(Impairments::default().is_none());
    let came = run(&Impairments::default(), 1, 10, 100);
    assert!(
        came.iter()
            .enumerate()
            .all(|(i, (at, n))| *at == MS * i as u32 && *n == i as u32)
    );
    assert_eq!(came.len(), 10);
}

#[test]
fn a_delay_is_exact_and_keeps_order() {
    let config = Impairments {
        delay: MS * 20,
        ..Impairments::default()
    };
    let came = run(&config, 1, 50, 100);
    let expected: Vec<_> = (0..50).map(|i| (MS * (20 + i), i)).collect();
    assert_eq!(came, expected);
}

#[test]
fn jitter_spreads_and_keeps_order() {
    let config = Impairments {
        delay: MS * 20,
        jitter: MS * 5,
        ..Impairments::default()
    };
    let came = run(&config, 1, 1000, 100);
    let numbers: Vec<u32> = came.iter().map(|(_, n)| *n).collect();
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
    let took = came.iter().map(|(at, n)| *at - MS * *n);
    assert!(took.clone().all(|time| (MS * 15..=MS * 25).contains(&time)));
    assert!(took.clone().min() < Some(MS * 20) && took.max() > Some(MS * 23));
}

#[test]
fn loss_and_duplication_come_as_often_as_asked() {
    let config = Impairments {
        loss: Chance::per_mille(100),
        duplicate: Chance::per_mille(50),
        ..Impairments::default()
    };
    let came = run(&config, 3, 10_000, 100);
    let mut numbers: Vec<u32> = came.iter().map(|(_, n)| *n).collect();
    numbers.dedup();
    assert!((8_800..9_200).contains(&numbers.len()), "{}", numbers.len());
    let twice = came.len() - numbers.len();
    assert!((350..550).contains(&twice), "{twice}");
}

#[test]
fn reordering_lets_others_overtake_and_loses_nothing() {
    let config = Impairments {
        reorder: Chance::per_mille(100),
        ..Impairments::default()
    };
    let came = run(&config, 3, 1000, 100);
    let overtaken = came.windows(2).filter(|pair| pair[0].1 > pair[1].1).count();
    assert!((40..110).contains(&overtaken), "{overtaken}");
    let mut numbers: Vec<u32> = came.iter().map(|(_, n)| *n).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_rate_takes_time_for_each_bit_and_its_queue_is_bounded() {
    // 1000 bytes take 8 ms; one comes each ms; four more fit into the queue.
    let config = Impairments {
        rate: Some(1_000_000),
        queue: Some(5000),
        ..Impairments::default()
    };
    let came = run(&config, 1, 80, 1000);
    let times: Vec<Duration> = came.iter().map(|(at, _)| *at).collect();
    assert_eq!(
        times,
        (1..=times.len() as u32)
            .map(|i| MS * 8 * i)
            .collect::<Vec<_>>()
    );
    assert_eq!(times.len(), 14);

    let mut pipeline = config.pipeline(1, 0);
    let mut out = VecDeque::new();
    for i in 0..10 {
        pipeline.push(Duration::ZERO, numbered(i, 1000), &mut out);
    }
    assert_eq!(
        (out.len(), counter(&pipeline, "rate_queue_dropped")),
        (0, 5)
    );
}

#[test]
fn small_packets_do_not_fill_a_queue_of_bytes_with_what_they_cost_beside_them() {
    let config = Impairments {
        rate: Some(1),
        queue: Some(1 << 30),
        ..Impairments::default()
    };
    let mut pipeline = config.pipeline(1, 0);
    let mut out = VecDeque::new();
    for i in 0..70_000 {
        pipeline.push(Duration::ZERO, numbered(i, 20), &mut out);
    }
    assert_eq!(counter(&pipeline, "rate_queue_dropped"), 70_000 - 65_536);
}

#[test]
fn a_queue_marks_packets_that_may_be_marked_and_their_headers_stay_right() {
    let config = Impairments {
        rate: Some(1_000_000),
        mark: Some(2000),
        ..Impairments::default()
    };
    let (mut pipeline, mut out) = (config.pipeline(1, 0), VecDeque::new());
    for six in [false, true] {
        for ecn in [0, 2] {
            let spec = Spec {
                six,
                ..Spec::tcp(1000, 0)
            };
            let mut packet = spec.build(&pool(&Ledger::new()));
            packet.complete_checksum().unwrap();
            let head = packet.headers_mut();
            if six {
                head[1] |= ecn << 4;
            } else {
                head[1] |= ecn;
                head[10..12].fill(0);
                let check = !txbuf::checksum::sum(&head[..20]);
                head[10..12].copy_from_slice(&check.to_be_bytes());
            }
            for _ in 0..3 {
                pipeline.push(Duration::ZERO, packet.clone(), &mut out);
            }
        }
    }
    pipeline.poll(Duration::from_secs(1), &mut out);
    let marks = out.iter().map(|packet| {
        testing::parse(&packet.to_vec().unwrap());
        let head = packet.headers();
        (if head[0] >> 4 == 4 {
            head[1]
        } else {
            head[1] >> 4
        }) & 3
    });
    // The first two find less than 2000 bytes.
    assert_eq!(
        marks.collect::<Vec<_>>(),
        [0, 0, 0, 3, 3, 3, 0, 0, 0, 3, 3, 3]
    );
    assert_eq!(counter(&pipeline, "marked"), 6);
}

#[test]
fn what_a_delay_holds_is_bounded() {
    let mut delay = Delay::new(MS, Duration::ZERO, Dice::new(1, 0, 0), 2500);
    let mut out = Released::new();
    for i in 0..5 {
        delay.push(Duration::ZERO, numbered(i, 1000), &mut out);
    }
    delay.release(MS, &mut out);
    let mut dropped = 0;
    delay.counters(&mut |name, value| {
        if name == "delay_queue_dropped" {
            dropped = value;
        }
    });
    assert_eq!((out.len(), dropped), (2, 3));
}

#[test]
fn a_damaged_packet_is_a_copy_whose_checksum_no_longer_fits() {
    let ledger = Ledger::new();
    let config = Impairments {
        corrupt: Chance::per_mille(1000),
        ..Impairments::default()
    };
    for seed in 0..300 {
        let spec = Spec {
            size: 0,
            ..Spec::tcp(1000, 0)
        };
        let packet = spec.build(&pool(&ledger));
        let before = packet.to_vec().unwrap();
        let (mut pipeline, mut out) = (config.pipeline(seed, 0), VecDeque::new());
        pipeline.push(Duration::ZERO, packet.clone(), &mut out);
        let damaged = out.pop_front().unwrap();
        assert_eq!(
            packet.to_vec().unwrap(),
            before,
            "the original is as it was"
        );
        assert_eq!(damaged.meta.checksum, Checksum::Complete);
        let (damaged, mut whole) = (damaged.to_vec().unwrap(), packet);
        whole.complete_checksum().unwrap();
        let whole = whole.to_vec().unwrap();
        testing::parse(&whole);
        let wrong: Vec<usize> = (0..whole.len() * 8)
            .filter(|bit| (whole[bit / 8] ^ damaged[bit / 8]) >> (7 - bit % 8) & 1 == 1)
            .collect();
        assert!(
            !wrong.is_empty() && wrong[wrong.len() - 1] - wrong[0] < 15,
            "{wrong:?}"
        );
    }
}

#[test]
fn super_packets_are_cut_for_what_counts_packets_and_for_nothing_else() {
    let ledger = Ledger::new();
    let packet = Spec::tcp(10_000, 1000).build(&pool(&ledger));
    let (mut out, delay) = (
        VecDeque::new(),
        Impairments {
            delay: MS,
            jitter: MS,
            ..Impairments::default()
        },
    );
    let mut pipeline = delay.pipeline(1, 0);
    pipeline.push(Duration::ZERO, packet.clone(), &mut out);
    pipeline.poll(MS * 2, &mut out);
    assert!(out.len() == 1 && out[0].meta.gso == packet.meta.gso);
    out.clear();

    let all = |config: Impairments| {
        let (mut pipeline, mut out) = (config.pipeline(1, 0), VecDeque::new());
        pipeline.push(Duration::ZERO, packet.clone(), &mut out);
        pipeline.poll(Duration::from_secs(9), &mut out);
        assert_eq!(counter(&pipeline, "super_packets_cut"), 1);
        assert!(out.iter().all(|packet| packet.meta.gso.is_none()));
        out.iter().map(Packet::len).sum::<usize>()
    };
    let base = Impairments::default();
    let [rate, loss, twice, reorder, corrupt] = [
        Impairments {
            rate: Some(1_000_000_000),
            ..base.clone()
        },
        Impairments {
            loss: Chance::per_mille(1000),
            ..base.clone()
        },
        Impairments {
            duplicate: Chance::per_mille(1000),
            ..base.clone()
        },
        Impairments {
            reorder: Chance::per_mille(1),
            ..base.clone()
        },
        Impairments {
            corrupt: Chance::per_mille(1),
            ..base
        },
    ]
    .map(all);
    let wire = 10_000 + 10 * Spec::tcp(0, 0).header_length();
    assert_eq!(
        (rate, loss, twice, reorder, corrupt),
        (wire, 0, 2 * wire, wire, wire)
    );
}

#[test]
fn a_super_packet_that_lies_is_dropped_and_counted() {
    let mut packet = Spec::tcp(10_000, 1000).build(&pool(&Ledger::new()));
    packet.headers_mut()[32] = 0xf0;
    let config = Impairments {
        rate: Some(1_000_000),
        ..Impairments::default()
    };
    let (mut pipeline, mut out) = (config.pipeline(1, 0), VecDeque::new());
    pipeline.push(Duration::ZERO, packet, &mut out);
    assert_eq!((out.len(), pipeline.poll_at()), (0, None));
    assert_eq!(counter(&pipeline, "malformed_dropped"), 1);
}

#[test]
fn chances_are_what_they_say() {
    let mut dice = Dice::new(1, 0, 0);
    assert!(Chance::percent(-0.1).is_none() && Chance::percent(100.1).is_none());
    assert!(Chance::percent(f64::NAN).is_none());
    assert_eq!(
        Chance::percent(1.0),
        Some(Chance::per_mille(10)).map(|_| Chance::percent(1.0).unwrap())
    );
    let always = Chance::percent(100.0).unwrap();
    assert!((0..1000).all(|_| dice.happens(always) && !dice.happens(Chance::NEVER)));
    let half = Chance::percent(50.0).unwrap();
    let heads = (0..10_000).filter(|_| dice.happens(half)).count();
    assert!((4_800..5_200).contains(&heads), "{heads}");
    assert!((0..1000).all(|_| dice.up_to(3) <= 3));
}

fn any_config() -> impl Strategy<Value = Impairments> {
    let chance = || (0..300u32).prop_map(Chance::per_mille);
    let time = || (0..50u64).prop_map(Duration::from_millis);
    let rate = prop_oneof![Just(None), (100_000..10_000_000u64).prop_map(Some)];
    (time(), time(), chance(), chance(), chance(), chance(), rate).prop_map(
        |(delay, jitter, loss, reorder, duplicate, corrupt, rate)| Impairments {
            delay,
            jitter,
            loss,
            reorder,
            duplicate,
            corrupt,
            rate,
            ..Impairments::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The same seed gives the same, another something else; nothing stays inside; every packet is accounted for.
    #[test]
    fn the_seed_decides_and_nothing_vanishes(config in any_config(), seed in any::<u64>()) {
        let first = run(&config, seed, 200, 500);
        prop_assert_eq!(&first, &run(&config, seed, 200, 500));
        let mut pipeline = config.pipeline(seed, 0);
        let mut out = VecDeque::new();
        for i in 0..200 {
            pipeline.push(MS * i, numbered(i, 500), &mut out);
        }
        let came = |pipeline: &Pipeline| {
            let counters = pipeline.counters();
            let of = |end: &str| counters.iter().filter(|(name, _)| name.ends_with(end)).map(|(_, n)| n).sum::<u64>();
            200 + of("duplicated") - of("lost") - of("dropped")
        };
        prop_assert_eq!((out.len() + pipeline.held()) as u64, came(&pipeline));
        pipeline.poll(Duration::from_secs(3600), &mut out);
        prop_assert_eq!((pipeline.poll_at(), pipeline.held()), (None, 0));
        prop_assert_eq!(out.len() as u64, came(&pipeline));
    }
}

#[test]
fn the_longest_delay_is_never_over() {
    let config = Impairments {
        delay: Duration::MAX,
        reorder: Chance::per_mille(1000),
        ..Impairments::default()
    };
    let (mut pipeline, mut out) = (config.pipeline(1, 0), VecDeque::new());
    pipeline.push(MS, numbered(1, 100), &mut out);
    assert_eq!(pipeline.poll_at(), Some(Duration::MAX));
    assert!(out.is_empty());
}
