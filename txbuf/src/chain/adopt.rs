//! Taking spans that somebody else filled into a stream.

use crate::chain::{Chain, Entry, Shape};
use crate::error::CopyError;
use crate::ledger::Kind;
use crate::node;
use crate::span::{Span, gather_pieces};

impl Chain {
    /// Appends bytes that somebody else filled, without copying them unless they
    /// pin more than four times their length, the chain does not [carry](Self::carries)
    /// that, and there is room for a copy; lent ones are never copied. The chain owns the
    /// span afterwards.
    ///
    /// A segment of the chain's pool that nobody else pins (a committed
    /// [`DetachedReservation`](crate::DetachedReservation)) becomes one of the
    /// chain's own nodes: it is linked into the run and its rest filled. One of another
    /// pool is not: what this chain writes would then be charged to that pool's owner.
    /// A gather is taken apart. An arena drops the span.
    pub fn append_span(&mut self, span: Span) {
        if self.shape == Shape::Arena {
            return;
        }
        match node::leaves(&span.node) {
            None => self.append_leaf(span),
            Some(leaves) => {
                gather_pieces(&span, leaves).for_each(|leaf| self.append_leaf(leaf));
            }
        }
    }

    /// Appends a copy of the span's bytes, whose messages are reported as copied; returns
    /// how much, which is less only if the pool ran out on the way. For what is not worth
    /// a pin.
    ///
    /// # Errors
    ///
    /// [`CopyError::NoMemory`] when not even one byte found room;
    /// [`CopyError::Unreadable`] when a piece lies in memory the CPU may not read. The
    /// chain is unchanged.
    pub fn append_copy(&mut self, span: &Span) -> Result<usize, CopyError> {
        if !span.is_readable() {
            return Err(CopyError::Unreadable);
        }
        let mut done = 0;
        while done < span.len() {
            let mut room = match self.reserve(1) {
                Ok(room) => room,
                Err(full) if done == 0 => return Err(full.into()),
                Err(_) => break,
            };
            let n = room.len().min(span.len() - done);
            span.copy_to(done, &mut room[..n])?;
            room.publish(n);
            done += n;
        }
        span.mark_copied();
        Ok(done)
    }

    /// Lets the chain keep up to `most` bytes of storage of others, whatever the spans
    /// on it show. Without this it is nothing: each span is judged by itself.
    pub fn set_carry(&mut self, most: usize) {
        self.carry = most;
    }

    /// Whether a span would be [adopted](Self::adopted) within the limit: its storage is
    /// counted already, or fits, or is all there is, so that a buffer of any size can be
    /// sent, but no two beyond the limit.
    pub fn carries(&self, span: &Span) -> bool {
        let fits = |storage: usize| {
            let sum = self.adopted.checked_add(storage);
            self.adopted == 0 || sum.is_some_and(|sum| sum <= self.carry)
        };
        self.carry > 0 && (self.last_adopted_shares(span) || fits(span.footprint()))
    }

    /// Bytes of storage of others that the chain keeps: whole nodes, to the end of their
    /// runs. Neighbours on one node count once.
    #[inline]
    pub fn adopted(&self) -> usize {
        self.adopted
    }

    fn last_adopted_shares(&self, span: &Span) -> bool {
        let last = self.entries.back().filter(|last| !last.own);
        last.is_some_and(|last| last.span.shares_storage(span))
    }

    fn append_leaf(&mut self, span: Span) {
        if span.is_empty() {
            return;
        }
        // Lent memory is the sender's own: what it keeps of that is no concern of ours.
        let overpins = span.kind() != Kind::User && span.overpins() && !self.carries(&span);
        let fits_tail = || self.tail_room() as usize >= span.len();
        if overpins && fits_tail() && self.append_whole(&span).is_ok() {
            return;
        }
        if self.pool.provides(&span)
            && span.offset == 0
            && span.len <= span.node.capacity()
            && span.node.is_unique()
            && !span.node.is_linked()
        {
            self.adopt_node(span);
        } else if !(overpins && self.append_whole(&span).is_ok()) {
            self.adopt_span(span);
        }
    }

    /// A copy in one piece, if a segment can hold it.
    fn append_whole(&mut self, span: &Span) -> Result<(), CopyError> {
        let mut room = self.reserve(span.len())?;
        let n = span.len();
        span.copy_to(0, &mut room[..n])?;
        span.mark_copied();
        room.publish(n);
        Ok(())
    }

    /// The span is the node's only pin: the chain becomes its producer.
    fn adopt_node(&mut self, span: Span) {
        self.replace_tail(span.node, 0);
        self.publish(span.len);
    }

    fn adopt_span(&mut self, span: Span) {
        let len = u64::from(span.len);
        let storage = span.storage();
        let shares = self.last_adopted_shares(&span);
        let apart = match self.entries.back_mut() {
            Some(last) if !last.own => match last.span.try_merge(span) {
                Err(span) => Some(span),
                Ok(()) => {
                    // The run may have grown since.
                    let more = last.span.storage().saturating_sub(last.storage);
                    last.storage += more;
                    self.adopted += more as usize;
                    None
                }
            },
            _ => Some(span),
        };
        if let Some(span) = apart {
            // The newest entry on a node has its storage: it goes last.
            let before = self.entries.back_mut().filter(|_| shares);
            let moved = before.map_or(0, |last| core::mem::take(&mut last.storage));
            self.adopted = self.adopted + storage as usize - moved as usize;
            self.run.number += 1;
            self.entries.push_back(Entry {
                start: self.end,
                span,
                run: self.run.number,
                own: false,
                storage,
            });
        }
        self.end += len;
    }
}

impl Span {
    /// What an entry counts: as much as the number holds.
    pub(super) fn storage(&self) -> u32 {
        u32::try_from(self.footprint()).unwrap_or(u32::MAX)
    }
}
