//! The cursor over what a send takes from and a receive puts to.

use std::collections::VecDeque;
use std::fmt;
use std::io::{IoSlice, IoSliceMut};

use crate::collapse::push_merged;
use crate::error::{OutOfRange, Unreadable};
use crate::extent::Extent;
use crate::span::Span;

mod parts;
mod segments;
#[allow(unsafe_code)]
mod vectors;

pub use parts::Part;
use vectors::Vectors;

/// A cursor over I/O vectors or spans. The vectors themselves are never changed;
/// the cursor moves by exactly what was taken or put.
///
/// A *source* is read from ([`source`](Self::source), [`bytes`](Self::bytes),
/// [`spans`](Self::spans), [`span`](Self::span), [`parts`](Self::parts)), a *sink* is written to
/// ([`sink`](Self::sink), [`buffer`](Self::buffer), [`collect`](Self::collect),
/// [`discard`](Self::discard)). Reading from a sink or writing to a source moves
/// nothing and returns zero.
pub struct IovIter<'a> {
    place: Place<'a>,
    /// Bytes that may still be taken or put.
    remaining: usize,
    /// Bytes taken or put so far.
    done: usize,
}

enum Place<'a> {
    Source(&'a [IoSlice<'a>], Cursor),
    Bytes(&'a [u8]),
    Spans(&'a mut VecDeque<Span>),
    /// The cursor is [`IovIter::done`].
    Whole(Span),
    Parts(&'a [Part<'a>], Cursor),
    Sink(Vectors<'a>, Cursor),
    Buffer(&'a mut [u8]),
    Collect(&'a mut VecDeque<Span>),
    Discard,
}

/// A place in a list of vectors.
#[derive(Clone, Copy, Default)]
struct Cursor {
    index: usize,
    offset: usize,
}

/// Making one.
impl<'a> IovIter<'a> {
    /// A source over vectors.
    pub fn source(vectors: &'a [IoSlice<'a>]) -> Self {
        let total = vectors.iter().map(|vector| vector.len()).sum();
        Self::new(Place::Source(vectors, Cursor::default()), total)
    }

    /// A source over one buffer.
    pub fn bytes(bytes: &'a [u8]) -> Self {
        Self::new(Place::Bytes(bytes), bytes.len())
    }

    /// A source of spans, which are moved out of the front of the queue.
    pub fn spans(queue: &'a mut VecDeque<Span>) -> Self {
        let total = queue.iter().map(Span::len).sum();
        Self::new(Place::Spans(queue), total)
    }

    /// A source over one span, which the cursor keeps whole: buffers with an owner
    /// ([`Span::from_bytes`]), lent ones ([`Region::lend_all`](crate::Region::lend_all)).
    /// Spans taken from it are parts, at one increment each, so that it can be
    /// [reverted](Self::revert).
    pub fn span(span: Span) -> Self {
        let total = span.len();
        Self::new(Place::Whole(span), total)
    }

    /// A source over the parts of a compound message: bytes that are to be copied and
    /// spans that are not, in any order. The cursor keeps the spans as
    /// [`span`](Self::span) does.
    pub fn parts(parts: &'a [Part<'a>]) -> Self {
        let total = parts.iter().map(Part::len).sum();
        Self::new(Place::Parts(parts, Cursor::default()), total)
    }

    /// A sink over vectors.
    pub fn sink<'b: 'a>(vectors: &'a mut [IoSliceMut<'b>]) -> Self {
        let vectors = Vectors::new(vectors);
        let total = vectors.total();
        Self::new(Place::Sink(vectors, Cursor::default()), total)
    }

    /// A sink over one buffer.
    pub fn buffer(buffer: &'a mut [u8]) -> Self {
        let total = buffer.len();
        Self::new(Place::Buffer(buffer), total)
    }

    /// A sink that takes spans as they are, to the back of the queue, at most
    /// `max` bytes of them. The queue's owner owns the spans.
    pub fn collect(queue: &'a mut VecDeque<Span>, max: usize) -> Self {
        Self::new(Place::Collect(queue), max)
    }

    /// A sink that takes `n` bytes and forgets them.
    pub fn discard(n: usize) -> Self {
        Self::new(Place::Discard, n)
    }

    fn new(place: Place<'a>, remaining: usize) -> Self {
        Self {
            place,
            remaining,
            done: 0,
        }
    }
}

/// The cursor.
impl IovIter<'_> {
    /// Bytes that may still be taken or put.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.remaining
    }

    /// Bytes taken or put so far, reverted ones not counted.
    #[inline]
    pub fn done(&self) -> usize {
        self.done
    }

    /// Bytes of a source in front of its next span: as many have to be copied before
    /// [`take_span`](Self::take_span) finds one. Zero for a source of nothing but spans.
    #[inline]
    pub fn plain(&self) -> usize {
        match &self.place {
            Place::Source(..) | Place::Bytes(_) => self.remaining,
            Place::Parts(parts, cursor) => cursor.plain(parts).min(self.remaining),
            _ => 0,
        }
    }

    /// True for a sink that takes spans as they are.
    #[inline]
    pub fn is_collecting(&self) -> bool {
        matches!(self.place, Place::Collect(_))
    }

    /// True for a source.
    pub fn is_source(&self) -> bool {
        matches!(
            self.place,
            Place::Source(..)
                | Place::Bytes(_)
                | Place::Spans(_)
                | Place::Whole(_)
                | Place::Parts(..)
        )
    }

    /// Moves over `n` bytes without looking at them. Spans of a source are
    /// dropped; a sink's bytes stay what they are.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] when fewer remain, and for a collecting sink, which cannot
    /// have holes; nothing moves.
    pub fn advance(&mut self, n: usize) -> Result<(), OutOfRange> {
        if n > self.remaining || matches!(self.place, Place::Collect(_)) && n > 0 {
            return Err(OutOfRange);
        }
        match &mut self.place {
            Place::Source(vectors, cursor) => cursor.forward(n, |index| length(vectors, index)),
            Place::Sink(vectors, cursor) => cursor.forward(n, |index| vectors.len(index)),
            Place::Parts(parts, cursor) => cursor.forward(n, |index| parts::length(parts, index)),
            Place::Spans(queue) => drop_front(queue, n),
            Place::Bytes(_)
            | Place::Whole(_)
            | Place::Buffer(_)
            | Place::Collect(_)
            | Place::Discard => {}
        }
        self.moved(n);
        Ok(())
    }

    /// Goes back over the last `n` bytes, so that they are taken or put again.
    /// A collecting sink drops them.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] when fewer were moved over, and for a queue of spans, whose
    /// spans are gone (see [`put_back`](Self::put_back)); nothing moves.
    pub fn revert(&mut self, n: usize) -> Result<(), OutOfRange> {
        if n > self.done || matches!(self.place, Place::Spans(_)) && n > 0 {
            return Err(OutOfRange);
        }
        match &mut self.place {
            Place::Source(vectors, cursor) => cursor.back(n, |index| length(vectors, index)),
            Place::Sink(vectors, cursor) => cursor.back(n, |index| vectors.len(index)),
            Place::Parts(parts, cursor) => cursor.back(n, |index| parts::length(parts, index)),
            Place::Collect(queue) => drop_back(queue, n),
            Place::Spans(_)
            | Place::Whole(_)
            | Place::Bytes(_)
            | Place::Buffer(_)
            | Place::Discard => {}
        }
        self.done -= n;
        self.remaining += n;
        Ok(())
    }

    /// Lets at most `n` more bytes be taken or put.
    pub fn truncate(&mut self, n: usize) {
        self.remaining = self.remaining.min(n);
    }

    fn moved(&mut self, n: usize) {
        self.remaining -= n;
        self.done += n;
    }
}

/// Copying.
impl IovIter<'_> {
    /// Copies out of a source until it or `dst` ends; returns how much. Stops
    /// early at a span the CPU may not read.
    pub fn copy_from(&mut self, dst: &mut [u8]) -> usize {
        let want = dst.len().min(self.remaining);
        let dst = &mut dst[..want];
        let done = self.done;
        let n = match &mut self.place {
            Place::Source(vectors, cursor) => cursor.copy_out(vectors, dst),
            Place::Bytes(bytes) => {
                dst.copy_from_slice(&bytes[done..done + want]);
                want
            }
            Place::Spans(queue) => copy_out_of_spans(queue, dst),
            Place::Whole(span) => copy_out(span, done, dst),
            Place::Parts(parts, cursor) => cursor.copy_parts(parts, dst),
            Place::Sink(..) | Place::Buffer(_) | Place::Collect(_) | Place::Discard => 0,
        };
        self.moved(n);
        n
    }

    /// Copies into a sink until it or `src` ends; returns how much. A collecting
    /// sink takes spans only: zero.
    pub fn copy_to(&mut self, src: &[u8]) -> usize {
        let want = src.len().min(self.remaining);
        let src = &src[..want];
        let done = self.done;
        let n = match &mut self.place {
            Place::Sink(vectors, cursor) => cursor.copy_in(vectors, src),
            Place::Buffer(buffer) => {
                buffer[done..done + want].copy_from_slice(src);
                want
            }
            Place::Discard => want,
            Place::Source(..)
            | Place::Bytes(_)
            | Place::Spans(_)
            | Place::Whole(_)
            | Place::Parts(..)
            | Place::Collect(_) => 0,
        };
        self.moved(n);
        n
    }
}

/// Spans.
impl IovIter<'_> {
    /// The next span of a source of spans, split at `max` bytes; the caller owns
    /// it. None at the end, in front of bytes that are no span's, and for every other
    /// source and sink.
    pub fn take_span(&mut self, max: usize) -> Option<Span> {
        let max = max.min(self.remaining);
        let queue = match &mut self.place {
            Place::Spans(queue) => queue,
            Place::Whole(span) if max > 0 => {
                let part = span.slice(self.done..self.done + max).ok()?;
                self.moved(max);
                return Some(part);
            }
            Place::Parts(parts, cursor) if max > 0 => {
                let part = cursor.take_span(parts, max)?;
                self.moved(part.len());
                return Some(part);
            }
            _ => return None,
        };
        while queue.front().is_some_and(Span::is_empty) {
            queue.pop_front();
        }
        if max == 0 {
            return None;
        }
        let span = if queue.front()?.len() <= max {
            queue.pop_front()?
        } else {
            queue.front_mut()?.split_to(max).ok()?
        };
        self.moved(span.len());
        Some(span)
    }

    /// Gives back the span that [`take_span`](Self::take_span) returned last, or
    /// the end of it that was not used.
    ///
    /// # Errors
    ///
    /// The span comes back when this is no source of spans, or nothing of that
    /// length was taken.
    pub fn put_back(&mut self, span: Span) -> Result<(), Span> {
        let n = span.len();
        match &mut self.place {
            Place::Spans(queue) if n <= self.done => {
                queue.push_front(span);
                self.done -= n;
                self.remaining += n;
                Ok(())
            }
            Place::Whole(_) | Place::Parts(..) => self.revert(n).map_err(|OutOfRange| span),
            _ => Err(span),
        }
    }

    /// Puts a span into a sink: a collecting one takes it as it is, vectors get a
    /// copy, a discarding one drops it. Returns how many bytes fitted; the rest
    /// of the span is dropped, so a caller that needs it cuts at
    /// [`remaining`](Self::remaining) first.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when bytes to be copied lie in memory the CPU may not read;
    /// the cursor has not moved.
    pub fn put_span(&mut self, mut span: Span) -> Result<usize, Unreadable> {
        let n = span.len().min(self.remaining);
        let put = match &mut self.place {
            Place::Collect(queue) => {
                if span.truncate(n).is_ok() && n > 0 {
                    push_merged(queue, span);
                }
                n
            }
            Place::Discard => n,
            Place::Buffer(buffer) => {
                let room = &mut buffer[self.done..self.done + n];
                span.copy_to(0, room)?
            }
            Place::Sink(vectors, cursor) => {
                let before = *cursor;
                let mut left = n;
                for extent in span.extents() {
                    let put = cursor.copy_extent(vectors, &extent, left);
                    left -= put.inspect_err(|_| *cursor = before)?;
                }
                n - left
            }
            Place::Source(..)
            | Place::Bytes(_)
            | Place::Spans(_)
            | Place::Whole(_)
            | Place::Parts(..) => 0,
        };
        self.moved(put);
        Ok(put)
    }
}

impl Cursor {
    fn forward(&mut self, n: usize, length: impl Fn(usize) -> Option<usize>) {
        let mut left = n;
        while left > 0
            && let Some(len) = length(self.index)
        {
            let step = left.min(len - self.offset);
            left -= step;
            self.offset += step;
            if self.offset == len {
                (self.index, self.offset) = (self.index + 1, 0);
            }
        }
    }

    fn back(&mut self, n: usize, length: impl Fn(usize) -> Option<usize>) {
        let mut left = n;
        while left > 0 {
            if self.offset == 0 {
                let Some(index) = self.index.checked_sub(1) else {
                    return;
                };
                (self.index, self.offset) = (index, length(index).unwrap_or(0));
            }
            let step = left.min(self.offset);
            left -= step;
            self.offset -= step;
        }
    }

    fn copy_out(&mut self, vectors: &[IoSlice<'_>], dst: &mut [u8]) -> usize {
        let mut done = 0;
        while done < dst.len()
            && let Some(vector) = vectors.get(self.index)
        {
            let bytes = &vector[self.offset..];
            let n = bytes.len().min(dst.len() - done);
            dst[done..done + n].copy_from_slice(&bytes[..n]);
            done += n;
            self.step(n, vector.len());
        }
        done
    }

    fn copy_in(&mut self, vectors: &mut Vectors<'_>, src: &[u8]) -> usize {
        let mut done = 0;
        while done < src.len()
            && let Some(vector) = vectors.get(self.index)
        {
            let len = vector.len();
            let room = &mut vector[self.offset..];
            let n = room.len().min(src.len() - done);
            room[..n].copy_from_slice(&src[done..done + n]);
            done += n;
            self.step(n, len);
        }
        done
    }

    /// Copies an extent, at most `max` bytes of it; returns how many fitted.
    fn copy_extent(
        &mut self,
        vectors: &mut Vectors<'_>,
        extent: &Extent<'_>,
        max: usize,
    ) -> Result<usize, Unreadable> {
        let mut done = 0;
        let max = extent.len().min(max);
        while done < max
            && let Some(vector) = vectors.get(self.index)
        {
            let len = vector.len();
            let room = &mut vector[self.offset..];
            let n = room.len().min(max - done);
            extent.copy_to(done, &mut room[..n])?;
            done += n;
            self.step(n, len);
        }
        Ok(done)
    }

    /// `n` bytes on in a vector of `len` bytes.
    fn step(&mut self, n: usize, len: usize) {
        self.offset += n;
        if self.offset == len {
            (self.index, self.offset) = (self.index + 1, 0);
        }
    }
}

fn length(vectors: &[IoSlice<'_>], index: usize) -> Option<usize> {
    vectors.get(index).map(|vector| vector.len())
}

fn drop_front(queue: &mut VecDeque<Span>, n: usize) {
    let mut left = n;
    while left > 0
        && let Some(front) = queue.front_mut()
    {
        if front.len() > left {
            // Cannot fail: the span is longer.
            let _ = front.advance(left);
            return;
        }
        left -= front.len();
        queue.pop_front();
    }
}

fn drop_back(queue: &mut VecDeque<Span>, n: usize) {
    let mut left = n;
    while left > 0
        && let Some(back) = queue.back_mut()
    {
        if let Some(keep) = back.len().checked_sub(left)
            && keep > 0
        {
            // Cannot fail: the span is longer.
            let _ = back.truncate(keep);
            return;
        }
        left -= back.len();
        queue.pop_back();
    }
}

/// Copies from `at` on, as far as the CPU may read.
fn copy_out(span: &Span, at: usize, dst: &mut [u8]) -> usize {
    let (mut skip, mut done) = (at, 0);
    for extent in span.extents() {
        if done == dst.len() {
            break;
        }
        let passed = extent.len().min(skip);
        skip -= passed;
        match extent.copy_to(passed, &mut dst[done..]) {
            Ok(n) => done += n,
            Err(Unreadable) => break,
        }
    }
    done
}

fn copy_out_of_spans(queue: &mut VecDeque<Span>, dst: &mut [u8]) -> usize {
    let mut done = 0;
    while done < dst.len()
        && let Some(front) = queue.front_mut()
    {
        match front.copy_to(0, &mut dst[done..]) {
            Ok(n) => {
                done += n;
                drop_front(queue, n);
                while queue.front().is_some_and(Span::is_empty) {
                    queue.pop_front();
                }
            }
            Err(Unreadable) => break,
        }
    }
    done
}

impl fmt::Debug for IovIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IovIter")
            .field("source", &self.is_source())
            .field("remaining", &self.remaining)
            .field("done", &self.done)
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
