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
