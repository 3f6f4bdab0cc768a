//! Putting gathers together, and finding the leaf in them.

use crate::error::TooManyParts;
use crate::extent::Extents;
use crate::gather::{self, Leaves};
use crate::ledger::Ledger;
use crate::node;
use crate::span::Span;

/// Collects parts, merging and flattening as they come.
pub(crate) struct Gatherer {
    leaves: Leaves,
    len: u32,
}

impl Gatherer {
    pub(crate) fn new() -> Self {
        Self {
            leaves: Leaves::new(),
            len: 0,
        }
    }

    pub(crate) fn add(&mut self, part: Span) -> Result<(), TooManyParts> {
        match node::leaves(&part.node) {
            None => self.add_leaf(part),
            Some(leaves) => pieces(&part, leaves).try_for_each(|leaf| self.add_leaf(leaf)),
        }
    }

    fn add_leaf(&mut self, leaf: Span) -> Result<(), TooManyParts> {
        let len = self.len.checked_add(leaf.len).ok_or(TooManyParts)?;
        let apart = match self.leaves.last_mut() {
            Some(last) => last.try_merge(leaf).err(),
            None => Some(leaf),
        };
        if let Some(leaf) = apart.filter(|leaf| !leaf.is_empty()) {
            self.leaves.try_push(leaf).map_err(|_| TooManyParts)?;
        }
        self.len = len;
        Ok(())
    }

    pub(crate) fn finish(mut self, ledger: &Ledger) -> Span {
        if self.leaves.len() > 1 {
            return Span::new(gather::node(ledger, self.leaves), 0, self.len);
        }
        self.leaves.pop().unwrap_or_default()
    }
}

/// The parts of a gather span as spans of the leaves themselves.
pub(crate) fn pieces<'a>(
    span: &'a Span,
    leaves: &'a [Span],
) -> impl Iterator<Item = Span> + use<'a> {
    let (mut skip, mut left) = (span.offset, span.len);
    leaves.iter().filter_map(move |leaf| {
        let start = skip.min(leaf.len);
        let len = (leaf.len - start).min(left);
        skip -= start;
        left -= len;
        (len > 0).then(|| leaf.cut(start, len))
    })
}

/// Takes out all but the first `n` bytes. A part that lies in one leaf pins only that.
pub(crate) fn split_off(span: &mut Span, n: u32) -> Span {
    let rest = span.len - n;
    if let Some(leaves) = node::leaves(&span.node) {
        if let Some(back) = within_leaf(span, leaves, n, rest) {
            span.len = n;
            return back;
        }
        if let Some(front) = within_leaf(span, leaves, 0, n) {
            let mut back = core::mem::replace(span, front);
            (back.offset, back.len) = (back.offset + n, rest);
            return back;
        }
    }
    let back = span.cut(n, rest);
    span.len = n;
    back
}

/// `len` bytes from `at` on, if they lie within one leaf of the gather.
pub(crate) fn within_leaf(span: &Span, leaves: &[Span], at: u32, len: u32) -> Option<Span> {
    let (leaf, start, _) = find(leaves, span.offset + at)?;
    (start + len <= leaf.len).then(|| leaf.cut(start, len))
}

pub(crate) fn extents<'a>(span: &'a Span, leaves: &'a [Span]) -> Extents<'a> {
    let Some((leaf, start, after)) = find(leaves, span.offset) else {
        return Extents::run(span.node.at(), 0, 0);
    };
    let first = (leaf.len - start).min(span.len);
    Extents::list(
        leaf.node.at().seek(leaf.offset + start),
        first,
        span.len - first,
        after,
    )
}

/// The leaf with byte `at` of the gather, the place of the byte in it, and the
/// leaves after it.
pub(super) fn find(leaves: &[Span], at: u32) -> Option<(&Span, u32, &[Span])> {
    let mut at = at;
    for (index, leaf) in leaves.iter().enumerate() {
        if at < leaf.len {
            return Some((leaf, at, &leaves[index + 1..]));
        }
        at -= leaf.len;
    }
    None
}
