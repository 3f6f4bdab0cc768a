//! The ledger: how many nodes live, and how much storage they hold.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::node::{Node, NodeRef};
use crate::sync::{self, Level};

#[allow(unsafe_code)]
mod live;

use live::Live;
pub use live::LiveNode;

/// What kind of storage a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A pool segment, filled through reservations.
    Buffered,
    /// Application memory lent for one message; it can be copied out, not viewed.
    User,
    /// Somebody's buffer, handed over with its destructor.
    Owned,
    /// Memory of a device, which the CPU may not read.
    Device,
    /// A list of spans of other nodes.
    Gather,
}

impl Kind {
    /// Every kind, in the order of a report.
    pub const ALL: [Kind; 5] = [
        Kind::Buffered,
        Kind::User,
        Kind::Owned,
        Kind::Device,
        Kind::Gather,
    ];

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Buffered => "buffered",
            Kind::User => "user",
            Kind::Owned => "owned",
            Kind::Device => "device",
            Kind::Gather => "gather",
        }
    }

    /// Whether freeing a node of this kind runs somebody else's code.
    #[inline]
    pub(crate) const fn is_foreign(self) -> bool {
        matches!(self, Kind::User | Kind::Owned | Kind::Device)
    }

    fn index(self) -> usize {
        match self {
            Kind::Buffered => 0,
            Kind::User => 1,
            Kind::Owned => 2,
            Kind::Device => 3,
            Kind::Gather => 4,
        }
    }
}

/// Counts the live nodes of one stack, by kind. Cheap to clone; every clone is
/// the same ledger. There is no process-wide one: two stacks in one process do
/// not see each other's nodes.
///
/// The numbers are exact whenever no other thread is creating or dropping
/// nodes at that moment.
#[derive(Clone)]
pub struct Ledger {
    books: Arc<Books>,
    /// In whose name this handle enters nodes, see [`Live`].
    owner: u32,
}

struct Books {
    kinds: [Line; Kind::ALL.len()],
    live: Option<Live>,
}

/// The place of a node on its ledger, which it leaves with this, whatever becomes of
/// the rest of the node: a destructor of somebody's may panic.
pub(crate) struct Listing {
    pub(crate) ledger: Ledger,
    kind: Kind,
    bytes: usize,
}

impl Listing {
    /// Of a node of so many bytes that [`Ledger::enter`] is about to be told of.
    pub(crate) fn new(ledger: &Ledger, kind: Kind, bytes: usize) -> Self {
        // The count of the ledger's `Arc`.
        sync::note(1);
        let ledger = ledger.clone();
        Self {
            ledger,
            kind,
            bytes,
        }
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.ledger.leave(self.kind, 1, self.bytes);
    }
}

#[derive(Default)]
struct Line {
    nodes: Level,
    bytes: Level,
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
        Self::build(None)
    }

    /// A ledger that also lists its live nodes one by one, for
    /// [`dump`](Self::dump). Every node that comes or goes then takes a lock: it is
    /// for finding out who holds what, not for every day.
    pub fn tracking() -> Self {
        Self::build(Some(Live::default()))
    }

    /// As [`tracking`](Self::tracking), with a clock that says the time in nanoseconds,
    /// so that nobody has to tell it. It is called under the ledger's lock, on whatever
    /// thread makes a node, and must not panic.
    pub fn tracking_by(clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self::build(Some(Live::with_clock(Box::new(clock))))
    }

    fn build(live: Option<Live>) -> Self {
        let kinds = Default::default();
        Self {
            books: Arc::new(Books { kinds, live }),
            owner: 0,
        }
    }

    /// The same ledger, in whose dump nodes that are made through this handle (pools
    /// made with it included) stand under the name of `owner`. Without
    /// [`tracking`](Self::tracking), a plain clone.
    #[must_use]
    pub fn named(&self, owner: &str) -> Self {
        let live = self.books.live.as_ref();
        Self {
            books: Arc::clone(&self.books),
            owner: live.map_or(0, |live| live.owner(owner)),
        }
    }

    /// Tells a tracking ledger without a clock the time, in nanoseconds, from which nodes
    /// entered after this have their age.
    pub fn set_now(&self, now: u64) {
        if let Some(live) = &self.books.live {
            live.set_now(now);
        }
    }

    /// The live nodes, oldest first, with how often each is pinned, and their age at `now`
    /// (or by the ledger's own clock). Empty unless the ledger is
    /// [`tracking`](Self::tracking).
    pub fn dump(&self, now: u64) -> Vec<LiveNode> {
        let live = self.books.live.as_ref();
        live.map_or_else(Vec::new, |live| live.dump(now))
    }

    /// Number of live nodes of all kinds. Zero once everything was dropped.
    pub fn live_nodes(&self) -> usize {
        let nodes = |line: &Line| line.nodes.load(Ordering::Relaxed);
        self.books.kinds.iter().map(nodes).sum()
    }

    /// Nodes and bytes by kind.
    pub fn report(&self) -> LedgerReport {
        LedgerReport(std::array::from_fn(|kind| Usage {
            nodes: self.books.kinds[kind].nodes.load(Ordering::Relaxed),
            bytes: self.books.kinds[kind].bytes.load(Ordering::Relaxed),
        }))
    }

    /// Enters a node that was just made.
    pub(crate) fn enter(&self, node: &NodeRef, bytes: usize) {
        let line = &self.books.kinds[node.kind().index()];
        line.nodes.fetch_add(1, Ordering::Relaxed);
        line.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(live) = &self.books.live {
            live.enter(node, bytes, self.owner);
        }
    }

    /// Strikes a node off the list whose last pin is gone: before anything is done
    /// to its header.
    #[inline]
    pub(crate) fn unlist(&self, node: NonNull<Node>) {
        if let Some(live) = &self.books.live {
            live.leave(node);
        }
    }

    /// Takes `nodes` off that are unlisted, and the `bytes` of all of them.
    pub(crate) fn leave(&self, kind: Kind, nodes: usize, bytes: usize) {
        let line = &self.books.kinds[kind.index()];
        line.nodes.fetch_sub(nodes, Ordering::Relaxed);
        line.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
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

#[cfg(all(test, not(loom)))]
mod tests;
