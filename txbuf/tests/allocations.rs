//! What allocates and what does not, counted by the allocator.

#![cfg(not(loom))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use txbuf::{Chain, Ledger, Packet, Pool, PoolConfig};

struct Counting;

thread_local!(static ALLOCATIONS: Cell<usize> = const { Cell::new(0) });

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as promised by our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as promised by our caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations<R>(f: impl FnOnce() -> R) -> usize {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

fn pool() -> Pool {
    let config = PoolConfig {
        segment: 64 << 10,
        limit: 64 << 20,
        keep: 64,
    };
    Pool::new(&Ledger::new(), config)
}

#[test]
fn cloning_cutting_and_packing_allocate_nothing() {
    let pool = pool();
    let mut chain = Chain::stream(&pool);
    chain.append(&vec![1; 200_000]).unwrap();
    let work = || {
        let mut span = chain.span(1000, 64 * 1024);
        let copy = span.clone();
        let front = span.split_to(2000).unwrap();
        let mut packet = Packet::with_payload(front);
        packet.push(52).unwrap();
        let clone = packet.clone();
        let mut received = Packet::from_span(copy);
        received.pull(40).unwrap();
        span.into_segments(1460).for_each(drop);
        drop((packet, clone, received));
    };
    // The first packets of a thread bring their header areas into being.
    work();
    let count = allocations(work);
    assert_eq!(count, 0);
}

#[test]
fn a_stream_and_an_arena_in_steady_state_allocate_nothing() {
    let pool = pool();
    let (mut chain, mut arena) = (Chain::stream(&pool), Chain::arena(&pool));
    let data = vec![1; 1 << 20];
    let mut round = || {
        chain.append(&data).unwrap();
        let segments = chain.span(chain.start(), 64 << 10).into_segments(1460);
        let received: [_; 100] = std::array::from_fn(|_| arena.copy(&data[..1460]).unwrap());
        drop((segments, received));
        chain.release(chain.end());
    };
    (0..3).for_each(|_| round());
    assert_eq!(allocations(|| (0..20).for_each(|_| round())), 0);
}
