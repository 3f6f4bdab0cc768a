//! Growing the last unsent packet.

use crate::chain::Chain;
use crate::ledger::Kind;
use crate::span::Span;

impl Chain {
    /// Lets `span`, which was taken from this stream at `pos`, reach over bytes that
    /// were appended since, up to `most` bytes in all (`tcp_grow_skb`: the tail of
    /// the last unsent packet). Inside a run nothing is counted. Returns by how many
    /// bytes it grew; zero when they do not follow in storage, and for a span that is
    /// not what this stream has at `pos`.
    pub fn grow_span(&self, span: &mut Span, pos: u64, most: usize) -> usize {
        let end = pos.saturating_add(span.len as u64);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let wanted = pos.saturating_add(u64::from(most)).min(self.end);
        if span.is_empty() || end <= self.start || end >= wanted {
            return 0;
        }
        let index = self.entry_at(end - 1);
        let entry = &self.entries[index];
        if span.kind() == Kind::Gather || entry.span.kind() == Kind::Gather {
            return 0;
        }
        let in_entry = u32::try_from(end - 1 - entry.start).unwrap_or(u32::MAX);
        let (here, at) = entry.span.node.at().seek(entry.span.offset + in_entry);
        let (last, last_at) = span.node.at().seek(span.offset + span.len - 1);
        if !last.same(here) || last_at != at {
            return 0;
        }
        let until = self.contiguous_until(index, wanted).min(wanted);
        let grown = until.saturating_sub(end);
        // At most `most`.
        span.len += grown as u32;
        grown as usize
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
