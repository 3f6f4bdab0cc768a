//! Cutting a span into segments with pins taken in bulk.

use core::iter::FusedIterator;

use crate::node::{self, NodeAt, NodeRef, Prepaid};
use crate::span::{Span, gather};

/// Iterator over the pieces of a span, see [`Span::into_segments`].
pub struct Segments {
    /// Pins for the pieces that start in the node in which the next one starts: all of them, as long as there is a
    /// next one.
    pins: Prepaid,
    /// Where the next piece starts in that node.
    offset: u32,
    /// Bytes that are left; of a gather, those in pieces that lie within the leaf reached.
    len: u32,
    size: u32,
    rest: Option<Rest>,
}

/// What is left of a gather beyond the leaf reached.
struct Rest {
    /// Pins for the pieces that lie in more than one leaf, and one more if without it none would be left before the
    /// last leaf is reached.
    pins: Prepaid,
    offset: u32,
    len: u32,
}

impl Segments {
    pub(crate) fn new(span: Span, size: usize) -> Self {
        let size = u32::try_from(size).unwrap_or(u32::MAX).max(1);
        if node::leaves(&span.node).is_some() {
            return Self::of_gather(span, size);
        }
        let Span { node, offset, len } = span;
        let here = node.at().end().saturating_sub(offset).min(len);
        // The span's own pin serves one of the pieces.
        let others = starts(here, size).saturating_sub(1);
        Self {
            pins: Prepaid::with(node, others),
            offset,
            len,
            size,
            rest: None,
        }
    }

    #[cold]
    fn of_gather(span: Span, size: u32) -> Self {
        let more = pins(&span, size) - 1;
        let Span { node, offset, len } = span;
        let none = Prepaid::new(node.at(), 0);
        let pins = Prepaid::with(node, more);
        Self {
            pins: none,
            offset: 0,
            len: 0,
            size,
            rest: Some(Rest { pins, offset, len }),
        }
    }

    /// Goes on to the node in which the next piece starts, while `node` still pins the one before it.
    #[cold]
    fn go_on(&mut self, node: &NodeRef) {
        let (node, offset) = node.at().seek(self.offset);
        self.enter(node, offset);
    }

    fn enter(&mut self, node: NodeAt<'_>, offset: u32) {
        let here = node.end().saturating_sub(offset).min(self.len);
        self.pins = Prepaid::new(node, starts(here, self.size));
        self.offset = offset;
    }

    /// The next piece of a gather when those in the leaf reached are used up.
    #[cold]
    fn next_of_gather(&mut self) -> Option<Span> {
        let mut rest = self.rest.take().filter(|rest| rest.len > 0)?;
        if let Some(gather) = rest.pins.node()
            && self.reach(gather, (&mut rest.offset, &mut rest.len))
        {
            self.rest = Some(rest).filter(|rest| rest.len > 0);
            return self.next();
        }
        let node = rest.pins.take()?;
        let (offset, len) = (rest.offset, rest.len.min(self.size));
        (rest.offset, rest.len) = (offset + len, rest.len - len);
        // At once: if this was the last pin, the piece keeps the gather only for now.
        self.reach(node.at(), (&mut rest.offset, &mut rest.len));
        self.rest = Some(rest).filter(|rest| rest.len > 0);
        Some(Span::new(node, offset, len))
    }

    /// Takes the pieces over that lie within the leaf at `offset`; false when there are none.
    fn reach(&mut self, gather: NodeAt<'_>, (offset, len): (&mut u32, &mut u32)) -> bool {
        let Some((leaf, start, within)) = within_leaf(gather, *offset, *len, self.size) else {
            return false;
        };
        self.len = within;
        let (node, at) = leaf.node.at().seek(leaf.offset + start);
        self.enter(node, at);
        (*offset, *len) = (*offset + within, *len - within);
        true
    }
}

/// The leaf with byte `at` of a gather, the place of the byte in it, and how many of the `len` bytes from there on are
/// in pieces of `size` bytes that lie within it; none if that is none.
fn within_leaf(gather: NodeAt<'_>, at: u32, len: u32, size: u32) -> Option<(&Span, u32, u32)> {
    let (leaf, start, _) = gather::find(crate::gather::leaves(gather), at)?;
    let here = leaf.len - start;
    let within = if here >= len { len } else { here - here % size };
    (within > 0).then_some((leaf, start, within))
}

/// How many pins on its gather cutting a span takes, see [`Rest`].
fn pins(span: &Span, size: u32) -> usize {
    let (mut offset, mut left) = (span.offset, span.len);
    let (mut across, mut leaves_after) = (0, 0);
    while left > 0 {
        let n = match within_leaf(span.node.at(), offset, left, size) {
            Some((_, _, within)) => {
                leaves_after += 1;
                within
            }
            None => {
                (across, leaves_after) = (across + 1, 0);
                left.min(size)
            }
        };
        (offset, left) = (offset + n, left - n);
    }
    across + usize::from(across == 0 || leaves_after > 1)
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
            return self.next_of_gather();
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
        // Pieces in one leaf are whole ones, unless it is the last.
        let rest = self.rest.as_ref().map_or(0, |rest| rest.len);
        let pieces = starts(self.len, self.size) + starts(rest, self.size);
        (pieces, Some(pieces))
    }
}

impl ExactSizeIterator for Segments {}
impl FusedIterator for Segments {}
