//! Code of others that panics while it is told something: every count stays right, and nothing is lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use txbuf::{
    Account, Chain, Completions, Kind, Ledger, Order, Pool, PoolConfig, Span, StableBytes, Watch,
};

fn panics<T>(work: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err()
}

/// Panics at all that it is told.
struct Loud;

impl Watch for Loud {
    fn pressure(&self, on: bool) {
        assert!(on, "relief");
    }

    fn room(&self) {
        panic!("room");
    }
}

struct LoudBytes(Vec<u8>);

// SAFETY: a vector's bytes stay where they are.
unsafe impl StableBytes for LoudBytes {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for LoudBytes {
    fn drop(&mut self) {
        panic!("destructor");
    }
}

#[test]
fn a_watch_while_a_charge_is_taken_back_costs_the_pool_no_segment() {
    let ledger = Ledger::new();
    let outer = Account::new(100);
    let middle = outer.within(1 << 20);
    let inner = middle.within_watched(1 << 20, Loud);
    let config = PoolConfig {
        segment: 128,
        limit: 256,
        keep: 4,
    };
    let pool = Pool::charged_to(&ledger, config, &middle);
    for _ in 0..3 {
        // Somebody waits for more than there is, and the outer account has no room for a segment.
        assert!(inner.wait(2 << 20));
        assert!(panics(|| pool.reserve().is_err()));
        let used = (pool.in_use(), outer.in_use(), middle.in_use());
        assert_eq!((used, ledger.live_nodes()), ((0, 0, 0), 0));
    }
    outer.set_limit(1 << 20);
    assert!(pool.reserve().is_ok());
}

#[test]
fn an_owner_and_the_watch_of_its_charge_are_one_panic() {
    let ledger = Ledger::new();
    let account = Account::watched(100, Loud);
    let charge = account.charge(95).unwrap();
    assert!(account.is_pressed());
    let span = Span::from_owner(&ledger, (LoudBytes(vec![0; 95]), charge)).unwrap();
    assert!(panics(|| drop(span)));
    assert_eq!((ledger.live_nodes(), account.in_use()), (0, 0));
}

#[test]
fn who_is_told_of_a_message_keeps_no_storage() {
    let ledger = Ledger::new();
    let config = PoolConfig {
        segment: 4096,
        limit: 1 << 20,
        keep: 16,
    };
    let pool = Pool::new(&ledger, config);
    let mut completions = Completions::with_wake(Order::Stream, 10, || panic!("wake"));
    let mut chain = Chain::stream(&pool);
    chain.append_span(Span::from_owner(&ledger, vec![1; 10_000]).unwrap());
    chain.end_message(completions.token().unwrap());
    assert!(panics(|| chain.release(10_000)));
    let owned = ledger.report().of(Kind::Owned).nodes;
    assert_eq!((chain.is_empty(), owned, chain.adopted()), (true, 0, 0));
    assert!(completions.poll().is_some());
}
