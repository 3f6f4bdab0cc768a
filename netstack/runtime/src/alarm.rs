//! Waking the loop thread without losing a wake-up and without a system call when it is awake.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Wake;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// The loop works, and will look for more work before it does anything else.
const AWAKE: u8 = 0;
/// The loop looks for work once more, or waits for it with its eyes open.
const DROWSY: u8 = 1;
/// The loop sleeps on the descriptor, or is about to.
const ASLEEP: u8 = 2;

/// Wakes the loop thread out of its sleep.
///
/// The protocol, of which the lock of the stack is a part:
///
/// 1. the loop calls [`prepare`](Alarm::prepare), then takes the lock and looks for work once more;
/// 2. when there was none, it may watch [`has_rung`](Alarm::has_rung) for a while;
/// 3. it sleeps on [`fd`](Alarm::fd) only if [`fall_asleep`](Alarm::fall_asleep) allows it, and calls
///    [`awake`](Alarm::awake) afterwards;
/// 4. everybody else changes the stack under the lock, and calls [`ring`](Alarm::ring) after unlocking.
///
/// Whoever had the lock before the loop's last look has left work that the look finds; whoever gets it
/// later sees the state of step 1, because the loop set it before it took and gave back that same lock.
///
/// What completes messages takes no lock: it leaves a mark that the loop's last look finds, and then
/// [wakes](Wake) the alarm. Mark and state are written and read in one order of all threads, so that either the
/// look sees the mark or the ring sees the state.
#[derive(Debug)]
pub(crate) struct Alarm {
    fd: OwnedFd,
    state: AtomicU8,
}

impl Alarm {
    /// # Errors
    ///
    /// When the process has no descriptor left.
    pub(crate) fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Alarm {
            fd,
            state: AtomicU8::new(AWAKE),
        })
    }

    /// The descriptor to sleep on: readable when the alarm rang during sleep.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Says that the loop is about to sleep: from here on [`ring`](Alarm::ring) is noted.
    pub(crate) fn prepare(&self) {
        self.state.store(DROWSY, Ordering::SeqCst);
    }

    /// Whether the alarm rang since [`prepare`](Alarm::prepare).
    pub(crate) fn has_rung(&self) -> bool {
        self.state.load(Ordering::SeqCst) == AWAKE
    }

    /// Says that the loop sleeps now: from here on [`ring`](Alarm::ring) makes the system call. False when it rang
    /// since [`prepare`](Alarm::prepare): then there is work.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.state
            .compare_exchange(DROWSY, ASLEEP, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Says that the loop is awake.
    pub(crate) fn awake(&self) {
        self.state.store(AWAKE, Ordering::SeqCst);
    }

    /// Empties the descriptor after it was found readable.
    pub(crate) fn clear(&self) {
        // An empty counter says WouldBlock, which is what is wanted; nothing else can happen to a
        // read of eight bytes from an eventfd.
        let _ = rustix::io::read(&self.fd, &mut [0_u8; 8]);
    }

    /// Wakes the loop if it sleeps or is about to; the first caller makes the system call if one is needed.
    pub(crate) fn ring(&self) {
        if self.state.load(Ordering::SeqCst) != AWAKE
            && self.state.swap(AWAKE, Ordering::SeqCst) == ASLEEP
        {
            // A full counter (WouldBlock) already wakes the loop.
            while let Err(Errno::INTR) = rustix::io::write(&self.fd, &1_u64.to_ne_bytes()) {}
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

#[cfg(test)]
mod tests;
