//! The ledger: how many nodes live, and how much storage they hold.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What kind of storage a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A pool segment, filled through reservations.
    Buffered,
    /// Somebody's buffer, handed over with its destructor.
    Owned,
    /// A list of spans of other nodes.
    Gather,
}

impl Kind {
    /// Every kind, in the order of a report.
    pub const ALL: [Kind; 3] = [Kind::Buffered, Kind::Owned, Kind::Gather];

    fn index(self) -> usize {
        match self {
            Kind::Buffered => 0,
            Kind::Owned => 1,
            Kind::Gather => 2,
        }
    }
}

/// Counts the live nodes of one stack, by kind. Cheap to clone; every clone is
/// the same ledger. There is no process-wide one: two stacks in one process do
/// not see each other's nodes.
///
/// The numbers are exact whenever no other thread is creating or dropping
/// nodes at that moment.
#[derive(Clone, Default)]
pub struct Ledger(Arc<[Account; Kind::ALL.len()]>);

#[derive(Default)]
struct Account {
    nodes: AtomicUsize,
    bytes: AtomicUsize,
}

/// Live nodes of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Number of nodes.
    pub nodes: usize,
    /// Bytes of storage they hold: whole segments, whole owned buffers. For
    /// gather nodes, the size of the list.
    pub bytes: usize,
}

/// A reading of a [`Ledger`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerReport([Usage; Kind::ALL.len()]);

impl Ledger {
    /// A ledger with nothing on it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of live nodes of all kinds. Zero once everything was dropped.
    pub fn live_nodes(&self) -> usize {
        let nodes = |account: &Account| account.nodes.load(Ordering::Relaxed);
        self.0.iter().map(nodes).sum()
    }

    /// Nodes and bytes by kind.
    pub fn report(&self) -> LedgerReport {
        LedgerReport(std::array::from_fn(|kind| Usage {
            nodes: self.0[kind].nodes.load(Ordering::Relaxed),
            bytes: self.0[kind].bytes.load(Ordering::Relaxed),
        }))
    }

    pub(crate) fn enter(&self, kind: Kind, bytes: usize) {
        let account = &self.0[kind.index()];
        account.nodes.fetch_add(1, Ordering::Relaxed);
        account.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self, kind: Kind, bytes: usize) {
        let account = &self.0[kind.index()];
        account.nodes.fetch_sub(1, Ordering::Relaxed);
        account.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ledger").field(&self.report()).finish()
    }
}

impl LedgerReport {
    /// The live nodes of one kind.
    pub fn of(&self, kind: Kind) -> Usage {
        self.0[kind.index()]
    }

    /// Kind and usage, for every kind.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, Usage)> + '_ {
        Kind::ALL.into_iter().map(|kind| (kind, self.of(kind)))
    }
}
