use super::*;
use crate::Instant;
use crate::socket::StampStage;
use txbuf::{Ledger, StableBytes};

fn stamp(id: u32) -> Stamp {
    Stamp {
        stage: StampStage::Sent,
        id: Some(id),
        time: Instant::ZERO,
        source: None,
        departure: None,
    }
}

fn packet(len: usize) -> Option<Span> {
    Some(owned(vec![7; len].into_boxed_slice()))
}

fn owned<O: StableBytes>(owner: O) -> Span {
    Span::from_owner(&Ledger::default(), owner).expect("a span")
}

#[test]
fn as_many_wait_as_may_and_no_more() {
    let mut queue = StampQueue::default();
    let queued = (0..2 * MOST as u32).filter(|id| queue.push(stamp(*id), None));
    assert_eq!(queued.count(), MOST);
}

#[test]
fn packets_are_bounded_by_their_bytes() {
    let mut queue = StampQueue::default();
    assert!(queue.push(stamp(0), packet(MOST_BYTES - 1)));
    assert!(!queue.push(stamp(1), packet(2)));
    assert!(queue.push(stamp(2), packet(1)));
    assert!(queue.push(stamp(3), None), "without a packet");
    assert!(queue.storage() >= MOST_BYTES);
}
