//! Destructors of owners: in what order, how deep, and when they panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use super::*;
use crate::test_support::{owned, pool};
use crate::{Chain, DeviceMemory, Kind, Region, Span};

struct Panics(Vec<u8>);

// SAFETY: as for the vector.
unsafe impl StableBytes for Panics {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("destructor {}", self.0[0]);
    }
}

fn panicking(ledger: &Ledger, byte: u8) -> Span {
    Span::from_owner(ledger, Panics(vec![byte; 4000])).unwrap()
}

/// What the panic said that `f` ended with.
fn panic_of(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    *panic.downcast::<String>().expect("a message")
}

#[test]
fn a_destructor_that_panics_leaves_the_ledger_clean() {
    let ledger = Ledger::new();
    let span = panicking(&ledger, 1);
    assert_eq!(panic_of(|| drop(span)), "destructor 1");
    assert_eq!(ledger.live_nodes(), 0);
    // And the thread goes on freeing at once.
    drop(owned(&ledger, b"next"));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn several_destructors_that_panic_all_run_and_the_first_is_reported() {
    let ledger = Ledger::new();
    let parts = [1, 2, 3].map(|byte| panicking(&ledger, byte));
    let gather = Span::gather(&ledger, parts).unwrap();
    assert_eq!(panic_of(|| drop(gather)), "destructor 1");
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn a_chain_counts_its_storage_although_a_destructor_panics() {
    let (ledger, pool) = pool(4096);
    let mut chain = Chain::stream(&pool);
    chain.append(&[1; 5000]).unwrap();
    chain.append_span(panicking(&ledger, 1));
    chain.append(&[1; 50_000]).unwrap();
    assert_eq!(panic_of(|| chain.release(chain.end())), "destructor 1");
    assert_eq!((chain.footprint(), pool.in_use()), (4096, 4096));
    assert_eq!(ledger.report().of(Kind::Owned).nodes, 0);
    chain.append(&[1; 50_000]).unwrap();
    chain.release(chain.end());
    chain.release_tail();
    assert_eq!((chain.footprint(), pool.in_use()), (0, 0));
}

/// Each owner keeps the next: a million of them are taken apart in a loop.
#[test]
fn a_million_owners_of_each_other_drop_without_recursion() {
    struct Memory(#[allow(dead_code, reason = "kept")] Span);
    impl DeviceMemory for Memory {
        fn provider(&self) -> u64 {
            0
        }

        fn release(&self, _: u64, _: usize) {}
    }
    let ledger = Ledger::new();
    let mut span = Span::empty();
    for i in 0..1_000_000 {
        span = match i % 4 {
            0 => Span::from_device(&ledger, Arc::new(Memory(span)), 0, 1, None).unwrap(),
            1 => {
                let region = Region::new(&ledger, (&b"r"[..], span));
                region.lend(0..1, None).unwrap()
            }
            2 => Span::gather(&ledger, [span, owned(&ledger, b"g")]).unwrap_or_default(),
            _ => Span::from_owner(&ledger, (&b"o"[..], span)).unwrap(),
        };
    }
    assert!(ledger.live_nodes() >= 1_000_000);
    drop(span);
    assert_eq!(ledger.live_nodes(), 0);
}

struct Noted(&'static str, Arc<Mutex<Vec<&'static str>>>, Option<Span>);

// SAFETY: the bytes are static.
unsafe impl StableBytes for Noted {
    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
        drop(self.2.take());
        self.1.lock().unwrap().push("end");
    }
}

#[test]
fn what_a_destructor_frees_is_freed_after_it_in_order() {
    let (ledger, notes) = (Ledger::new(), Arc::new(Mutex::new(Vec::new())));
    let owner = |name, inner| {
        let owner = Noted(name, Arc::clone(&notes), inner);
        Span::from_owner(&ledger, owner).unwrap()
    };
    let both = Span::gather(&ledger, [owner("first", None), owner("second", None)]).unwrap();
    drop(owner("outer", Some(both)));
    let expected = ["outer", "end", "first", "end", "second", "end"];
    assert_eq!(*notes.lock().unwrap(), expected);
    assert_eq!(ledger.live_nodes(), 0);
}
