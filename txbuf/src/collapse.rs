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
    pack(queue, into, Span::overpins)
}

/// Copies the spans of a queue that are `chosen` into `into` (an arena), one behind the
/// other, and merges what comes to lie side by side. What cannot be copied, or finds no
/// room any more, stays as it is. Returns the bytes copied.
pub fn pack(queue: &mut VecDeque<Span>, into: &mut Chain, chosen: impl Fn(&Span) -> bool) -> usize {
    if !queue.iter().any(&chosen) {
        return 0;
    }
    let mut copied = 0;
    let mut packed = VecDeque::with_capacity(queue.len());
    for mut span in queue.drain(..) {
        let mut done = 0;
        if chosen(&span) {
            while done < span.len()
                && let Ok(mut room) = into.reserve(1)
            {
                let n = room.len().min(span.len() - done);
                if span.copy_to(done, &mut room[..n]).is_err() {
                    break;
                }
                done += n;
                push_merged(&mut packed, room.commit(n));
            }
        }
        copied += done;
        // No more than the span has.
        if span.advance(done).is_ok() && !span.is_empty() {
            push_merged(&mut packed, span);
        }
    }
    *queue = packed;
    copied
}

/// Appends a span to a queue, as part of the last one where the bytes adjoin.
pub fn push_merged(queue: &mut VecDeque<Span>, span: Span) {
    let apart = match queue.back_mut() {
        Some(last) => last.try_merge(span).err(),
        None => Some(span),
    };
    queue.extend(apart);
}

#[cfg(all(test, not(loom)))]
mod tests;
