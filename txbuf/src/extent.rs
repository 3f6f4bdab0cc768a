//! Extents: the contiguous pieces a span consists of.

use core::marker::PhantomData;
use core::slice;

use crate::checksum;
use crate::device::{self, DeviceExtent};
use crate::error::Unreadable;
use crate::ledger::Kind;
use crate::node::NodeAt;
use crate::span::Span;
use crate::user::{self, Access};

/// One contiguous piece of a span's bytes.
#[derive(Clone, Copy)]
pub struct Extent<'a> {
    node: NodeAt<'a>,
    offset: u32,
    len: u32,
}

// SAFETY: an extent stands for a shared pin on a node, which may be used from any
// thread.
unsafe impl Send for Extent<'_> {}
// SAFETY: as above.
unsafe impl Sync for Extent<'_> {}

impl<'a> Extent<'a> {
    /// Number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// True for a piece without bytes; a span has none of these.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The kind of node the bytes lie in; never [`Kind::Gather`].
    #[inline]
    pub fn kind(&self) -> Kind {
        self.node.kind()
    }

    /// The bytes.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when the CPU may not read them, and when they are lent: others
    /// may write there, so they can only be [copied out](Self::copy_to).
    #[inline]
    pub fn bytes(&self) -> Result<&'a [u8], Unreadable> {
        match self.kind() {
            // SAFETY: the piece lies within the node's storage, is initialised, was
            // published (which happened before this span reached us) and is not
            // written again before the pin borrowed for 'a is gone.
            Kind::Buffered | Kind::Owned => Ok(unsafe {
                self.node.reads(self.offset, self.len);
                let base = self.node.base().add(self.offset as usize);
                slice::from_raw_parts(base.as_ptr(), self.len())
            }),
            Kind::User | Kind::Device | Kind::Gather => Err(Unreadable),
        }
    }

    /// Copies bytes from `from` on, until the piece or `dst` ends; returns how many.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when the CPU may not read them.
    #[inline]
    pub fn copy_to(&self, from: usize, dst: &mut [u8]) -> Result<usize, Unreadable> {
        if self.kind() == Kind::User {
            return Ok(self.copy_lent(from, dst));
        }
        let bytes = self.bytes()?.get(from..).unwrap_or(&[]);
        let n = bytes.len().min(dst.len());
        dst[..n].copy_from_slice(&bytes[..n]);
        Ok(n)
    }

    /// Appends a copy of the bytes.
    pub(crate) fn append_to(&self, bytes: &mut Vec<u8>) -> Result<(), Unreadable> {
        match self.bytes() {
            Ok(own) => bytes.extend_from_slice(own),
            Err(Unreadable) => {
                let at = bytes.len();
                bytes.resize(at + self.len(), 0);
                self.copy_to(0, &mut bytes[at..])?;
            }
        }
        Ok(())
    }

    fn copy_lent(&self, from: usize, dst: &mut [u8]) -> usize {
        let n = self.len().saturating_sub(from).min(dst.len());
        // `from` is less than the length, a `u32`, if `n` is not zero.
        let at = self.offset + if n > 0 { from as u32 } else { 0 };
        Access::begin(self.node).copy_to(at, &mut dst[..n]);
        n
    }

    /// Address and length for an I/O vector.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when the CPU may not read the bytes.
    #[inline]
    pub fn raw(&self) -> Result<RawExtent<'a>, Unreadable> {
        let (base, access) = match self.kind() {
            Kind::Buffered | Kind::Owned => (self.node.base().as_ptr().cast_const(), None),
            Kind::User => {
                let access = Access::begin(self.node);
                (access.base(), Some(access))
            }
            Kind::Device | Kind::Gather => return Err(Unreadable),
        };
        Ok(RawExtent {
            base: base.wrapping_add(self.offset as usize),
            len: self.len(),
            _access: access,
            span: PhantomData,
        })
    }

    /// Where the bytes of a [`Kind::Device`] lie, for a driver that can move them;
    /// none for any other kind.
    pub fn device(&self) -> Option<DeviceExtent> {
        (self.kind() == Kind::Device).then(|| device::place(self.node, self.offset, self.len))
    }

    /// The ones-complement sum of the bytes.
    #[inline]
    pub(crate) fn sum(&self) -> Result<u16, Unreadable> {
        match self.bytes() {
            Ok(bytes) => Ok(checksum::sum(bytes)),
            Err(Unreadable) => self.sum_copied(),
        }
    }

    /// The sum of lent bytes, a few at a time.
    #[cold]
    fn sum_copied(&self) -> Result<u16, Unreadable> {
        let mut room = [0; 512];
        let (mut sum, mut done) = (0, 0);
        while done < self.len() {
            let n = self.copy_to(done, &mut room)?;
            // Every piece but the last has even length.
            sum = checksum::combine(sum, checksum::sum(&room[..n]), false);
            done += n;
        }
        Ok(sum)
    }

    /// Reports the message that lent these bytes, if one did, as copied.
    pub(crate) fn mark_copied(&self) {
        if self.kind() == Kind::User
            && let Some(token) = user::token(self.node)
        {
            token.mark_copied();
        }
    }
}

/// Address and length of an extent. The memory may only be read, and only while
/// this value lives; if it is lent, others may be writing to it, and it cannot be
/// withdrawn meanwhile.
pub struct RawExtent<'a> {
    base: *const u8,
    len: usize,
    _access: Option<Access<'a>>,
    span: PhantomData<&'a Span>,
}

// SAFETY: an address, and a share in keeping it valid; both may be used from any
// thread.
unsafe impl Send for RawExtent<'_> {}
// SAFETY: as above.
unsafe impl Sync for RawExtent<'_> {}

impl RawExtent<'_> {
    /// Address of the first byte.
    #[inline]
    pub fn as_ptr(&self) -> *const u8 {
        self.base
    }

    /// Number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without any byte.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
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
        // `offset + len` is at most `end`, hence within the storage.
        Some(Extent { node, offset, len })
    }
}

impl core::iter::FusedIterator for Extents<'_> {}
