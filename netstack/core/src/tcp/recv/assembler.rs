//! Out-of-order data: what arrived beyond RCV.NXT, in order, without overlaps.

use crate::storage;
use crate::tcp::options::{MAX_SACK_BLOCKS, SackBlock};
use crate::tcp::seq::Seq;
use arrayvec::ArrayVec;
use std::collections::VecDeque;
use txbuf::{Chain, Span, push_merged};

/// The most separate blocks kept. A sender with a window full of holes needs one per hole; beyond
/// this a segment is refused and comes again when the holes before it are filled.
const MAX_BLOCKS: usize = 1024;
/// A block of fewer spans is not looked at for what they cost.
const FEW: usize = 64;

/// A run of data without holes.
#[derive(Debug)]
struct Block {
    left: Seq,
    right: Seq,
    spans: VecDeque<Span>,
    /// When data last joined the block, as a running number: SACK reports the newest first.
    touched: u64,
}

/// What waits beyond RCV.NXT. While nothing does, nothing is kept for it.
#[derive(Debug, Default)]
pub(crate) struct Assembler(Option<Box<Waiting>>);

/// The blocks beyond RCV.NXT, sorted.
#[derive(Debug, Default)]
struct Waiting {
    blocks: VecDeque<Block>,
    bytes: usize,
    clock: u64,
}

/// The segment was refused: too many blocks are kept already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Assembler {
    /// Whether nothing waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// What waits.
    pub(crate) fn spans(&self) -> impl Iterator<Item = &Span> {
        let blocks = self.0.iter().flat_map(|waiting| &waiting.blocks);
        blocks.flat_map(|block| &block.spans)
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.0.as_deref().map_or(0, |waiting| waiting.bytes)
    }

    /// Adds the bytes of `span`, which begin at `seq`. Bytes that are there already are kept as they
    /// are: the first copy wins.
    ///
    /// # Errors
    ///
    /// [`Full`] when another block would be too many; nothing was added.
    pub(crate) fn insert(&mut self, seq: Seq, span: Span) -> Result<(), Full> {
        self.0.get_or_insert_default().insert(seq, span)
    }

    /// The first part of `left..right` that waits here already.
    pub(crate) fn overlap(&self, left: Seq, right: Seq) -> Option<(Seq, Seq)> {
        self.0.as_deref()?.overlap(left, right)
    }

    /// Takes the first block if it continues at `nxt`: its spans in order, from `nxt` on, and the
    /// sequence number behind them.
    pub(crate) fn take(&mut self, nxt: Seq) -> Option<(VecDeque<Span>, Seq)> {
        let waiting = self.0.as_deref_mut()?;
        let taken = waiting.take(nxt);
        if waiting.blocks.is_empty() {
            self.0 = None;
        }
        taken
    }

    /// The blocks to report, at most `room`: the newest first (RFC 2018, 4).
    pub(crate) fn sack_blocks(&self, room: usize) -> ArrayVec<SackBlock, MAX_SACK_BLOCKS> {
        let blocks = self.0.as_deref().map(|waiting| waiting.sack_blocks(room));
        blocks.unwrap_or_default()
    }

    /// Copies the block that data joined last together, if it has come to consist of very many pieces.
    pub(crate) fn tidy(&mut self, small: &mut Chain) {
        if let Some(waiting) = &mut self.0 {
            waiting.tidy(small);
        }
    }

    /// Copies what lies in arenas into `small`; returns how many bytes.
    pub(crate) fn evacuate(&mut self, small: &mut Chain) -> usize {
        let waiting = self.0.as_deref_mut();
        waiting.map_or(0, |waiting| waiting.evacuate(small))
    }

    /// Lets go of everything.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }
}

impl Waiting {
    fn insert(&mut self, seq: Seq, span: Span) -> Result<(), Full> {
        let end = seq + span.len();
        // The blocks that touch or overlap [seq, end); new data mostly belongs at the very end.
        let from = self
            .blocks
            .iter()
            .rposition(|b| b.right.before(seq))
            .map_or(0, |i| i + 1);
        let until = from
            + self
                .blocks
                .iter()
                .skip(from)
                .take_while(|b| b.left.at_or_before(end))
                .count();
        if from == until && self.blocks.len() >= MAX_BLOCKS {
            return Err(Full);
        }
        self.clock += 1;
        if from + 1 == until && self.blocks[from].right == seq {
            self.bytes += span.len();
            let block = &mut self.blocks[from];
            block.right = end;
            block.touched = self.clock;
            push_merged(&mut block.spans, span);
            return Ok(());
        }
        let mut joined = Block {
            left: seq,
            right: seq,
            spans: VecDeque::new(),
            touched: self.clock,
        };
        if let Some(first) = self.blocks.get(from).filter(|_| from < until) {
            joined.left = first.left.earlier(seq);
            joined.right = joined.left;
        }
        let before: usize = self
            .blocks
            .range(from..until)
            .map(|b| b.right.since(b.left))
            .sum();
        for block in self.blocks.drain(from..until) {
            append_piece(&mut joined, seq, &span, block.left);
            joined.right = block.right;
            for part in block.spans {
                push_merged(&mut joined.spans, part);
            }
        }
        append_piece(&mut joined, seq, &span, end);
        self.bytes = self.bytes - before + joined.right.since(joined.left);
        self.blocks.insert(from, joined);
        Ok(())
    }

    fn overlap(&self, left: Seq, right: Seq) -> Option<(Seq, Seq)> {
        self.blocks
            .iter()
            .map(|block| (block.left.later(left), block.right.earlier(right)))
            .find(|(from, to)| from.before(*to))
    }

    fn take(&mut self, nxt: Seq) -> Option<(VecDeque<Span>, Seq)> {
        let first = self.blocks.front()?;
        if first.left.after(nxt) {
            return None;
        }
        let block = self.blocks.pop_front()?;
        self.bytes -= block.right.since(block.left);
        let mut skip = nxt.since(block.left);
        let mut spans = block.spans;
        while skip > 0 {
            let Some(front) = spans.front_mut() else {
                break;
            };
            let n = skip.min(front.len());
            skip -= n;
            if n == front.len() || front.advance(n).is_err() {
                spans.pop_front();
            }
        }
        Some((spans, block.right.later(nxt)))
    }

    fn sack_blocks(&self, room: usize) -> ArrayVec<SackBlock, MAX_SACK_BLOCKS> {
        let mut out = ArrayVec::new();
        let mut bound = u64::MAX;
        while out.len() < room.min(MAX_SACK_BLOCKS) {
            let newest = self
                .blocks
                .iter()
                .filter(|b| b.touched < bound)
                .max_by_key(|b| b.touched);
            let Some(block) = newest else { break };
            bound = block.touched;
            out.push(SackBlock {
                left: block.left,
                right: block.right,
            });
        }
        out
    }

    fn tidy(&mut self, small: &mut Chain) {
        let newest = self.blocks.iter_mut().rev();
        if let Some(block) = newest.into_iter().find(|b| b.touched == self.clock)
            && block.spans.len() >= FEW
            && block.spans.len().is_power_of_two()
        {
            storage::collapse(&mut block.spans, small);
        }
    }

    fn evacuate(&mut self, small: &mut Chain) -> usize {
        let blocks = self.blocks.iter_mut();
        blocks
            .map(|block| storage::evacuate(&mut block.spans, small))
            .sum()
    }
}

/// Appends the part of `span` (which begins at `seq`) that lies between the end of `block` and `until`.
fn append_piece(block: &mut Block, seq: Seq, span: &Span, until: Seq) {
    let from = block.right.since(seq);
    let to = until.since(seq).min(span.len());
    if from >= to || block.right.before(seq) {
        return;
    }
    if let Ok(piece) = span.slice(from..to) {
        block.right += to - from;
        push_merged(&mut block.spans, piece);
    }
}

#[cfg(test)]
mod tests;
