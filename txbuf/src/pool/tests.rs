//! The cap, recycling, and life after the handle.

use super::*;
use crate::{Chain, Kind, Usage};

fn small(limit: usize, keep: usize) -> (Ledger, Pool) {
    let ledger = Ledger::new();
    let config = PoolConfig {
        segment: 100,
        limit,
        keep,
    };
    let pool = Pool::new(&ledger, config);
    (ledger, pool)
}

#[test]
fn sizes_are_brought_into_range() {
    let (_, pool) = small(300, 5);
    assert_eq!((pool.segment(), pool.limit()), (128, 256));
    let config = PoolConfig {
        segment: usize::MAX,
        limit: 10,
        keep: 3,
    };
    let pool = Pool::new(&Ledger::new(), config);
    assert_eq!((pool.segment(), pool.limit()), (1 << 30, 0));
    assert_eq!(pool.reserve().err(), Some(NoMemory));
}

#[test]
fn a_pool_knows_its_own() {
    let (ledger, one) = small(1000, 1);
    let (_, other) = small(1000, 1);
    let span = one.reserve().unwrap().commit(100);
    let owned = Span::from_owner(&ledger, vec![1; 10]).unwrap();
    assert!(one.provides(&span) && !other.provides(&span));
    assert!(!one.provides(&owned) && !one.provides(&Span::empty()));
    let gather = |parts| Span::gather(&ledger, parts).unwrap();
    assert!(!one.provides(&gather([span.clone(), owned])));
    let next = one.reserve().unwrap().commit(100);
    assert!(one.provides(&gather([span, next])));
}

#[test]
fn the_cap_is_hard_and_storage_comes_back() {
    let (ledger, pool) = small(256, 1);
    let a = pool.reserve().unwrap();
    let b = pool.reserve().unwrap().commit(5);
    assert_eq!(pool.reserve().err(), Some(NoMemory));
    assert_eq!(pool.in_use(), 256);
    let usage = Usage {
        nodes: 2,
        bytes: 256,
    };
    assert_eq!(ledger.report().of(Kind::Buffered), usage);
    drop(a);
    assert_eq!(pool.in_use(), 128);
    assert!(pool.reserve().is_ok());
    drop(b);
    assert_eq!((pool.in_use(), ledger.live_nodes()), (0, 0));
}

#[test]
fn a_segment_is_zeroed_once_and_recycled_with_its_header() {
    let (_, pool) = small(1280, 4);
    let mut first = pool.reserve().unwrap();
    assert!(first.iter().all(|&byte| byte == 0));
    assert_eq!(first.as_ptr() as usize % 64, 0);
    first.fill(7);
    let span = first.commit(10);
    let node = span.node.as_ptr();
    drop(span);
    let again = pool.reserve().unwrap();
    assert_eq!(again[50], 7);
    assert_eq!(again.commit(1).node.as_ptr(), node);
}

#[test]
fn the_segment_freed_last_is_used_first_and_surplus_is_freed() {
    let (ledger, pool) = small(1280, 3);
    let all: Vec<_> = (0..8).map(|_| pool.reserve().unwrap().commit(1)).collect();
    let last = all[7].node.as_ptr();
    drop(all);
    assert_eq!(pool.reserve().unwrap().commit(1).node.as_ptr(), last);
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn nodes_outlive_the_pool() {
    let (ledger, pool) = small(1280, 4);
    let mut chain = Chain::stream(&pool);
    chain.append(&[1; 300]).unwrap();
    let span = chain.span(0, 300);
    drop((chain, pool));
    assert_eq!(span.to_vec().unwrap(), [1; 300]);
    assert_eq!(ledger.live_nodes(), 3);
    drop(span);
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn many_threads_never_pass_the_cap() {
    let (ledger, pool) = small(4 * 128, 2);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let held: Vec<_> = (0..2).filter_map(|_| pool.reserve().ok()).collect();
                    assert!(pool.in_use() <= pool.limit());
                    drop(held);
                }
            });
        }
    });
    assert_eq!((pool.in_use(), ledger.live_nodes()), (0, 0));
}
