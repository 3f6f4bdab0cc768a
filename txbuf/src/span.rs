//! Spans: a pin on a node, a position and a length.

use core::fmt;
use core::ops::{Bound, RangeBounds};

use std::sync::Arc;

use bytes::Bytes;

use crate::checksum;
use crate::completion::Token;
use crate::device::{self, DeviceMemory};
use crate::error::{OutOfRange, TooLong, TooManyParts, Unreadable};
use crate::extent::Extents;
use crate::ledger::{Kind, Ledger};
use crate::node::{self, NodeRef};
use crate::owned::{self, StableBytes};

mod copying;
mod fill;
mod gather;
mod kept;
mod segments;

pub use copying::OVERPIN;
pub(crate) use copying::copy_to_runs;
pub(crate) use gather::{Gatherer, pieces as gather_pieces};
pub(crate) use kept::Kept;
pub use segments::Segments;

/// Immutable bytes, kept alive by one pin on the node they start in.
///
/// A span may reach over several extents: along the linked nodes of a stream, or
/// over the leaves of a gather. It is still one value of 16 bytes: a clone is one
/// increment whatever it covers, a split at most one.
#[derive(Clone)]
pub struct Span {
    pub(crate) node: NodeRef,
    /// First byte, counted from the start of `node` and on into its successors.
    pub(crate) offset: u32,
    pub(crate) len: u32,
}

const _: () = assert!(size_of::<Span>() == 16 && size_of::<Option<Span>>() == 16);

impl Span {
    /// A span without bytes, which pins nothing.
    pub fn empty() -> Self {
        Self::new(NodeRef::empty(), 0, 0)
    }

    /// The whole of `bytes`, as an Owned node. Nothing is copied.
    ///
    /// # Errors
    ///
    /// [`TooLong`] for more than `u32::MAX` bytes.
    pub fn from_bytes(ledger: &Ledger, bytes: Bytes) -> Result<Self, TooLong> {
        Self::from_owner(ledger, bytes)
    }

    /// The whole of a buffer with a destructor, which runs when the last span on
    /// it goes. Nothing is copied.
    ///
    /// # Errors
    ///
    /// [`TooLong`] for more than `u32::MAX` bytes; the owner is dropped.
    pub fn from_owner<O: StableBytes>(ledger: &Ledger, owner: O) -> Result<Self, TooLong> {
        let (node, len) = owned::node(ledger, owner)?;
        Ok(Self::new(node, 0, len))
    }

    /// A place in the memory of a device. The `token` of its message, if there is
    /// one, is dropped after the memory was released.
    ///
    /// # Errors
    ///
    /// [`TooLong`] for more than `u32::MAX` bytes, or when the end cannot be counted
    /// in `u64`; nothing is released.
    pub fn from_device(
        ledger: &Ledger,
        memory: Arc<dyn DeviceMemory>,
        offset: u64,
        len: usize,
        token: Option<Token>,
    ) -> Result<Self, TooLong> {
        let (node, len) = device::node(ledger, memory, offset, len, token)?;
        Ok(Self::new(node, 0, len))
    }

    /// The parts one after the other as one span, without copying. Adjacent
    /// parts are merged, gathers among them are taken apart, empty ones left
    /// out; what remains as a single part is returned as it is, else one gather
    /// node takes over the pins.
    ///
    /// # Errors
    ///
    /// [`TooManyParts`] when more than [`GATHER_MAX`](crate::GATHER_MAX) parts (or
    /// more than `u32::MAX` bytes) remain; the parts are dropped.
    pub fn gather(
        ledger: &Ledger,
        parts: impl IntoIterator<Item = Span>,
    ) -> Result<Self, TooManyParts> {
        let mut gatherer = Gatherer::new();
        for part in parts {
            gatherer.add(part)?;
        }
        Ok(gatherer.finish(ledger))
    }

    #[inline]
    pub(crate) fn new(node: NodeRef, offset: u32, len: u32) -> Self {
        Self { node, offset, len }
    }

    /// Number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// True without any byte.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The kind of the node the span starts in.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.node.kind()
    }

    /// Bytes of storage this span keeps alive: its node and those linked after
    /// it, or those of all leaves of its gather, each node once.
    ///
    /// Whoever may hold spans for an unbounded time compares this with the length
    /// and copies what pins too much.
    pub fn footprint(&self) -> usize {
        if self.kind() != Kind::Gather {
            return kept::measure(&self.node).1;
        }
        let mut kept = Kept::default();
        kept.add(self);
        kept.footprint()
    }

    /// Whether both start in the same node (of a gather: are on the same list), so that
    /// the storage of one is that of the other.
    #[inline]
    pub fn shares_storage(&self, other: &Span) -> bool {
        self.node.same(&other.node)
    }

    /// The contiguous pieces, in order. None is empty.
    #[inline]
    pub fn extents(&self) -> Extents<'_> {
        match node::leaves(&self.node) {
            None => Extents::run(self.node.at(), self.offset, self.len),
            Some(leaves) => gather::extents(self, leaves),
        }
    }

    /// The bytes, when they are one readable extent.
    #[inline]
    pub fn contiguous(&self) -> Option<&[u8]> {
        let Some(first) = self.extents().next() else {
            return Some(&[]);
        };
        let bytes = first.bytes().ok()?;
        (bytes.len() == self.len()).then_some(bytes)
    }

    /// Copies bytes from `offset` on, until the span or `dst` ends; returns how
    /// many.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when a piece lies in memory the CPU may not read; what
    /// `dst` then holds is unspecified.
    pub fn copy_to(&self, offset: usize, dst: &mut [u8]) -> Result<usize, Unreadable> {
        let (mut skip, mut done) = (offset, 0);
        for extent in self.extents() {
            if done == dst.len() {
                break;
            }
            if skip >= extent.len() {
                skip -= extent.len();
                continue;
            }
            done += extent.copy_to(skip, &mut dst[done..])?;
            skip = 0;
        }
        Ok(done)
    }

    /// A copy of the bytes.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when a piece lies in memory the CPU may not read.
    pub fn to_vec(&self) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = Vec::with_capacity(self.len());
        for extent in self.extents() {
            extent.append_to(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// The ones-complement sum of the bytes as big-endian words, not inverted
    /// (RFC 1071).
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when a piece lies in memory the CPU may not read.
    #[inline]
    pub fn checksum(&self) -> Result<u16, Unreadable> {
        match self.contiguous() {
            Some(bytes) => Ok(checksum::sum(bytes)),
            None => self.checksum_of_pieces(),
        }
    }

    fn checksum_of_pieces(&self) -> Result<u16, Unreadable> {
        let (mut sum, mut at) = (0, 0);
        for extent in self.extents() {
            let part = extent.sum()?;
            sum = checksum::combine(sum, part, at % 2 == 1);
            at += extent.len();
        }
        Ok(sum)
    }
}

/// Cutting and joining. A cut moves a pin or takes one; it never copies bytes.
impl Span {
    /// Takes the first `n` bytes out; `self` keeps the rest. One increment.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] when there are fewer; `self` is unchanged.
    #[inline]
    pub fn split_to(&mut self, n: usize) -> Result<Span, OutOfRange> {
        let rest = self.split_off(n)?;
        Ok(core::mem::replace(self, rest))
    }

    /// Takes out all but the first `n` bytes, which `self` keeps. One increment.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] when there are fewer than `n`; `self` is unchanged.
    #[inline]
    pub fn split_off(&mut self, n: usize) -> Result<Span, OutOfRange> {
        let n = self.position(n)?;
        if self.kind() == Kind::Gather {
            return Ok(gather::split_off(self, n));
        }
        let back = self.cut(n, self.len - n);
        self.len = n;
        Ok(back)
    }

    /// The bytes of a range, as another span. One increment.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] when the range does not lie within the span.
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Result<Span, OutOfRange> {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.checked_add(1).ok_or(OutOfRange)?,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.checked_add(1).ok_or(OutOfRange)?,
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len(),
        };
        let (start, end) = (self.position(start)?, self.position(end)?);
        let len = end.checked_sub(start).ok_or(OutOfRange)?;
        if let Some(leaves) = node::leaves(&self.node)
            && let Some(part) = gather::within_leaf(self, leaves, start, len)
        {
            return Ok(part);
        }
        Ok(self.cut(start, len))
    }

    /// Drops the first `n` bytes. Nothing is counted unless the new start lies
    /// in another node, which is then pinned instead.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] when there are fewer; `self` is unchanged.
    #[inline]
    pub fn advance(&mut self, n: usize) -> Result<(), OutOfRange> {
        let n = self.position(n)?;
        let offset = self.offset + n;
        if offset >= self.node.at().end() {
            self.go_on(n);
        } else {
            (self.offset, self.len) = (offset, self.len - n);
        }
        Ok(())
    }

    /// Advances within a gather, or to where another node may begin.
    #[cold]
    fn go_on(&mut self, n: u32) {
        let rest = self.len - n;
        if let Some(leaves) = node::leaves(&self.node) {
            match gather::within_leaf(self, leaves, n, rest) {
                Some(part) => *self = part,
                None => (self.offset, self.len) = (self.offset + n, rest),
            }
            return;
        }
        let (node, offset) = self.node.at().seek(self.offset + n);
        if !node.is(&self.node) {
            self.node = node.pin();
        }
        (self.offset, self.len) = (offset, rest);
    }

    /// Keeps only the first `n` bytes.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] when there are fewer; `self` is unchanged.
    pub fn truncate(&mut self, n: usize) -> Result<(), OutOfRange> {
        let n = self.position(n)?;
        if let Some(leaves) = node::leaves(&self.node)
            && let Some(part) = gather::within_leaf(self, leaves, 0, n)
        {
            *self = part;
        } else {
            self.len = n;
        }
        Ok(())
    }

    /// Appends `next` when its bytes directly follow in storage: in the same
    /// node, or in the one linked after it. One pin is dropped.
    ///
    /// # Errors
    ///
    /// `next` comes back when it does not follow; `self` is unchanged.
    pub fn try_merge(&mut self, next: Span) -> Result<(), Span> {
        if next.is_empty() {
            return Ok(());
        }
        if self.is_empty() {
            *self = next;
            return Ok(());
        }
        let Some(len) = self.len.checked_add(next.len) else {
            return Err(next);
        };
        let (node, offset) = match self.kind() {
            Kind::Gather => (self.node.at(), self.offset + self.len),
            _ => self.node.at().seek(self.offset + self.len),
        };
        if !node.is(&next.node) || offset != next.offset {
            return Err(next);
        }
        self.len = len;
        Ok(())
    }

    /// Cuts the span into pieces of `size` bytes (the last may be shorter), with
    /// one addition for each node touched, not for each piece. A `size` of zero
    /// counts as one.
    pub fn into_segments(self, size: usize) -> Segments {
        Segments::new(self, size)
    }

    #[inline]
    fn position(&self, n: usize) -> Result<u32, OutOfRange> {
        if n > self.len() {
            return Err(OutOfRange);
        }
        // No more than the length, a `u32`.
        Ok(n as u32)
    }

    /// Part of the span, starting in the node where its first byte lies; for a
    /// gather, on the same gather.
    #[inline]
    pub(crate) fn cut(&self, at: u32, len: u32) -> Span {
        let at = self.offset + at;
        if self.kind() == Kind::Gather {
            return Span::new(self.node.clone(), at, len);
        }
        let (node, offset) = self.node.at().seek(at);
        Span::new(node.pin(), offset, len)
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span")
            .field("kind", &self.kind())
            .field("offset", &self.offset)
            .field("len", &self.len)
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
