//! Growing a span by what comes after it.

use crate::gather::{self, GATHER_MAX};
use crate::ledger::Ledger;
use crate::node;
use crate::span::{Gatherer, Span, gather_pieces};

impl Span {
    /// Puts `next` behind (`skb_try_coalesce`): merges it if its bytes follow in
    /// storage, else fills up the gather that `self` is, if nobody else holds it,
    /// else makes one. Only the last allocates; no byte is copied.
    ///
    /// # Errors
    ///
    /// `next` comes back when the gather would have more than
    /// [`GATHER_MAX`] leaves or `u32::MAX` bytes; `self` is unchanged.
    pub fn append(&mut self, ledger: &Ledger, next: Span) -> Result<(), Span> {
        let Err(next) = self.try_merge(next) else {
            return Ok(());
        };
        let Some(len) = self.len.checked_add(next.len) else {
            return Err(next);
        };
        let next = match self.fill(next) {
            Ok(()) => {
                self.len = len;
                return Ok(());
            }
            Err(next) => next,
        };
        if pieces(self) + pieces(&next) > GATHER_MAX {
            return Err(next);
        }
        let mut gatherer = Gatherer::new();
        let front = core::mem::take(self);
        // Cannot fail: leaves and bytes were counted above.
        let _ = gatherer.add(front);
        let _ = gatherer.add(next);
        *self = gatherer.finish(ledger);
        Ok(())
    }

    /// Puts one leaf at the end of the gather that `self` is and owns alone.
    fn fill(&mut self, next: Span) -> Result<(), Span> {
        if node::leaves(&next.node).is_some() {
            return Err(next);
        }
        // Leaves that were advanced over count as well: all of them together must not
        // pass what an offset can say.
        let end = self.offset + self.len;
        if end.checked_add(next.len).is_none() {
            return Err(next);
        }
        let Some(leaves) = gather::fillable(&mut self.node) else {
            return Err(next);
        };
        if leaves.iter().map(|leaf| leaf.len).sum::<u32>() != end {
            // The last leaves were trimmed off.
            return Err(next);
        }
        let apart = match leaves.last_mut() {
            Some(last) => last.try_merge(next).err(),
            None => Some(next),
        };
        match apart {
            Some(leaf) => leaves.try_push(leaf).map_err(|full| full.element()),
            None => Ok(()),
        }
    }
}

/// How many leaves a gather of the span would have.
fn pieces(span: &Span) -> usize {
    node::leaves(&span.node).map_or(1, |leaves| gather_pieces(span, leaves).count())
}

#[cfg(all(test, not(loom)))]
mod tests;
