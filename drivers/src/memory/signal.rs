//! A descriptor that is readable while there is something to do.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

/// An eventfd that costs a system call only when it changes between raised and clear.
#[derive(Debug)]
pub(super) struct Signal {
    fd: OwnedFd,
    raised: Mutex<bool>,
}

impl Signal {
    pub(super) fn new() -> io::Result<Signal> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Signal {
            fd,
            raised: Mutex::new(false),
        })
    }

    /// Makes the descriptor readable. Call after the thing to do is visible.
    pub(super) fn raise(&self) {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        if !*raised {
            *raised = rustix::io::write(&self.fd, &1_u64.to_ne_bytes()).is_ok();
        }
    }

    /// Makes the descriptor unreadable. Call before looking for things to do.
    pub(super) fn clear(&self) {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        if *raised {
            *raised = rustix::io::read(&self.fd, &mut [0_u8; 8]).is_err();
        }
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
