//! What other threads leave for the stack, which is nobody's thread.
//!
//! The last share of a token, and the last pin on storage, may be dropped on any thread, by a device or by somebody
//! who kept a clone. Whoever drops it takes a note under a lock that is held for an instant, and wakes whoever drives
//! the stack; the stack turns the notes into events.

use crate::socket::SocketId;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use txbuf::{Completions, Order, Watch};

/// Messages of one socket that may wait for their completion to be polled.
const MAX_MESSAGES: usize = 4096;

/// Where word is left. Every clone is the same one.
#[derive(Clone)]
pub(crate) struct Doorbell(Arc<Rung>);

struct Rung {
    any: AtomicBool,
    /// Bytes came back to an account that somebody waits for.
    room: AtomicBool,
    /// Who has messages that are complete: each socket at most once, with the flag that says that it stands here.
    completed: Mutex<Vec<(SocketId, Arc<AtomicBool>)>>,
    waker: Option<Waker>,
}

impl Doorbell {
    pub(crate) fn new(waker: Option<Waker>) -> Self {
        Doorbell(Arc::new(Rung {
            any: AtomicBool::new(false),
            room: AtomicBool::new(false),
            completed: Mutex::new(Vec::new()),
            waker,
        }))
    }

    /// Whether there is word that was not taken.
    pub(crate) fn is_rung(&self) -> bool {
        // With the store in `ring`, in one order with whatever the waker and the sleeper do.
        self.0.any.load(Ordering::SeqCst)
    }

    /// Says that what is left from here on is new. To be followed by taking what is there.
    pub(crate) fn answer(&self) {
        self.0.any.store(false, Ordering::SeqCst);
    }

    /// Where the completions of `socket` come that ring here.
    pub(crate) fn completions(&self, socket: SocketId, order: Order) -> Completions {
        // Room for every socket with completions, so that a last drop never allocates.
        self.completed().reserve(Arc::strong_count(&self.0));
        let doorbell = self.clone();
        let noted = Arc::new(AtomicBool::new(false));
        Completions::with_wake(order, MAX_MESSAGES, move || {
            doorbell.note_completed(socket, &noted);
        })
    }

    /// The sockets with completions.
    pub(crate) fn take_completed(&self) -> Vec<SocketId> {
        let told = |(socket, noted): (SocketId, Arc<AtomicBool>)| {
            noted.store(false, Ordering::Release);
            socket
        };
        self.completed().drain(..).map(told).collect()
    }

    /// Whether bytes came back.
    pub(crate) fn take_room(&self) -> bool {
        self.0.room.swap(false, Ordering::AcqRel)
    }

    fn note_completed(&self, socket: SocketId, noted: &Arc<AtomicBool>) {
        if noted.swap(true, Ordering::AcqRel) {
            return;
        }
        self.completed().push((socket, Arc::clone(noted)));
        self.ring();
    }

    fn ring(&self) {
        self.0.any.store(true, Ordering::SeqCst);
        if let Some(waker) = &self.0.waker {
            waker.wake_by_ref();
        }
    }

    fn completed(&self) -> std::sync::MutexGuard<'_, Vec<(SocketId, Arc<AtomicBool>)>> {
        // A list of handles is whole after a panic too.
        self.0
            .completed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Doorbell {
    fn room(&self) {
        self.0.room.store(true, Ordering::Release);
        self.ring();
    }
}
