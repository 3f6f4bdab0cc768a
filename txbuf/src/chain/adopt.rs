//! Taking spans that somebody else filled into a stream.

use crate::chain::{Chain, Entry, Shape};
use crate::error::CopyError;
use crate::ledger::Kind;
use crate::node;
use crate::span::{Span, gather_pieces};

impl Chain {
    /// Appends bytes that somebody else filled, without copying them unless they
    /// pin more than four times their length and there is room for a copy; lent ones
    /// are never copied. The chain owns the span afterwards.
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

    /// Appends a copy of the span's bytes, which must fit a segment; its messages are
    /// reported as copied. For what is not worth a pin.
    ///
    /// # Errors
    ///
    /// [`CopyError`]; the chain is unchanged.
    pub fn append_copy(&mut self, span: &Span) -> Result<(), CopyError> {
        let mut room = self.reserve(span.len())?;
        let n = span.len();
        span.copy_to(0, &mut room[..n])?;
        span.mark_copied();
        room.publish(n);
        Ok(())
    }

    fn append_leaf(&mut self, span: Span) {
        if span.is_empty() {
            return;
        }
        // Lent memory is the sender's own: what it keeps of that is no concern of ours.
        let overpins = span.kind() != Kind::User && span.overpins();
        let fits_tail = || self.tail_room() as usize >= span.len();
        if overpins && fits_tail() && self.append_copy(&span).is_ok() {
            return;
        }
        if self.pool.provides(&span)
            && span.offset == 0
            && span.len <= span.node.capacity()
            && span.node.is_unique()
            && !span.node.is_linked()
        {
            self.adopt_node(span);
        } else if !(overpins && self.append_copy(&span).is_ok()) {
            self.adopt_span(span);
        }
    }

    /// The span is the node's only pin: the chain becomes its producer.
    fn adopt_node(&mut self, span: Span) {
        self.replace_tail(span.node, 0);
        self.publish(span.len);
    }

    fn adopt_span(&mut self, span: Span) {
        let len = u64::from(span.len);
        let apart = match self.entries.back_mut() {
            Some(last) if !last.own => last.span.try_merge(span).err(),
            _ => Some(span),
        };
        if let Some(span) = apart {
            self.run.number += 1;
            self.entries.push_back(Entry {
                start: self.end,
                span,
                run: self.run.number,
                own: false,
                storage: 0,
            });
        }
        self.end += len;
    }
}
