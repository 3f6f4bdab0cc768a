//! From a received packet to what its receiver queues.

use crate::chain::Chain;
use crate::error::CopyError;
use crate::packet::Packet;
use crate::span::{Span, copy_to_runs};

impl Packet {
    /// The bytes from `offset` on as a span, owned by the caller; none when there
    /// are none. What lies in the packet's span is passed on as it is; what lies
    /// in the header area is copied into `small` (an arena). If there is some in
    /// both, the copy and the span are gathered; a gather that is full already is
    /// copied as a whole, into the same pool, and messages that lent some of it are
    /// reported as copied.
    ///
    /// # Errors
    ///
    /// [`CopyError`] with the packet, unchanged: `NoMemory` when the pool of `small` is
    /// at its cap or its segments are smaller than a header area; `Unreadable` when a
    /// full gather would have to be copied and lies in memory the CPU may not read.
    pub fn into_payload(
        mut self,
        offset: usize,
        small: &mut Chain,
    ) -> Result<Option<Span>, (Packet, CopyError)> {
        let front = self.headers().get(offset..).unwrap_or(&[]);
        if front.is_empty() {
            let span = self.span.take();
            return Ok(span.and_then(|span| skip(span, offset - self.area_len())));
        }
        let mut payload = match small.copy(front) {
            Ok(front) => front,
            Err(full) => return Err((self, full.into())),
        };
        let Some(span) = self.span.take() else {
            return Ok(Some(payload));
        };
        let Err(span) = payload.append(small.pool().ledger(), span) else {
            return Ok(Some(payload));
        };
        match copy_to_runs(&[&payload, &span], small.pool()) {
            Ok(copy) => {
                span.mark_copied();
                Ok(Some(copy))
            }
            Err(error) => {
                self.span = Some(span);
                Err((self, error))
            }
        }
    }
}

fn skip(mut span: Span, n: usize) -> Option<Span> {
    span.advance(n).ok()?;
    Some(span).filter(|span| !span.is_empty())
}
