//! Writing many packets by one system call (io_uring).

use std::ffi::c_int;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::{IoUring, opcode, types};
use rustix::io::{Errno, Result};
use txbuf::RawExtent;

/// The most messages of one batch.
pub(crate) const BATCH: usize = 64;

/// Messages to be written, each in pieces.
#[derive(Default)]
pub(crate) struct Batch<'a> {
    vectors: Vec<libc::iovec>,
    /// Where in `vectors` each message ends.
    ends: Vec<usize>,
    /// What keeps the memory of lent pieces readable.
    extents: Vec<RawExtent<'a>>,
    slices: PhantomData<&'a [u8]>,
}

impl<'a> Batch<'a> {
    /// Adds a message of two slices and the extents behind them. Beyond [`BATCH`] messages nothing is added.
    pub(crate) fn push(
        &mut self,
        front: [&'a [u8]; 2],
        extents: impl IntoIterator<Item = RawExtent<'a>>,
    ) {
        if self.ends.len() == BATCH {
            return;
        }
        let vector = |base: *const u8, len| libc::iovec {
            iov_base: base.cast_mut().cast(),
            iov_len: len,
        };
        let slices = front.into_iter().filter(|slice| !slice.is_empty());
        self.vectors
            .extend(slices.map(|slice| vector(slice.as_ptr(), slice.len())));
        for extent in extents {
            self.vectors.push(vector(extent.as_ptr(), extent.len()));
            self.extents.push(extent);
        }
        self.ends.push(self.vectors.len());
    }

    /// Number of messages.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    fn message(&self, index: usize) -> &[libc::iovec] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.vectors[start..self.ends[index]]
    }
}

/// A submission and a completion queue shared with the kernel, for writing to one file.
pub(crate) struct Ring {
    /// It has the file as its number 0: else the kernel would look it up for each message.
    ring: IoUring,
    /// What became of each message of the last batch.
    results: Vec<Result<()>>,
}

impl Ring {
    /// Whether queues can be made: a kernel may be too old for them, or forbid them (`kernel.io_uring_disabled`, a filter
    /// of system calls).
    pub(crate) fn probe() -> io::Result<()> {
        queues().map(drop)
    }

    /// Makes the queues for writing to `fd`, whose writes do not block.
    pub(crate) fn new(fd: BorrowedFd<'_>) -> io::Result<Ring> {
        let ring = queues()?;
        ring.submitter().register_files(&[fd.as_raw_fd()])?;
        Ok(Ring {
            ring,
            results: Vec::with_capacity(BATCH),
        })
    }

    /// Writes each message to the file, and says what became of each, in order.
    ///
    /// # Errors
    ///
    /// The kernel does not take the queue any more. The ring must not be used again; which messages were written is
    /// not known.
    pub(crate) fn write(&mut self, batch: &Batch<'_>) -> io::Result<&[Result<()>]> {
        let fd = types::Fixed(0);
        self.results.clear();
        self.results.resize(batch.len(), Err(Errno::AGAIN));
        let mut queue = self.ring.submission();
        for index in 0..batch.len() {
            let entry = match batch.message(index) {
                [one] => {
                    opcode::Write::new(fd, one.iov_base.cast_const().cast(), one.iov_len as u32)
                        .build()
                }
                several => opcode::Writev::new(fd, several.as_ptr(), several.len() as u32).build(),
            };
            let entry = entry.user_data(index as u64);
            // SAFETY: the kernel reads the vectors and the bytes they name, which `batch` borrows and lent pieces keep
            // readable. Writes to the file do not block, so each is over when it has been submitted, and this function
            // returns when all are: nothing is read later. On an error the ring is given up, and what was not
            // submitted never is.
            let pushed = unsafe { queue.push(&entry) };
            debug_assert!(
                pushed.is_ok(),
                "the queue has room for a batch, and is empty between two"
            );
        }
        drop(queue);
        let mut open = batch.len();
        while open > 0 {
            match self.ring.submit_and_wait(open) {
                Ok(_) => {}
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
            for entry in self.ring.completion() {
                open -= 1;
                if let Some(result) = self.results.get_mut(entry.user_data() as usize) {
                    *result = outcome(entry.result());
                }
            }
        }
        Ok(&self.results)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The kernel takes a ring apart later: until then the file, and with it the device, would be open. Should it fail,
        // that is all that happens.
        let _ = self.ring.submitter().unregister_files();
    }
}

/// Makes queues, and a call through them to see that they work.
fn queues() -> io::Result<IoUring> {
    let mut ring: IoUring = IoUring::builder().dontfork().build(BATCH as u32)?;
    let entry = opcode::Nop::new().build();
    // SAFETY: a call that does nothing refers to no memory.
    let pushed = unsafe { ring.submission().push(&entry) };
    pushed.map_err(|_| io::ErrorKind::OutOfMemory)?;
    ring.submit_and_wait(1)?;
    let result = ring.completion().next().map(|entry| entry.result());
    match result {
        Some(0..) => Ok(ring),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Whether a call is to be made again.
fn is_passing(error: &io::Error) -> bool {
    let passing: [c_int; 3] = [libc::EINTR, libc::EAGAIN, libc::EBUSY];
    error
        .raw_os_error()
        .is_some_and(|number| passing.contains(&number))
}

fn outcome(result: i32) -> Result<()> {
    if result >= 0 {
        Ok(())
    } else {
        Err(Errno::from_raw_os_error(-result))
    }
}
