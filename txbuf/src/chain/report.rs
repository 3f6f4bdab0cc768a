//! What a chain holds, for people.

use std::fmt;

use crate::chain::Chain;
use crate::ledger::Kind;

/// A reading of a [`Chain`], see [`Chain::debug`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// [`Chain::start`].
    pub start: u64,
    /// [`Chain::end`].
    pub end: u64,
    /// [`Chain::footprint`].
    pub footprint: usize,
    /// [`Chain::adopted`].
    pub adopted: usize,
    /// [`Chain::messages`].
    pub messages: usize,
    /// The stretches of the stream, in order.
    pub entries: Vec<EntryReport>,
}

/// One stretch of a stream: the bytes of a node, or a span adopted from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryReport {
    /// Position of the first byte.
    pub start: u64,
    /// Number of bytes.
    pub len: usize,
    /// Kind of the node.
    pub kind: Kind,
    /// Filled by this chain.
    pub own: bool,
    /// Neighbours with the same number are one run.
    pub run: u64,
    /// Pins on the node: the chain's, that of a node before it, and those of spans.
    pub pins: usize,
    /// Bytes of storage from this node to the end of its run.
    pub footprint: usize,
}

impl Chain {
    /// What the chain holds, node by node, and how often each is pinned. Takes time
    /// proportional to what it reports; for people, not for decisions.
    pub fn debug(&self) -> ChainReport {
        let entry = |entry: &super::Entry| EntryReport {
            start: entry.start,
            len: entry.span.len(),
            kind: entry.span.kind(),
            own: entry.own,
            run: entry.run,
            pins: entry.span.node.pins(),
            footprint: entry.span.footprint(),
        };
        ChainReport {
            start: self.start,
            end: self.end,
            footprint: self.storage,
            adopted: self.adopted,
            messages: self.messages.len(),
            entries: self.entries.iter().map(entry).collect(),
        }
    }
}

impl fmt::Display for ChainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            start,
            end,
            footprint,
            adopted,
            messages,
            ..
        } = self;
        writeln!(
            f,
            "bytes {start}..{end}, {footprint} bytes of storage, {adopted} of others, {messages} messages"
        )?;
        for entry in &self.entries {
            let own = if entry.own { "own" } else { "adopted" };
            writeln!(
                f,
                "  {:>12} +{:<8} {:<8} {own:<7} run {} pins {} keeps {}",
                entry.start,
                entry.len,
                entry.kind.name(),
                entry.run,
                entry.pins,
                entry.footprint,
            )?;
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
