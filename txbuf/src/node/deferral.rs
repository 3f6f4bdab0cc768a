//! The last drop of what belongs to others: their destructors run one after the
//! other, and, while somebody holds a lock, later.
//!
//! A node whose last pin went, and that is not the library's own storage, is put on a
//! list of its thread, linked through the node's own header: nothing is allocated. It
//! is taken apart at once, or when the thread's last [`Deferral`] ends. A destructor
//! that lets go of further nodes adds to the list, so that owners of owners are dropped
//! in a loop, however many there are.

use core::cell::Cell;
use core::marker::PhantomData;
use core::ptr::NonNull;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::completion::finish_deferred;
use crate::node::Node;
use crate::segment::Returned;

/// What a destructor panicked with.
type Panic = Box<dyn Any + Send>;

/// While it lives, no destructor of a buffer that was handed over, no
/// [`DeviceMemory::release`](crate::DeviceMemory::release) and no wake of
/// [`Completions`](crate::Completions) runs on this thread: they wait for its end. For
/// whoever drops spans under a lock that those might take.
///
/// ```
/// # use std::sync::{Mutex, Arc};
/// # use txbuf::{Deferral, Ledger, Span};
/// # let queue = Arc::new(Mutex::new(Vec::new()));
/// # let owner = (vec![0_u8; 8], Arc::clone(&queue));
/// # queue.lock().unwrap().push(Span::from_owner(&Ledger::new(), owner).unwrap());
/// let deferral = Deferral::begin();
/// let mut queued = queue.lock().unwrap();
/// queued.clear();
/// drop(queued);
/// // Now, without the lock:
/// deferral.finish(|panic| eprintln!("a destructor panicked: {panic:?}"));
/// ```
///
/// They may be nested; the outermost counts. What is put off is still on the ledger. One
/// that is forgotten (`mem::forget`) puts off for ever, which leaks.
#[must_use = "it defers until it is dropped"]
pub struct Deferral {
    /// It belongs to its thread.
    thread: PhantomData<*mut ()>,
}

impl Deferral {
    /// From now on destructors wait.
    #[inline]
    pub fn begin() -> Self {
        LATER.with(|later| later.held.set(later.held.get() + 1));
        Self {
            thread: PhantomData,
        }
    }

    /// Runs what has waited. A destructor that panics is told to `on_panic`, and the
    /// others run all the same. Within another deferral, and within a destructor that
    /// is running, nothing is done: the outer one does it.
    #[inline]
    pub fn finish(self, on_panic: impl FnMut(Box<dyn Any + Send>)) {
        let _ended = core::mem::ManuallyDrop::new(self);
        end(on_panic);
    }
}

impl Drop for Deferral {
    /// Runs what has waited; the first panic of a destructor goes on from here.
    fn drop(&mut self) {
        let mut first = None;
        end(|panic| {
            first.get_or_insert(panic);
        });
        go_on(first);
    }
}

fn end(on_panic: impl FnMut(Panic)) {
    LATER.with(|later| {
        later.held.set(later.held.get() - 1);
        if later.held.get() == 0 {
            later.run(on_panic);
        }
    });
}

/// Whether drops of what belongs to others wait on this thread.
#[inline]
pub(crate) fn is_on() -> bool {
    LATER.with(|later| later.held.get() > 0)
}

/// Takes apart a node of somebody else, now or when it is time.
///
/// # Safety
///
/// As for [`Free`](crate::node::Free), and the node has no link.
pub(super) unsafe fn part_with(node: NonNull<Node>) {
    let first = LATER.with(|later| {
        later.push(node);
        let mut first = None;
        if later.held.get() == 0 {
            later.run(|panic| {
                first.get_or_insert(panic);
            });
        }
        first
    });
    go_on(first);
}

fn go_on(panic: Option<Panic>) {
    if let Some(panic) = panic
        && !std::thread::panicking()
    {
        resume_unwind(panic);
    }
}

/// What waits on one thread.
struct Later {
    /// Deferrals that live.
    held: Cell<usize>,
    /// The list is being worked off.
    running: Cell<bool>,
    oldest: Cell<Option<NonNull<Node>>>,
    newest: Cell<Option<NonNull<Node>>>,
}

// Without a destructor of its own, so that it is there for those of others.
#[cfg(not(loom))]
thread_local!(static LATER: Later = const { Later::new() });
#[cfg(loom)]
loom::thread_local!(static LATER: Later = Later::new());

impl Later {
    const fn new() -> Self {
        Self {
            held: Cell::new(0),
            running: Cell::new(false),
            oldest: Cell::new(None),
            newest: Cell::new(None),
        }
    }

    fn push(&self, node: NonNull<Node>) {
        match self.newest.replace(Some(node)) {
            // SAFETY: what is listed is not taken apart yet, and nobody else has it.
            Some(before) => unsafe { before.as_ref() }.set_below(Some(node)),
            None => self.oldest.set(Some(node)),
        }
    }

    fn pop(&self) -> Option<NonNull<Node>> {
        let node = self.oldest.get()?;
        // SAFETY: as in `push`.
        let next = unsafe { node.as_ref() }.below();
        self.oldest.set(next);
        if next.is_none() {
            self.newest.set(None);
        }
        Some(node)
    }

    /// Works the list off, with what is added meanwhile.
    fn run(&self, mut on_panic: impl FnMut(Panic)) {
        if self.running.replace(true) {
            return;
        }
        loop {
            let parted = catch_unwind(AssertUnwindSafe(|| match self.pop() {
                Some(node) => {
                    // SAFETY: who listed it promised that it may be freed.
                    unsafe { (node.as_ref().free)(node, &mut Returned::default()) };
                    true
                }
                None => finish_deferred(),
            }));
            match parted {
                Ok(true) => {}
                Ok(false) => break,
                Err(panic) => on_panic(panic),
            }
        }
        self.running.set(false);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
