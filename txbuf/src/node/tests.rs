//! Counting, links and the last drop.

use crate::test_support::pool;
use crate::{Ledger, Pool, PoolConfig, Span};

/// Links `n` fresh nodes with one byte each; returns a span of all of them.
fn linked(pool: &Pool, n: usize) -> Span {
    let mut first = pool.take().unwrap();
    for _ in 1..n {
        let before = pool.take().unwrap();
        before.link(1, first);
        first = before;
    }
    Span::new(first, 0, n as u32)
}

#[test]
fn a_million_nodes_drop_without_recursion() {
    let ledger = Ledger::new();
    let limit = 64 * 1_000_000;
    let config = PoolConfig {
        segment: 64,
        limit,
        keep: 0,
    };
    let pool = Pool::new(&ledger, config);
    let span = linked(&pool, 1_000_000);
    assert_eq!(ledger.live_nodes(), 1_000_000);
    let drop_it = move || drop(span);
    let thread = std::thread::Builder::new().stack_size(64 * 1024);
    thread.spawn(drop_it).unwrap().join().unwrap();
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn a_pinned_successor_stops_the_last_drop() {
    let (ledger, pool) = pool(64);
    let mut whole = linked(&pool, 10);
    let tail = whole.split_off(6).unwrap();
    drop(whole);
    assert_eq!(ledger.live_nodes(), 4);
    assert_eq!(tail.footprint(), 4 * 64);
    drop(tail);
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn the_empty_node_is_on_no_ledger_and_survives() {
    for _ in 0..3 {
        let span = Span::empty();
        assert_eq!((span.len(), span.clone().footprint()), (0, 0));
        assert_eq!(span.extents().count(), 0);
        assert_eq!(span.contiguous(), Some(&[][..]));
    }
}

#[test]
fn pins_go_from_any_thread() {
    let (ledger, pool) = pool(64);
    for _ in 0..200 {
        let span = linked(&pool, 8);
        std::thread::scope(|scope| {
            for cut in 0..4 {
                let mut part = span.clone();
                scope.spawn(move || part.advance(cut * 2).unwrap());
            }
            drop(span);
        });
        assert_eq!(ledger.live_nodes(), 0);
    }
    assert_eq!(pool.in_use(), 0);
}
