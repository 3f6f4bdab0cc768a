//! What a straggler keeps alive is bounded.

#![cfg(not(loom))]

use std::collections::VecDeque;

use txbuf::{
    Chain, Held, Kind, Ledger, OVERPIN, Pool, PoolConfig, RUN_BYTES, RUN_NODES, Span, collapse,
};

const SEGMENT: usize = 64 << 10;
const SMALL: usize = 4 << 10;
const TOTAL: u64 = 10 << 30;

fn pool(ledger: &Ledger, segment: usize, limit: usize) -> Pool {
    let config = PoolConfig {
        segment,
        limit,
        keep: 64,
    };
    Pool::new(ledger, config)
}

#[test]
fn one_kept_packet_of_a_stream_pins_one_run() {
    let ledger = Ledger::new();
    let send = pool(&ledger, SEGMENT, 64 << 20);
    let mut chain = Chain::stream(&send);
    let buffer = 256 << 10;
    let mut kept = Span::empty();
    let mut most = 0;
    while chain.end() < TOTAL {
        let room = chain.reserve(1).unwrap();
        room.publish(usize::MAX);
        if kept.is_empty() {
            kept = chain.span(0, 1460);
        }
        chain.release(chain.end().saturating_sub(buffer));
        most = most.max(send.in_use());
    }
    let run = RUN_BYTES.min(RUN_NODES * SEGMENT);
    assert!(most <= SEGMENT + run + buffer as usize + SEGMENT, "{most}");
    assert!(kept.footprint() <= run);
}

#[test]
fn a_reader_that_keeps_packets_pays_at_most_four_times_their_bytes() {
    let ledger = Ledger::new();
    let (device, small) = (
        pool(&ledger, SEGMENT, 1 << 20),
        pool(&ledger, SMALL, 8 << 20),
    );
    let (mut rx, mut copies) = (Chain::arena(&device), Chain::arena(&small));
    let mut kept: Vec<Span> = Vec::new();
    let (mut passed, mut bytes, mut packets) = (0, 0, 0_u64);
    while passed < TOTAL {
        let span = rx.reserve(1460).unwrap().commit(1460);
        passed += 1460;
        packets += 1;
        if packets % 1000 != 0 {
            continue;
        }
        let span = span.compact(&mut copies);
        if span.overpins() {
            // At the limit: back-pressure. The reader gets nothing more.
            continue;
        }
        bytes += span.len();
        kept.push(span);
        let held = small.in_use() + device.in_use();
        assert!(
            held <= OVERPIN * bytes + SEGMENT + SMALL,
            "{held} for {bytes}"
        );
    }
    assert!(kept.len() > 4000 && small.in_use() <= small.limit());
    drop((kept, rx, copies));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn scattered_fragments_trims_and_huge_owners_are_copied_out() {
    let ledger = Ledger::new();
    let (device, small) = (
        pool(&ledger, SEGMENT, 8 << 20),
        pool(&ledger, SMALL, 1 << 20),
    );
    let mut copies = Chain::arena(&small);
    let mut fragments: VecDeque<Span> = (0..45)
        .map(|_| device.reserve().unwrap().commit(1400))
        .collect();
    assert_eq!(Held::of(&fragments).footprint, 45 * SEGMENT);
    assert_eq!(collapse(&mut fragments, &mut copies), 45 * 1400);
    assert!(Held::of(&fragments).footprint <= OVERPIN * 45 * 1400);
    assert_eq!(device.in_use(), 0);

    let parts = (0..16).map(|_| device.reserve().unwrap().commit(SEGMENT));
    let mut gather = Span::gather(&ledger, parts).unwrap();
    gather.truncate(1).unwrap();
    assert_eq!(device.in_use(), SEGMENT);
    let byte = gather.compact(&mut copies);
    assert_eq!((device.in_use(), byte.len()), (0, 1));

    // Zeroed by the system page by page, of which none is ever touched.
    let huge = Span::from_owner(&ledger, vec![0_u8; 1 << 30]).unwrap();
    let mut part = huge.slice(1000..1100).unwrap();
    drop(huge);
    assert_eq!(part.footprint(), 1 << 30);
    part = part.compact(&mut copies);
    assert_eq!(
        (part.kind(), ledger.report().of(Kind::Owned).bytes),
        (Kind::Buffered, 0)
    );
}

#[test]
fn ten_million_unread_bytes_stay_within_the_limit() {
    let ledger = Ledger::new();
    let limit = 256 << 10;
    let (device, small) = (pool(&ledger, SMALL, 1 << 20), pool(&ledger, SMALL, limit));
    let (mut rx, mut copies) = (Chain::arena(&device), Chain::arena(&small));
    let mut queue: VecDeque<Span> = VecDeque::new();
    let mut used = 0;
    let (mut full, mut refused) = (false, 0);
    for _ in 0..10_000_000 {
        // One byte at the end of a received packet of 41 bytes.
        let mut span = rx.reserve(41).unwrap().commit(41);
        span.advance(40).unwrap();
        used += size_of::<Span>() + 1;
        if !full && used > limit {
            collapse(&mut queue, &mut copies);
            used = Held::of(&queue).footprint + queue.len() * size_of::<Span>();
            full = used > limit - limit / 8;
        }
        if full {
            // The window is closed; what comes nevertheless is dropped.
            refused += 1;
            continue;
        }
        queue.push_back(span);
        assert!(device.in_use() + small.in_use() <= device.limit() + limit);
    }
    let held = Held::of(&queue);
    assert!(
        refused > 0 && held.footprint <= limit + device.limit(),
        "{held:?}"
    );
}
