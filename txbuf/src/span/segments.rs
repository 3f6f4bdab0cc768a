//! Cutting a span into segments with pins taken in bulk.

use core::iter::FusedIterator;

use crate::ledger::Kind;
use crate::node::{NodeRef, Prepaid};
use crate::span::Span;

/// Iterator over the pieces of a span, see [`Span::into_segments`].
pub struct Segments {
    /// Pins for the pieces that start in the node in which the next one starts: all of them, as long as there is a
    /// next one.
    pins: Prepaid,
    /// Where the next piece starts in that node.
    offset: u32,
    /// Bytes that are left.
    len: u32,
    size: u32,
}

impl Segments {
    pub(crate) fn new(span: Span, size: usize) -> Self {
        let size = u32::try_from(size).unwrap_or(u32::MAX).max(1);
        let Span { node, offset, len } = span;
        let here = match node.kind() {
            Kind::Gather => len,
            _ => node.at().end().saturating_sub(offset).min(len),
        };
        // The span's own pin serves one of the pieces.
        let others = starts(here, size).saturating_sub(1);
        Self {
            pins: Prepaid::with(node, others),
            offset,
            len,
            size,
        }
    }

    /// Goes on to the node in which the next piece starts, while `node` still pins the one before it.
    #[cold]
    fn go_on(&mut self, node: &NodeRef) {
        let (node, offset) = node.at().seek(self.offset);
        let here = node.end().saturating_sub(offset).min(self.len);
        self.pins = Prepaid::new(node, starts(here, self.size));
        self.offset = offset;
    }
}

/// How many pieces of `size` bytes begin in `len` bytes.
fn starts(len: u32, size: u32) -> usize {
    len.div_ceil(size) as usize
}

impl Iterator for Segments {
    type Item = Span;

    #[inline]
    fn next(&mut self) -> Option<Span> {
        if self.len == 0 {
            return None;
        }
        let node = self.pins.take()?;
        let (offset, len) = (self.offset, self.len.min(self.size));
        self.offset += len;
        self.len -= len;
        if self.len > 0 && self.pins.is_used_up() {
            self.go_on(&node);
        }
        Some(Span::new(node, offset, len))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let pieces = starts(self.len, self.size);
        (pieces, Some(pieces))
    }
}

impl ExactSizeIterator for Segments {}
impl FusedIterator for Segments {}
