//! Memory that the CPU may not read, in slots.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use txbuf::{DeviceMemory, Ledger, Span, Token, TooLong};

use super::mapping::Mapping;

/// Numbers of providers in this process.
static PROVIDERS: AtomicU64 = AtomicU64::new(1);

/// Memory in slots of one size: a file without a name that a driver has mapped and the stack has not, its own mapping
/// being shut (`PROT_NONE`). Cheap to clone; every clone is the same memory, which goes with the last of them and the
/// last span.
#[derive(Clone)]
pub struct ShieldedMemory(Arc<Slots>);

struct Slots {
    file: OwnedFd,
    slot: usize,
    count: usize,
    free: ArrayQueue<u64>,
    provider: u64,
    ledger: Ledger,
    /// What the stack has of it: addresses, and no byte.
    _shut: Mapping,
}

impl ShieldedMemory {
    /// `count` slots of `slot` bytes. Spans on them stand on `ledger`.
    ///
    /// # Errors
    ///
    /// The memory, or addresses for it, could not be had; no slots, or more than the address space has.
    pub fn new(ledger: &Ledger, count: usize, slot: usize) -> io::Result<ShieldedMemory> {
        let length = count.checked_mul(slot).filter(|&length| length > 0);
        let length = length.ok_or(io::ErrorKind::InvalidInput)?;
        let file = memfd_create("shielded", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, length as u64)?;
        // So that no mapping of it can lose its bytes.
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        let shut = Mapping::shut(file.as_fd(), length)?;
        let free = ArrayQueue::new(count);
        for number in 0..count as u64 {
            let _ = free.push(number);
        }
        Ok(ShieldedMemory(Arc::new(Slots {
            file,
            slot,
            count,
            free,
            provider: PROVIDERS.fetch_add(1, Ordering::Relaxed),
            ledger: ledger.clone(),
            _shut: shut,
        })))
    }

    /// The number by which drivers know this memory.
    pub fn provider(&self) -> u64 {
        self.0.provider
    }

    /// The file, for whoever fills slots and uses what was received into them: a device, or another process.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }

    /// Bytes of a slot.
    pub fn slot(&self) -> usize {
        self.0.slot
    }

    /// Slots that nobody uses.
    pub fn free(&self) -> usize {
        self.0.free.len()
    }

    /// Takes a slot that nobody uses; none if there is none. Dropping it gives it back.
    pub fn take(&self) -> Option<Slot> {
        let number = self.0.free.pop()?;
        Some(Slot {
            slots: Some(Arc::clone(&self.0)),
            number,
        })
    }

    /// The ledger that spans on it stand on.
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    pub(super) fn map(&self) -> io::Result<Mapping> {
        Mapping::open(self.file(), self.0.count * self.0.slot)
    }
}

impl fmt::Debug for ShieldedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShieldedMemory")
            .field("provider", &self.provider())
            .field("slot", &self.slot())
            .field("free", &self.free())
            .finish()
    }
}

impl DeviceMemory for Slots {
    fn provider(&self) -> u64 {
        self.provider
    }

    fn release(&self, offset: u64, _: usize) {
        // There is a place for each slot.
        let _ = self.free.push(offset / self.slot as u64);
    }
}

/// A slot that one user has, to be filled.
pub struct Slot {
    /// Until it becomes a span.
    slots: Option<Arc<Slots>>,
    number: u64,
}

impl Slot {
    /// First byte, from the start of the [file](ShieldedMemory::file).
    pub fn offset(&self) -> u64 {
        let size = self.slots.as_ref().map_or(0, |slots| slots.slot);
        self.number * size as u64
    }

    /// The first `len` bytes, which must not change any more. The slot is given back with the last span on it, and then
    /// the `token` of its message, if there is one.
    ///
    /// # Errors
    ///
    /// [`TooLong`] for more bytes than a slot has, or a span can describe; the slot is given back.
    pub fn into_span(mut self, len: usize, token: Option<Token>) -> Result<Span, TooLong> {
        let offset = self.offset();
        let slots = self.slots.as_ref().filter(|slots| len <= slots.slot);
        let slots = slots.ok_or(TooLong)?;
        let span = Span::from_device(&slots.ledger, Arc::clone(slots) as _, offset, len, token)?;
        // The span gives the slot back.
        self.slots = None;
        Ok(span)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slots) = &self.slots {
            slots.release(self.offset(), slots.slot);
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("offset", &self.offset())
            .finish()
    }
}
