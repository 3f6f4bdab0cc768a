//! Cutting a span into segments with pins taken in bulk.

use core::iter::FusedIterator;

use crate::node::{self, NodeAt, Prepaid};
use crate::span::{Span, gather};

/// Iterator over the pieces of a span, see [`Span::into_segments`].
pub struct Segments {
    /// Of a gather, what lies in the leaf reached.
    here: Here,
    size: u32,
    rest: Option<Rest>,
}

/// Pieces that lie in linked nodes.
struct Here {
    /// Pins for the pieces that start in the node in which the next one starts: all of them, as long as there is a
    /// next one.
    pins: Prepaid,
    /// Where the next piece starts in that node.
    offset: u32,
    /// Bytes that are left.
    len: u32,
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
        let pins = Prepaid::with(node, others);
        Self {
            here: Here { pins, offset, len },
            size,
            rest: None,
        }
    }

    #[cold]
    fn of_gather(span: Span, size: u32) -> Self {
        let more = pins(&span, size) - 1;
        let Span { node, offset, len } = span;
        let here = Here {
            pins: Prepaid::new(node.at(), 0),
            offset: 0,
            len: 0,
        };
        let pins = Prepaid::with(node, more);
        Self {
            here,
            size,
            rest: Some(Rest { pins, offset, len }).filter(|rest| rest.len > 0),
        }
    }
}

impl Here {
    /// The pieces of `len` bytes from `offset` on, counted from the start of `node` and on along its links.
    #[cold]
    fn from(node: NodeAt<'_>, offset: u32, len: u32, size: u32) -> Self {
        let (node, offset) = node.seek(offset);
        let first = node.end().saturating_sub(offset).min(len);
        let pins = Prepaid::new(node, starts(first, size));
        Self { pins, offset, len }
    }

    #[inline(always)]
    fn take(&mut self, size: u32) -> Option<Span> {
        let node = self.pins.take()?;
        let (offset, len) = (self.offset, self.len.min(size));
        self.offset += len;
        self.len -= len;
        if self.len > 0 && self.pins.is_used_up() {
            // On to the node in which the next piece starts, while `node` still pins this one.
            *self = Self::from(node.at(), self.offset, self.len, size);
        }
        Some(Span::new(node, offset, len))
    }
}

impl Rest {
    /// The next piece, and the pieces of the leaf that is reached with it or after it.
    fn take(&mut self, size: u32) -> Option<(Span, Option<Here>)> {
        let gather = self.pins.node()?;
        if let Some(mut here) = reach(gather, &mut self.offset, &mut self.len, size) {
            return Some((here.take(size)?, Some(here)));
        }
        let node = self.pins.take()?;
        let (offset, len) = (self.offset, self.len.min(size));
        (self.offset, self.len) = (offset + len, self.len - len);
        // At once: if this was the last pin, the piece keeps the gather only for now.
        let here = reach(node.at(), &mut self.offset, &mut self.len, size);
        Some((Span::new(node, offset, len), here))
    }
}

/// The next piece of a gather when those in the leaf reached are used up. Only what is left of the gather is handed
/// over by reference: the rest of the iterator may stay in registers.
#[cold]
#[inline(never)]
fn next_of_gather(rest: &mut Option<Rest>, size: u32) -> Option<(Span, Option<Here>)> {
    let next = rest.as_mut()?.take(size);
    if rest.as_ref().is_some_and(|rest| rest.len == 0) {
        *rest = None;
    }
    next
}

/// Takes the pieces over that lie within the leaf at `offset`; none when there are none.
fn reach(gather: NodeAt<'_>, offset: &mut u32, len: &mut u32, size: u32) -> Option<Here> {
    let (leaf, start, within) = within_leaf(gather, *offset, *len, size)?;
    (*offset, *len) = (*offset + within, *len - within);
    Some(Here::from(
        leaf.node.at(),
        leaf.offset + start,
        within,
        size,
    ))
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
        if self.here.len > 0 {
            return self.here.take(self.size);
        }
        let (piece, here) = next_of_gather(&mut self.rest, self.size)?;
        if let Some(here) = here {
            self.here = here;
        }
        Some(piece)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Pieces in one leaf are whole ones, unless it is the last.
        let rest = self.rest.as_ref().map_or(0, |rest| rest.len);
        let pieces = starts(self.here.len, self.size) + starts(rest, self.size);
        (pieces, Some(pieces))
    }
}

impl ExactSizeIterator for Segments {}
impl FusedIterator for Segments {}
