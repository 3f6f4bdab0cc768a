//! What spans keep alive.

use core::ptr::NonNull;

use arrayvec::ArrayVec;

use crate::gather::GATHER_MAX;
use crate::node::{self, Node, NodeRef};
use crate::span::Span;

/// Adds up the storage that spans keep alive. Nodes of one run count once, as far as
/// spans in them are not separated by those in more than [`GATHER_MAX`] other runs.
#[derive(Default)]
pub(crate) struct Kept {
    footprint: usize,
    /// The last node of each run, which tells it from others, and what is counted of it:
    /// whoever keeps a node keeps those after it, so that the longest counts for all.
    /// The newest is last.
    runs: ArrayVec<(NonNull<Node>, usize), GATHER_MAX>,
}

impl Kept {
    /// Bytes of storage.
    pub(crate) fn footprint(&self) -> usize {
        self.footprint
    }

    /// Counts what `span` keeps.
    pub(crate) fn add(&mut self, span: &Span) {
        match node::leaves(&span.node) {
            None => self.add_run(&span.node),
            Some(leaves) => leaves.iter().for_each(|leaf| self.add_run(&leaf.node)),
        }
    }

    fn add_run(&mut self, node: &NodeRef) {
        let (last, bytes) = measure(node);
        let known = self.runs.iter_mut().rev().find(|run| run.0 == last);
        if let Some((_, counted)) = known {
            self.footprint += bytes.saturating_sub(*counted);
            *counted = bytes.max(*counted);
            return;
        }
        self.footprint += bytes;
        if self.runs.is_full() {
            self.runs.remove(0);
        }
        self.runs.push((last, bytes));
    }
}

/// The storage of a node and of all that are linked after it, and the last of them.
pub(super) fn measure(node: &NodeRef) -> (NonNull<Node>, usize) {
    let (mut node, mut bytes) = (node.at(), node.at().footprint());
    while let Some(next) = node.next() {
        node = next;
        bytes += node.footprint();
    }
    (node.as_ptr(), bytes)
}
