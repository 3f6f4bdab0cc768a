//! When a copy is made, and when not.

use crate::test_support::{owned, pattern, pool, stream, vec};
use crate::{Chain, CopyError, Kind, Ledger, Region, Span};

#[test]
fn linearises_only_what_is_in_pieces() {
    let (ledger, pool) = pool(4096);
    let (_, small) = crate::test_support::pool(64);
    let chain = stream(&small, 500);
    let mut arena = Chain::arena(&pool);
    let whole = owned(&ledger, b"abc");
    let same = whole.linearise(&mut arena).unwrap();
    assert!(same.node.same(&whole.node));
    let copy = chain.span(10, 300).linearise(&mut arena).unwrap();
    assert_eq!(copy.contiguous(), Some(&pattern(500)[10..310]));
    assert_eq!(
        (
            arena.end(),
            Span::empty().linearise(&mut arena).unwrap().len()
        ),
        (300, 0)
    );
    let refused = chain.span(0, 100).linearise(&mut Chain::arena(&small));
    assert_eq!(refused.unwrap_err(), CopyError::NoMemory);
    // Lent bytes can be read by nobody in place.
    let region = Region::new(&ledger, pattern(100));
    let lent = region.lend(0..100, None).unwrap();
    assert_eq!(lent.linearise(&mut arena).unwrap().kind(), Kind::Buffered);
}

#[test]
fn compacts_what_keeps_more_than_four_times_its_length() {
    let (ledger, pool) = pool(64);
    let mut arena = Chain::arena(&pool);
    let mut part = owned(&ledger, &[7; 200]);
    part.truncate(50).unwrap();
    assert!(!part.overpins());
    assert_eq!(part.compact(&mut arena).kind(), Kind::Owned);
    let mut part = owned(&ledger, &[7; 200]);
    part.truncate(49).unwrap();
    assert!(part.overpins());
    let copy = part.compact(&mut arena);
    assert_eq!((copy.kind(), vec(&copy)), (Kind::Buffered, vec![7; 49]));
    // No room: better kept than lost.
    let mut part = owned(&ledger, &[7; 1000]);
    part.truncate(65).unwrap();
    assert_eq!(part.compact(&mut arena).kind(), Kind::Owned);
}

#[test]
fn an_orphan_keeps_what_was_not_lent() {
    let (ledger, pool) = pool(64);
    let region = Region::new(&ledger, pattern(100));
    let body = owned(&ledger, b"body");
    let parts = [body.clone(), region.lend(0..10, None).unwrap()];
    let gather = Span::gather(&ledger, parts).unwrap();
    // A part of the gather that shows no lent byte is no business of the lender.
    let mut front = gather.slice(..3).unwrap();
    assert!(gather.is_lent() && !front.is_lent());
    let mut arena = Chain::arena(&pool);
    front.orphan(&mut arena).unwrap();
    assert_eq!(arena.end(), 0);
    let mut all = gather;
    all.orphan(&mut arena).unwrap();
    assert_eq!((arena.end(), region.lent()), (10, 0));
    assert_eq!(body.node.pins(), 3);
    assert_eq!(vec(&all), [b"body", &pattern(10)[..]].concat());
}

/// More pieces than a gather lists are copied to runs of the same pool, up to its cap.
#[test]
fn an_orphan_of_many_pieces_is_charged_to_the_pool() {
    let ledger = Ledger::new();
    let config = |limit| crate::PoolConfig {
        segment: 64,
        limit,
        keep: 4,
    };
    let region = Region::new(&ledger, pattern(1 << 20));
    let lend = |n| region.lend(0..n, None).unwrap();
    let pool = crate::Pool::new(&ledger, config(4096));
    let mut arena = Chain::arena(&pool);
    let mut lent = lend(4096 - 64);
    lent.orphan(&mut arena).unwrap();
    assert_eq!(
        (lent.kind(), vec(&lent)),
        (Kind::Gather, pattern(4096 - 64))
    );
    assert_eq!((pool.in_use(), region.lent()), (4096, 0));
    drop(lent);
    for n in [4096, 1 << 20] {
        let mut lent = lend(n);
        assert_eq!(lent.orphan(&mut arena), Err(CopyError::NoMemory));
        assert_eq!((lent.kind(), vec(&lent)), (Kind::User, pattern(n)));
        assert_eq!(pool.in_use(), 64);
    }
    drop(arena);
    // 16 runs of 16 segments are the most.
    let pool = crate::Pool::new(&ledger, config(1 << 20));
    let mut arena = Chain::arena(&pool);
    let most = crate::GATHER_MAX * crate::RUN_NODES * 64;
    assert_eq!(lend(most).orphan(&mut arena), Ok(()));
    assert_eq!(lend(most + 1).orphan(&mut arena), Err(CopyError::NoMemory));
    drop(arena);
    assert_eq!((pool.in_use(), ledger.live_nodes()), (0, 0));
}
