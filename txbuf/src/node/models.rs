//! Concurrency models, built and run with `--cfg loom`.
//!
//! Uses of headers and bytes are told to loom's cells, which report a race if their
//! order does not follow from the atomics: freeing a node, and recycling it, counts as
//! writing both.

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;

use crate::owned::{self, StableBytes};
use crate::{Ledger, NoMemory, Pool, PoolConfig, Span};

use super::NodeRef;

fn pool(ledger: &Ledger, keep: usize) -> Pool {
    let config = PoolConfig {
        segment: 64,
        limit: 256,
        keep,
    };
    Pool::new(ledger, config)
}

/// `first` with one byte, linked to `second` with one byte.
fn linked(first: NodeRef, second: NodeRef) -> (Span, Span) {
    first.link(1, second.clone());
    (Span::new(first, 0, 2), Span::new(second, 0, 1))
}

#[test]
fn two_last_drops_on_adjacent_nodes() {
    loom::model(|| {
        let ledger = Ledger::new();
        let pool = pool(&ledger, 0);
        let (first, second) = linked(pool.take().unwrap(), pool.take().unwrap());
        let other = thread::spawn(move || {
            assert_eq!(second.to_vec().unwrap().len(), 1);
            drop(second);
        });
        // Reads the second node through the pin on the first.
        assert_eq!(first.to_vec().unwrap().len(), 2);
        drop(first);
        other.join().unwrap();
        assert_eq!((ledger.live_nodes(), pool.in_use()), (0, 0));
    });
}

#[test]
fn a_walk_along_the_link_against_the_last_drop_of_the_front() {
    loom::model(|| {
        let ledger = Ledger::new();
        let pool = pool(&ledger, 0);
        let (first, second) = linked(pool.take().unwrap(), pool.take().unwrap());
        drop(second);
        let mut walker = first.clone();
        let other = thread::spawn(move || {
            walker.advance(1).unwrap();
            drop(walker);
        });
        drop(first);
        other.join().unwrap();
        assert_eq!(ledger.live_nodes(), 0);
    });
}

/// Storage whose uses loom watches.
struct Storage(UnsafeCell<u8>);

// SAFETY: the accesses are what the models check.
unsafe impl Send for Storage {}
// SAFETY: as above.
unsafe impl Sync for Storage {}

impl Storage {
    fn new() -> Arc<Self> {
        Arc::new(Self(UnsafeCell::new(0)))
    }

    fn read(&self) {
        self.0.with(|_| ());
    }

    fn write(&self) {
        self.0.with_mut(|_| ());
    }
}

/// Writes to the storage when the owner is freed.
struct Owner(Arc<Storage>);

// SAFETY: the bytes are static.
unsafe impl StableBytes for Owner {
    fn bytes(&self) -> &[u8] {
        b"owned"
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.write();
    }
}

#[test]
fn every_use_happens_before_the_owner_is_freed() {
    loom::model(|| {
        let ledger = Ledger::new();
        let storage = Storage::new();
        let (node, _) = owned::node(&ledger, Owner(storage.clone())).unwrap();
        let (other_pin, other_storage) = (node.clone(), storage.clone());
        let other = thread::spawn(move || {
            other_storage.read();
            drop(other_pin);
        });
        storage.read();
        drop(node);
        other.join().unwrap();
        assert_eq!(ledger.live_nodes(), 0);
    });
}

#[test]
fn a_unique_owner_writes_after_all_readers() {
    loom::model(|| {
        let ledger = Ledger::new();
        let pool = pool(&ledger, 1);
        let storage = Storage::new();
        let node = pool.take().unwrap();
        let (reader_pin, reader_storage) = (node.clone(), storage.clone());
        let reader = thread::spawn(move || {
            reader_storage.read();
            drop(reader_pin);
        });
        if node.is_unique() {
            storage.write();
        }
        reader.join().unwrap();
        assert!(node.is_unique());
    });
}

#[test]
fn a_published_span_crosses_to_another_thread_while_the_tail_goes_on() {
    loom::model(|| {
        let ledger = Ledger::new();
        let pool = pool(&ledger, 0);
        let first = pool.take().unwrap();
        let early = Span::new(first.clone(), 0, 1);
        let reader = thread::spawn(move || (early.extents().count(), early.footprint()));
        // Whoever finds the link sees the header behind it.
        let second = pool.take().unwrap();
        first.link(1, second.clone());
        drop((first, second));
        let (extents, footprint) = reader.join().unwrap();
        assert_eq!(extents, 1);
        assert!(footprint == 64 || footprint == 128);
        assert_eq!(ledger.live_nodes(), 0);
    });
}

#[test]
fn a_recycled_node_is_new_to_its_next_user() {
    loom::model(|| {
        let ledger = Ledger::new();
        let pool = pool(&ledger, 2);
        let (first, second) = linked(pool.take().unwrap(), pool.take().unwrap());
        drop(second);
        let taker = {
            let pool = pool.clone();
            thread::spawn(move || {
                let node = pool.take()?;
                node.writes(0);
                Ok::<_, NoMemory>((node.is_linked(), node.is_unique()))
            })
        };
        assert_eq!(first.to_vec().unwrap().len(), 2);
        drop(first);
        match taker.join().unwrap() {
            Ok(state) => assert_eq!(state, (false, true)),
            Err(refused) => assert_eq!(refused, NoMemory),
        }
        assert_eq!((ledger.live_nodes(), pool.in_use()), (0, 0));
    });
}
