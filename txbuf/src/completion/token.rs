//! Tokens, and the queue they become entries of.
//!
//! The queue is a stack of entries linked through the tokens themselves: a last
//! drop pushes with compare-and-exchange, the one consumer takes all with a swap, so
//! no entry is ever taken out of the middle. A consumer that goes away leaves `gone`
//! in place of the head; who finds it frees its entry instead of pushing.
//!
//! Holders count as pins on nodes do: a drop is a `Release` decrement, and the last one
//! is followed by an `Acquire` load. The mark that a message was copied, a relaxed
//! store, is thus seen by whoever finishes it, whichever holder set it; and by the
//! consumer, who acquires what the push released.

use core::fmt;
use core::ptr::{self, NonNull};
use std::sync::Arc;

use crate::sync::{self, AtomicPtr, AtomicU32, AtomicUsize, Ordering, Tracked};

/// What is called when the queue is no longer empty.
pub(super) type Wake = Box<dyn Fn() + Send + Sync>;

/// Used entries that a consumer keeps for its next messages.
const SPARE: usize = 64;

struct Entry {
    holders: AtomicUsize,
    /// The entry pushed before this one.
    next: AtomicPtr<Entry>,
    copied: AtomicU32,
    id: u32,
    /// Taken out by the last holder, before the entry is pushed.
    queue: Option<Arc<Queue>>,
    _tracked: Tracked,
}

impl Entry {
    fn add(&self, holders: usize) {
        let before = self.holders.fetch_add(holders, Ordering::Relaxed);
        if before > isize::MAX as usize {
            // Only clones leaked in a loop come this far.
            std::process::abort();
        }
    }
}

struct Queue {
    /// The entry pushed last; null when there is none, `gone()` without a consumer.
    head: AtomicPtr<Entry>,
    wake: Option<Wake>,
}

/// Stands for the consumer's end in a queue that has none any more. No entry lies
/// there.
fn gone() -> *mut Entry {
    NonNull::dangling().as_ptr()
}

/// A share in one message. The message is done when all clones of its token are
/// dropped, which may happen on any thread.
pub struct Token(NonNull<Entry>);

// SAFETY: the entry is counted; its fields are atomics, or written only by whoever
// made or last held it.
unsafe impl Send for Token {}
// SAFETY: as above.
unsafe impl Sync for Token {}

impl Token {
    fn entry(&self) -> &Entry {
        // SAFETY: this token is one of the holders that keep the entry.
        unsafe { self.0.as_ref() }
    }

    /// The message's number.
    pub fn id(&self) -> u32 {
        self.entry().id
    }

    /// Has the message reported as copied.
    pub fn mark_copied(&self) {
        self.entry().copied.store(1, Ordering::Relaxed);
    }

    /// Whether the message will be reported as copied, as things are.
    pub fn is_copied(&self) -> bool {
        self.entry().copied.load(Ordering::Relaxed) != 0
    }

    /// As many clones as asked for, in one addition.
    pub(crate) fn clones(&self, n: usize) -> Clones {
        if n > 0 {
            self.entry().add(n);
        }
        Clones {
            entry: self.0,
            left: n,
        }
    }
}

/// Clones taken in bulk, see [`Token::clones`].
pub(crate) struct Clones {
    entry: NonNull<Entry>,
    left: usize,
}

impl Iterator for Clones {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.left = self.left.checked_sub(1)?;
        Some(Token(self.entry))
    }
}

impl Drop for Clones {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        self.entry().add(1);
        Self(self.0)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if self.entry().holders.fetch_sub(1, Ordering::Release) == 1 {
            self.entry().holders.load(Ordering::Acquire);
            if crate::node::is_deferred() {
                later::push(self.0);
                return;
            }
            finish(self.0);
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id())
            .field("copied", &self.is_copied())
            .finish()
    }
}

/// Entries that nobody holds any more and whose consumers are to hear of it later, see
/// [`Deferral`](crate::Deferral): linked through themselves, so nothing is allocated.
mod later {
    use super::{AtomicPtr, Entry, NonNull, Ordering};
    use core::cell::Cell;
    use core::ptr;

    type Link = Cell<Option<NonNull<Entry>>>;

    #[cfg(not(loom))]
    thread_local!(static ENDS: (Link, Link) = const { (Cell::new(None), Cell::new(None)) });
    #[cfg(loom)]
    loom::thread_local!(static ENDS: (Link, Link) = (Cell::new(None), Cell::new(None)));

    fn next<'a>(entry: NonNull<Entry>) -> &'a AtomicPtr<Entry> {
        // SAFETY: only called with listed entries, which nobody else has.
        unsafe { &(*entry.as_ptr()).next }
    }

    pub(super) fn push(entry: NonNull<Entry>) {
        ENDS.with(|(oldest, newest)| {
            next(entry).store(ptr::null_mut(), Ordering::Relaxed);
            match newest.replace(Some(entry)) {
                Some(before) => next(before).store(entry.as_ptr(), Ordering::Relaxed),
                None => oldest.set(Some(entry)),
            }
        });
    }

    pub(super) fn pop() -> Option<NonNull<Entry>> {
        ENDS.with(|(oldest, newest)| {
            let entry = oldest.get()?;
            oldest.set(NonNull::new(next(entry).load(Ordering::Relaxed)));
            if oldest.get().is_none() {
                newest.set(None);
            }
            Some(entry)
        })
    }
}

/// Tells the consumer of the message that was deferred first; false if there is none.
pub(crate) fn finish_deferred() -> bool {
    let entry = later::pop();
    entry.into_iter().for_each(finish);
    entry.is_some()
}

/// Pushes an entry that nobody holds any more.
#[cold]
fn finish(entry: NonNull<Entry>) {
    // SAFETY: the count is zero and the load after it synchronised with the other
    // holders, so the entry is ours alone until it is pushed.
    let queue = unsafe { (*entry.as_ptr()).queue.take() };
    let Some(queue) = queue else { return };
    // The count of the `Arc`.
    sync::note(1);
    let mut head = queue.head.load(Ordering::Acquire);
    loop {
        if head == gone() {
            // SAFETY: as above, and it will not be pushed.
            drop(unsafe { Box::from_raw(entry.as_ptr()) });
            return;
        }
        // SAFETY: as above.
        unsafe { entry.as_ref() }
            .next
            .store(head, Ordering::Relaxed);
        let pushed =
            queue
                .head
                .compare_exchange(head, entry.as_ptr(), Ordering::AcqRel, Ordering::Acquire);
        match pushed {
            Ok(_) => break,
            Err(now) => head = now,
        }
    }
    if head.is_null()
        && let Some(wake) = &queue.wake
    {
        wake();
    }
}

/// A message all of whose holders are gone.
#[derive(Clone, Copy)]
pub(super) struct Finished {
    pub(super) id: u32,
    pub(super) copied: bool,
}

/// The one end that takes entries out.
pub(super) struct Consumer {
    queue: Arc<Queue>,
    // Boxed, because it is the boxes that go to and fro.
    #[allow(clippy::vec_box)]
    spare: Vec<Box<Entry>>,
}

impl Consumer {
    pub(super) fn new(wake: Option<Wake>) -> Self {
        let queue = Queue {
            head: AtomicPtr::new(ptr::null_mut()),
            wake,
        };
        Self {
            queue: Arc::new(queue),
            spare: Vec::new(),
        }
    }

    pub(super) fn issue(&mut self, id: u32) -> Token {
        sync::note(1);
        let queue = Some(Arc::clone(&self.queue));
        let entry = match self.spare.pop() {
            Some(mut entry) => {
                entry.holders.store(1, Ordering::Relaxed);
                entry.copied.store(0, Ordering::Relaxed);
                (entry.id, entry.queue) = (id, queue);
                entry
            }
            None => Box::new(Entry {
                holders: AtomicUsize::new(1),
                next: AtomicPtr::new(ptr::null_mut()),
                copied: AtomicU32::new(0),
                id,
                queue,
                _tracked: Tracked::new(),
            }),
        };
        Token(NonNull::from(Box::leak(entry)))
    }

    /// Calls `f` with every message that finished since the last call, oldest first.
    pub(super) fn take(&mut self, mut f: impl FnMut(Finished)) {
        if self.queue.head.load(Ordering::Relaxed).is_null() {
            return;
        }
        let newest = self.queue.head.swap(ptr::null_mut(), Ordering::AcqRel);
        let mut next = reverse(newest);
        while let Some(entry) = NonNull::new(next) {
            // SAFETY: the swap took the whole list; nobody else knows its entries,
            // each of which came from a box.
            let entry = unsafe { Box::from_raw(entry.as_ptr()) };
            next = entry.next.load(Ordering::Relaxed);
            f(Finished {
                id: entry.id,
                copied: entry.copied.load(Ordering::Relaxed) != 0,
            });
            if self.spare.len() < SPARE {
                self.spare.push(entry);
            }
        }
    }
}

/// Turns a list around; returns what was its end.
fn reverse(newest: *mut Entry) -> *mut Entry {
    let (mut done, mut rest) = (ptr::null_mut(), newest);
    while let Some(entry) = NonNull::new(rest) {
        // SAFETY: as in `take`, whose list this is.
        let next = unsafe { &entry.as_ref().next };
        rest = next.load(Ordering::Relaxed);
        next.store(done, Ordering::Relaxed);
        done = entry.as_ptr();
    }
    done
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let mut next = self.queue.head.swap(gone(), Ordering::AcqRel);
        while let Some(entry) = NonNull::new(next) {
            // SAFETY: as in `take`.
            let entry = unsafe { Box::from_raw(entry.as_ptr()) };
            next = entry.next.load(Ordering::Relaxed);
        }
    }
}
