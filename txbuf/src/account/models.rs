//! Concurrency models, built and run with `--cfg loom`.

use loom::thread;

use super::*;

struct Wake(Arc<AtomicUsize>);

impl Watch for Wake {
    fn room(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A writer that finds no room and decides to wait is woken by the bytes that come
/// back, whenever they do.
#[test]
fn a_charge_that_returns_against_a_waiting_writer() {
    loom::model(|| {
        let wakes = Arc::new(AtomicUsize::new(0));
        let account = Account::watched(10, Wake(Arc::clone(&wakes)));
        let charge = account.charge(10).unwrap();
        let other = thread::spawn(move || drop(charge));
        let mut waits = false;
        if account.charge(4).is_err() {
            waits = account.wait(4);
        }
        other.join().unwrap();
        assert!(!waits || wakes.load(Ordering::Acquire) == 1);
        assert!(account.charge(10).is_ok());
    });
}

/// Two writers' accounts within one: what is charged to one returns against a writer who
/// waits at the other.
#[test]
fn a_charge_that_returns_outside_against_a_writer_waiting_inside() {
    loom::model(|| {
        let wakes = Arc::new(AtomicUsize::new(0));
        let outer = Account::new(10);
        let inner = outer.within_watched(10, Wake(Arc::clone(&wakes)));
        let charge = outer.within(10).charge(10).unwrap();
        let other = thread::spawn(move || drop(charge));
        let refused = inner.charge(4).is_err();
        let waits = refused && inner.wait(4);
        assert!(waits || inner.charge(4).is_ok());
        other.join().unwrap();
        assert!(!waits || wakes.load(Ordering::Acquire) == 1);
        assert!(inner.charge(10).is_ok());
    });
}

/// A charge that fits inside and not outside goes again, against a writer who was
/// refused because of it.
#[test]
fn a_charge_that_is_taken_back_against_a_waiting_writer() {
    loom::model(|| {
        let wakes = Arc::new(AtomicUsize::new(0));
        let outer = Account::new(5);
        let inner = outer.within_watched(10, Wake(Arc::clone(&wakes)));
        let other = {
            let inner = inner.clone();
            thread::spawn(move || assert!(inner.charge(9).is_err()))
        };
        let waits = inner.charge(2).is_err() && inner.wait(2);
        other.join().unwrap();
        assert!(!waits || wakes.load(Ordering::Acquire) == 1);
        assert!(inner.charge(2).is_ok());
    });
}

/// A limit is raised, outside of where a writer waits.
#[test]
fn a_limit_that_is_raised_against_a_waiting_writer() {
    loom::model(|| {
        let wakes = Arc::new(AtomicUsize::new(0));
        let outer = Account::new(10);
        let inner = outer.within_watched(100, Wake(Arc::clone(&wakes)));
        let _charge = inner.charge(10).unwrap();
        let other = thread::spawn(move || outer.set_limit(20));
        let refused = inner.charge(4).is_err();
        let waits = refused && inner.wait(4);
        assert!(waits || inner.charge(4).is_ok());
        other.join().unwrap();
        assert!(!waits || wakes.load(Ordering::Acquire) == 1);
        assert!(inner.charge(4).is_ok());
    });
}

/// Pressure that ends while it is being told of does not stay.
#[test]
fn a_charge_that_presses_against_one_that_returns() {
    loom::model(|| {
        let account = Account::new(8);
        let first = account.charge(4).unwrap();
        let other = thread::spawn(move || drop(first));
        let second = account.charge(4).unwrap();
        other.join().unwrap();
        assert!(!account.is_pressed() && account.in_use() == 4);
        drop(second);
    });
}

#[test]
fn a_nested_limit_is_never_passed() {
    loom::model(|| {
        let outer = Account::new(10);
        let (a, b) = (outer.within(10), outer.within(10));
        let other = {
            let outer = outer.clone();
            thread::spawn(move || {
                let charge = a.charge(6);
                assert!(outer.in_use() <= 10);
                charge.is_ok()
            })
        };
        let mine = b.charge(6);
        assert!(outer.in_use() <= 10 && b.in_use() <= 10);
        let won = mine.is_ok();
        drop(mine);
        assert!(other.join().unwrap() || won);
        assert_eq!((outer.in_use(), b.in_use()), (0, 0));
    });
}

/// Bytes that come back in two steps, the first of which is not enough, against a writer who
/// decides to wait in between.
#[test]
fn a_charge_that_returns_in_two_steps_against_a_waiting_writer() {
    loom::model(|| {
        let wakes = Arc::new(AtomicUsize::new(0));
        let account = Account::watched(10, Wake(Arc::clone(&wakes)));
        let first = account.charge(1).unwrap();
        let second = account.charge(9).unwrap();
        let other = thread::spawn(move || {
            drop(first);
            drop(second);
        });
        let waits = account.charge(4).is_err() && account.wait(4);
        other.join().unwrap();
        assert!(!waits || wakes.load(Ordering::Acquire) >= 1);
    });
}
