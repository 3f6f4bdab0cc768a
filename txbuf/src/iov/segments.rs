//! Going over a source or sink piece by piece, without copying.

use std::collections::VecDeque;

use crate::gather::GATHER_MAX;
use crate::iov::{Cursor, IovIter, Place, length};
use crate::span::Span;

impl IovIter<'_> {
    /// Calls `f` with the contiguous pieces of a source, at most `max` bytes in all.
    /// `f` returns how many bytes it took; when that is less than it was shown, no
    /// more is shown. The cursor moves by exactly what was taken; returns how much.
    ///
    /// Ends early at a span the CPU may not read or that is lent, and shows nothing
    /// of a sink.
    pub fn for_each_segment(&mut self, max: usize, mut f: impl FnMut(&[u8]) -> usize) -> usize {
        let mut total = 0;
        loop {
            let want = self.remaining.min(max - total);
            if want == 0 {
                return total;
            }
            let Some(piece) = self.piece() else {
                return total;
            };
            let piece = &piece[..piece.len().min(want)];
            let shown = piece.len();
            let taken = f(piece).min(shown);
            // Cannot fail: no more than remains.
            let _ = self.advance(taken);
            total += taken;
            if taken < shown {
                return total;
            }
        }
    }

    /// Calls `f` with the contiguous pieces of a sink of vectors or of one buffer, to
    /// be filled from their start, as [`for_each_segment`](Self::for_each_segment)
    /// does for a source. Shows nothing of anything else.
    pub fn for_each_room(&mut self, max: usize, mut f: impl FnMut(&mut [u8]) -> usize) -> usize {
        let mut total = 0;
        loop {
            let want = self.remaining.min(max - total);
            if want == 0 {
                return total;
            }
            let Some(room) = self.room() else {
                return total;
            };
            let shown = room.len().min(want);
            let filled = f(&mut room[..shown]).min(shown);
            // Cannot fail: no more than remains.
            let _ = self.advance(filled);
            total += filled;
            if filled < shown {
                return total;
            }
        }
    }

    /// How many contiguous pieces the next `max` bytes consist of. A discarding or
    /// collecting sink has none.
    pub fn extents(&self, max: usize) -> usize {
        let max = max.min(self.remaining);
        match &self.place {
            _ if max == 0 => 0,
            Place::Bytes(_) | Place::Buffer(_) => 1,
            Place::Source(vectors, cursor) => cursor.pieces(max, |index| length(vectors, index)),
            Place::Sink(vectors, cursor) => cursor.pieces(max, |index| vectors.len(index)),
            Place::Spans(queue) => pieces(queue.iter(), 0, max),
            Place::Whole(span) => pieces(std::iter::once(span), self.done, max),
            Place::Parts(parts, cursor) => cursor.pieces_of_parts(parts, max),
            Place::Collect(_) | Place::Discard => 0,
        }
    }

    /// Moves at most `max` bytes out of a source of spans to the end of `into`, whose
    /// owner owns them; neighbours that follow each other in storage become one span.
    /// At most [`GATHER_MAX`] spans are taken at a time, each with its pin: nothing is
    /// counted unless one is cut. Returns how many bytes.
    pub fn extract(&mut self, max: usize, into: &mut VecDeque<Span>) -> usize {
        let (mut total, mut taken) = (0, 0);
        while taken < GATHER_MAX
            && let Some(span) = self.take_span(max - total)
        {
            total += span.len();
            let apart = match into.back_mut().filter(|_| taken > 0) {
                Some(last) => last.try_merge(span).err(),
                None => Some(span),
            };
            if let Some(span) = apart {
                into.push_back(span);
                taken += 1;
            }
        }
        total
    }

    /// The bytes at the cursor, up to the end of their piece.
    fn piece(&mut self) -> Option<&[u8]> {
        match &mut self.place {
            Place::Source(vectors, cursor) => {
                cursor.skip_empty(|index| length(vectors, index));
                vectors.get(cursor.index)?.get(cursor.offset..)
            }
            Place::Bytes(bytes) => bytes.get(self.done..),
            Place::Spans(queue) => {
                while queue.front().is_some_and(Span::is_empty) {
                    queue.pop_front();
                }
                queue.front()?.extents().next()?.bytes().ok()
            }
            Place::Whole(span) => piece_of(span, self.done),
            Place::Parts(parts, cursor) => cursor.piece(parts),
            Place::Sink(..) | Place::Buffer(_) | Place::Collect(_) | Place::Discard => None,
        }
    }

    /// The room at the cursor, up to the end of its piece.
    fn room(&mut self) -> Option<&mut [u8]> {
        match &mut self.place {
            Place::Sink(vectors, cursor) => {
                cursor.skip_empty(|index| vectors.len(index));
                vectors.get(cursor.index)?.get_mut(cursor.offset..)
            }
            Place::Buffer(buffer) => buffer.get_mut(self.done..),
            _ => None,
        }
    }
}

impl Cursor {
    pub(super) fn skip_empty(&mut self, length: impl Fn(usize) -> Option<usize>) {
        while length(self.index).is_some_and(|len| len == self.offset) {
            (self.index, self.offset) = (self.index + 1, 0);
        }
    }

    /// Pieces of the next `max` bytes.
    fn pieces(&self, max: usize, length: impl Fn(usize) -> Option<usize>) -> usize {
        let (mut index, mut offset, mut left, mut count) = (self.index, self.offset, max, 0);
        while left > 0
            && let Some(len) = length(index)
        {
            let piece = (len - offset).min(left);
            left -= piece;
            count += usize::from(piece > 0);
            (index, offset) = (index + 1, 0);
        }
        count
    }
}

/// The bytes of a span from `skip` on, up to the end of their extent.
pub(super) fn piece_of(span: &Span, skip: usize) -> Option<&[u8]> {
    let mut skip = skip;
    for extent in span.extents() {
        if skip < extent.len() {
            return extent.bytes().ok()?.get(skip..);
        }
        skip -= extent.len();
    }
    None
}

/// Extents of `max` bytes of the spans, after `skip` bytes.
pub(super) fn pieces<'a>(spans: impl Iterator<Item = &'a Span>, skip: usize, max: usize) -> usize {
    let (mut skip, mut left, mut count) = (skip, max, 0);
    for extent in spans.flat_map(Span::extents) {
        if left == 0 {
            break;
        }
        let passed = extent.len().min(skip);
        skip -= passed;
        let piece = (extent.len() - passed).min(left);
        left -= piece;
        count += usize::from(piece > 0);
    }
    count
}

#[cfg(all(test, not(loom)))]
mod tests;
