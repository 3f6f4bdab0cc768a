//! Filling gathers.

use crate::test_support::{owned, pattern, pool, stream, vec};
use crate::{GATHER_MAX, Kind, Ledger, Span};

#[test]
fn fills_one_gather_up_to_its_limit() {
    let ledger = Ledger::new();
    let mut all = owned(&ledger, &[0; 10]);
    for i in 1..GATHER_MAX {
        all.append(&ledger, owned(&ledger, &[i as u8; 10])).unwrap();
        assert_eq!(ledger.report().of(Kind::Gather).nodes, 1);
    }
    assert_eq!((all.len(), all.extents().count()), (160, 16));
    let refused = all.append(&ledger, owned(&ledger, b"x")).unwrap_err();
    assert_eq!((vec(&refused), all.len()), (b"x".to_vec(), 160));
    let expected: Vec<_> = (0..16).flat_map(|i| [i; 10]).collect();
    assert_eq!(vec(&all), expected);
    drop((all, refused));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn a_shared_or_trimmed_gather_is_left_alone() {
    let ledger = Ledger::new();
    let parts = [owned(&ledger, b"abc"), owned(&ledger, b"def")];
    let shared = Span::gather(&ledger, parts).unwrap();
    let mut longer = shared.clone();
    longer.append(&ledger, owned(&ledger, b"ghi")).unwrap();
    assert_eq!(
        (vec(&shared), vec(&longer)),
        (b"abcdef".to_vec(), b"abcdefghi".to_vec())
    );
    drop(shared);
    longer.truncate(7).unwrap();
    longer.append(&ledger, owned(&ledger, b"xyz")).unwrap();
    assert_eq!(vec(&longer), b"abcdefgxyz");
    longer.advance(4).unwrap();
    let more = longer.clone();
    longer.append(&ledger, more).unwrap();
    assert_eq!(vec(&longer), b"efgxyzefgxyz");
    drop(longer);
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn what_follows_in_storage_becomes_one_leaf() {
    let (ledger, pool) = pool(64);
    let chain = stream(&pool, 400);
    let mut span = owned(&ledger, b"x");
    for at in (0..400).step_by(40) {
        span.append(&ledger, chain.span(at, 40)).unwrap();
    }
    assert_eq!(span.footprint(), 1 + 7 * 64);
    assert_eq!(vec(&span)[1..], pattern(400));
    let mut plain = Span::empty();
    plain.append(&ledger, chain.span(0, 9)).unwrap();
    plain.append(&ledger, chain.span(9, 9)).unwrap();
    assert_eq!((plain.kind(), plain.len()), (Kind::Buffered, 18));
    plain.append(&ledger, Span::empty()).unwrap();
    assert_eq!(plain.len(), 18);
}
