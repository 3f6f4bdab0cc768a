//! Gather nodes: an ordered list of spans that passes as one span.

use core::ptr::NonNull;

use arrayvec::ArrayVec;

use crate::ledger::{Kind, Ledger, Listing};
use crate::node::{Node, NodeAt, NodeRef};
use crate::segment::Returned;
use crate::span::Span;

/// Most leaves of one gather node.
pub const GATHER_MAX: usize = 16;

/// The leaves while they are being put together.
pub(crate) type Leaves = ArrayVec<Span, GATHER_MAX>;

#[repr(C)]
struct Gather {
    header: Node,
    listing: Listing,
    leaves: Leaves,
}

/// A node that lists `leaves`, none of which is a gather itself.
pub(crate) fn node(ledger: &Ledger, leaves: Leaves) -> NodeRef {
    debug_assert!(leaves.iter().all(|leaf| leaf.kind() != Kind::Gather));
    let gather = Box::new(Gather {
        // No bytes of its own: whoever walks by offsets comes to the list at once.
        header: Node::new(Kind::Gather, NonNull::dangling(), 0, 0, free),
        listing: Listing::new(ledger, Kind::Gather, size_of::<Gather>()),
        leaves,
    });
    let header = NonNull::from(Box::leak(gather)).cast::<Node>();
    // SAFETY: fresh, its header first, and `free` takes it apart.
    let node = unsafe { NodeRef::from_first(header) };
    ledger.enter(&node, size_of::<Gather>());
    node
}

/// The list of a node of kind Gather.
pub(crate) fn leaves(node: NodeAt<'_>) -> &[Span] {
    debug_assert_eq!(node.kind(), Kind::Gather);
    // SAFETY: only `node` above makes nodes of this kind, so the object is a
    // `Gather`; the pin behind `node` keeps it, and nobody writes the list after
    // creation unless that pin is the only one and its own.
    unsafe { &(*node.as_ptr().cast::<Gather>().as_ptr()).leaves }
}

/// The list of a node of kind Gather that nobody else pins, to be filled further.
pub(crate) fn fillable(node: &mut NodeRef) -> Option<&mut Leaves> {
    if node.kind() != Kind::Gather || !node.is_unique() {
        return None;
    }
    // SAFETY: as for `leaves`. The only pin is borrowed mutably, so nobody reads
    // the list or can begin to; `is_unique` has all former readers behind it.
    Some(unsafe { &mut (*node.as_ptr().cast::<Gather>().as_ptr()).leaves })
}

/// # Safety
///
/// As [`Free`](crate::node::Free) says; the object is a `Gather`.
unsafe fn free(node: NonNull<Node>, _: &mut Returned) {
    let gather = node.cast::<Gather>();
    // SAFETY: made by `node` from a box; the last pin is gone.
    let gather = unsafe {
        gather.as_ref().listing.ledger.unlist(node);
        Box::from_raw(gather.as_ptr())
    };
    drop(gather);
    // The leaves went with the box, one after the other, also when somebody's
    // destructor panicked; each frees its own run in a loop.
}
