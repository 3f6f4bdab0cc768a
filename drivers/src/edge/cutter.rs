//! Takes a super-packet apart, one segment after the other.

use txbuf::{ChecksumError, Packet, PullError, Segments, Span};

use super::template::{Piece, Template};

/// Why a super-packet cannot be cut. It is dropped then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CutError {
    /// Headers and metadata contradict each other.
    Malformed,
    /// The checksum needs payload that the CPU may not read.
    Unreadable,
}

impl From<ChecksumError> for CutError {
    fn from(error: ChecksumError) -> CutError {
        match error {
            ChecksumError::Unreadable => CutError::Unreadable,
            _ => CutError::Malformed,
        }
    }
}

impl From<PullError> for CutError {
    fn from(error: PullError) -> CutError {
        match error {
            PullError::Unreadable => CutError::Unreadable,
            _ => CutError::Malformed,
        }
    }
}

/// Yields the segments of a super-packet, which itself stays whole.
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
            let missing = (size - template.tail().len() % size) % size;
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

    /// Makes `packet`, from which this cutter was made, the super-packet of what is not sent: all that was not cut
    /// and the last `unsent` segments.
    pub(super) fn put_back(&self, packet: &mut Packet, unsent: usize) -> Result<(), CutError> {
        let sent = ((self.segments - unsent) * self.template.size()).min(self.template.payload());
        if sent == 0 {
            return Ok(());
        }
        let in_area = sent.min(self.template.tail().len());
        let mut span = packet.take_span();
        if let Some(span) = &mut span {
            span.advance(sent - in_area)
                .map_err(|_| CutError::Malformed)?;
        }
        *packet = self
            .template
            .rest(sent, &self.template.tail()[in_area..], span)?;
        Ok(())
    }

    fn cut(&mut self) -> Result<Packet, CutError> {
        let template = &self.template;
        let (start, tail) = (self.made, template.tail());
        let end = (start + template.size()).min(template.payload());
        let in_area = &tail[start.min(tail.len())..end.min(tail.len())];
        let span = if in_area.len() == end - start {
            None
        } else if in_area.is_empty() {
            self.pieces.as_mut().and_then(Iterator::next)
        } else {
            self.seam.take()
        };
        let length = end - start;
        if in_area.len() + span.as_ref().map_or(0, Span::len) != length {
            return Err(CutError::Malformed);
        }
        let piece = Piece {
            start,
            length,
            in_area,
            span,
        };
        template.segment(piece, self.complete)
    }
}

impl Iterator for Cutter {
    type Item = Result<Packet, CutError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_finished() {
            return None;
        }
        let segment = self.cut();
        self.made = (self.made + self.template.size()).min(self.template.payload());
        self.segments += 1;
        Some(segment)
    }
}
