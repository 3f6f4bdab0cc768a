//! A file of memory, mapped: as addresses that nobody may use, or as the driver's own.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Part of the address space that shows a file, unmapped on drop.
#[derive(Debug)]
pub(super) struct Mapping {
    base: NonNull<u8>,
    length: usize,
    /// Whether the addresses may be used.
    open: bool,
}

// SAFETY: the mapping belongs to this value, and is only used by copying from and to it.
unsafe impl Send for Mapping {}
// SAFETY: as above; whoever copies to a place has it to itself (see `copy_in`).
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Addresses for the file of which none may be read or written (`PROT_NONE`).
    pub(super) fn shut(file: BorrowedFd<'_>, length: usize) -> io::Result<Mapping> {
        Mapping::new(file, length, false)
    }

    /// The file for reading and writing. It must not become shorter than `length` as long as it is mapped.
    pub(super) fn open(file: BorrowedFd<'_>, length: usize) -> io::Result<Mapping> {
        Mapping::new(file, length, true)
    }

    fn new(file: BorrowedFd<'_>, length: usize, open: bool) -> io::Result<Mapping> {
        let access = match open {
            true => ProtFlags::READ | ProtFlags::WRITE,
            false => ProtFlags::empty(),
        };
        // SAFETY: the kernel chooses an address where nothing is yet.
        let base = unsafe { mmap(ptr::null_mut(), length, access, MapFlags::SHARED, file, 0) }?;
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Mapping { base, length, open })
    }

    /// Copies from `at` on until `into` is full. False: not all of that is within an open mapping.
    pub(super) fn copy_out(&self, at: u64, into: &mut [u8]) -> bool {
        let Some(from) = self.place(at, into.len()) else {
            return false;
        };
        // SAFETY: `place` found the bytes mapped and readable. Nothing refers to them, so `into` is elsewhere; what
        // other processes write meanwhile shows in what is copied and nowhere else.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), into.as_mut_ptr(), into.len()) };
        true
    }

    /// Copies all of `from` to `at`, of which the caller has the only use. False: there is no such place in an open
    /// mapping.
    pub(super) fn copy_in(&self, at: u64, from: &[u8]) -> bool {
        let Some(to) = self.place(at, from.len()) else {
            return false;
        };
        // SAFETY: as in `copy_out`; in this process nobody else copies to or from here now.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to.as_ptr(), from.len()) };
        true
    }

    fn place(&self, at: u64, length: usize) -> Option<NonNull<u8>> {
        let at = usize::try_from(at).ok()?;
        let end = at.checked_add(length)?;
        // SAFETY: within the mapping.
        (self.open && end <= self.length).then(|| unsafe { self.base.add(at) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this length, and nothing refers to it. It cannot fail with these arguments.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.length) };
    }
}
