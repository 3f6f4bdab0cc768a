//! Gather nodes: an ordered list of spans that passes as one span.

use core::ptr::NonNull;

use arrayvec::ArrayVec;

use crate::ledger::{Kind, Ledger};
use crate::node::{Node, NodeRef};
use crate::span::Span;

/// Most leaves of one gather node.
pub const GATHER_MAX: usize = 16;

/// The leaves while they are being put together.
pub(crate) type Leaves = ArrayVec<Span, GATHER_MAX>;

#[repr(C)]
struct Gather {
    header: Node,
    ledger: Ledger,
    leaves: Leaves,
}

/// A node that lists `leaves`, none of which is a gather itself; `len` is the
/// sum of their lengths.
pub(crate) fn node(ledger: &Ledger, leaves: Leaves, len: u32) -> NodeRef {
    debug_assert!(leaves.iter().all(|leaf| leaf.kind() != Kind::Gather));
    let gather = Box::new(Gather {
        header: Node::new(Kind::Gather, NonNull::dangling(), len, 0, free),
        ledger: ledger.clone(),
        leaves,
    });
    ledger.enter(Kind::Gather, size_of::<Gather>());
    let header = NonNull::from(Box::leak(gather)).cast::<Node>();
    // SAFETY: fresh, its header first, and `free` takes it apart.
    unsafe { NodeRef::from_first(header) }
}

/// The list of a node of kind Gather.
pub(crate) fn leaves(node: &NodeRef) -> &[Span] {
    debug_assert_eq!(node.kind(), Kind::Gather);
    // SAFETY: only `node` above makes nodes of this kind, so the object is a
    // `Gather`; the pin keeps it, and nobody writes the list after creation.
    unsafe { &(*node.as_ptr().cast::<Gather>().as_ptr()).leaves }
}

/// # Safety
///
/// As [`Free`](crate::node::Free) says; the object is a `Gather`.
unsafe fn free(node: NonNull<Node>) {
    // SAFETY: made by `node` from a box; the last pin is gone.
    let gather = unsafe { Box::from_raw(node.cast::<Gather>().as_ptr()) };
    gather.ledger.leave(Kind::Gather, size_of::<Gather>());
    // The leaves go with the box, one after the other. None is a gather, so
    // this nests no deeper, and each frees its own run in a loop.
}
