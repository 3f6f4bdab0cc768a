//! The list of live nodes of a tracking ledger.

use std::collections::BTreeMap;
use std::fmt;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ledger::Kind;
use crate::node::{Node, NodeRef};

/// A live node in a [`dump`](crate::Ledger::dump).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveNode {
    /// What kind of storage.
    pub kind: Kind,
    /// Bytes of storage.
    pub bytes: usize,
    /// In whose name it was made, see [`Ledger::named`](crate::Ledger::named); empty
    /// without one.
    pub owner: String,
    /// Nanoseconds since it was made, as far as the ledger was told the time.
    pub age: u64,
    /// How often it is pinned: by spans, chains, and the node before it.
    pub pins: usize,
}

impl fmt::Display for LiveNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            bytes,
            owner,
            age,
            pins,
        } = self;
        let kind = kind.name();
        write!(
            f,
            "{kind:<8} {bytes:>10} bytes, {pins} pins, {age} ns old, {owner}"
        )
    }
}

/// Says the time, in nanoseconds.
type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

#[derive(Default)]
pub(super) struct Live(Mutex<List>);

#[derive(Default)]
struct List {
    /// By address. All of these are alive: they are struck off, under the lock, before
    /// anything is done to their headers.
    nodes: BTreeMap<NonNull<Node>, Record>,
    /// Names; owner `i` is the one at `i - 1`.
    owners: Vec<String>,
    now: u64,
    /// Asked instead of `now`, if there is one.
    clock: Option<Clock>,
    entered: u64,
}

// SAFETY: nodes may be looked at from any thread, see `Node`.
unsafe impl Send for List {}

impl List {
    /// The clock's time, or without one what it is taken to be.
    fn now_or(&self, told: u64) -> u64 {
        self.clock.as_ref().map_or(told, |clock| clock())
    }
}

struct Record {
    kind: Kind,
    bytes: usize,
    owner: u32,
    born: u64,
    /// Ties between nodes of the same time.
    number: u64,
}

impl Live {
    pub(super) fn with_clock(clock: Clock) -> Self {
        let live = Self::default();
        live.list().clock = Some(clock);
        live
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn owner(&self, name: &str) -> u32 {
        let owners = &mut self.list().owners;
        let index = owners.iter().position(|owner| owner == name);
        let index = index.unwrap_or_else(|| {
            owners.push(name.to_owned());
            owners.len() - 1
        });
        u32::try_from(index + 1).unwrap_or(0)
    }

    pub(super) fn set_now(&self, now: u64) {
        self.list().now = now;
    }

    pub(super) fn enter(&self, node: &NodeRef, bytes: usize, owner: u32) {
        let mut list = self.list();
        list.entered += 1;
        let record = Record {
            kind: node.kind(),
            bytes,
            owner,
            born: list.now_or(list.now),
            number: list.entered,
        };
        list.nodes.insert(node.as_ptr(), record);
    }

    pub(super) fn leave(&self, node: NonNull<Node>) {
        self.list().nodes.remove(&node);
    }

    pub(super) fn dump(&self, now: u64) -> Vec<LiveNode> {
        let list = self.list();
        let now = list.now_or(now);
        let mut nodes: Vec<_> = list.nodes.iter().collect();
        nodes.sort_by_key(|(_, record)| (record.born, record.number));
        let owner = |owner: u32| {
            (owner as usize)
                .checked_sub(1)
                .and_then(|i| list.owners.get(i))
        };
        let live = |(node, record): (&NonNull<Node>, &Record)| LiveNode {
            kind: record.kind,
            bytes: record.bytes,
            owner: owner(record.owner).cloned().unwrap_or_default(),
            age: now.saturating_sub(record.born),
            // SAFETY: listed nodes are alive, and the list is locked.
            pins: unsafe { node.as_ref() }.pins(),
        };
        nodes.into_iter().map(live).collect()
    }
}
