//! Waking the loop thread without losing a wake-up and without a system call when it is awake.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// Wakes the loop thread out of its sleep.
///
/// The protocol, of which the lock of the stack is a part:
///
/// 1. the loop calls [`prepare`](Alarm::prepare), then takes the lock and looks for work once more;
/// 2. it sleeps on [`fd`](Alarm::fd) only when there was none, and calls [`awake`](Alarm::awake) afterwards;
/// 3. everybody else changes the stack under the lock, and calls [`ring`](Alarm::ring) after unlocking.
///
/// Whoever had the lock before the loop's last look has left work that the look finds; whoever gets it
/// later sees the flag of step 1, because the loop set it before it took and gave back that same lock.
#[derive(Debug)]
pub(crate) struct Alarm {
    fd: OwnedFd,
    drowsy: AtomicBool,
}

impl Alarm {
    /// # Errors
    ///
    /// When the process has no descriptor left.
    pub(crate) fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Alarm {
            fd,
            drowsy: AtomicBool::new(false),
        })
    }

    /// The descriptor to sleep on: readable when the alarm rang.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Says that the loop is about to sleep: from here on [`ring`](Alarm::ring) makes the system call.
    pub(crate) fn prepare(&self) {
        self.drowsy.store(true, Ordering::SeqCst);
    }

    /// Says that the loop is awake.
    pub(crate) fn awake(&self) {
        self.drowsy.store(false, Ordering::SeqCst);
    }

    /// Empties the descriptor after it was found readable.
    pub(crate) fn clear(&self) {
        // An empty counter says WouldBlock, which is what is wanted; nothing else can happen to a
        // read of eight bytes from an eventfd.
        let _ = rustix::io::read(&self.fd, &mut [0_u8; 8]);
    }

    /// Wakes the loop if it sleeps or is about to; the first caller makes the system call.
    pub(crate) fn ring(&self) {
        if self.drowsy.load(Ordering::SeqCst) && self.drowsy.swap(false, Ordering::SeqCst) {
            // A full counter (WouldBlock) already wakes the loop.
            while let Err(Errno::INTR) = rustix::io::write(&self.fd, &1_u64.to_ne_bytes()) {}
        }
    }
}

#[cfg(test)]
mod tests;
