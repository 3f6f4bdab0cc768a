//! Device nodes: memory the CPU may not read. A span of it is a place in the memory
//! of a provider, and only a driver that knows the provider moves the bytes.

use core::ptr::NonNull;
use std::sync::Arc;

use crate::completion::Token;
use crate::error::TooLong;
use crate::ledger::{Kind, Ledger, Listing};
use crate::node::{Node, NodeAt, NodeRef};
use crate::segment::Returned;

/// Whoever provides memory of a device. The stack asks it for nothing but its
/// number, and tells it when a piece is no longer used.
pub trait DeviceMemory: Send + Sync + 'static {
    /// Number of the memory, by which a driver recognises what it can move.
    fn provider(&self) -> u64;

    /// The `len` bytes from `offset` on are used by nobody any more. Called once for
    /// each span that was made, on the thread of the last drop, at the end of its
    /// [`Deferral`](crate::Deferral) if it has one; must not block.
    fn release(&self, offset: u64, len: usize);
}

/// Where the bytes of an extent lie that the CPU may not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceExtent {
    /// [`DeviceMemory::provider`].
    pub provider: u64,
    /// First byte, from the start of the provider's memory.
    pub offset: u64,
    /// Number of bytes.
    pub len: usize,
}

#[repr(C)]
struct Device {
    header: Node,
    memory: Arc<dyn DeviceMemory>,
    offset: u64,
    /// Dropped after the memory was released, also when that panics, and so is the
    /// token after it.
    listing: Listing,
    _token: Option<Token>,
}

/// A node for `len` bytes from `offset` on.
pub(crate) fn node(
    ledger: &Ledger,
    memory: Arc<dyn DeviceMemory>,
    offset: u64,
    len: usize,
    token: Option<Token>,
) -> Result<(NodeRef, u32), TooLong> {
    offset.checked_add(len as u64).ok_or(TooLong)?;
    let len = u32::try_from(len).map_err(|_| TooLong)?;
    let device = Box::new(Device {
        header: Node::new(Kind::Device, NonNull::dangling(), len, len as usize, free),
        memory,
        offset,
        listing: Listing::new(ledger, Kind::Device, len as usize),
        _token: token,
    });
    let header = NonNull::from(Box::leak(device)).cast::<Node>();
    // SAFETY: fresh, its header first, and `free` takes it apart.
    let node = unsafe { NodeRef::from_first(header) };
    ledger.enter(&node, len as usize);
    Ok((node, len))
}

/// Where `len` bytes from `at` on lie of a node of kind Device.
pub(crate) fn place(node: NodeAt<'_>, at: u32, len: u32) -> DeviceExtent {
    debug_assert_eq!(node.kind(), Kind::Device);
    // SAFETY: only `node` above makes nodes of this kind, so the object is a
    // `Device`; the pin behind `node` keeps it.
    let device = unsafe { node.as_ptr().cast::<Device>().as_ref() };
    DeviceExtent {
        provider: device.memory.provider(),
        offset: device.offset + u64::from(at),
        len: len as usize,
    }
}

/// # Safety
///
/// As [`Free`](crate::node::Free) says; the object is a `Device`.
unsafe fn free(node: NonNull<Node>, _: &mut Returned) {
    let device = node.cast::<Device>();
    // SAFETY: made by `node` from a box; the last pin is gone.
    let device = unsafe {
        device.as_ref().listing.ledger.unlist(node);
        Box::from_raw(device.as_ptr())
    };
    let len = device.header.capacity() as usize;
    device.memory.release(device.offset, len);
}

#[cfg(all(test, not(loom)))]
mod tests;
