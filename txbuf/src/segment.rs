//! Pool segments: allocation, hand-out and recycling of Buffered nodes.
//!
//! A header and its segment are made together and stay together: idle pairs are
//! linked by their headers, so that taking one allocates nothing and a whole run
//! comes back in one step.
//!
//! A `Pool` is a handle of a `Home`, which lives as long as any of its nodes and keeps the
//! idle ones on its `Shelf`, one `Pile` after the other.

use core::alloc::Layout;
use core::ptr::NonNull;
use std::alloc::{alloc_zeroed, dealloc};
use std::sync::Arc;

use crate::account::{Account, resume};
use crate::error::NoMemory;
use crate::ledger::{Kind, Ledger};
use crate::node::{Node, NodeRef};
use crate::sync::{self, Mutex};

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
    shelf: Mutex<Shelf>,
    /// Where segments in use are charged as well.
    account: Option<Account>,
}

/// The segments in existence: never more than the most that may be in use.
#[derive(Default)]
struct Shelf {
    /// Segments that are not idle.
    in_use: usize,
    /// Keeps the pool while there are any; idle ones do not.
    lease: Option<Arc<Home>>,
    /// The one that became idle last is on top: it is likely still in the cache.
    idle: Pile,
}

/// Nodes that nobody pins, with their segments, linked by their headers.
#[derive(Default)]
struct Pile {
    top: Option<NonNull<Node>>,
    len: usize,
}

// SAFETY: the nodes of a pile have no other holder, and their bytes belong to nobody.
unsafe impl Send for Pile {}

/// A cache line: nodes of different packets, which different threads count on, share
/// none.
#[repr(C, align(64))]
struct Pooled {
    header: Node,
    /// The pool's, which lives as long as any node is in use.
    home: *const Home,
}

impl Home {
    pub(crate) fn new(
        ledger: Ledger,
        segment: u32,
        most: usize,
        keep: usize,
        account: Option<Account>,
    ) -> Self {
        Self {
            ledger,
            segment,
            most,
            keep,
            shelf: Mutex::new(Shelf::default()),
            account,
        }
    }

    pub(crate) fn in_use(&self) -> usize {
        sync::lock(&self.shelf).in_use
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// A node with one pin, whole segment unused; its bytes are initialised but
    /// may be those of an earlier use.
    pub(crate) fn take(self: &Arc<Self>) -> Result<NodeRef, NoMemory> {
        let node = self.take_charged()?;
        // SAFETY: a node off the shelf is ours alone; the object behind the header is
        // a `Pooled`, made by `allocate`. The pin handed over is its first.
        let node = unsafe {
            node.as_ref().renew();
            (*node.cast::<Pooled>().as_ptr()).home = Arc::as_ptr(self);
            NodeRef::from_first(node)
        };
        self.ledger.enter(&node, self.segment as usize);
        // Only now: a watch that panics finds the node in somebody's hands.
        self.account.iter().for_each(Account::press);
        Ok(node)
    }

    /// Whether a node of kind Buffered is one of this pool.
    pub(crate) fn owns(&self, node: &NodeRef) -> bool {
        debug_assert_eq!(node.kind(), Kind::Buffered);
        // SAFETY: only `allocate` makes nodes of this kind, so the object is a
        // `Pooled`; the pin keeps it, and `home` was set before the first pin was.
        let home = unsafe { (*node.as_ptr().cast::<Pooled>().as_ptr()).home };
        core::ptr::eq(home, self)
    }

    /// An idle or a new node, counted as in use and charged to the account.
    fn take_charged(self: &Arc<Self>) -> Result<NonNull<Node>, NoMemory> {
        let idle = {
            let mut shelf = sync::lock(&self.shelf);
            if shelf.in_use >= self.most {
                return Err(NoMemory);
            }
            shelf.more(self);
            shelf.idle.pop()
        };
        let account = self.account.as_ref();
        let bytes = self.segment as usize;
        let mut panic = None;
        let refused = account.and_then(|account| account.add(bytes, &mut panic).err());
        if refused.is_none() {
            // Nobody was told anything: only what is taken back is told of.
            if let Some(node) = idle.or_else(|| allocate(self.segment)) {
                return Ok(node);
            }
            account
                .into_iter()
                .for_each(|account| account.give_back_telling(bytes, &mut panic));
        }
        let mut shelf = sync::lock(&self.shelf);
        idle.into_iter().for_each(|node| shelf.idle.push(node));
        // The caller has the pool too, so it does not go with the lease.
        drop(shelf.less(1));
        drop(shelf);
        resume(panic);
        Err(NoMemory)
    }

    /// Takes back what became idle: `pile`, of which `bottom` is the lowest. The
    /// caller has a share in the pool, which thus outlives the lock.
    fn put(&self, pile: Pile, bottom: NonNull<Node>) {
        let len = pile.len;
        let (surplus, lease) = {
            let mut shelf = sync::lock(&self.shelf);
            shelf.idle.put_on_top(pile, bottom);
            let surplus = shelf.idle.len.saturating_sub(self.keep);
            let surplus = shelf.idle.take_below(self.keep.min(1), surplus);
            // What is to be freed still exists, so it stays in use.
            let lease = shelf.less(len - surplus.len);
            (surplus, lease)
        };
        if surplus.len > 0 {
            let gone = surplus.len;
            drop(surplus);
            drop(sync::lock(&self.shelf).less(gone));
        }
        drop(lease);
    }
}

impl Shelf {
    #[inline]
    fn more(&mut self, home: &Arc<Home>) {
        if self.in_use == 0 {
            sync::note(1);
            self.lease = Some(Arc::clone(home));
        }
        self.in_use += 1;
    }

    /// Returns the lease with the last segment in use, to be dropped after the lock.
    #[inline]
    fn less(&mut self, segments: usize) -> Option<Arc<Home>> {
        self.in_use -= segments;
        if self.in_use == 0 {
            self.lease.take()
        } else {
            None
        }
    }
}

impl Pile {
    fn push(&mut self, node: NonNull<Node>) {
        // SAFETY: nodes that are given to a pile have no other holder.
        unsafe { node.as_ref() }.set_below(self.top);
        self.top = Some(node);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<NonNull<Node>> {
        let node = self.top?;
        // SAFETY: nodes of a pile have no other holder.
        self.top = unsafe { node.as_ref() }.below();
        self.len -= 1;
        Some(node)
    }

    /// Puts a pile with the given lowest node on top of this one.
    fn put_on_top(&mut self, pile: Pile, bottom: NonNull<Node>) {
        let mut pile = core::mem::ManuallyDrop::new(pile);
        // SAFETY: nodes of a pile have no other holder.
        unsafe { bottom.as_ref() }.set_below(self.top);
        self.top = pile.top.take();
        self.len += pile.len;
    }

    /// Takes out `n` nodes from below the first `spared`.
    fn take_below(&mut self, spared: usize, n: usize) -> Pile {
        let mut taken = Pile::default();
        if n == 0 {
            return taken;
        }
        let mut above = Pile::default();
        for _ in 0..spared {
            self.pop().into_iter().for_each(|node| above.push(node));
        }
        for _ in 0..n {
            self.pop().into_iter().for_each(|node| taken.push(node));
        }
        while let Some(node) = above.pop() {
            self.push(node);
        }
        taken
    }
}

impl Drop for Pile {
    fn drop(&mut self) {
        while let Some(node) = self.pop() {
            deallocate(node);
        }
    }
}

fn layout(segment: u32) -> Option<Layout> {
    Layout::from_size_align(segment as usize, ALIGN).ok()
}

/// A new node and its segment, zeroed once for its whole life.
fn allocate(segment: u32) -> Option<NonNull<Node>> {
    let layout = layout(segment).filter(|layout| layout.size() > 0)?;
    // SAFETY: the size is not zero.
    let base = NonNull::new(unsafe { alloc_zeroed(layout) })?;
    let pooled = Box::new(Pooled {
        header: Node::new(Kind::Buffered, base, segment, segment as usize, recycle),
        home: core::ptr::null(),
    });
    let pooled = NonNull::from(Box::leak(pooled));
    Some(pooled.cast())
}

fn deallocate(node: NonNull<Node>) {
    // SAFETY: made by `allocate`, and taken off a pile, hence without a holder.
    let pooled = unsafe { Box::from_raw(node.cast::<Pooled>().as_ptr()) };
    let base = pooled.header.base();
    if let Some(layout) = layout(pooled.header.capacity()) {
        // SAFETY: allocated in `allocate` with this very layout.
        unsafe { dealloc(base.as_ptr(), layout) };
    }
}

/// Nodes that become idle one after the other, on the way back to their pool: as
/// long as it is the same, they go together.
#[derive(Default)]
pub(crate) struct Returned {
    pile: Pile,
    bottom: Option<NonNull<Node>>,
    home: Option<Arc<Home>>,
}

impl Returned {
    /// # Safety
    ///
    /// `node` is a `Pooled` of which the last pin went.
    unsafe fn add(&mut self, node: NonNull<Node>) {
        // SAFETY: the object is ours alone.
        let home = unsafe { (*node.cast::<Pooled>().as_ptr()).home };
        let same = |kept: &Arc<Home>| core::ptr::eq(Arc::as_ptr(kept), home);
        if !self.home.as_ref().is_some_and(same) {
            self.give_back();
            // SAFETY: `home` came from an `Arc` of which the lease is a clone, and the
            // lease is not given up before this node is.
            self.home = Some(unsafe {
                sync::note(1);
                Arc::increment_strong_count(home);
                Arc::from_raw(home)
            });
        }
        if let Some(home) = &self.home {
            home.ledger.unlist(node);
        }
        self.pile.push(node);
        self.bottom.get_or_insert(node);
    }

    fn give_back(&mut self) {
        let (pile, bottom) = (core::mem::take(&mut self.pile), self.bottom.take());
        if let (Some(home), Some(bottom)) = (self.home.take(), bottom) {
            let (nodes, bytes) = (pile.len, pile.len * home.segment as usize);
            home.ledger.leave(Kind::Buffered, nodes, bytes);
            home.put(pile, bottom);
            if let Some(account) = &home.account {
                account.give_back(bytes);
            }
        }
    }
}

impl Drop for Returned {
    #[inline]
    fn drop(&mut self) {
        if self.home.is_some() {
            self.give_back();
        }
    }
}

/// `free` of a Buffered node: back to its pool.
///
/// # Safety
///
/// As [`Free`](crate::node::Free) says; the object is a `Pooled`.
unsafe fn recycle(node: NonNull<Node>, returned: &mut Returned) {
    // SAFETY: as promised by our caller.
    unsafe { returned.add(node) };
}
