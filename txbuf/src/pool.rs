//! Pools of segments with a hard cap.

use std::fmt;
use std::sync::Arc;

use crate::account::Account;
use crate::error::NoMemory;
use crate::ledger::{Kind, Ledger};
use crate::node::{self, NodeRef};
use crate::reservation::DetachedReservation;
use crate::segment::Home;
use crate::span::Span;

/// Segment sizes are rounded up to a cache line and kept within these.
const SMALLEST: usize = 64;
const LARGEST: usize = 1 << 30;

/// How a [`Pool`] is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Bytes per segment; rounded up to a multiple of 64, at most 1 GiB.
    pub segment: usize,
    /// Bytes that may be in use at a time: a hard cap, in whole segments.
    pub limit: usize,
    /// Segments that are kept for the next user instead of being freed.
    pub keep: usize,
}

/// Segments of one size, with a hard cap in bytes. Cheap to clone; every clone
/// is the same pool.
///
/// A segment is zeroed when it is first allocated and recycled together with
/// its node header when its last pin goes, on whatever thread that happens: a
/// pool in steady state allocates nothing. The pool's state lives until the last
/// handle and the last node are gone, so spans may outlive the pool.
#[derive(Clone)]
pub struct Pool(Arc<Home>);

impl Pool {
    /// A pool without any segment yet. Sizes out of range are brought into it.
    pub fn new(ledger: &Ledger, config: PoolConfig) -> Self {
        Self::build(ledger, config, None)
    }

    /// A pool whose segments in use are charged to `account` as well, which several
    /// pools may share.
    pub fn charged_to(ledger: &Ledger, config: PoolConfig, account: &Account) -> Self {
        Self::build(ledger, config, Some(account.clone()))
    }

    fn build(ledger: &Ledger, config: PoolConfig, account: Option<Account>) -> Self {
        let segment = config.segment.clamp(SMALLEST, LARGEST);
        let segment = segment.next_multiple_of(SMALLEST);
        let most = config.limit / segment;
        let keep = config.keep.min(most);
        Self(Arc::new(Home::new(
            ledger.clone(),
            u32::try_from(segment).unwrap_or(u32::MAX),
            most,
            keep,
            account,
        )))
    }

    /// Bytes per segment.
    #[inline]
    pub fn segment(&self) -> usize {
        self.0.segment as usize
    }

    /// Bytes of the segments that are in use: pinned by anybody, or reserved.
    pub fn in_use(&self) -> usize {
        self.0.in_use() * self.segment()
    }

    /// The cap: the most [`in_use`](Self::in_use) can become.
    pub fn limit(&self) -> usize {
        self.0.most() * self.segment()
    }

    /// A whole fresh segment to write into, apart from any chain: another thread
    /// fills it, and the chain's owner takes it over with
    /// [`Chain::append_span`](crate::Chain::append_span).
    ///
    /// # Errors
    ///
    /// [`NoMemory`] at the cap.
    pub fn reserve(&self) -> Result<DetachedReservation, NoMemory> {
        self.take().map(DetachedReservation::new)
    }

    /// True when the span lies in segments of this pool: then, holding it, nobody
    /// else's storage is held.
    pub fn provides(&self, span: &Span) -> bool {
        let own = |span: &Span| span.kind() == Kind::Buffered && self.0.owns(&span.node);
        match node::leaves(&span.node) {
            None => own(span),
            Some(leaves) => leaves.iter().all(own),
        }
    }

    /// The ledger on which the pool's nodes stand.
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    pub(crate) fn take(&self) -> Result<NodeRef, NoMemory> {
        self.0.take()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("segment", &self.segment())
            .field("in_use", &self.in_use())
            .field("limit", &self.limit())
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
