//! Reservations: the only way to write into a node.
//!
//! A reservation covers bytes that are not published: no span reaches them, and
//! none can be made before the reservation is consumed. That is why it may hand
//! out `&mut [u8]` while others read the same node's earlier bytes.

use core::ops::{Deref, DerefMut};
use core::{fmt, slice};

use crate::chain::Chain;
use crate::node::NodeRef;
use crate::span::Span;

/// Unpublished bytes at the end of a [`Chain`], to be written and then
/// committed. Dropping it abandons the bytes: the chain is as before.
///
/// The bytes are initialised; a recycled segment shows what it held before.
pub struct Reservation<'a> {
    chain: &'a mut Chain,
    len: u32,
}

impl<'a> Reservation<'a> {
    /// The room left in the chain's tail.
    pub(crate) fn new(chain: &'a mut Chain) -> Self {
        let len = chain.tail_room();
        Self { chain, len }
    }

    /// Publishes the first `n` bytes (all, if there are fewer) and returns a
    /// span of them, in one increment. In a stream they also become the end of
    /// the chain.
    pub fn commit(self, n: usize) -> Span {
        let n = self.clip(n);
        self.chain.publish_span(n)
    }

    /// Publishes the first `n` bytes (all, if there are fewer) as the end of the
    /// stream, without a span. In an arena they are used up.
    pub fn publish(self, n: usize) {
        let n = self.clip(n);
        self.chain.publish(n);
    }

    /// Publishes the first `n` bytes (all, if there are fewer) and returns a
    /// span of them, as [`commit`](Self::commit) does; the reservation goes on
    /// with what is behind them, which stays as it was written.
    pub fn commit_front(&mut self, n: usize) -> Span {
        let n = self.clip(n);
        self.len -= n;
        self.chain.publish_span(n)
    }

    /// Gives up the first `n` bytes (all, if there are fewer) of an arena: they
    /// are used up. In a stream they become its end. The reservation goes on with
    /// what is behind them.
    pub fn skip(&mut self, n: usize) {
        let n = self.clip(n);
        self.len -= n;
        self.chain.publish(n);
    }

    fn clip(&self, n: usize) -> u32 {
        u32::try_from(n).unwrap_or(u32::MAX).min(self.len)
    }
}

impl Deref for Reservation<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let base = self.chain.tail_base();
        self.chain.tail_writes();
        // SAFETY: as in `deref_mut`.
        unsafe { slice::from_raw_parts(base, self.len as usize) }
    }
}

impl DerefMut for Reservation<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        let base = self.chain.tail_base();
        self.chain.tail_writes();
        // SAFETY: `base` is the first unpublished byte of the tail and `len` at
        // most what follows in its segment. The chain is the node's only
        // producer and mutably borrowed, so no other reservation covers these
        // bytes, and no span reaches them before they are published.
        unsafe { slice::from_raw_parts_mut(base, self.len as usize) }
    }
}

impl fmt::Debug for Reservation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("len", &self.len)
            .finish()
    }
}

/// A whole fresh segment to write into, apart from any chain; see
/// [`Pool::reserve`](crate::Pool::reserve). Dropping it gives the segment back.
pub struct DetachedReservation {
    node: NodeRef,
}

impl DetachedReservation {
    /// `node` is fresh: its first pin is the only one.
    pub(crate) fn new(node: NodeRef) -> Self {
        debug_assert!(node.is_unique());
        Self { node }
    }

    /// The first `n` bytes (all, if there are fewer) as a span, which takes over
    /// the segment.
    pub fn commit(self, n: usize) -> Span {
        let n = u32::try_from(n)
            .unwrap_or(u32::MAX)
            .min(self.node.capacity());
        Span::new(self.node, 0, n)
    }
}

impl Deref for DetachedReservation {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let len = self.node.capacity() as usize;
        // SAFETY: as in `deref_mut`.
        unsafe { slice::from_raw_parts(self.node.base().as_ptr(), len) }
    }
}

impl DerefMut for DetachedReservation {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        let len = self.node.capacity() as usize;
        self.node.writes(0);
        // SAFETY: the whole initialised segment; this is the node's only pin
        // and never shared, so nobody else reads or writes it.
        unsafe { slice::from_raw_parts_mut(self.node.base().as_ptr(), len) }
    }
}

impl fmt::Debug for DetachedReservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DetachedReservation")
            .field("len", &self.len())
            .finish()
    }
}
