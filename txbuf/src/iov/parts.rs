//! Sources of several kinds: what a compound message is made of.

use crate::iov::{Cursor, copy_out, segments};
use crate::span::Span;

/// A part of a compound message.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// Bytes that are copied.
    Bytes(&'a [u8]),
    /// A buffer with an owner, or a lent one, that is not.
    Span(Span),
}

impl Part<'_> {
    /// Number of bytes.
    pub fn len(&self) -> usize {
        match self {
            Part::Bytes(bytes) => bytes.len(),
            Part::Span(span) => span.len(),
        }
    }

    /// True without any byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

pub(super) fn length(parts: &[Part<'_>], index: usize) -> Option<usize> {
    parts.get(index).map(Part::len)
}

impl Cursor {
    /// Bytes in front of the next span that has any.
    pub(super) fn plain(&self, parts: &[Part<'_>]) -> usize {
        let ahead = parts.get(self.index..).unwrap_or_default();
        let until_span = ahead
            .iter()
            .take_while(|part| matches!(part, Part::Bytes(_)) || part.is_empty());
        let total: usize = until_span.map(Part::len).sum();
        match ahead.first() {
            Some(Part::Bytes(_)) => total - self.offset,
            _ => total,
        }
    }

    /// Copies from the parts, spans among them too as far as the CPU may read.
    pub(super) fn copy_parts(&mut self, parts: &[Part<'_>], dst: &mut [u8]) -> usize {
        let mut done = 0;
        while done < dst.len()
            && let Some(part) = parts.get(self.index)
        {
            let room = &mut dst[done..];
            let wanted = room.len().min(part.len() - self.offset);
            let n = match part {
                Part::Bytes(bytes) => {
                    room[..wanted].copy_from_slice(&bytes[self.offset..self.offset + wanted]);
                    wanted
                }
                Part::Span(span) => copy_out(span, self.offset, &mut room[..wanted]),
            };
            done += n;
            self.step(n, part.len());
            if n < wanted {
                break;
            }
        }
        done
    }

    /// At most `max` bytes of the span at the cursor, if there is one.
    pub(super) fn take_span(&mut self, parts: &[Part<'_>], max: usize) -> Option<Span> {
        self.skip_empty(|index| length(parts, index));
        let Part::Span(span) = parts.get(self.index)? else {
            return None;
        };
        let n = max.min(span.len() - self.offset);
        let taken = span.slice(self.offset..self.offset + n).ok()?;
        self.step(n, span.len());
        Some(taken)
    }

    /// The bytes at the cursor, up to the end of their piece.
    pub(super) fn piece<'a>(&mut self, parts: &'a [Part<'_>]) -> Option<&'a [u8]> {
        self.skip_empty(|index| length(parts, index));
        match parts.get(self.index)? {
            Part::Bytes(bytes) => bytes.get(self.offset..),
            Part::Span(span) => segments::piece_of(span, self.offset),
        }
    }

    /// Contiguous pieces of the next `max` bytes.
    pub(super) fn pieces_of_parts(&self, parts: &[Part<'_>], max: usize) -> usize {
        let (mut skip, mut left, mut count) = (self.offset, max, 0);
        for part in parts.get(self.index..).unwrap_or_default() {
            let here = (part.len() - skip).min(left);
            count += match part {
                Part::Bytes(_) => usize::from(here > 0),
                Part::Span(span) => segments::pieces(std::iter::once(span), skip, here),
            };
            left -= here;
            skip = 0;
        }
        count
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
