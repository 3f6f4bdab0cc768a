//! Limits, nesting, pressure and what storage is charged.

use std::sync::Mutex;

use super::*;
use crate::{Ledger, Pool, PoolConfig, Span};

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<&'static str>>>);

impl Notes {
    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Watch for Notes {
    fn pressure(&self, on: bool) {
        self.0
            .lock()
            .unwrap()
            .push(if on { "pressure" } else { "relief" });
    }

    fn room(&self) {
        self.0.lock().unwrap().push("room");
    }
}

#[test]
fn charges_count_here_and_outside_and_come_back() {
    let global = Account::new(100);
    let (a, b) = (global.within(80), global.within(80));
    let mut first = a.charge(70).unwrap();
    assert_eq!(a.charge(11).unwrap_err(), NoMemory);
    assert_eq!(b.charge(31).unwrap_err(), NoMemory);
    assert_eq!((a.in_use(), b.in_use(), global.in_use()), (70, 0, 70));
    let part = first.split(30);
    assert_eq!((first.bytes(), part.bytes(), a.in_use()), (40, 30, 70));
    drop(part);
    let second = b.charge(60).unwrap();
    assert_eq!(a.charge(1).unwrap_err(), NoMemory);
    assert_eq!(first.split(1000).bytes(), 40);
    assert_eq!((a.in_use(), global.in_use()), (0, 60));
    assert_eq!(b.charge(usize::MAX).unwrap_err(), NoMemory);
    b.set_limit(50);
    assert_eq!((b.limit(), b.charge(0).unwrap_err()), (50, NoMemory));
    drop(second);
    assert_eq!((b.in_use(), global.in_use()), (0, 0));
}

#[test]
fn tells_of_pressure_at_its_edges_and_of_room_to_who_waits() {
    let notes = Notes::default();
    let account = Account::watched(80, notes.clone());
    let mut charge = account.charge(70).unwrap();
    assert!(notes.take().is_empty() && !account.is_pressed());
    let more = account.charge(5).unwrap();
    let again = account.charge(5).unwrap();
    assert_eq!(
        (notes.take(), account.is_pressed()),
        (vec!["pressure"], true)
    );
    assert!(account.charge(1).is_err());
    assert!(account.wait(1));
    drop((more, again));
    assert_eq!(notes.take(), ["room"]);
    // Nobody waits where there is room.
    assert!(!account.wait(10));
    drop(charge.split(30));
    assert_eq!(notes.take(), ["relief"]);
    assert!(!account.is_pressed());
    drop(charge);
    assert!(notes.take().is_empty());
}

#[test]
fn who_waits_inside_is_told_of_room_outside() {
    let (inside, outside) = (Notes::default(), Notes::default());
    let outer = Account::watched(100, outside.clone());
    let inner = outer.within_watched(100, inside.clone());
    let innermost = inner.within_watched(50, inside.clone());
    let sibling = outer.within(100);
    let mut charge = sibling.charge(87).unwrap();
    assert!(innermost.charge(20).is_err() && innermost.wait(20));
    assert!(inner.charge(20).is_err() && inner.wait(20));
    drop(charge.split(1));
    assert_eq!(inside.take(), ["room", "room"]);
    // Once for each time; and nobody waited with the outer account itself.
    drop(charge.split(1));
    assert!(inside.take().is_empty() && outside.take().is_empty());
    // Both are too full: whichever has bytes back first.
    let full = innermost.charge(10).unwrap();
    assert!(innermost.wait(50));
    drop(full);
    assert_eq!(inside.take(), ["room"]);
    // Who is gone is not told, and not kept.
    assert!(innermost.wait(50));
    drop(innermost);
    assert!(sync::lock(&outer.0.waiters).is_empty());
    drop(charge);
    assert!(inside.take().is_empty());
}

#[test]
fn a_raised_limit_is_told_to_who_waits() {
    let notes = Notes::default();
    let outer = Account::new(100);
    let inner = outer.within_watched(200, notes.clone());
    let _charge = inner.charge(100).unwrap();
    assert!(inner.wait(10));
    outer.set_limit(105);
    assert_eq!(notes.take(), ["room"]);
    assert!(inner.wait(10));
    outer.set_limit(110);
    assert!(!inner.wait(10) && inner.charge(10).is_ok());
    assert_eq!(notes.take(), ["room"]);
}

/// A charge that fits here and not outside is taken back: whoever was refused because of
/// it while it stood is told.
#[test]
fn a_charge_taken_back_is_told_to_who_waits() {
    let notes = Notes::default();
    let outer = Account::new(50);
    let inner = outer.within_watched(100, notes.clone());
    // As another thread would see it in the middle of a charge of 90.
    inner.0.used.fetch_add(90, Ordering::AcqRel);
    assert!(inner.charge(20).is_err() && inner.wait(20));
    inner.0.used.fetch_sub(90, Ordering::AcqRel);
    assert!(inner.charge(60).is_err());
    assert_eq!(notes.take(), ["room"]);
    // Who waits for the outer account alone is left alone.
    let _charge = outer.charge(50).unwrap();
    assert!(inner.wait(20));
    assert!(inner.charge(20).is_err());
    assert!(notes.take().is_empty());
}

struct Panics;

impl Watch for Panics {
    fn pressure(&self, on: bool) {
        assert!(!on, "pressure");
    }

    fn room(&self) {
        panic!("room");
    }
}

#[test]
fn a_watch_that_panics_leaves_everything_counted_and_told() {
    let (ledger, notes) = (Ledger::new(), Notes::default());
    let outer = Account::watched(640, notes.clone());
    let inner = outer.within_watched(640, Panics);
    let config = PoolConfig {
        segment: 64,
        limit: 640,
        keep: 4,
    };
    let pool = Pool::charged_to(&ledger, config, &inner);
    let held: Vec<_> = (0..8).map(|_| pool.reserve().unwrap()).collect();
    assert!(catch_unwind(AssertUnwindSafe(|| pool.reserve())).is_err());
    assert_eq!((pool.in_use(), inner.in_use()), (512, 512));
    assert_eq!(notes.take(), ["pressure"]);
    assert!(inner.wait(1000) && outer.wait(1000));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(held))).is_err());
    assert_eq!(notes.take(), ["room", "relief"]);
    assert_eq!((pool.in_use(), inner.in_use(), outer.in_use()), (0, 0, 0));
    assert_eq!(ledger.live_nodes(), 0);
    let charge = catch_unwind(AssertUnwindSafe(|| inner.charge(600)));
    assert!(charge.is_err());
    assert_eq!((inner.in_use(), outer.in_use()), (0, 0));
}

#[test]
fn storage_is_charged_until_its_last_pin() {
    let ledger = Ledger::new();
    let account = Account::new(10_000);
    let bytes = vec![1_u8; 500];
    let charge = account.charge(bytes.capacity()).unwrap();
    let span = Span::from_owner(&ledger, (bytes, charge)).unwrap();
    let rest = span.slice(490..).unwrap();
    drop(span);
    assert_eq!(account.in_use(), 500);
    std::thread::spawn(move || drop(rest)).join().unwrap();
    assert_eq!(account.in_use(), 0);
}

#[test]
fn pools_share_a_limit() {
    let (ledger, global) = (Ledger::new(), Account::new(1000));
    let config = PoolConfig {
        segment: 256,
        limit: 768,
        keep: 2,
    };
    let pools = [0; 2].map(|_| Pool::charged_to(&ledger, config, &global));
    let some = pools[0].reserve().unwrap();
    let more = [0; 2].map(|_| pools[1].reserve().unwrap().commit(1));
    assert_eq!((global.in_use(), pools[1].in_use()), (768, 512));
    assert_eq!(pools[1].reserve().err(), Some(NoMemory));
    assert_eq!((global.in_use(), pools[1].in_use()), (768, 512));
    drop(some);
    assert!(pools[1].reserve().is_ok());
    drop((more, pools));
    assert_eq!((global.in_use(), ledger.live_nodes()), (0, 0));
}

#[test]
fn a_limit_below_what_is_charged_is_pressure() {
    let account = Account::new(1000);
    let charge = account.charge(500).unwrap();
    account.set_limit(400);
    assert!(account.charge(1).is_err());
    assert!(account.is_pressed());
    drop(charge);
    assert!(!account.is_pressed());
}
