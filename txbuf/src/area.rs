//! The exclusive header area of a packet, out of line and used again, so that a packet is small enough to
//! be moved through queues as a value.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

/// Bytes of a packet's exclusive header area.
pub const HEADER_AREA: usize = 160;

/// Areas that a thread keeps for its next packets.
const SPARE: usize = 1024;

thread_local! {
    // Boxed, because it is the boxes that move between packets and pool.
    #[allow(clippy::vec_box)]
    static POOL: RefCell<Vec<Box<[u8; HEADER_AREA]>>> = const { RefCell::new(Vec::new()) };
}

/// An area. What it holds at first is unspecified: headers of an earlier packet of the thread, or zeros.
pub(crate) struct Area(ManuallyDrop<Box<[u8; HEADER_AREA]>>);

impl Area {
    #[inline]
    pub(crate) fn take() -> Self {
        // A thread that is about to end has no pool any more.
        let spare = POOL.try_with(|pool| pool.borrow_mut().pop());
        let area = spare
            .ok()
            .flatten()
            .unwrap_or_else(|| Box::new([0; HEADER_AREA]));
        Area(ManuallyDrop::new(area))
    }
}

impl Drop for Area {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is the only place that takes the box out, and the field is not used after drop.
        let area = unsafe { ManuallyDrop::take(&mut self.0) };
        // The closure, and the box in it, is dropped where the thread has no pool any more.
        let _ = POOL.try_with(move |pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < SPARE {
                pool.push(area);
            }
        });
    }
}

impl Deref for Area {
    type Target = [u8; HEADER_AREA];

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Area {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
