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
