//! Freeing nodes that run somebody else's code: an owner's destructor, the release of
//! device memory, a token's wake-up.
//!
//! That code may drop spans, and may panic. What it frees waits here until it has
//! returned, so that owners which keep spans of other owners, however many deep, are
//! taken apart in a loop; and a panic goes on only when everything is freed.

use core::cell::Cell;
use core::ptr::NonNull;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::node::Node;
use crate::segment::Returned;

/// The nodes that wait while one is being freed, linked by their headers: the one that
/// came first, and the one that came last.
#[derive(Clone, Copy)]
struct Waiting {
    first: Option<NonNull<Node>>,
    last: Option<NonNull<Node>>,
}

// None while nothing is being freed.
#[cfg(not(loom))]
thread_local!(static WAITING: Cell<Option<Waiting>> = const { Cell::new(None) });
#[cfg(loom)]
loom::thread_local!(static WAITING: Cell<Option<Waiting>> = Cell::new(None));

/// Frees a node of another kind than Buffered, of which the last pin went, at once or
/// after those that are being freed on this thread.
pub(super) fn free(node: NonNull<Node>) {
    if let Some(waiting) = WAITING.with(Cell::get) {
        push(waiting, node);
        return;
    }
    set(Some(Waiting {
        first: None,
        last: None,
    }));
    let (mut next, mut panic) = (Some(node), None);
    while let Some(node) = next {
        // What a panic leaves half done belongs to the code that panicked.
        let freed = catch_unwind(AssertUnwindSafe(|| free_now(node)));
        // The first one is reported.
        panic = panic.or(freed.err());
        next = pop();
    }
    set(None);
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

fn set(waiting: Option<Waiting>) {
    WAITING.with(|cell| cell.set(waiting));
}

fn push(waiting: Waiting, node: NonNull<Node>) {
    // SAFETY: nobody else has the nodes any more, and they are not linked otherwise.
    unsafe {
        node.as_ref().set_below(None);
        if let Some(last) = waiting.last {
            last.as_ref().set_below(Some(node));
        }
    }
    set(Some(Waiting {
        first: waiting.first.or(Some(node)),
        last: Some(node),
    }));
}

fn pop() -> Option<NonNull<Node>> {
    let waiting = WAITING.with(Cell::get)?;
    let node = waiting.first?;
    // SAFETY: as in `push`, which put it there.
    let first = unsafe { node.as_ref() }.below();
    let last = waiting.last.filter(|_| first.is_some());
    set(Some(Waiting { first, last }));
    Some(node)
}

fn free_now(node: NonNull<Node>) {
    // SAFETY: the caller of `free` took the count to zero and synchronised with every
    // former holder; nodes of these kinds have no link.
    unsafe {
        let free = node.as_ref().free;
        free(node, &mut Returned::default());
    }
}
