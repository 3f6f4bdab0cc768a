//! User nodes: application memory lent for one message.
//!
//! Somebody else may write to such memory when it is taken back, and to registered
//! memory at any time, so no `&[u8]` is ever made over it: its bytes are copied out,
//! with atomic loads where that has to be, or a raw address is handed to a driver for
//! the time of an [`Access`].
//!
//! A region counts the accesses that are in progress. Withdrawing it first gives
//! every live node a copy of its bytes and then, only if no access is in progress,
//! turns all later ones to the copies: it waits for nobody. An access ends with a
//! `Release` decrement, which the exchange that withdraws reads with `Acquire`: what
//! the application writes then comes after all that was read before. An access begins
//! with an `Acquire` increment, which sees the copies if it sees that they are to be
//! used.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;
use core::ptr::{self, NonNull};
use std::sync::Arc;

use slab::Slab;
use thiserror::Error;

use crate::completion::Token;
use crate::error::TooManyParts;
use crate::gather::GATHER_MAX;
use crate::ledger::{Kind, Ledger, Listing};
use crate::node::{Node, NodeAt, NodeRef};
use crate::owned::StableBytes;
use crate::segment::Returned;
use crate::span::{Gatherer, Span};
use crate::sync::{self, AtomicPtr, AtomicUsize, Mutex, Ordering, Watched};

/// Set in [`Memory::state`] when the copies are to be used.
const WITHDRAWN: usize = 1;
/// One access in progress.
const ACCESS: usize = 2;

/// Application memory from which messages are sent without a copy. Pieces of it are
/// [`lend`](Self::lend)ed, each for one message; the application may use the memory
/// again when the message's completion came, or when the region is unregistered.
///
/// The owner `O` keeps the memory. It comes back from
/// [`unregister`](Self::unregister); a region dropped while pieces are lent keeps it
/// until the last of them is gone.
pub struct Region<O: Send + Sync + 'static = ()> {
    memory: Arc<Memory>,
    /// In a place of its own, so that the address of its bytes stays good while the
    /// region moves.
    owner: Option<Box<O>>,
    ledger: Ledger,
}

/// A region in use; nothing has changed.
#[derive(Debug, Error)]
#[error("the region is in use")]
pub struct Busy<R>(pub R);

/// Why nothing was lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LendError {
    /// A range reaches beyond the region.
    #[error("the range is not within the region")]
    OutOfRange,
    /// More ranges than one message can have ([`GATHER_MAX`]), or more bytes than a
    /// span can describe.
    #[error("more ranges than one message can have")]
    TooMany,
}

impl From<TooManyParts> for LendError {
    fn from(_: TooManyParts) -> Self {
        Self::TooMany
    }
}

struct Memory {
    base: NonNull<u8>,
    len: usize,
    /// Whether nobody writes before the memory is given back.
    stable: bool,
    /// In the models: the bytes, as one.
    bytes: Watched,
    /// Accesses in progress, times [`ACCESS`], and [`WITHDRAWN`].
    state: AtomicUsize,
    /// The live nodes on this memory, and the owner if the region is gone.
    lent: Mutex<Lent>,
}

#[derive(Default)]
struct Lent {
    nodes: Slab<NonNull<User>>,
    owner: Option<Box<dyn Send + Sync>>,
}

// SAFETY: `base` is only used for atomic loads and addresses; the nodes listed are
// alive while they are listed, which is under the lock.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

#[repr(C)]
struct User {
    header: Node,
    listing: Listing,
    memory: Arc<Memory>,
    /// Key among the memory's live nodes.
    key: usize,
    /// The bytes in memory of our own, once the region is withdrawn.
    copy: AtomicPtr<u8>,
    /// Dropped last: when the completion is seen the memory is not used any more, and
    /// the ledger does not list the node.
    token: Option<Token>,
}

impl<O: StableBytes> Region<O> {
    /// Registers the bytes of `owner`.
    pub fn new(ledger: &Ledger, owner: O) -> Self {
        let owner = Box::new(owner);
        let bytes = owner.bytes();
        let (base, len) = (NonNull::from_ref(bytes).cast(), bytes.len());
        Self::build(ledger, (base, len), true, owner)
    }
}

impl Region {
    /// Registers `len` bytes from `base` on, of which somebody else takes care.
    ///
    /// # Safety
    ///
    /// The memory is one allocation (or mapping) and can be read until
    /// [`unregister`](Self::unregister) or [`withdraw`](Self::withdraw) has returned
    /// `Ok`, or, if the region is dropped instead, until the last span on it is gone.
    /// It may be written meanwhile, by other processes, or in this one with atomic
    /// stores of single bytes; what is sent then is one mixture of old and new bytes or
    /// another. (Stores of more than a byte would race with the loads of bytes that copy
    /// them out.) It need not be writable.
    pub unsafe fn register(ledger: &Ledger, base: NonNull<u8>, len: usize) -> Self {
        Self::build(ledger, (base, len), false, Box::new(()))
    }
}

impl<O: Send + Sync + 'static> Region<O> {
    fn build(
        ledger: &Ledger,
        (base, len): (NonNull<u8>, usize),
        stable: bool,
        owner: Box<O>,
    ) -> Self {
        let memory = Memory {
            base,
            len,
            stable,
            bytes: Watched::new(1),
            state: AtomicUsize::new(0),
            lent: Mutex::new(Lent::default()),
        };
        Self {
            memory: Arc::new(memory),
            owner: Some(owner),
            ledger: ledger.clone(),
        }
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.memory.len
    }

    /// True without any byte.
    pub fn is_empty(&self) -> bool {
        self.memory.len == 0
    }

    /// Pieces that are lent at the moment.
    pub fn lent(&self) -> usize {
        sync::lock(&self.memory.lent).nodes.len()
    }

    /// Lends one range, as [`lend_all`](Self::lend_all) lends several.
    ///
    /// # Errors
    ///
    /// [`LendError`]; nothing is lent.
    pub fn lend(&self, range: Range<usize>, token: Option<&Token>) -> Result<Span, LendError> {
        self.lend_all(core::slice::from_ref(&range), token)
    }

    /// Lends the ranges for one message, as one span; each piece holds a clone of
    /// the message's token. The whole batch takes the lock once and the clones of the
    /// token in one addition.
    ///
    /// # Errors
    ///
    /// [`LendError`]; nothing is lent.
    pub fn lend_all(
        &self,
        ranges: &[Range<usize>],
        token: Option<&Token>,
    ) -> Result<Span, LendError> {
        let inside = |range: &Range<usize>| range.start <= range.end && range.end <= self.len();
        if !ranges.iter().all(inside) {
            return Err(LendError::OutOfRange);
        }
        let full = ranges.iter().filter(|range| !range.is_empty());
        let count = full.clone().count();
        let total = full
            .clone()
            .try_fold(0_usize, |sum, range| sum.checked_add(range.len()));
        if count > GATHER_MAX || total.is_none_or(|total| u32::try_from(total).is_err()) {
            return Err(LendError::TooMany);
        }
        let mut tokens = token.map(|token| token.clones(count));
        let mut gatherer = Gatherer::new();
        {
            let mut lent = sync::lock(&self.memory.lent);
            for range in full {
                let token = tokens.as_mut().and_then(Iterator::next);
                let node = self.node(&mut lent, range, token);
                // Not more than `GATHER_MAX`, and they never merge.
                gatherer.add(Span::new(node, 0, range.len() as u32))?;
            }
        }
        Ok(gatherer.finish(&self.ledger))
    }

    fn node(&self, lent: &mut Lent, range: &Range<usize>, token: Option<Token>) -> NodeRef {
        // SAFETY: the start lies within the region.
        let base = unsafe { self.memory.base.add(range.start) };
        let len = range.len();
        let entry = lent.nodes.vacant_entry();
        // The count of the memory's `Arc`.
        sync::note(1);
        let user = Box::new(User {
            header: Node::new(Kind::User, base, len as u32, len, free),
            listing: Listing::new(&self.ledger, Kind::User, len),
            memory: Arc::clone(&self.memory),
            key: entry.key(),
            copy: AtomicPtr::new(ptr::null_mut()),
            token,
        });
        let user = NonNull::from(Box::leak(user));
        entry.insert(user);
        // SAFETY: fresh, its header first, and `free` takes it apart.
        let node = unsafe { NodeRef::from_first(user.cast()) };
        self.ledger.enter(&node, len);
        node
    }

    /// Gives the memory back to the application.
    ///
    /// # Errors
    ///
    /// [`Busy`] with the region while a piece of it is lent.
    pub fn unregister(mut self) -> Result<O, Busy<Self>> {
        if self.lent() > 0 {
            return Err(Busy(self));
        }
        self.give_back().ok_or(Busy(self))
    }

    /// Gives the memory back although pieces of it may be lent: these go on with a
    /// copy, and their messages are reported as copied. Waits for nobody.
    ///
    /// # Errors
    ///
    /// [`Busy`] with the region while the bytes are being copied out or a driver has
    /// their address: at this very moment, that is.
    pub fn withdraw(mut self) -> Result<O, Busy<Self>> {
        if self.memory.withdraw()
            && let Some(owner) = self.give_back()
        {
            return Ok(owner);
        }
        Err(Busy(self))
    }

    /// The owner, whose bytes may be written from now on.
    fn give_back(&mut self) -> Option<O> {
        let owner = self.owner.take()?;
        self.memory.bytes.write(0, 1);
        Some(*owner)
    }
}

impl<O: Send + Sync + 'static> Drop for Region<O> {
    fn drop(&mut self) {
        let Some(owner) = self.owner.take() else {
            return;
        };
        let mut lent = sync::lock(&self.memory.lent);
        if lent.nodes.is_empty() {
            // Somebody's destructor had better run without the lock.
            drop(lent);
            self.memory.bytes.write(0, 1);
        } else {
            lent.owner = Some(owner);
        }
    }
}

impl Memory {
    fn withdraw(&self) -> bool {
        let lent = sync::lock(&self.lent);
        for (_, node) in &lent.nodes {
            // SAFETY: a node stays alive as long as it is listed, and the list is
            // locked.
            let user = unsafe { node.as_ref() };
            let mut copy = vec![0; user.header.capacity() as usize].into_boxed_slice();
            // SAFETY: the region is registered, so its bytes can be read.
            unsafe { self.copy_out(user.header.base().as_ptr(), &mut copy) };
            // A copy from an attempt that found an access in progress is too old.
            user.replace_copy(Box::leak(copy).as_mut_ptr());
        }
        let withdrawn =
            self.state
                .compare_exchange(0, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire);
        if withdrawn.is_ok() {
            for (_, node) in &lent.nodes {
                // SAFETY: as above.
                let user = unsafe { node.as_ref() };
                user.token.iter().for_each(Token::mark_copied);
            }
        }
        withdrawn.is_ok()
    }

    /// Copies from the region's bytes.
    ///
    /// # Safety
    ///
    /// `dst.len()` bytes from `src` on lie in the region, which can be read.
    unsafe fn copy_out(&self, src: *const u8, dst: &mut [u8]) {
        self.bytes.read(0, 1);
        if self.stable {
            // SAFETY: as promised by our caller; and the owner of stable bytes lets
            // nobody write them before it was given back.
            unsafe { ptr::copy_nonoverlapping(src, dst.as_mut_ptr(), dst.len()) };
        } else {
            // SAFETY: as promised by our caller.
            unsafe { copy_changing(src, dst) };
        }
    }
}

impl User {
    /// Puts a copy of the bytes (or null) in place of the one that was there, which
    /// nobody uses.
    fn replace_copy(&self, copy: *mut u8) {
        let before = self.copy.swap(copy, Ordering::AcqRel);
        if !before.is_null() {
            let len = self.header.capacity() as usize;
            let before = ptr::slice_from_raw_parts_mut(before, len);
            // SAFETY: it was leaked in `withdraw` with this length. Accesses only
            // find it after `WITHDRAWN` was set, and then it is replaced only when
            // the node is freed.
            drop(unsafe { Box::from_raw(before) });
        }
    }
}

/// The right to use the address of lent bytes for a moment. While it lives the
/// region cannot be withdrawn.
pub(crate) struct Access<'a> {
    base: *const u8,
    /// The memory whose state counts this access; none for a copy.
    memory: Option<&'a Memory>,
    node: PhantomData<&'a NodeRef>,
}

// SAFETY: the address may be used from any thread while the access lives.
unsafe impl Send for Access<'_> {}
// SAFETY: as above.
unsafe impl Sync for Access<'_> {}

impl<'a> Access<'a> {
    /// Begins an access to the bytes of a User node.
    pub(crate) fn begin(node: NodeAt<'a>) -> Self {
        debug_assert_eq!(node.kind(), Kind::User);
        // SAFETY: only `Region::node` makes nodes of this kind, so the object is a
        // `User`; the pin borrowed for 'a keeps it.
        let user: &'a User = unsafe { node.as_ptr().cast::<User>().as_ref() };
        let before = user.memory.state.fetch_add(ACCESS, Ordering::Acquire);
        let (base, memory) = if before & WITHDRAWN == 0 {
            (node.base().as_ptr().cast_const(), Some(&*user.memory))
        } else {
            user.memory.state.fetch_sub(ACCESS, Ordering::Release);
            (user.copy.load(Ordering::Acquire).cast_const(), None)
        };
        Self {
            base,
            memory,
            node: PhantomData,
        }
    }

    /// Address of the node's first byte.
    pub(crate) fn base(&self) -> *const u8 {
        self.base
    }

    /// Copies from `offset` on, which is not beyond the node's end by all of `dst`.
    pub(crate) fn copy_to(&self, offset: u32, dst: &mut [u8]) {
        // SAFETY: the caller stays within the node; the memory can be read while
        // this access lives, be it the region's or the copy, which nobody writes.
        unsafe {
            let src = self.base.add(offset as usize);
            match self.memory {
                Some(memory) => memory.copy_out(src, dst),
                None => ptr::copy_nonoverlapping(src, dst.as_mut_ptr(), dst.len()),
            }
        }
    }
}

impl Drop for Access<'_> {
    fn drop(&mut self) {
        if let Some(memory) = self.memory {
            memory.state.fetch_sub(ACCESS, Ordering::Release);
        }
    }
}

/// The token of a User node's message.
pub(crate) fn token(node: NodeAt<'_>) -> Option<&Token> {
    debug_assert_eq!(node.kind(), Kind::User);
    // SAFETY: as in `Access::begin`.
    unsafe { node.as_ptr().cast::<User>().as_ref() }
        .token
        .as_ref()
}

/// Copies from memory that others may be writing, byte by byte.
///
/// # Safety
///
/// `dst.len()` bytes from `src` on can be read, and are only written by other processes
/// or with atomic stores of bytes.
unsafe fn copy_changing(src: *const u8, dst: &mut [u8]) {
    use core::sync::atomic::{AtomicU8, Ordering::Relaxed};
    for (at, room) in dst.iter_mut().enumerate() {
        // SAFETY: within the readable bytes. A relaxed load of a byte conflicts with no
        // atomic store of one, and may be made where nothing can be written.
        let byte: &AtomicU8 = unsafe { &*src.add(at).cast() };
        *room = byte.load(Relaxed);
    }
}

/// # Safety
///
/// As [`Free`](crate::node::Free) says; the object is a `User`.
unsafe fn free(node: NonNull<Node>, _: &mut Returned) {
    let user = node.cast::<User>();
    // SAFETY: the last pin is gone; only the list still knows the node, and reads it.
    let User {
        memory,
        key,
        listing,
        ..
    } = unsafe { user.as_ref() };
    listing.ledger.unlist(node);
    sync::lock(&memory.lent).nodes.remove(*key);
    // SAFETY: made by `Region::node` from a box, and not listed any more.
    let user = unsafe { Box::from_raw(user.as_ptr()) };
    user.replace_copy(ptr::null_mut());
}

impl<O: Send + Sync + 'static> fmt::Debug for Region<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("len", &self.len())
            .field("lent", &self.lent())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
