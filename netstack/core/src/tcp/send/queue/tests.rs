//! What writes make of the chain, and what it keeps.

use super::*;
use std::collections::VecDeque;
use txbuf::{Ledger, Pool, PoolConfig};

const LIMIT: usize = 100_000;

fn queue(pools: &Pools) -> SendQueue {
    SendQueue::new(pools, Seq(1), LIMIT)
}

fn write(queue: &mut SendQueue, span: Span, vacated: bool) -> Result<usize, NoMemory> {
    queue.write(&mut IovIter::span(span), usize::MAX, None, vacated)
}

/// `len` bytes alone in a segment of a device's arena.
fn received(ledger: &Ledger, len: usize) -> Span {
    let config = PoolConfig {
        segment: 64 << 10,
        limit: 1 << 20,
        keep: 0,
    };
    let pool = Pool::new(ledger, config);
    pool.reserve().unwrap().commit(len)
}

#[test]
fn small_writes_grow_the_tail_in_place() {
    let ledger = Ledger::new();
    let mut queue = queue(&Pools::new(&ledger, 1 << 20));
    for n in 0..1000_u32 {
        let written = queue.write(
            &mut IovIter::bytes(&n.to_be_bytes()),
            usize::MAX,
            None,
            false,
        );
        assert_eq!(written, Ok(4));
        // The packet that would leave now: one extent, whatever number of writes it has.
        let span = queue.span(Seq(1), usize::MAX);
        assert_eq!(
            (span.len(), span.extents().count()),
            (4 * (n as usize + 1), 1)
        );
    }
    assert_eq!((ledger.live_nodes(), queue.storage()), (1, 64 << 10));
}

#[test]
fn received_segments_are_kept_up_to_four_times_the_limit() {
    let ledger = Ledger::new();
    let arena = Ledger::new();
    let mut queue = queue(&Pools::new(&ledger, 1 << 20));
    for _ in 0..10 {
        assert_eq!(write(&mut queue, received(&arena, 5_000), false), Ok(5_000));
    }
    // Six of them fit below 400,000 bytes; the others were copied together.
    assert_eq!((arena.live_nodes(), ledger.live_nodes()), (6, 1));
    assert_eq!(queue.storage(), 7 * (64 << 10));
    queue.acknowledge(Seq(1) + 50_000);
    assert_eq!((queue.storage(), arena.live_nodes()), (0, 0));
}

#[test]
fn small_and_vacated_ones_are_copied_and_buffers_are_not_vacated() {
    let ledger = Ledger::new();
    let arena = Ledger::new();
    let mut queue = queue(&Pools::new(&ledger, 1 << 20));
    assert_eq!(
        write(&mut queue, received(&arena, COPYBREAK), false),
        Ok(COPYBREAK)
    );
    assert_eq!(
        write(&mut queue, received(&arena, 60_000), true),
        Ok(60_000)
    );
    assert_eq!(arena.live_nodes(), 0);
    let owned = Span::from_owner(&arena, vec![1_u8; 30_000]).unwrap();
    assert_eq!(write(&mut queue, owned, true), Ok(30_000));
    assert_eq!(arena.live_nodes(), 1);
}

#[test]
fn what_finds_no_storage_for_a_copy_stays_with_the_sender() {
    let ledger = Ledger::new();
    let arena = Ledger::new();
    let pools = Pools::new(&ledger, 64 << 10);
    let taken = pools.send.reserve().unwrap();
    let mut queue = queue(&pools);
    let mut spans: VecDeque<Span> = (0..2).map(|_| received(&arena, 40_000)).collect();
    let mut from = IovIter::spans(&mut spans);
    assert_eq!(
        queue.write(&mut from, usize::MAX, None, true),
        Err(NoMemory)
    );
    assert_eq!((from.remaining(), queue.len()), (80_000, 0));
    drop(taken);
    // What a connection may hold while storage is short.
    assert_eq!(queue.write(&mut from, usize::MAX, None, true), Ok(PRESSED));
    assert_eq!(from.remaining(), 80_000 - PRESSED);
    assert_eq!(spans.iter().map(Span::len).sum::<usize>(), 80_000 - PRESSED);
}

#[test]
fn no_queue_holds_more_than_numbers_can_tell_apart() {
    let pools = Pools::new(&Ledger::new(), 1 << 20);
    let mut queue = SendQueue::new(&pools, Seq(0), usize::MAX);
    assert_eq!(queue.limit(), 1 << 30);
    queue.grow_for(usize::MAX, usize::MAX);
    assert_eq!(queue.limit(), 1 << 30);
    queue.set_limit(usize::MAX);
    assert_eq!(queue.limit(), 1 << 30);
}
