//! Who has which four-tuple: a hash table under a secret key that grows in small steps.
//!
//! A four-tuple stands with whoever has it and not here: an entry is a number and what the table needs of the hash to
//! find it, and to grow without looking at what it stands for. The table is made of 256 parts that grow by themselves,
//! so that no packet waits for more than a 256th of all entries to be moved.

use crate::random::Random;
use crate::socket::SocketId;
use crate::tcp::flow::{FlowKey, KeyedHash};
use hashbrown::HashTable;

/// Parts of the table.
const PARTS: usize = 256;

/// Who a four-tuple belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Connection(SocketId),
    Request(u32),
    TimeWait(u32),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// What the part of the table is indexed by.
    hash: u32,
    flow: Flow,
}

/// 17 bytes for each place with what the table adds, of which up to half are empty.
const _: () = assert!(size_of::<Entry>() == 16);

impl Entry {
    /// The table takes the place from the low bits, and what it compares first from the highest.
    fn spread(hash: u32) -> u64 {
        u64::from(hash) << 32 | u64::from(hash)
    }
}

/// All four-tuples of a stack.
#[derive(Debug)]
pub(super) struct Flows {
    key: KeyedHash,
    parts: Box<[HashTable<Entry>]>,
    len: usize,
}

impl Flows {
    pub(super) fn new(random: &mut Random) -> Self {
        Flows {
            key: KeyedHash::new((random.next_u64(), random.next_u64())),
            parts: vec![HashTable::new(); PARTS].into(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whose the four-tuple is; `has` says whether it is that of somebody.
    pub(super) fn find(&self, key: &FlowKey, has: impl Fn(Flow) -> bool) -> Option<Flow> {
        let (part, hash) = self.place(key);
        let entry = self.parts.get(part)?.find(Entry::spread(hash), |entry| {
            entry.hash == hash && has(entry.flow)
        });
        entry.map(|entry| entry.flow)
    }

    /// Gives the four-tuple, which nobody has, to `flow`.
    pub(super) fn insert(&mut self, key: &FlowKey, flow: Flow) {
        let (part, hash) = self.place(key);
        let Some(part) = self.parts.get_mut(part) else {
            return;
        };
        let entry = Entry { hash, flow };
        part.insert_unique(Entry::spread(hash), entry, |entry| {
            Entry::spread(entry.hash)
        });
        self.len += 1;
    }

    /// Frees the four-tuple, if it still belongs to `flow`.
    pub(super) fn remove(&mut self, key: &FlowKey, flow: Flow) {
        let (part, hash) = self.place(key);
        let Some(part) = self.parts.get_mut(part) else {
            return;
        };
        let same = |entry: &Entry| entry.hash == hash && entry.flow == flow;
        if let Ok(entry) = part.find_entry(Entry::spread(hash), same) {
            entry.remove();
            self.len -= 1;
        }
    }

    fn place(&self, key: &FlowKey) -> (usize, u32) {
        let hash = self.key.of(key);
        ((hash >> 32) as usize % PARTS, hash as u32)
    }
}

#[cfg(test)]
mod tests;
