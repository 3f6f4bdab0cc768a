//! Growing spans over what a stream was given later.

use crate::test_support::{owned, pattern, pool, stream, vec};
use crate::{Chain, RUN_NODES, Span};

#[test]
fn grows_inside_a_run_and_stops_at_its_end() {
    let (_, pool) = pool(64);
    let total = 64 * (RUN_NODES + 2);
    let mut chain = Chain::stream(&pool);
    chain.append(&pattern(total)[..100]).unwrap();
    let mut span = chain.span(90, 10);
    assert_eq!(chain.grow_span(&mut span, 90, 500), 0);
    chain.append(&pattern(total)[100..]).unwrap();
    assert_eq!(chain.grow_span(&mut span, 90, 50), 40);
    assert_eq!(vec(&span), &pattern(total)[90..140]);
    let rest = 64 * RUN_NODES - 140;
    assert_eq!(chain.grow_span(&mut span, 90, usize::MAX), rest);
    assert_eq!(vec(&span), &pattern(total)[90..64 * RUN_NODES]);
    assert_eq!(chain.grow_span(&mut span, 90, usize::MAX), 0);
}

#[test]
fn refuses_spans_that_are_not_its_own() {
    let (ledger, pool) = pool(64);
    let mut chain = stream(&pool, 200);
    let mut elsewhere = owned(&ledger, &[1; 10]);
    assert_eq!(chain.grow_span(&mut elsewhere, 0, 100), 0);
    let mut wrong_place = chain.span(5, 10);
    assert_eq!(chain.grow_span(&mut wrong_place, 6, 100), 0);
    assert_eq!(chain.grow_span(&mut Span::empty(), 0, 100), 0);
    let mut released = chain.span(5, 10);
    chain.release(15);
    assert_eq!(chain.grow_span(&mut released, 5, 100), 0);
    assert_eq!(chain.grow_span(&mut released, u64::MAX, 100), 0);
    // An owned buffer in the middle ends what can be grown over.
    chain.append_span(owned(&ledger, &[2; 50]));
    let mut last = chain.span(190, 10);
    assert_eq!(chain.grow_span(&mut last, 190, 100), 0);
    let mut inside = chain.span(200, 10);
    assert_eq!(chain.grow_span(&mut inside, 200, 30), 20);
    assert_eq!(vec(&inside), [2; 30]);
}
