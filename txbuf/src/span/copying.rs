//! Copies of spans, where a copy is what is wanted.

use crate::chain::Chain;
use crate::error::CopyError;
use crate::ledger::Kind;
use crate::node;
use crate::pool::Pool;
use crate::span::{Gatherer, Span, gather_pieces};

/// A span that keeps more than this many times its length is better copied.
pub const OVERPIN: usize = 4;

impl Span {
    /// The bytes as one readable extent (`skb_linearize`): the span itself if it is
    /// one, else a copy in `into`, which is an arena.
    ///
    /// # Errors
    ///
    /// [`CopyError::NoMemory`] when the pool is at its cap or its segments are
    /// shorter than the span; [`CopyError::Unreadable`] when a piece lies in memory
    /// the CPU may not read.
    pub fn linearise(&self, into: &mut Chain) -> Result<Span, CopyError> {
        if self.contiguous().is_some() {
            return Ok(self.clone());
        }
        self.copy_into(into)
    }

    /// True when the span keeps more than [`OVERPIN`] times its length alive, so
    /// that whoever holds it for an unbounded time should [`compact`](Self::compact)
    /// it.
    #[inline]
    pub fn overpins(&self) -> bool {
        self.footprint() > self.len().saturating_mul(OVERPIN)
    }

    /// The span, or a copy in `into` (an arena) if it [`overpins`](Self::overpins)
    /// and can be copied: the copybreak.
    pub fn compact(self, into: &mut Chain) -> Span {
        if self.overpins()
            && let Ok(copy) = self.copy_into(into)
        {
            return copy;
        }
        self
    }

    /// True when some of the bytes are lent ([`Kind::User`]), so that the span must
    /// not reach anybody who may keep it.
    #[inline]
    pub fn is_lent(&self) -> bool {
        self.contains(Kind::User)
    }

    /// False when some of the bytes lie in memory the CPU may not read
    /// ([`Kind::Device`]).
    #[inline]
    pub fn is_readable(&self) -> bool {
        !self.contains(Kind::Device)
    }

    fn contains(&self, kind: Kind) -> bool {
        match node::leaves(&self.node) {
            None => !self.is_empty() && self.kind() == kind,
            // A leaf is in a list because the span or one it came from showed it.
            Some(leaves) => {
                leaves.iter().any(|leaf| leaf.kind() == kind)
                    && self.extents().any(|extent| extent.kind() == kind)
            }
        }
    }

    /// Puts copies in place of lent pieces (`skb_orphan_frags`), in `into`, which is
    /// an arena; their messages are reported as copied, and are not held up by this
    /// span any more. Everything that lets a span out of the sender's reach does this:
    /// loopback, capture, splice, receiving as spans.
    ///
    /// # Errors
    ///
    /// [`CopyError`]; the span is unchanged. Beside the pool's cap there is one for what
    /// has more pieces than a gather lists: [`GATHER_MAX`](crate::GATHER_MAX) runs of
    /// [`RUN_NODES`](crate::RUN_NODES) segments must hold all of it.
    pub fn orphan(&mut self, into: &mut Chain) -> Result<(), CopyError> {
        if !self.is_lent() {
            return Ok(());
        }
        let copy = self.without_lent(into)?;
        self.mark_copied();
        *self = copy;
        Ok(())
    }

    /// One contiguous copy, in `into`, which is an arena. Messages that lent bytes of
    /// the span are reported as copied.
    ///
    /// # Errors
    ///
    /// [`CopyError`] as for [`linearise`](Self::linearise).
    pub fn copy_into(&self, into: &mut Chain) -> Result<Span, CopyError> {
        let len = self.len();
        let mut room = into.reserve(len)?;
        self.copy_to(0, &mut room[..len])?;
        self.mark_copied();
        Ok(room.commit(len))
    }

    /// Reports the messages that lent bytes of this span as copied.
    pub(crate) fn mark_copied(&self) {
        self.extents().for_each(|extent| extent.mark_copied());
    }

    fn without_lent(&self, into: &mut Chain) -> Result<Span, CopyError> {
        let mut gatherer = Gatherer::new();
        let mut add = |leaf: Span| -> Result<bool, CopyError> {
            if leaf.kind() != Kind::User {
                return Ok(gatherer.add(leaf).is_ok());
            }
            let mut done = 0;
            while done < leaf.len() {
                let left = leaf.len() - done;
                let mut room = into.reserve(left.min(into.pool().segment()))?;
                let n = room.len().min(left);
                leaf.copy_to(done, &mut room[..n])?;
                done += n;
                if gatherer.add(room.commit(n)).is_err() {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let whole = match node::leaves(&self.node) {
            None => add(self.clone())?,
            Some(leaves) => {
                let mut leaves = gather_pieces(self, leaves);
                leaves.try_fold(true, |whole, leaf| Ok::<_, CopyError>(whole && add(leaf)?))?
            }
        };
        if whole {
            return Ok(gatherer.finish(into.pool().ledger()));
        }
        // Given back first: there may not be room for both.
        drop(gatherer);
        copy_to_runs(&[self], into.pool())
    }
}

/// A copy of the parts, one after the other, in segments of their own, which are linked:
/// for what has more pieces than a gather lists.
pub(crate) fn copy_to_runs(parts: &[&Span], pool: &Pool) -> Result<Span, CopyError> {
    let mut copy = Chain::stream(pool);
    for part in parts {
        let mut done = 0;
        while done < part.len() {
            let mut room = copy.reserve(1)?;
            let n = room.len().min(part.len() - done);
            part.copy_to(done, &mut room[..n])?;
            room.publish(n);
            done += n;
        }
    }
    let whole = copy.span(0, usize::MAX);
    if whole.len() < copy.len() {
        return Err(CopyError::NoMemory);
    }
    Ok(whole)
}

#[cfg(all(test, not(loom)))]
mod tests;
