//! Extents: the contiguous pieces a span consists of.

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::slice;

use crate::error::Unreadable;
use crate::node::NodeAt;
use crate::span::Span;

/// One contiguous piece of a span's bytes.
#[derive(Clone, Copy)]
pub struct Extent<'a> {
    base: NonNull<u8>,
    len: usize,
    span: PhantomData<&'a [u8]>,
}

// SAFETY: an extent stands for a shared slice of published bytes.
unsafe impl Send for Extent<'_> {}
// SAFETY: as above.
unsafe impl Sync for Extent<'_> {}

impl<'a> Extent<'a> {
    /// Number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for a piece without bytes; a span has none of these.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when the CPU may not read them.
    #[inline]
    pub fn bytes(&self) -> Result<&'a [u8], Unreadable> {
        // SAFETY: the piece lies within the node's storage, is initialised, was
        // published (which happened before this span reached us) and is not
        // written again before the pin borrowed for 'a is gone.
        Ok(unsafe { slice::from_raw_parts(self.base.as_ptr(), self.len) })
    }

    /// Address and length for an I/O vector. The memory may only be read, and
    /// only while the span lives.
    #[inline]
    pub fn as_raw(&self) -> (*const u8, usize) {
        (self.base.as_ptr(), self.len)
    }
}

/// Iterator over the extents of a span, see [`Span::extents`].
#[derive(Clone)]
pub struct Extents<'a> {
    node: NodeAt<'a>,
    offset: u32,
    /// Bytes left in the current leaf.
    leaf: u32,
    /// Bytes left in the leaves after it.
    rest: u32,
    leaves: slice::Iter<'a, Span>,
}

impl<'a> Extents<'a> {
    #[inline]
    pub(crate) fn run(node: NodeAt<'a>, offset: u32, len: u32) -> Self {
        Self {
            node,
            offset,
            leaf: len,
            rest: 0,
            leaves: [].iter(),
        }
    }

    /// `leaf` bytes from the given place, then `rest` bytes of the `leaves`.
    pub(crate) fn list(
        (node, offset): (NodeAt<'a>, u32),
        leaf: u32,
        rest: u32,
        leaves: &'a [Span],
    ) -> Self {
        Self {
            node,
            offset,
            leaf,
            rest,
            leaves: leaves.iter(),
        }
    }

    fn next_leaf(&mut self) -> Option<()> {
        while self.leaf == 0 {
            if self.rest == 0 {
                return None;
            }
            let leaf = self.leaves.next()?;
            (self.node, self.offset) = (leaf.node.at(), leaf.offset);
            self.leaf = leaf.len.min(self.rest);
            self.rest -= self.leaf;
        }
        Some(())
    }
}

impl<'a> Iterator for Extents<'a> {
    type Item = Extent<'a>;

    #[inline]
    fn next(&mut self) -> Option<Extent<'a>> {
        if self.leaf == 0 {
            self.next_leaf()?;
        }
        let (node, offset) = self.node.seek(self.offset);
        let len = self.leaf.min(node.end().checked_sub(offset)?);
        if len == 0 {
            // Only a broken span reaches past the last node.
            return None;
        }
        (self.node, self.offset) = (node, offset + len);
        self.leaf -= len;
        // SAFETY: `offset + len` is at most `end`, hence within the storage.
        let base = unsafe { node.base().add(offset as usize) };
        Some(Extent {
            base,
            len: len as usize,
            span: PhantomData,
        })
    }
}

impl core::iter::FusedIterator for Extents<'_> {}
