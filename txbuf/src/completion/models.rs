//! Concurrency models, built and run with `--cfg loom`.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;

use loom::thread;

use super::*;

#[test]
fn two_last_drops_against_a_poll() {
    loom::model(|| {
        let mut completions = Completions::new(Order::Stream, 4);
        let (first, second) = (completions.token().unwrap(), completions.token().unwrap());
        let other = thread::spawn(move || {
            second.mark_copied();
            drop(second);
        });
        let clone = first.clone();
        let third = thread::spawn(move || drop(clone));
        drop(first);
        let early = completions
            .poll()
            .into_iter()
            .chain(completions.poll())
            .collect::<Vec<_>>();
        other.join().unwrap();
        third.join().unwrap();
        let mut all = early;
        all.extend(completions.poll());
        all.extend(completions.poll());
        let whole = |first, copied| Completion {
            first,
            last: first,
            copied,
        };
        assert_eq!(all, [whole(0, false), whole(1, true)]);
    });
}

/// Whoever finishes a message knows that another holder marked it.
#[test]
fn a_mark_by_a_holder_who_need_not_be_the_last() {
    loom::model(|| {
        let mut completions = Completions::new(Order::Datagram, 4);
        let token = completions.token().unwrap();
        let other = token.clone();
        let other = thread::spawn(move || {
            other.mark_copied();
            drop(other);
        });
        drop(token);
        let early = completions.poll();
        assert!(early.is_none_or(|done| done.copied));
        other.join().unwrap();
        let done = early.or(completions.poll());
        assert!(done.is_some_and(|done| done.copied));
    });
}

/// The last holders of a message against an abort that drops the queue's own token,
/// while the consumer goes away: it is told once at most, and nothing stays behind.
#[test]
fn a_token_against_an_abort_against_a_consumer_that_is_gone() {
    loom::model(|| {
        let wakes = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&wakes);
        let mut completions = Completions::with_wake(Order::Datagram, 4, move || {
            count.fetch_add(1, Relaxed);
        });
        let token = completions.token().unwrap();
        let entry = token.clone();
        let driver = thread::spawn(move || drop(token));
        let abort = thread::spawn(move || drop(entry));
        let seen = completions.poll();
        let again = completions.poll();
        drop(completions);
        driver.join().unwrap();
        abort.join().unwrap();
        assert!(seen.is_none() || again.is_none());
        let told = wakes.load(Relaxed);
        assert!(told <= 1 && (told == 1 || seen.or(again).is_none()));
        assert_eq!(Arc::strong_count(&wakes), 1, "what they shared is gone");
    });
}
