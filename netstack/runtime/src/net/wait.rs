//! Waiting by parking the calling thread.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::socket::Waitable;
use crate::waiters::{Direction, Waiter, WaiterKey};

/// How long the calls of one socket wait; shared by its clones, as with `std::net`.
#[derive(Debug, Default)]
pub(super) struct Patience {
    nonblocking: AtomicBool,
    read: TimeoutCell,
    write: TimeoutCell,
}

/// An optional duration in one atomic word: nanoseconds, 0 for none.
#[derive(Debug, Default)]
struct TimeoutCell(AtomicU64);

impl Patience {
    pub(super) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    /// # Errors
    ///
    /// `InvalidInput` for a timeout of zero.
    pub(super) fn set(&self, direction: Direction, timeout: Option<Duration>) -> io::Result<()> {
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a timeout of zero waits for nothing",
            ));
        }
        let nanos = timeout.map_or(0, |timeout| {
            u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)
        });
        self.cell(direction).0.store(nanos, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn get(&self, direction: Direction) -> Option<Duration> {
        match self.cell(direction).0.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// Repeats `op` until it is done or patience ends.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when the socket is in non-blocking mode or the timeout passed, else what `op` returns.
    pub(super) fn wait<T>(
        &self,
        socket: &impl Waitable,
        direction: Direction,
        op: impl FnMut(Option<Waiter<'_>>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        if self.nonblocking.load(Ordering::Relaxed) {
            return once(op);
        }
        let deadline = self
            .get(direction)
            .and_then(|timeout| Instant::now().checked_add(timeout));
        until(socket, direction, deadline, op)
            .unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    /// As [`wait`](Self::wait), or once without waiting when the call asks for that.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub(super) fn wait_unless<T>(
        &self,
        at_once: bool,
        socket: &impl Waitable,
        direction: Direction,
        op: impl FnMut(Option<Waiter<'_>>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        if at_once {
            once(op)
        } else {
            self.wait(socket, direction, op)
        }
    }

    fn cell(&self, direction: Direction) -> &TimeoutCell {
        match direction {
            Direction::Read | Direction::Complete => &self.read,
            Direction::Write => &self.write,
        }
    }
}

/// Repeats `op` until it is done; `None` when `deadline` passed first.
pub(super) fn until<T>(
    socket: &impl Waitable,
    direction: Direction,
    deadline: Option<Instant>,
    mut op: impl FnMut(Option<Waiter<'_>>) -> Poll<io::Result<T>>,
) -> Option<io::Result<T>> {
    let parker = Parker::of_this_thread();
    loop {
        parker.arm();
        match op(Some(Waiter {
            key: parker.key,
            waker: &parker.waker,
        })) {
            Poll::Ready(result) => return Some(result),
            Poll::Pending if parker.park(deadline) => {}
            Poll::Pending => {
                socket.deregister(direction, parker.key);
                return None;
            }
        }
    }
}

fn once<T>(mut op: impl FnMut(Option<Waiter<'_>>) -> Poll<io::Result<T>>) -> io::Result<T> {
    match op(None) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// A thread as a waiter.
#[derive(Clone)]
struct Parker {
    /// A thread waits in one call at a time, so that one key is enough.
    key: WaiterKey,
    waker: Waker,
    signal: Arc<Signal>,
}

struct Signal {
    thread: Thread,
    woken: AtomicBool,
}

impl Parker {
    /// The parker of the calling thread, made at its first wait.
    fn of_this_thread() -> Parker {
        thread_local! {
            static PARKER: Cell<Option<Parker>> = const { Cell::new(None) };
        }
        // While thread-locals are being destroyed a parker for one call does as well.
        let cached = PARKER.try_with(|cell| {
            let parker = cell.take().unwrap_or_else(Parker::new);
            cell.set(Some(parker.clone()));
            parker
        });
        cached.unwrap_or_else(|_| Parker::new())
    }

    fn new() -> Parker {
        let signal = Arc::new(Signal {
            thread: thread::current(),
            woken: AtomicBool::new(false),
        });
        Parker {
            key: WaiterKey::unique(),
            waker: Waker::from(Arc::clone(&signal)),
            signal,
        }
    }

    /// Forgets an earlier wake-up: whatever happens from here on counts.
    fn arm(&self) {
        self.signal.woken.store(false, Ordering::Release);
    }

    /// Sleeps until woken, which is `true`, or until `deadline`.
    fn park(&self, deadline: Option<Instant>) -> bool {
        // A thread can be unparked for reasons that are not ours: only the flag counts.
        while !self.signal.woken.load(Ordering::Acquire) {
            match deadline {
                None => thread::park(),
                Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                    None | Some(Duration::ZERO) => return false,
                    Some(left) => thread::park_timeout(left),
                },
            }
        }
        true
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests;
