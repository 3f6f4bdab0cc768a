//! Pool segments: allocation, hand-out and recycling of Buffered nodes.
//!
//! A header and its segment are made together and stay together: an idle pair
//! is one pointer in the queue, and taking it allocates nothing.

use core::alloc::Layout;
use core::ptr::NonNull;
use std::alloc::{alloc_zeroed, dealloc};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crossbeam_queue::ArrayQueue;

use crate::error::NoMemory;
use crate::ledger::{Kind, Ledger};
use crate::node::{Node, NodeRef};
use crate::sync::{AtomicPtr, Ordering};

/// A cache line, so that no two segments share one.
const ALIGN: usize = 64;

/// What the handles and the live nodes of one pool share. It goes with the last
/// of them.
pub(crate) struct Home {
    pub(crate) ledger: Ledger,
    /// Bytes per segment.
    pub(crate) segment: u32,
    /// Segments that may be in use at a time.
    most: usize,
    /// Segments kept when idle.
    keep: usize,
    /// Segments that are not idle. A node's charge is taken before the node and
    /// given back after the node is idle again, so segments in existence never
    /// pass `most`.
    in_use: AtomicUsize,
    /// The segment that became idle last, and is likely still in the cache.
    hot: AtomicPtr<Node>,
    idle: ArrayQueue<Idle>,
}

/// A node nobody pins, together with its segment.
struct Idle(NonNull<Node>);

// SAFETY: an idle node has exactly one holder, and its bytes belong to nobody.
unsafe impl Send for Idle {}

#[repr(C)]
struct Pooled {
    header: Node,
    /// Set while the node is pinned, so that idle nodes do not keep the pool.
    home: Option<Arc<Home>>,
}

impl Home {
    pub(crate) fn new(ledger: Ledger, segment: u32, most: usize, keep: usize) -> Self {
        Self {
            ledger,
            segment,
            most,
            keep,
            in_use: AtomicUsize::new(0),
            hot: AtomicPtr::new(core::ptr::null_mut()),
            // One more is held in `hot`.
            idle: ArrayQueue::new(keep.saturating_sub(1).max(1)),
        }
    }

    pub(crate) fn in_use(&self) -> usize {
        self.in_use.load(Ordering::Relaxed)
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// A node with one pin, whole segment unused; its bytes are initialised but
    /// may be those of an earlier use.
    pub(crate) fn take(self: &Arc<Self>) -> Result<NodeRef, NoMemory> {
        let charge = |used: usize| (used < self.most).then_some(used + 1);
        self.in_use
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, charge)
            .map_err(|_| NoMemory)?;
        let idle = self
            .pop()
            .or_else(|| allocate(self.segment))
            .ok_or_else(|| {
                self.in_use.fetch_sub(1, Ordering::AcqRel);
                NoMemory
            })?;
        let node = idle.0;
        // SAFETY: an idle node is ours alone; the object behind the header is a
        // `Pooled`, made by `allocate`. The pin handed over is its first.
        let node = unsafe {
            node.as_ref().renew();
            (*node.cast::<Pooled>().as_ptr()).home = Some(Arc::clone(self));
            NodeRef::from_first(node)
        };
        self.ledger.enter(Kind::Buffered, self.segment as usize);
        Ok(node)
    }

    fn pop(&self) -> Option<Idle> {
        let hot = self.hot.swap(core::ptr::null_mut(), Ordering::AcqRel);
        NonNull::new(hot).map(Idle).or_else(|| self.idle.pop())
    }

    fn push(&self, idle: Idle) {
        if self.keep == 0 {
            return deallocate(idle);
        }
        let before = self.hot.swap(idle.0.as_ptr(), Ordering::AcqRel);
        if let Some(before) = NonNull::new(before).map(Idle) {
            let refused = if self.keep > 1 {
                self.idle.push(before).err()
            } else {
                Some(before)
            };
            if let Some(surplus) = refused {
                deallocate(surplus);
            }
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        while let Some(idle) = self.pop() {
            deallocate(idle);
        }
    }
}

fn layout(segment: u32) -> Option<Layout> {
    Layout::from_size_align(segment as usize, ALIGN).ok()
}

/// A new node and its segment, zeroed once for its whole life.
fn allocate(segment: u32) -> Option<Idle> {
    let layout = layout(segment).filter(|layout| layout.size() > 0)?;
    // SAFETY: the size is not zero.
    let base = NonNull::new(unsafe { alloc_zeroed(layout) })?;
    let pooled = Box::new(Pooled {
        header: Node::new(Kind::Buffered, base, segment, segment as usize, recycle),
        home: None,
    });
    let pooled = NonNull::from(Box::leak(pooled));
    Some(Idle(pooled.cast()))
}

fn deallocate(idle: Idle) {
    // SAFETY: made by `allocate`, and this is its only holder.
    let pooled = unsafe { Box::from_raw(idle.0.cast::<Pooled>().as_ptr()) };
    let base = pooled.header.base();
    if let Some(layout) = layout(pooled.header.capacity()) {
        // SAFETY: allocated in `allocate` with this very layout.
        unsafe { dealloc(base.as_ptr(), layout) };
    }
}

/// `free` of a Buffered node: back to its pool.
///
/// # Safety
///
/// As [`Free`](crate::node::Free) says; the object is a `Pooled`.
unsafe fn recycle(node: NonNull<Node>) {
    // SAFETY: the last pin went, so the object is ours alone.
    let home = unsafe { (*node.cast::<Pooled>().as_ptr()).home.take() };
    if let Some(home) = home {
        home.ledger.leave(Kind::Buffered, home.segment as usize);
        home.push(Idle(node));
        home.in_use.fetch_sub(1, Ordering::AcqRel);
    }
}
