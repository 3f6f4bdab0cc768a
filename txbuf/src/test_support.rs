//! What the unit tests share.

use crate::{Chain, Ledger, Pool, PoolConfig, Span};

/// A pool of segments of `segment` bytes, with room for 1000 of them, and its
/// ledger.
pub(crate) fn pool(segment: usize) -> (Ledger, Pool) {
    let ledger = Ledger::new();
    let config = PoolConfig {
        segment,
        limit: 1000 * segment,
        keep: 8,
    };
    let pool = Pool::new(&ledger, config);
    (ledger, pool)
}

/// `n` bytes that tell their position.
pub(crate) fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i % 251) as u8).collect()
}

/// A stream with `n` pattern bytes.
pub(crate) fn stream(pool: &Pool, n: usize) -> Chain {
    let mut chain = Chain::stream(pool);
    assert_eq!(chain.append(&pattern(n)), Ok(n));
    chain
}

pub(crate) fn owned(ledger: &Ledger, bytes: &[u8]) -> Span {
    Span::from_owner(ledger, bytes.to_vec()).unwrap()
}

pub(crate) fn vec(span: &Span) -> Vec<u8> {
    span.to_vec().unwrap()
}

/// The allocator of the unit tests: the system's, counting each thread's calls.
#[allow(unsafe_code)]
pub(crate) mod allocations {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

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

    /// How many allocations `f` made on this thread, and what it returned.
    pub(crate) fn allocated<R>(f: impl FnOnce() -> R) -> (usize, R) {
        let before = ALLOCATIONS.get();
        let result = f();
        (ALLOCATIONS.get() - before, result)
    }
}
