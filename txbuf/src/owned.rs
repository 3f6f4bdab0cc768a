//! Owned nodes: any buffer whose bytes neither move nor change, together with
//! its destructor.

use core::ptr::NonNull;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::TooLong;
use crate::ledger::{Kind, Ledger, Listing};
use crate::node::{Node, NodeRef};
use crate::segment::Returned;

/// An owner of bytes that can stand behind a [`Span`](crate::Span). It is
/// dropped when the last span on it goes, on whatever thread that happens; a
/// [`Deferral`](crate::Deferral) of that thread puts it off.
///
/// Its destructor may drop spans itself: what then loses its last pin, and is not a
/// segment of a pool, is freed after the destructor has returned, which thus must not
/// wait for it. A panic of the destructor reaches whoever dropped the span, when all
/// that went with it is freed and counted.
///
/// # Safety
///
/// As long as the owner lives, however it is moved, [`bytes`](Self::bytes)
/// returns the same memory, and nobody writes to that memory.
pub unsafe trait StableBytes: Send + Sync + 'static {
    /// The bytes.
    fn bytes(&self) -> &[u8];

    /// How much storage the owner keeps, which may be more than it shows.
    fn footprint(&self) -> usize {
        self.bytes().len()
    }
}

// SAFETY: the heap block of a vector stays where it is when the vector moves,
// and nobody has mutable access to a vector given away.
unsafe impl StableBytes for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn footprint(&self) -> usize {
        self.capacity()
    }
}

// SAFETY: as for `Vec`.
unsafe impl StableBytes for Box<[u8]> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

// SAFETY: while there is a clone here, `Arc::get_mut` refuses everybody else.
unsafe impl StableBytes for Arc<[u8]> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

// SAFETY: `Bytes` is immutable for all its holders, and its storage is on the
// heap or static.
unsafe impl StableBytes for Bytes {
    fn bytes(&self) -> &[u8] {
        self
    }
}

// SAFETY: a shared static slice is immutable and never goes away.
unsafe impl StableBytes for &'static [u8] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn footprint(&self) -> usize {
        0
    }
}

// SAFETY: moving the pair moves the owner, whose bytes stay where they are.
/// An owner together with what is to go with it: a message's [`Token`](crate::Token),
/// a [`Charge`](crate::Charge) for the storage. The owner is dropped first.
unsafe impl<O: StableBytes, T: Send + Sync + 'static> StableBytes for (O, T) {
    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    fn footprint(&self) -> usize {
        self.0.footprint()
    }
}

#[repr(C)]
struct Owned<O> {
    header: Node,
    owner: O,
    /// Dropped last, also when the owner's destructor panics.
    listing: Listing,
}

/// A node around `owner`, and the number of its bytes.
pub(crate) fn node<O: StableBytes>(ledger: &Ledger, owner: O) -> Result<(NodeRef, u32), TooLong> {
    let bytes = owner.bytes();
    let len = u32::try_from(bytes.len()).map_err(|_| TooLong)?;
    let footprint = owner.footprint();
    let mut owned = Box::new(Owned {
        header: Node::new(Kind::Owned, NonNull::dangling(), len, footprint, free::<O>),
        owner,
        listing: Listing::new(ledger, Kind::Owned, footprint),
    });
    // Looked for only where the owner stays: an address from before may not be used
    // once a box was moved.
    let base = NonNull::from_ref(owned.owner.bytes()).cast();
    owned.header.set_base(base);
    let header = NonNull::from(Box::leak(owned)).cast::<Node>();
    // SAFETY: fresh, its header first, and `free::<O>` takes it apart.
    let node = unsafe { NodeRef::from_first(header) };
    ledger.enter(&node, footprint);
    Ok((node, len))
}

/// # Safety
///
/// As [`Free`](crate::node::Free) says; the object is an `Owned<O>`.
unsafe fn free<O>(node: NonNull<Node>, _: &mut Returned) {
    let owned = node.cast::<Owned<O>>();
    // SAFETY: made by `node` from a box; the last pin is gone.
    let owned = unsafe {
        owned.as_ref().listing.ledger.unlist(node);
        Box::from_raw(owned.as_ptr())
    };
    drop(owned);
}

#[cfg(all(test, not(loom)))]
mod tests;
