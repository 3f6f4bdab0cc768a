//! The refcounted node: who keeps storage alive, and who frees it.
//!
//! A [`Node`] is the common header of every kind of storage. It lies at the
//! front of a larger object (a pooled segment, an owner, a list of spans) which
//! knows, through `free`, how to take itself apart.
//!
//! Counting follows the usual argument. A new pin is only ever made from an
//! existing one, so taking it may be `Relaxed`. Dropping one is a `Release`
//! decrement, and whoever takes the count to zero performs an `Acquire` load
//! before it touches anything else: all uses through other pins happen before
//! the storage is freed or recycled. The same pair covers
//! [`NodeRef::is_unique`]: an owner that reads 1 with `Acquire` has every former
//! reader behind it and may write the storage anew.
//!
//! `next` is set at most once, by the chain that produces both nodes, before
//! any span that crosses from one to the other exists. `end` gets its final
//! value just before. Whoever holds a crossing span got it from that chain and
//! so sees both; whoever holds a span that ends earlier gets the same answer
//! from the preliminary value (the capacity) as from the final one.

use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use crate::ledger::Kind;
use crate::segment::Returned;
use crate::span::Span;
use crate::sync::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, Watched};

mod deferral;

pub use deferral::Deferral;
pub(crate) use deferral::is_on as is_deferred;

/// Frees the object whose header this is.
///
/// # Safety
///
/// The count has reached zero and the caller has synchronised with every
/// former holder; the link to the next node was taken out.
pub(crate) type Free = unsafe fn(NonNull<Node>, &mut Returned);

/// The header of every kind of storage.
#[repr(C)]
pub(crate) struct Node {
    refs: AtomicUsize,
    next: AtomicPtr<Node>,
    base: NonNull<u8>,
    /// Where the bytes of this node stop and `next` goes on.
    end: AtomicU32,
    capacity: u32,
    footprint: usize,
    free: Free,
    kind: Kind,
    /// In the models: the header, and the bytes of a node that has some.
    whole: Watched,
    bytes: Watched,
}

// SAFETY: the mutable fields are atomics; `base` is only dereferenced under the
// rules above, and what it points to is `Send + Sync` by construction (plain
// bytes, or an owner that is required to be both).
unsafe impl Send for Node {}
// SAFETY: as above.
unsafe impl Sync for Node {}

impl Node {
    /// A header with one pin, held by whoever turns it into a [`NodeRef`].
    pub(crate) fn new(
        kind: Kind,
        base: NonNull<u8>,
        capacity: u32,
        footprint: usize,
        free: Free,
    ) -> Self {
        Self {
            refs: AtomicUsize::new(1),
            next: AtomicPtr::new(ptr::null_mut()),
            base,
            end: AtomicU32::new(capacity),
            capacity,
            footprint,
            free,
            kind,
            whole: Watched::new(1),
            bytes: Watched::new(match kind {
                Kind::Buffered | Kind::Owned => capacity as usize,
                Kind::User | Kind::Device | Kind::Gather => 0,
            }),
        }
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// For a header that is not a node yet.
    pub(crate) fn set_base(&mut self, base: NonNull<u8>) {
        self.base = base;
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Number of pins, for reports.
    pub(crate) fn pins(&self) -> usize {
        self.refs.load(Ordering::Relaxed)
    }

    /// The node below this one on a pile of idle nodes.
    pub(crate) fn below(&self) -> Option<NonNull<Node>> {
        NonNull::new(self.next.load(Ordering::Relaxed))
    }

    /// Puts this node, which is idle, on top of `below`.
    pub(crate) fn set_below(&self, below: Option<NonNull<Node>>) {
        let below = below.map_or(ptr::null_mut(), NonNull::as_ptr);
        self.next.store(below, Ordering::Relaxed);
    }

    /// Makes a recycled header as good as new: one pin, no link, no end.
    pub(crate) fn renew(&self) {
        self.whole.write(0, 1);
        self.refs.store(1, Ordering::Relaxed);
        self.next.store(ptr::null_mut(), Ordering::Relaxed);
        self.end.store(self.capacity, Ordering::Relaxed);
    }

    /// Tells the models that the node is about to be freed or used for something else.
    #[inline(always)]
    fn goes(&self) {
        self.whole.write(0, 1);
        self.bytes.write(0, self.capacity as usize);
    }
}

/// One pin on a node.
#[repr(transparent)]
pub(crate) struct NodeRef(NonNull<Node>);

// SAFETY: a node may be used and dropped from any thread, see `Node`.
unsafe impl Send for NodeRef {}
// SAFETY: as above.
unsafe impl Sync for NodeRef {}

impl NodeRef {
    /// Takes over the one pin of a fresh node.
    ///
    /// # Safety
    ///
    /// `node` points to the header of an object that `free` can take apart,
    /// valid for access to the whole object, and nobody else uses its first pin.
    #[inline]
    pub(crate) unsafe fn from_first(node: NonNull<Node>) -> Self {
        Self(node)
    }

    /// A node without bytes, which lives for ever and is on no ledger.
    pub(crate) fn empty() -> Self {
        #[cfg(not(loom))]
        let node = {
            static EMPTY: Node = Node {
                refs: AtomicUsize::new(1),
                next: AtomicPtr::new(ptr::null_mut()),
                base: NonNull::dangling(),
                end: AtomicU32::new(0),
                capacity: 0,
                footprint: 0,
                free: keep,
                kind: Kind::Owned,
                whole: Watched::new(1),
                bytes: Watched::new(0),
            };
            NonNull::from_ref(&EMPTY)
        };
        #[cfg(loom)]
        let node = NonNull::from_ref(Box::leak(Box::new(Node::new(
            Kind::Owned,
            NonNull::dangling(),
            0,
            0,
            keep,
        ))));
        NodeAt(node, PhantomData).pin()
    }

    #[inline]
    fn node(&self) -> &Node {
        // SAFETY: a pin keeps its node alive, and the header is only ever
        // accessed through shared references while pins exist.
        let node = unsafe { self.0.as_ref() };
        node.whole.read(0, 1);
        node
    }

    /// The node, without a pin of its own.
    #[inline]
    pub(crate) fn at(&self) -> NodeAt<'_> {
        NodeAt(self.0, PhantomData)
    }

    /// The pointer that `free` will get.
    #[inline]
    pub(crate) fn as_ptr(&self) -> NonNull<Node> {
        self.0
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        self.node().kind
    }

    #[inline]
    pub(crate) fn capacity(&self) -> u32 {
        self.node().capacity
    }

    #[inline]
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.node().base
    }

    /// Tells the models that all bytes from `from` on are, or may be, written.
    #[inline(always)]
    pub(crate) fn writes(&self, from: u32) {
        let node = self.node();
        node.bytes.write(from as usize, node.capacity as usize);
    }

    #[inline]
    pub(crate) fn same(&self, other: &NodeRef) -> bool {
        self.0 == other.0
    }

    /// True when this is the only pin. The holder then has the storage to
    /// itself, and every earlier use by others happened before.
    #[inline]
    pub(crate) fn is_unique(&self) -> bool {
        self.node().refs.load(Ordering::Acquire) == 1
    }

    /// True when another node follows this one. Reliable for the node's producer,
    /// and for a holder who found the node unique before.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        !self.node().next.load(Ordering::Relaxed).is_null()
    }

    /// Ends this node at `end` and lets `next` follow it. Only the chain that
    /// produces both may call this, once nothing will be written here any more
    /// and before it makes a span that crosses.
    pub(crate) fn link(&self, end: u32, next: NodeRef) {
        let node = self.node();
        debug_assert!(!self.is_linked() && end <= node.capacity && !self.same(&next));
        node.end.store(end, Ordering::Relaxed);
        let next = core::mem::ManuallyDrop::new(next);
        let before = node.next.swap(next.0.as_ptr(), Ordering::Release);
        if let Some(before) = NonNull::new(before) {
            drop(Self(before));
        }
    }

    /// Number of pins, for reports and tests.
    pub(crate) fn pins(&self) -> usize {
        self.node().pins()
    }
}

impl Clone for NodeRef {
    #[inline]
    fn clone(&self) -> Self {
        self.at().pin()
    }
}

impl Drop for NodeRef {
    #[inline]
    fn drop(&mut self) {
        unpin(self.0, 1);
    }
}

/// Pins taken in one addition, to be handed out one by one.
pub(crate) struct Prepaid {
    node: NonNull<Node>,
    left: usize,
}

// SAFETY: a number of pins may move to another thread as one pin may.
unsafe impl Send for Prepaid {}
// SAFETY: as above; nothing is done through a shared reference.
unsafe impl Sync for Prepaid {}

impl Prepaid {
    /// `pins` more pins on `node`, in one addition.
    pub(crate) fn new(node: NodeAt<'_>, pins: usize) -> Self {
        if pins > 0 {
            node.add(pins);
        }
        Self {
            node: node.0,
            left: pins,
        }
    }

    /// The pin `first` and as many `more` on its node, in one addition.
    pub(crate) fn with(first: NodeRef, more: usize) -> Self {
        let mut pins = Self::new(first.at(), more);
        // Its pin is one of those handed out.
        let _ = core::mem::ManuallyDrop::new(first);
        pins.left += 1;
        pins
    }

    /// Whether all pins are handed out.
    #[inline]
    pub(crate) fn is_used_up(&self) -> bool {
        self.left == 0
    }

    /// The node, while some of the pins are left.
    pub(crate) fn node(&self) -> Option<NodeAt<'_>> {
        (self.left > 0).then_some(NodeAt(self.node, PhantomData))
    }

    /// One of the pins; none when all are handed out.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<NodeRef> {
        self.left = self.left.checked_sub(1)?;
        Some(NodeRef(self.node))
    }
}

impl Drop for Prepaid {
    fn drop(&mut self) {
        if self.left > 0 {
            unpin(self.node, self.left);
        }
    }
}

/// A node seen through somebody's pin, for walking along a run.
#[derive(Clone, Copy)]
pub(crate) struct NodeAt<'a>(NonNull<Node>, PhantomData<&'a NodeRef>);

impl<'a> NodeAt<'a> {
    #[inline]
    fn node(self) -> &'a Node {
        // SAFETY: the pin borrowed for `'a` keeps its node alive, and with it,
        // by their links, all nodes after it.
        let node = unsafe { self.0.as_ref() };
        node.whole.read(0, 1);
        node
    }

    /// Tells the models that bytes are read.
    #[inline(always)]
    pub(crate) fn reads(self, from: u32, len: u32) {
        self.node().bytes.read(from as usize, len as usize);
    }

    /// A pin of its own.
    #[inline]
    pub(crate) fn pin(self) -> NodeRef {
        self.add(1);
        NodeRef(self.0)
    }

    #[inline]
    fn add(self, pins: usize) {
        #[cfg(test)]
        counting::record_add();
        let before = self.node().refs.fetch_add(pins, Ordering::Relaxed);
        if before > isize::MAX as usize {
            overflow();
        }
    }

    #[inline]
    pub(crate) fn next(self) -> Option<NodeAt<'a>> {
        let next = self.node().next.load(Ordering::Acquire);
        NonNull::new(next).map(|next| NodeAt(next, PhantomData))
    }

    #[inline]
    pub(crate) fn end(self) -> u32 {
        self.node().end.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn footprint(self) -> usize {
        self.node().footprint
    }

    #[inline]
    pub(crate) fn base(self) -> NonNull<u8> {
        self.node().base
    }

    #[inline]
    pub(crate) fn is(self, other: &NodeRef) -> bool {
        self.0 == other.0
    }

    #[inline]
    pub(crate) fn kind(self) -> Kind {
        self.node().kind
    }

    #[inline]
    pub(crate) fn as_ptr(self) -> NonNull<Node> {
        self.0
    }

    #[inline]
    pub(crate) fn same(self, other: NodeAt<'_>) -> bool {
        self.0 == other.0
    }

    /// Goes forward along the links until `offset` lies inside a node.
    #[inline]
    pub(crate) fn seek(self, offset: u32) -> (NodeAt<'a>, u32) {
        let (mut node, mut offset) = (self, offset);
        while offset >= node.end()
            && let Some(next) = node.next()
        {
            offset -= node.end();
            node = next;
        }
        (node, offset)
    }
}

/// The list of a gather node, and nothing for any other kind.
#[inline]
pub(crate) fn leaves(node: &NodeRef) -> Option<&[Span]> {
    if node.kind() == Kind::Gather {
        Some(crate::gather::leaves(node.at()))
    } else {
        None
    }
}

#[inline]
fn unpin(node: NonNull<Node>, pins: usize) {
    // SAFETY: the caller gives up `pins` pins that it holds, so the node lives.
    let header = unsafe { node.as_ref() };
    header.whole.read(0, 1);
    if header.refs.fetch_sub(pins, Ordering::Release) == pins {
        free_run(node);
    }
}

/// Frees a node whose last pin went, and then, in a loop, those after it that
/// only its link kept.
#[inline(never)]
fn free_run(first: NonNull<Node>) {
    // SAFETY: the count is zero, so the header is ours alone and lives until `free`.
    let header = unsafe { first.as_ref() };
    if header.kind.is_foreign() {
        header.refs.load(Ordering::Acquire);
        header.goes();
        // SAFETY: the count reached zero and the load above synchronised with every
        // decrement. Only Buffered nodes are ever linked.
        return unsafe { deferral::part_with(first) };
    }
    let (mut node, mut returned) = (first, Returned::default());
    loop {
        let next = {
            // SAFETY: the count is zero, so the header is ours alone and lives
            // until `free` below.
            let header = unsafe { node.as_ref() };
            header.refs.load(Ordering::Acquire);
            header.goes();
            header.next.load(Ordering::Relaxed)
        };
        // SAFETY: the count reached zero and the load above synchronised with
        // every decrement. The link is ours from here on, not the node's.
        unsafe {
            let free = node.as_ref().free;
            free(node, &mut returned);
        }
        let Some(next) = NonNull::new(next) else {
            return;
        };
        // SAFETY: the freed node's link was a pin on `next`; we now give it up.
        let header = unsafe { next.as_ref() };
        // If it is the only one, nobody can add to it or take from it any more. All
        // former holders are behind us once the load at the top of the loop has read
        // the same 1, so that this one may be relaxed. If it is not, our decrement is
        // a `Release` like any other: whoever held the freed node may have read the
        // next one's bytes through it.
        if header.refs.load(Ordering::Relaxed) != 1
            && header.refs.fetch_sub(1, Ordering::Release) != 1
        {
            return;
        }
        node = next;
    }
}

/// `free` of the node that lives for ever.
unsafe fn keep(_: NonNull<Node>, _: &mut Returned) {}

/// A count that high can only come from pins leaked in a loop; going on would
/// end in a use after free.
#[cold]
fn overflow() -> ! {
    std::process::abort()
}

/// Counts additions to reference counts, so that tests can state their number.
#[cfg(test)]
pub(crate) mod counting {
    use std::cell::Cell;

    thread_local!(static ADDS: Cell<usize> = const { Cell::new(0) });

    pub(super) fn record_add() {
        ADDS.set(ADDS.get() + 1);
    }

    #[cfg(not(loom))]
    /// The additions that `f` made on this thread, and what it returned.
    pub(crate) fn adds<R>(f: impl FnOnce() -> R) -> (usize, R) {
        let before = ADDS.get();
        let result = f();
        (ADDS.get() - before, result)
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
