//! Collapsing queues of spans that keep far more storage than they show.

use std::collections::VecDeque;

use crate::chain::Chain;
use crate::node::NodeRef;
use crate::span::{Kept, OVERPIN, Span};

/// What a queue of spans keeps and shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Bytes of the spans.
    pub bytes: usize,
    /// Bytes of storage they keep alive. What several of them share counts once, unless
    /// those are very far from each other.
    pub footprint: usize,
}

impl Held {
    /// What the spans of a queue keep and show.
    pub fn of<'a>(spans: impl IntoIterator<Item = &'a Span>) -> Self {
        let (mut bytes, mut kept) = (0, Kept::default());
        let mut last: Option<&NodeRef> = None;
        for span in spans {
            bytes += span.len();
            if last.is_none_or(|last| !last.same(&span.node)) {
                kept.add(span);
            }
            last = Some(&span.node);
        }
        let footprint = kept.footprint();
        Held { bytes, footprint }
    }

    /// True when more than [`OVERPIN`] times the bytes are kept.
    pub fn overpins(&self) -> bool {
        self.footprint > self.bytes.saturating_mul(OVERPIN)
    }
}

/// Copies together, into `into` (an arena), what a queue holds, if it keeps more than
/// [`OVERPIN`] times its bytes; spans that do not overpin by themselves, and those
/// that cannot be copied, stay as they are. Returns the bytes copied.
///
/// For queues that nobody reads, when their provider is short of storage
/// (`tcp_collapse`, `tcp_prune_queue`).
pub fn collapse(queue: &mut VecDeque<Span>, into: &mut Chain) -> usize {
    if !Held::of(&*queue).overpins() {
        return 0;
    }
    let mut copied = 0;
    let mut merged = VecDeque::with_capacity(queue.len());
    for span in queue.drain(..) {
        let (len, node) = (span.len(), span.node.as_ptr());
        let span = span.compact(into);
        if span.node.as_ptr() != node {
            copied += len;
        }
        // What was copied one after the other lies so in the arena.
        let apart = match merged.back_mut() {
            Some(back) => Span::try_merge(back, span).err(),
            None => Some(span),
        };
        merged.extend(apart);
    }
    *queue = merged;
    copied
}

#[cfg(all(test, not(loom)))]
mod tests;
