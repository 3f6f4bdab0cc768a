use std::thread;
use std::time::{Duration, Instant};

use super::{Parker, Patience};
use crate::waiters::Direction;

#[test]
fn a_timeout_of_zero_is_refused_and_changes_nothing() {
    let patience = Patience::default();
    patience
        .set(Direction::Read, Some(Duration::from_millis(7)))
        .unwrap();
    let refused = patience
        .set(Direction::Read, Some(Duration::ZERO))
        .unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(
        patience.get(Direction::Read),
        Some(Duration::from_millis(7))
    );
    assert_eq!(patience.get(Direction::Write), None);
    patience.set(Direction::Read, None).unwrap();
    assert_eq!(patience.get(Direction::Read), None);
}

#[test]
fn a_parked_thread_wakes_for_its_waker_and_not_for_a_stray_unpark() {
    let parker = Parker::of_this_thread();
    parker.arm();
    let waker = parker.waker.clone();
    let sleeper = thread::current();
    let helper = thread::spawn(move || {
        sleeper.unpark();
        thread::sleep(Duration::from_millis(30));
        waker.wake();
    });
    let before = Instant::now();
    assert!(parker.park(None));
    assert!(before.elapsed() >= Duration::from_millis(25));
    helper.join().unwrap();
}

#[test]
fn parking_ends_at_the_deadline() {
    let parker = Parker::of_this_thread();
    parker.arm();
    let deadline = Instant::now() + Duration::from_millis(20);
    assert!(!parker.park(Some(deadline)));
    assert!(Instant::now() >= deadline);
}

#[test]
fn a_wake_up_before_parking_counts() {
    let parker = Parker::of_this_thread();
    parker.arm();
    parker.waker.wake_by_ref();
    assert!(parker.park(None));
}
