//! Bounds on what a small piece of data may keep alive.

use txbuf::{Chain, Kind, NoMemory, Pool, Span};

/// What may be held for long must not pin more than this many times its length.
const MAX_PINNED: usize = 4;
/// Payloads up to this length cost less to copy than to keep alive where they are.
pub(crate) const COPYBREAK: usize = 512;
/// The most leaves of a gather.
const MAX_LEAVES: usize = txbuf::GATHER_MAX;

/// `span`, or a copy of it in `small` when it pins more than four times its length. What lies in such a
/// small segment already stays there.
///
/// For whatever is held for an unbounded time. Memory that may not be read, and data too long for
/// the small segments, stays as it is: it pins the bounded rest of one node.
///
/// # Errors
///
/// [`NoMemory`] when a copy is needed and there is no storage for it.
pub(crate) fn bounded(span: Span, small: &mut Chain) -> Result<Span, NoMemory> {
    let copied_before = span.kind() == Kind::Buffered && span.footprint() <= small.pool().segment();
    if copied_before || span.footprint() <= MAX_PINNED * span.len() {
        return Ok(span);
    }
    let mut parts = arrayvec::ArrayVec::<Span, MAX_LEAVES>::new();
    let mut done = 0;
    while done < span.len() && !parts.is_full() {
        let mut reservation = small.reserve(1)?;
        let n = reservation.len().min(span.len() - done);
        if span.copy_to(done, &mut reservation[..n]).is_err() {
            return Ok(span);
        }
        parts.push(reservation.commit(n));
        done += n;
    }
    if done < span.len() {
        return Ok(span);
    }
    let ledger = small.pool().ledger().clone();
    Ok(Span::gather(&ledger, parts).unwrap_or(span))
}

/// One span with the bytes of `parts`, copied into segments of `pool`.
///
/// # Errors
///
/// [`NoMemory`] when the pool is at its cap, when a part cannot be read, or when the bytes need more
/// segments than one span can hold.
pub(crate) fn copy_together(pool: &Pool, parts: &[Span]) -> Result<Span, NoMemory> {
    let mut segments = arrayvec::ArrayVec::<Span, MAX_LEAVES>::new();
    let mut parts = parts.iter();
    let mut part = parts.next();
    let mut done = 0;
    while part.is_some() {
        let mut segment = pool.reserve()?;
        let mut filled = 0;
        while let Some(span) = part
            && filled < segment.len()
        {
            let n = span
                .copy_to(done, &mut segment[filled..])
                .map_err(|_| NoMemory)?;
            filled += n;
            done += n;
            if done == span.len() {
                part = parts.next();
                done = 0;
            }
        }
        segments
            .try_push(segment.commit(filled))
            .map_err(|_| NoMemory)?;
    }
    Span::gather(pool.ledger(), segments).map_err(|_| NoMemory)
}
