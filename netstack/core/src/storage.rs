//! Bounds on what a small piece of data may keep alive.

use std::collections::VecDeque;

use crate::Pools;
use crate::doorbell::Doorbell;
use crate::socket::RecvFlags;
use arrayvec::ArrayVec;
use txbuf::{Account, Chain, CopyError, Held, IovIter, Kind, NoMemory, Pool, Span};

/// Payloads up to this length cost less to copy than to keep alive where they are.
pub(crate) const COPYBREAK: usize = 512;
/// The most leaves of a gather.
const MAX_LEAVES: usize = txbuf::GATHER_MAX;
/// What a span of its own costs beside its bytes: a node, and what the allocator adds.
const NODE: usize = 128;

/// How the received spans of one socket are handed out.
pub(crate) struct Taking<'a> {
    pub(crate) flags: RecvFlags,
    /// Whether nothing more of what devices receive into may be kept: an arena is near its cap.
    pub(crate) evict: bool,
    pub(crate) pools: &'a Pools,
    /// What the copies that the socket's reader keeps are charged to, once there is one.
    pub(crate) kept: &'a mut Option<Account>,
    /// The most that one reader may keep in copies.
    pub(crate) most: usize,
    /// Within the account of the pools, to wait with for bytes of theirs.
    pub(crate) waits_with: &'a Account,
    /// Where word is left when bytes come back.
    pub(crate) doorbell: &'a Doorbell,
    /// Whether, after [`CopyError::NoMemory`], word will be left; there is room already otherwise.
    pub(crate) waits: &'a mut bool,
}

impl Taking<'_> {
    /// Puts `piece` into `into`; returns how many bytes found room.
    ///
    /// # Errors
    ///
    /// [`CopyError`]; nothing was put.
    pub(crate) fn put(&mut self, piece: Span, into: &mut IovIter<'_>) -> Result<usize, CopyError> {
        if !into.is_collecting() {
            return Ok(into.put_span(piece)?);
        }
        if self.flags.has(RecvFlags::READABLE) && !piece.is_readable() {
            return Err(CopyError::Unreadable);
        }
        let piece = match self.flags.has(RecvFlags::TRANSIENT) {
            true => piece,
            false => self.keepable(piece)?,
        };
        Ok(into.put_span(piece)?)
    }

    /// `span`, or a copy of it that keeps no more than its length. What lies in the stack's small segments
    /// is always copied: those are shared. While the stack is short of storage none of it is given away.
    fn keepable(&mut self, span: Span) -> Result<Span, CopyError> {
        if span.is_empty() || !span.is_readable() {
            return Ok(span);
        }
        let Pools {
            send,
            small,
            account,
            ledger,
        } = self.pools;
        let evicted = self.evict && in_arena(&span, small);
        let stays = !span.overpins() && !small.provides(&span) && !evicted;
        let takes_ours = !stays || send.provides(&span);
        if takes_ours && account.is_pressed() {
            // Pressure ends when half of the limit is free.
            *self.waits = self.waits_with.wait(account.limit() - account.limit() / 2);
            return Err(CopyError::NoMemory);
        }
        if stays {
            return Ok(span);
        }
        let kept = self
            .kept
            .get_or_insert_with(|| account.within_watched(self.most, self.doorbell.clone()));
        let needed = span.len() + NODE;
        let charge = kept
            .charge(needed)
            .inspect_err(|_| *self.waits = kept.wait(needed))?;
        let copy = span.to_vec()?.into_boxed_slice();
        let copy = Span::from_owner(&ledger.named("kept by readers"), (copy, charge));
        copy.map_err(|_| CopyError::NoMemory)
    }
}

/// `span`, or a copy of it in `small` when it pins more than four times its length. What lies in such a
/// small segment already stays there.
///
/// For whatever is held for an unbounded time in a queue. Memory that may not be read, and data too long
/// for the small segments, stays as it is: it pins the bounded rest of one node.
///
/// # Errors
///
/// [`NoMemory`] when a copy is needed and there is no storage for it.
pub(crate) fn bounded(span: Span, small: &mut Chain) -> Result<Span, NoMemory> {
    let copied_before = span.kind() == Kind::Buffered && span.footprint() <= small.pool().segment();
    if copied_before || !span.overpins() {
        return Ok(span);
    }
    let mut parts = ArrayVec::<Span, MAX_LEAVES>::new();
    let mut done = 0;
    while done < span.len() && !parts.is_full() {
        match copy_piece(&span, done, 1, small) {
            Ok(part) => {
                done += part.len();
                parts.push(part);
            }
            Err(CopyError::NoMemory) => return Err(NoMemory),
            Err(_) => return Ok(span),
        }
    }
    if done < span.len() {
        return Ok(span);
    }
    let ledger = small.pool().ledger().clone();
    Ok(Span::gather(&ledger, parts).unwrap_or(span))
}

/// Copies what a queue holds together, into `small`, if it keeps much more than its bytes or consists of
/// very many small pieces. Spans that are large and pin little stay as they are, and so does what cannot
/// be copied. Returns the bytes copied.
pub(crate) fn collapse(queue: &mut VecDeque<Span>, small: &mut Chain) -> usize {
    // What lies in small segments already shares them with its neighbours.
    let elsewhere = |span: &Span, own: &Pool| !own.provides(span);
    let held = Held::of(queue.iter().filter(|span| elsewhere(span, small.pool())));
    let bytes: usize = queue.iter().map(Span::len).sum();
    let ragged = queue.len() > 1 && queue.len() * COPYBREAK > bytes;
    if !ragged && !held.overpins() {
        return 0;
    }
    let own = small.pool().clone();
    txbuf::pack(queue, small, |span| {
        span.len() <= COPYBREAK || elsewhere(span, &own) && span.overpins()
    })
}

/// Copies what a queue holds of arenas into `small`. Returns the bytes copied.
pub(crate) fn evacuate(queue: &mut VecDeque<Span>, small: &mut Chain) -> usize {
    let own = small.pool().clone();
    txbuf::pack(queue, small, |span| in_arena(span, &own))
}

/// Puts a copy in `small` in the place of a span that lies in an arena, if it can be had as a whole. Returns
/// the bytes copied.
pub(crate) fn evacuate_one(span: &mut Span, small: &mut Chain) -> usize {
    if in_arena(span, small.pool())
        && let Ok(copy) = copy_front(span, small)
        && copy.len() == span.len()
    {
        *span = copy;
        return span.len();
    }
    0
}

/// Whether a span may lie in an arena: in segments, and not in those of `own`.
pub(crate) fn in_arena(span: &Span, own: &Pool) -> bool {
    matches!(span.kind(), Kind::Buffered | Kind::Gather) && !own.provides(span)
}

/// A copy of the span in `small`, in as few segments as can be; of the front of it if a gather cannot list
/// them, or there is no more storage.
fn copy_front(span: &Span, small: &mut Chain) -> Result<Span, CopyError> {
    let ledger = small.pool().ledger().clone();
    let segment = small.pool().segment();
    let mut parts = ArrayVec::<Span, MAX_LEAVES>::new();
    let mut done = 0;
    while done < span.len() && !parts.is_full() {
        let at_least = segment.min(span.len() - done);
        match copy_piece(span, done, at_least, small) {
            Ok(part) => {
                done += part.len();
                parts.push(part);
            }
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Span::gather(&ledger, parts).map_err(|_| CopyError::NoMemory)
}

/// A contiguous copy of the bytes from `at` on, of at least `at_least` and at most a segment.
fn copy_piece(
    span: &Span,
    at: usize,
    at_least: usize,
    small: &mut Chain,
) -> Result<Span, CopyError> {
    let mut room = small.reserve(at_least)?;
    let n = room.len().min(span.len() - at);
    span.copy_to(at, &mut room[..n])?;
    Ok(room.commit(n))
}

/// One span with the bytes of `parts`, copied into segments of `pool`.
///
/// # Errors
///
/// [`NoMemory`] when the pool is at its cap, when a part cannot be read, or when the bytes need more
/// segments than one span can hold.
pub(crate) fn copy_together(pool: &Pool, parts: &[Span]) -> Result<Span, NoMemory> {
    let mut segments = ArrayVec::<Span, MAX_LEAVES>::new();
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

#[cfg(test)]
mod tests;
