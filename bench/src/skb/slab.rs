//! Free lists of header objects, as a `kmem_cache` keeps them for each CPU.

use std::cell::RefCell;
use std::thread::LocalKey;

/// A list of one thread. Boxed, because it is the boxes that move between packets and list.
#[allow(clippy::vec_box)]
pub(crate) type Slab<T> = RefCell<Vec<Box<T>>>;

/// Objects that a thread keeps.
const SPARE: usize = 1024;

/// An object of an earlier use, or a new one.
#[inline]
pub(crate) fn take<T>(slab: &'static LocalKey<Slab<T>>, new: fn() -> T) -> Box<T> {
    let spare = slab.try_with(|slab| slab.borrow_mut().pop());
    spare.ok().flatten().unwrap_or_else(|| Box::new(new()))
}

/// Keeps `object` for the next use.
#[inline]
pub(crate) fn give<T>(slab: &'static LocalKey<Slab<T>>, object: Box<T>) {
    let _ = slab.try_with(move |slab| {
        let mut slab = slab.borrow_mut();
        if slab.len() < SPARE {
            slab.push(object);
        }
    });
}
