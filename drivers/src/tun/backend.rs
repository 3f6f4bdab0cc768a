//! The system calls that packets are sent by: which were asked for, and which it has come to.

use std::io;
use std::mem;
use std::os::fd::BorrowedFd;
use std::thread;

use super::TunError;
use crate::sys::ring::Ring;

/// The system calls that packets are sent by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// io_uring where the kernel allows it, else a call for each packet.
    #[default]
    Auto,
    /// A call for each packet.
    Calls,
    /// io_uring: one call for a batch.
    Ring,
}

impl Backend {
    /// What batches are to be sent by; when io_uring was asked for by name, only if it can be used.
    pub(super) fn batches(self) -> Result<Batches, TunError> {
        match self {
            Backend::Calls => Ok(Batches::OneByOne),
            Backend::Auto => Ok(Batches::Untried),
            Backend::Ring => probe().map(|()| Batches::Untried).map_err(TunError::NoRing),
        }
    }
}

/// Makes a ring and throws it away, on a thread of its own: the kernel interrupts a system call of every thread that used
/// a ring when the ring goes.
fn probe() -> io::Result<()> {
    thread::scope(|scope| {
        let tried = scope.spawn(Ring::probe).join();
        tried.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    })
}

/// How several packets at a time are sent.
pub(super) enum Batches {
    /// By io_uring, if it can be used: seen when there is a first batch, on the thread that sends. A ring that goes
    /// interrupts a system call of every thread that used it, so no other shall.
    Untried,
    /// By one call.
    Ring(Box<Ring>),
    OneByOne,
}

impl Batches {
    /// Takes the ring for a batch to `fd`, made if there was none. Where there can be none, or it is not put back, packets
    /// are sent one by one from then on.
    pub(super) fn take(&mut self, fd: BorrowedFd<'_>) -> Option<Box<Ring>> {
        match mem::replace(self, Batches::OneByOne) {
            Batches::Untried => Ring::new(fd).ok().map(Box::new),
            Batches::Ring(ring) => Some(ring),
            Batches::OneByOne => None,
        }
    }
}
