//! One-byte packets that nobody reads.

use super::*;
use crate::test_support::{owned, pool, vec};

#[test]
fn small_spans_of_large_nodes_are_copied_together_once() {
    let (ledger, large) = pool(4096);
    let (small_ledger, small) = pool(256);
    let mut queue: VecDeque<_> = (0..50_u8)
        .map(|byte| {
            let mut segment = large.reserve().unwrap();
            segment[..5].fill(byte);
            segment.commit(5)
        })
        .collect();
    assert_eq!(
        Held::of(&queue),
        Held {
            bytes: 250,
            footprint: 50 * 4096
        }
    );
    let before: Vec<_> = queue.iter().flat_map(vec).collect();
    let mut arena = Chain::arena(&small);
    assert_eq!(collapse(&mut queue, &mut arena), 250);
    assert_eq!((queue.len(), large.in_use(), small.in_use()), (1, 0, 256));
    assert_eq!(queue.iter().flat_map(vec).collect::<Vec<_>>(), before);
    assert_eq!(collapse(&mut queue, &mut arena), 0);
    drop((queue, arena));
    assert_eq!((ledger.live_nodes(), small_ledger.live_nodes()), (0, 0));
}

#[test]
fn what_pays_for_itself_or_cannot_be_copied_stays() {
    let (ledger, pool) = pool(64);
    let mut big = Vec::with_capacity(10_000);
    big.extend_from_slice(&[1; 100]);
    let mut queue: VecDeque<_> = [
        owned(&ledger, &[2; 60]),
        Span::from_owner(&ledger, big).unwrap(),
    ]
    .into();
    assert!(Held::of(&queue).overpins());
    // More than the pool has room for: the rest stays, and with it the buffer.
    let full: Vec<_> = (0..pool.limit() / 64 - 1)
        .map(|_| pool.reserve().unwrap())
        .collect();
    assert_eq!(collapse(&mut queue, &mut Chain::arena(&pool)), 64);
    assert_eq!(
        queue.iter().map(Span::len).collect::<Vec<_>>(),
        [60, 64, 36]
    );
    drop(full);
    assert!(!Held::of(&[owned(&ledger, &[0; 9])]).overpins());
}

#[test]
fn a_run_counts_once_in_a_queue_and_in_a_gather() {
    let (ledger, pool) = pool(4096);
    let chain = crate::test_support::stream(&pool, 16 * 4096);
    let part = |i: usize| chain.span(i as u64 * 4096, 4000);
    for order in [|i| i, |i| 15 - i, |i| (i * 7) % 16] {
        let queue: Vec<_> = (0..16).map(order).map(part).collect();
        let held = Held::of(&queue);
        assert_eq!((held.bytes, held.footprint), (64_000, pool.in_use()));
        let gather = Span::gather(&ledger, queue).unwrap();
        assert_eq!(gather.footprint(), pool.in_use());
        assert!(!held.overpins() && !gather.overpins());
    }
    // From the eighth node on.
    let gather = Span::gather(&ledger, [part(9), part(15), part(8)]).unwrap();
    assert_eq!(gather.footprint(), 8 * 4096);
    // Runs that come in turn.
    let others: Vec<_> = (0..3)
        .map(|_| crate::test_support::stream(&pool, 8192))
        .collect();
    let mixed: Vec<_> = (0..6)
        .map(|i| others[i % 3].span((i / 3) as u64, 1))
        .collect();
    assert_eq!(Held::of(&mixed).footprint, 3 * 8192);
}
