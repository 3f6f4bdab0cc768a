//! Takes a super-packet apart, one segment after the other.

use std::collections::VecDeque;

use txbuf::{Packet, Segments, Span};

use super::error::CutError;
use super::template::{Piece, Template};

/// Appends to `out` the packets for which the super-packet stands, with partial checksums: payload is shared, by
/// reference, and not read. A packet that is none is appended as it is.
///
/// # Errors
///
/// [`CutError`]; the packet is dropped, and `out` may have the segments before the one that could not be made.
pub fn cut(mut packet: Packet, out: &mut VecDeque<Packet>) -> Result<(), CutError> {
    if packet.meta.gso.is_none() {
        out.push_back(packet);
        return Ok(());
    }
    Cutter::new(&mut packet, false)?.fill(out, usize::MAX)
}

/// Makes the segments of a super-packet, which itself stays whole.
pub(super) struct Cutter {
    template: Template,
    /// What the segment in which the header area's payload ends has from the span.
    seam: Option<Span>,
    /// The payload of the segments behind it, each with a pin of its own.
    pieces: Option<Segments>,
    /// Payload bytes in segments so far.
    made: usize,
    /// Segments so far.
    segments: usize,
    /// Whether segments get complete checksums, or the device completes them.
    complete: bool,
}

impl Cutter {
    /// Moves the headers of `packet` together if they are not, and prepares to cut it.
    pub(super) fn new(packet: &mut Packet, complete: bool) -> Result<Cutter, CutError> {
        let gso = packet.meta.gso.ok_or(CutError::Malformed)?;
        let headers = usize::from(gso.headers);
        if packet.headers().len() < headers {
            packet.pull(headers)?;
        }
        let template = Template::new(packet, gso).ok_or(CutError::Malformed)?;
        let mut seam = None;
        let mut span = packet.span().cloned();
        if let Some(span) = &mut span {
            let size = template.size();
            let missing = (size - template.tail() % size) % size;
            if missing > 0 {
                seam = Some(
                    span.split_to(missing.min(span.len()))
                        .map_err(|_| CutError::Malformed)?,
                );
            }
        }
        let pieces = span.map(|span| span.into_segments(template.size()));
        Ok(Cutter {
            template,
            seam,
            pieces,
            made: 0,
            segments: 0,
            complete,
        })
    }

    pub(super) fn is_finished(&self) -> bool {
        self.segments > 0 && self.made == self.template.payload()
    }

    /// Appends segments to `out` until it has `most` packets or the super-packet is used up.
    pub(super) fn fill(&mut self, out: &mut VecDeque<Packet>, most: usize) -> Result<(), CutError> {
        while out.len() < most && !self.is_finished() {
            let piece = self.cut()?;
            self.template.segment(piece, self.complete, out)?;
        }
        Ok(())
    }

    /// Makes `packet`, from which this cutter was made, the super-packet of what is not sent: all that was not cut
    /// and the last `unsent` segments.
    pub(super) fn put_back(&mut self, packet: &mut Packet, unsent: usize) -> Result<(), CutError> {
        let index = self.segments - unsent;
        let start = (index * self.template.size()).min(self.template.payload());
        if start == 0 {
            return Ok(());
        }
        let in_area = start.min(self.template.tail());
        let mut span = packet.take_span();
        if let Some(span) = &mut span {
            span.advance(start - in_area)
                .map_err(|_| CutError::Malformed)?;
        }
        *packet = self.template.rest(Piece {
            index,
            start,
            length: self.template.payload() - start,
            in_area: in_area..self.template.tail(),
            span,
        })?;
        Ok(())
    }

    /// The payload of the next segment.
    #[inline]
    fn cut(&mut self) -> Result<Piece, CutError> {
        let (start, tail) = (self.made, self.template.tail());
        let end = (start + self.template.size()).min(self.template.payload());
        let length = end - start;
        let in_area = start.min(tail)..end.min(tail);
        let span = if in_area.len() == length {
            None
        } else if in_area.is_empty() {
            self.pieces.as_mut().and_then(Iterator::next)
        } else {
            self.seam.take()
        };
        if in_area.len() + span.as_ref().map_or(0, Span::len) != length {
            return Err(CutError::Malformed);
        }
        let index = self.segments;
        self.made = end;
        self.segments += 1;
        Ok(Piece {
            index,
            start,
            length,
            in_area,
            span,
        })
    }
}
