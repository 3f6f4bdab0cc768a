use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::{Completions, Deferral, DeviceMemory, Ledger, Order, Region, Span, StableBytes};

/// A buffer that says so when it is dropped, or panics.
struct Owner(Arc<AtomicUsize>, bool);

// SAFETY: static bytes.
#[allow(unsafe_code)]
unsafe impl StableBytes for Owner {
    fn bytes(&self) -> &[u8] {
        b"bytes"
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        assert!(!self.1, "a destructor");
    }
}

struct Memory(AtomicUsize);

impl DeviceMemory for Memory {
    fn provider(&self) -> u64 {
        1
    }

    fn release(&self, _: u64, _: usize) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn everything_of_others_waits_for_the_outermost_end() {
    let ledger = Ledger::new();
    let dropped = Arc::new(AtomicUsize::new(0));
    let owned = Span::from_owner(&ledger, Owner(Arc::clone(&dropped), false)).unwrap();
    let memory = Arc::new(Memory(AtomicUsize::new(0)));
    let device = Span::from_device(&ledger, Arc::<Memory>::clone(&memory), 0, 10, None).unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let wake = Arc::clone(&woken);
    let mut completions = Completions::with_wake(Order::Stream, 8, move || {
        wake.fetch_add(1, Ordering::Relaxed);
    });
    let region = Region::new(&ledger, vec![0_u8; 10]);
    let token = completions.token().unwrap();
    let lent = region.lend(0..10, Some(&token)).unwrap();
    let plain = completions.token().unwrap();

    let outer = Deferral::begin();
    let inner = Deferral::begin();
    drop((owned, device, lent, token, plain));
    inner.finish(|_| unreachable!());
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    assert_eq!(
        (count(&dropped), count(&memory.0), count(&woken)),
        (0, 0, 0)
    );
    assert_eq!((completions.poll(), ledger.live_nodes()), (None, 3));
    outer.finish(|_| unreachable!());
    assert_eq!(
        (count(&dropped), count(&memory.0), count(&woken)),
        (1, 1, 1)
    );
    let done = completions.poll().unwrap();
    assert_eq!((done.first, done.last, ledger.live_nodes()), (0, 1, 0));
    assert!(region.unregister().is_ok());
}

#[test]
fn one_that_panics_keeps_no_other_from_running() {
    let ledger = Ledger::new();
    let dropped = Arc::new(AtomicUsize::new(0));
    let owner = |panics| Span::from_owner(&ledger, Owner(Arc::clone(&dropped), panics)).unwrap();
    let spans = [owner(false), owner(true), owner(true), owner(false)];
    let deferral = Deferral::begin();
    drop(spans);
    let mut panics = 0;
    deferral.finish(|_| panics += 1);
    assert_eq!((panics, dropped.load(Ordering::Relaxed)), (2, 4));

    // Without a word of who defers, the first goes on after the others ran.
    let spans = [owner(true), owner(false)];
    let deferral = Deferral::begin();
    drop(spans);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(deferral))).is_err());
    assert_eq!(dropped.load(Ordering::Relaxed), 6);
    let plain = owner(true);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(plain))).is_err());
    // And all is as it was.
    drop(owner(false));
    assert_eq!(dropped.load(Ordering::Relaxed), 8);
}

#[test]
fn an_owner_may_take_the_lock_under_which_it_was_dropped() {
    struct Locks(Arc<Mutex<usize>>);
    impl Drop for Locks {
        fn drop(&mut self) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let ledger = Ledger::new();
    let lock = Arc::new(Mutex::new(0));
    let owner = (vec![1_u8; 10], Locks(Arc::clone(&lock)));
    let span = Span::from_owner(&ledger, owner).unwrap();
    let deferral = Deferral::begin();
    let guard = lock.lock().unwrap();
    drop(span);
    drop(guard);
    drop(deferral);
    assert_eq!(*lock.lock().unwrap(), 1);
}
