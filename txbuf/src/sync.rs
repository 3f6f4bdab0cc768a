//! The one place where atomics are chosen: the standard ones, loom's when the
//! concurrency models are built with `--cfg loom`, or ones that count themselves
//! in the unit tests, for the price list.
//!
//! Only what decides lifetime goes through loom. Counters that merely report
//! (the ledger's) stay with the standard library there: they order nothing,
//! and in a model they would only multiply the interleavings. They are
//! [`Level`]s, which the price list counts like the others.

use std::sync::PoisonError;

#[cfg(all(not(loom), not(test)))]
pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};

/// Locks; a panic under the lock of this crate's data leaves them whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Taking it and giving it back.
    note(2);
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(not(loom))]
pub(crate) use plain::{Tracked, Watched};
#[cfg(loom)]
pub(crate) use watching::{Tracked, Watched};

/// What loom looks at in the models: memory, every use of which is said to it, so that
/// it reports those that the atomics leave unordered. Nothing at all without loom.
#[cfg(loom)]
mod watching {
    use loom::cell::UnsafeCell;

    /// So many bytes.
    pub(crate) struct Watched(Vec<UnsafeCell<()>>);

    impl Watched {
        pub(crate) fn new(len: usize) -> Self {
            Self((0..len).map(|_| UnsafeCell::new(())).collect())
        }

        /// `len` bytes from `from` on are read.
        pub(crate) fn read(&self, from: usize, len: usize) {
            self.0
                .iter()
                .skip(from)
                .take(len)
                .for_each(|cell| cell.with(|_| ()));
        }

        /// `len` bytes from `from` on are written, or go away.
        pub(crate) fn write(&self, from: usize, len: usize) {
            self.0
                .iter()
                .skip(from)
                .take(len)
                .for_each(|cell| cell.with_mut(|_| ()));
        }
    }

    /// Lies in objects that must not be left behind.
    pub(crate) struct Tracked {
        _track: loom::alloc::Track<()>,
    }

    impl Tracked {
        pub(crate) fn new() -> Self {
            let _track = loom::alloc::Track::new(());
            Self { _track }
        }
    }
}

#[cfg(not(loom))]
mod plain {
    pub(crate) struct Watched;

    impl Watched {
        #[inline(always)]
        pub(crate) const fn new(_: usize) -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn read(&self, _: usize, _: usize) {}

        #[inline(always)]
        pub(crate) fn write(&self, _: usize, _: usize) {}
    }

    pub(crate) struct Tracked;

    impl Tracked {
        #[inline(always)]
        pub(crate) const fn new() -> Self {
            Self
        }
    }
}

/// A number that reports and orders nothing.
#[cfg(loom)]
pub(crate) type Level = core::sync::atomic::AtomicUsize;
#[cfg(not(loom))]
pub(crate) type Level = AtomicUsize;

#[cfg(all(test, not(loom)))]
pub(crate) use counted::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, counted};

/// Counts what other crates' types do: `n` read-modify-writes.
#[inline(always)]
pub(crate) fn note(n: usize) {
    #[cfg(all(test, not(loom)))]
    counted::note(n);
    #[cfg(not(all(test, not(loom))))]
    let _ = n;
}

/// Atomics that count the read-modify-writes of each thread. Loads and stores of
/// these orderings are plain instructions and free.
#[cfg(all(test, not(loom)))]
mod counted {
    use core::sync::atomic;
    use std::cell::Cell;

    pub(crate) use core::sync::atomic::Ordering;

    thread_local!(static COUNT: Cell<usize> = const { Cell::new(0) });

    pub(super) fn note(n: usize) {
        COUNT.set(COUNT.get() + n);
    }

    /// How many read-modify-writes `f` made on this thread, and what it returned.
    pub(crate) fn counted<R>(f: impl FnOnce() -> R) -> (usize, R) {
        let before = COUNT.get();
        let result = f();
        (COUNT.get() - before, result)
    }

    macro_rules! atomic {
        ($name:ident $(<$t:ident>)?, $inner:ty, $value:ty) => {
            #[derive(Default)]
            #[repr(transparent)]
            pub(crate) struct $name $(<$t>)? ($inner);

            #[allow(dead_code, reason = "one list of methods for all of them")]
            impl $(<$t>)? $name $(<$t>)? {
                pub(crate) const fn new(value: $value) -> Self {
                    Self(<$inner>::new(value))
                }

                pub(crate) fn load(&self, order: Ordering) -> $value {
                    self.0.load(order)
                }

                pub(crate) fn store(&self, value: $value, order: Ordering) {
                    self.0.store(value, order);
                }

                pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                    note(1);
                    self.0.swap(value, order)
                }

                pub(crate) fn compare_exchange(
                    &self,
                    old: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    note(1);
                    self.0.compare_exchange(old, new, success, failure)
                }
            }
        };
    }

    atomic!(AtomicPtr<T>, atomic::AtomicPtr<T>, *mut T);
    atomic!(AtomicU32, atomic::AtomicU32, u32);
    atomic!(AtomicUsize, atomic::AtomicUsize, usize);

    impl AtomicUsize {
        pub(crate) fn fetch_add(&self, n: usize, order: Ordering) -> usize {
            note(1);
            self.0.fetch_add(n, order)
        }

        pub(crate) fn fetch_sub(&self, n: usize, order: Ordering) -> usize {
            note(1);
            self.0.fetch_sub(n, order)
        }

        pub(crate) fn fetch_update(
            &self,
            success: Ordering,
            failure: Ordering,
            f: impl FnMut(usize) -> Option<usize>,
        ) -> Result<usize, usize> {
            note(1);
            self.0.fetch_update(success, failure, f)
        }
    }
}
