//! Who holds what.

use std::sync::atomic::AtomicU64;

use super::*;
use crate::test_support::stream;
use crate::{Chain, Pool, PoolConfig, Span};

#[test]
fn a_tracking_ledger_lists_nodes_by_kind_age_and_owner() {
    let ledger = Ledger::tracking();
    let config = PoolConfig {
        segment: 64,
        limit: 6400,
        keep: 4,
    };
    let pool = Pool::new(&ledger.named("socket 1"), config);
    ledger.set_now(100);
    let chain = stream(&pool, 64);
    ledger.set_now(250);
    let named = ledger.named("page cache");
    let owned = Span::from_owner(&named, vec![0_u8; 10]).unwrap();
    let gather = Span::gather(&ledger, [chain.span(0, 5), owned.clone()]).unwrap();
    let node = |kind, bytes, owner: &str, age, pins| LiveNode {
        kind,
        bytes,
        owner: owner.to_owned(),
        age,
        pins,
    };
    let list = ledger.dump(300);
    let gather_bytes = ledger.report().of(Kind::Gather).bytes;
    let expected = [
        // The chain's entry, its tail, and the gather's leaf.
        node(Kind::Buffered, 64, "socket 1", 200, 3),
        node(Kind::Owned, 10, "page cache", 50, 2),
        node(Kind::Gather, gather_bytes, "", 50, 1),
    ];
    assert_eq!(list, expected);
    assert!(
        list[1]
            .to_string()
            .contains("10 bytes, 2 pins, 50 ns old, page cache")
    );
    drop((gather, owned, chain));
    assert_eq!((ledger.dump(300), ledger.live_nodes()), (vec![], 0));
    // Segments that come again are listed again.
    let chain = stream(&pool, 100);
    assert_eq!(ledger.dump(260).len(), 2);
    assert_eq!(ledger.dump(260)[0].age, 10);
    drop(chain);
}

#[test]
fn a_ledger_with_a_clock_need_not_be_told_the_time() {
    let time = Arc::new(AtomicU64::new(100));
    let clock = Arc::clone(&time);
    let ledger = Ledger::tracking_by(move || clock.load(Ordering::Relaxed));
    let first = Span::from_owner(&ledger, vec![0_u8; 10]).unwrap();
    time.store(250, Ordering::Relaxed);
    ledger.set_now(7);
    let second = Span::from_owner(&ledger, vec![0_u8; 10]).unwrap();
    time.store(300, Ordering::Relaxed);
    let ages: Vec<u64> = ledger.dump(9).iter().map(|node| node.age).collect();
    assert_eq!(ages, [200, 50]);
    drop((first, second));
}

#[test]
fn other_ledgers_list_nothing() {
    let ledger = Ledger::new();
    let span = Span::from_owner(&ledger.named("x"), vec![0_u8; 10]).unwrap();
    ledger.set_now(5);
    assert_eq!((ledger.dump(9), ledger.live_nodes()), (vec![], 1));
    drop(span);
}

#[test]
fn dumping_while_others_drop() {
    let ledger = Ledger::tracking();
    let config = PoolConfig {
        segment: 64,
        limit: 64_000,
        keep: 1,
    };
    let pool = Pool::new(&ledger, config);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut chain = Chain::stream(&pool);
                for _ in 0..300 {
                    chain.append(&[1; 200]).unwrap();
                    drop(Span::from_owner(&ledger, vec![0_u8; 5]).unwrap());
                    chain.release(chain.end());
                }
            });
        }
        for _ in 0..300 {
            assert!(ledger.dump(0).iter().all(|node| node.pins < 10));
        }
    });
    assert_eq!(ledger.dump(0), []);
}
