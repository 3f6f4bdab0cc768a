//! What is done for each packet at the edge of the stack: sums, headers, cutting, joining.

#![allow(
    missing_docs,
    reason = "the macros of criterion make functions without"
)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use drivers::Device;
use drivers::memory::{MemoryConfig, pair};
use txbuf::{
    Chain, Checksum, Gso, GsoKind, Ledger, Meta, Packet, Pool, PoolConfig, Span, checksum,
};

/// Headers of IPv4 and of TCP with timestamps.
const HEADERS: usize = 52;
const SEGMENT: usize = 1448;
const PAYLOAD: usize = 45 * SEGMENT;

fn pool() -> Pool {
    let config = PoolConfig {
        segment: 64 << 10,
        limit: 16 << 20,
        keep: 16,
    };
    Pool::new(&Ledger::new(), config)
}

fn stream(pool: &Pool) -> Chain {
    let mut chain = Chain::stream(pool);
    chain
        .append(&vec![0x5a; 256 << 10])
        .expect("room in the pool");
    chain
}

fn sums(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checksum");
    for size in [20, 64, 256, SEGMENT, 8960, PAYLOAD] {
        let data: Vec<u8> = (0..size).map(|i| (i * 7 + i / 251) as u8).collect();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| checksum::sum(black_box(&data)));
        });
    }
    group.finish();
}

fn spans(criterion: &mut Criterion) {
    let pool = pool();
    let chain = stream(&pool);
    let mut group = criterion.benchmark_group("span");
    group.bench_function("of a chain, one node", |bencher| {
        bencher.iter(|| black_box(chain.span(black_box(1000), SEGMENT)));
    });
    group.bench_function("of a chain, two nodes", |bencher| {
        bencher.iter(|| black_box(chain.span(black_box(60_000), PAYLOAD)));
    });
    let whole = chain.span(0, PAYLOAD);
    group.bench_function("into 45 segments", |bencher| {
        bencher.iter(|| {
            let segments = black_box(&whole).clone().into_segments(SEGMENT);
            segments.for_each(|segment| drop(black_box(segment)));
        });
    });
    group.finish();
}

fn packets(criterion: &mut Criterion) {
    let pool = pool();
    let chain = stream(&pool);
    let (span, headers) = (chain.span(0, SEGMENT), [0x45; HEADERS]);
    let mut group = criterion.benchmark_group("packet");
    group.bench_function("headers that are known", |bencher| {
        bencher.iter(|| {
            let payload = Some(span.clone());
            Packet::with_headers(black_box(&headers), payload, Meta::default())
        });
    });
    group.bench_function("headers pushed", |bencher| {
        bencher.iter(|| {
            let mut packet = Packet::with_payload(span.clone());
            let tcp = packet.push(HEADERS - 20).expect("an empty area");
            tcp.copy_from_slice(black_box(&headers[20..]));
            let ip = packet.push(20).expect("an area with room");
            ip.copy_from_slice(black_box(&headers[..20]));
            packet
        });
    });
    group.finish();
}

/// A TCP super-packet with a payload of 45 segments, its checksum partial.
fn super_packet(payload: Span) -> Packet {
    let mut packet = Packet::with_payload(payload);
    let headers = packet.push(HEADERS).expect("an empty area");
    headers[..4].copy_from_slice(&[0x45, 0, 0, 0]);
    headers[2..4].copy_from_slice(&((HEADERS + PAYLOAD) as u16).to_be_bytes());
    headers[8..20].copy_from_slice(&[64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    headers[20..24].copy_from_slice(&[0, 80, 200, 1]);
    headers[32..36].copy_from_slice(&[0x80, 0x10, 0x20, 0]);
    headers[40..42].fill(1);
    packet.meta.checksum = Checksum::Partial {
        start: 20,
        offset: 16,
    };
    packet.meta.gso = Some(Gso {
        kind: GsoKind::TcpV4,
        size: SEGMENT as u16,
        headers: HEADERS as u16,
    });
    packet
}

/// The whole way of 64 KiB over a link without offload: cut, summed, sent, received, verified, joined.
fn cut_and_join(criterion: &mut Criterion) {
    let pool = pool();
    let mut chain = Chain::arena(&pool);
    let payload = chain.copy(&vec![0x5a; PAYLOAD]).expect("room in the pool");
    let (mut one, mut other) = pair(MemoryConfig::default()).expect("no descriptors");
    let (mut queue, mut arrived) = (VecDeque::new(), Vec::new());
    let mut group = criterion.benchmark_group("edge");
    group.throughput(Throughput::Elements(45));
    group.bench_function("64 KiB cut and joined", |bencher| {
        bencher.iter_batched(
            || super_packet(payload.clone()),
            |packet| {
                queue.push_back(packet);
                one.transmit(&mut queue).expect("a link does not fail");
                other
                    .receive(&mut arrived, 256)
                    .expect("a link does not fail");
                assert_eq!(arrived.len(), 1);
                arrived.clear();
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .sample_size(30)
        .nresamples(5_000);
    targets = sums, spans, packets, cut_and_join
}
criterion_main!(benches);
