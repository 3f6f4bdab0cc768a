//! Cutting a span into segments with pins taken in bulk.

use core::iter::FusedIterator;

use crate::ledger::Kind;
use crate::node::Prepaid;
use crate::span::Span;

/// Iterator over the pieces of a span, see [`Span::into_segments`].
pub struct Segments {
    /// What is not cut off yet; none once the last piece was handed out.
    rest: Option<Span>,
    /// Pins for pieces that start in the node in which `rest` starts.
    pins: Prepaid,
    size: u32,
}

impl Segments {
    pub(crate) fn new(span: Span, size: usize) -> Self {
        let size = u32::try_from(size).unwrap_or(u32::MAX).max(1);
        let here = match span.kind() {
            Kind::Gather => span.len,
            _ => span.node.at().end().saturating_sub(span.offset),
        };
        // The span's own pin serves one of the pieces.
        let others = starts(here.min(span.len), size).saturating_sub(1);
        let pins = Prepaid::new(span.node.at(), others);
        let rest = Some(span).filter(|span| !span.is_empty());
        Self { rest, pins, size }
    }

    /// Cuts one piece off the front of `rest`, which is longer than that.
    fn cut(&mut self, mut rest: Span) -> Option<Span> {
        let (at, len) = (rest.offset + self.size, rest.len - self.size);
        let (node, offset) = match rest.kind() {
            Kind::Gather => (rest.node.at(), at),
            _ => rest.node.at().seek(at),
        };
        if !node.is(&rest.node) {
            let here = node.end().saturating_sub(offset).min(len);
            self.pins = Prepaid::new(node, starts(here, self.size));
        }
        self.rest = Some(Span::new(self.pins.take()?, offset, len));
        rest.len = self.size;
        Some(rest)
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
        let rest = self.rest.take()?;
        if rest.len <= self.size {
            return Some(rest);
        }
        self.cut(rest)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let pieces = starts(self.rest.as_ref().map_or(0, |rest| rest.len), self.size);
        (pieces, Some(pieces))
    }
}

impl ExactSizeIterator for Segments {}
impl FusedIterator for Segments {}
