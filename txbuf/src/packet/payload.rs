//! From a received packet to what its receiver queues.

use crate::chain::Chain;
use crate::error::{NoMemory, TooManyParts};
use crate::ledger::Ledger;
use crate::packet::Packet;
use crate::span::Span;

impl Packet {
    /// The bytes from `offset` on as a span, owned by the caller; none when there
    /// are none. What lies in the packet's span is passed on as it is; what lies
    /// in the header area is copied into `small` (an arena). If there is some in
    /// both, the copy and the span are gathered.
    ///
    /// # Errors
    ///
    /// [`NoMemory`] when the pool of `small` is at its cap or its segments are
    /// smaller than a header area.
    pub fn into_payload(
        mut self,
        offset: usize,
        small: &mut Chain,
    ) -> Result<Option<Span>, NoMemory> {
        let span = self.span.take();
        let Some(front) = self
            .headers()
            .get(offset..)
            .filter(|front| !front.is_empty())
        else {
            return Ok(span.and_then(|span| skip(span, offset - self.area_len())));
        };
        let front = small.copy(front)?;
        let Some(span) = span else {
            return Ok(Some(front));
        };
        let parts = [front.clone(), span.clone()];
        let ledger = small.pool().ledger();
        Span::gather(ledger, parts)
            .or_else(|TooManyParts| copy_all(ledger, &[front, span]))
            .map(Some)
    }
}

/// For a gather that is full already: one more piece in front needs a copy.
fn copy_all(ledger: &Ledger, parts: &[Span]) -> Result<Span, NoMemory> {
    let mut bytes = Vec::with_capacity(parts.iter().map(Span::len).sum());
    for extent in parts.iter().flat_map(Span::extents) {
        extent.append_to(&mut bytes).map_err(|_| NoMemory)?;
    }
    Span::from_owner(ledger, bytes).map_err(|_| NoMemory)
}

fn skip(mut span: Span, n: usize) -> Option<Span> {
    span.advance(n).ok()?;
    Some(span).filter(|span| !span.is_empty())
}
