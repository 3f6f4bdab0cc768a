//! Ranges, order, limits and the end of the consumer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::*;
use crate::sync::counted;
use crate::test_support::allocations::allocated;

fn done(first: u32, last: u32, copied: bool) -> Option<Completion> {
    Some(Completion {
        first,
        last,
        copied,
    })
}

fn tokens(completions: &mut Completions, n: usize) -> Vec<Token> {
    (0..n).map(|_| completions.token().unwrap()).collect()
}

#[test]
fn a_stream_reports_in_order_and_merges_equals() {
    let mut completions = Completions::new(Order::Stream, 100);
    let mut tokens = tokens(&mut completions, 6);
    assert_eq!(
        tokens.iter().map(Token::id).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5]
    );
    tokens[3].mark_copied();
    assert!(tokens[3].is_copied() && !tokens[2].is_copied());
    let first = tokens.remove(0);
    drop(tokens.split_off(1));
    assert_eq!(completions.poll(), None);
    let extra = first.clone();
    drop(first);
    assert_eq!((completions.poll(), completions.outstanding()), (None, 6));
    drop(extra);
    assert_eq!(completions.poll(), done(0, 0, false));
    drop(tokens);
    assert_eq!(completions.poll(), done(1, 2, false));
    assert_eq!(completions.poll(), done(3, 3, true));
    assert_eq!(completions.poll(), done(4, 5, false));
    assert_eq!((completions.poll(), completions.outstanding()), (None, 0));
}

#[test]
fn datagrams_report_as_they_come() {
    let mut completions = Completions::new(Order::Datagram, 100);
    let mut tokens = tokens(&mut completions, 5);
    drop(tokens.remove(2));
    drop(tokens.remove(2));
    drop(tokens.remove(0));
    assert_eq!(completions.poll(), done(2, 3, false));
    assert_eq!(completions.poll(), done(0, 0, false));
    assert_eq!(completions.poll(), None);
    tokens[0].mark_copied();
    drop(tokens);
    assert_eq!(completions.poll(), done(1, 1, true));
    assert_eq!(completions.poll(), done(4, 4, false));
}

#[test]
fn numbers_wrap_around() {
    for order in [Order::Stream, Order::Datagram] {
        let mut completions = Completions::new(order, 100);
        completions.next = u32::MAX - 1;
        drop(tokens(&mut completions, 4));
        assert_eq!(completions.poll(), done(u32::MAX - 1, 1, false));
        assert_eq!((completions.poll(), completions.outstanding()), (None, 0));
    }
}

#[test]
fn the_limit_counts_until_a_message_is_reported() {
    let mut completions = Completions::new(Order::Stream, 2);
    let tokens = tokens(&mut completions, 2);
    tokens[1].mark_copied();
    drop(tokens);
    assert_eq!(completions.token().unwrap_err(), TooManyMessages);
    assert_eq!(completions.poll(), done(0, 0, false));
    assert_eq!(completions.token().unwrap().id(), 2);
}

#[test]
fn the_last_drop_allocates_nothing_and_used_tokens_come_again() {
    let mut completions = Completions::new(Order::Stream, 100);
    let mut round = || {
        let token = completions.token().unwrap();
        let clone = token.clone();
        drop(token);
        let cost = allocated(|| counted(|| drop(clone)));
        assert!(completions.poll().is_some());
        cost
    };
    round();
    let (allocations, (atomics, ())) = round();
    // The holder, the push, and the count of the queue.
    assert_eq!((allocations, atomics), (0, 3));
    assert_eq!(
        allocated(|| (0..10).for_each(|_| assert_eq!(round().0, 0))).0,
        0
    );
}

#[test]
fn wakes_when_there_is_something_new() {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let mut completions = Completions::with_wake(Order::Stream, 10, move || {
        counter.fetch_add(1, Relaxed);
    });
    let mut some = tokens(&mut completions, 3);
    drop(some.pop());
    drop(some.pop());
    assert_eq!((count.load(Relaxed), completions.poll()), (1, None));
    drop(some);
    assert_eq!(
        (count.load(Relaxed), completions.poll()),
        (2, done(0, 2, false))
    );
}

#[test]
fn tokens_outlive_their_consumer() {
    let shared = Arc::new(());
    let kept = Arc::clone(&shared);
    let mut completions = Completions::with_wake(Order::Datagram, 10, move || drop(kept.clone()));
    let mut some = tokens(&mut completions, 4);
    let unclaimed: Vec<_> = some[0].clones(3).take(1).collect();
    drop(some.pop());
    drop(completions);
    assert_eq!(Arc::strong_count(&shared), 2);
    drop((some, unclaimed));
    assert_eq!(Arc::strong_count(&shared), 1);
}

#[test]
fn every_message_comes_exactly_once_from_many_threads() {
    for order in [Order::Stream, Order::Datagram] {
        let mut completions = Completions::new(order, 10_000);
        let some = tokens(&mut completions, 4000);
        let mut seen = vec![0; 4000];
        std::thread::scope(|scope| {
            for part in 0..4 {
                let mine: Vec<_> = some.iter().skip(part).step_by(2).cloned().collect();
                scope.spawn(move || mine.into_iter().for_each(drop));
            }
            drop(some);
            while completions.outstanding() > 0 {
                while let Some(range) = completions.poll() {
                    (range.first..=range.last).for_each(|id| seen[id as usize] += 1);
                }
                std::thread::yield_now();
            }
        });
        assert!(seen.iter().all(|&times| times == 1));
    }
}

#[test]
fn a_number_that_was_not_used_comes_again() {
    for order in [Order::Stream, Order::Datagram] {
        let mut completions = Completions::new(order, 100);
        let mut tokens = tokens(&mut completions, 3);
        let latest = tokens.pop().unwrap();
        let earlier = tokens.pop().unwrap();
        assert!(completions.revoke(latest));
        assert_eq!(completions.outstanding(), 2);
        let again = completions.token().unwrap();
        assert_eq!(again.id(), 2);
        // One that somebody else holds too, and one that is not the latest.
        let held = again.clone();
        assert!(!completions.revoke(again));
        drop(tokens);
        assert_eq!(completions.poll(), done(0, 0, false));
        assert!(!completions.revoke(earlier));
        drop(held);
        assert_eq!(completions.poll(), done(1, 2, false));
        assert_eq!(completions.outstanding(), 0);
    }
}

#[test]
fn messages_that_are_told_of_together_count_once() {
    for order in [Order::Stream, Order::Datagram] {
        let mut completions = Completions::new(order, 4);
        for _ in 0..1000 {
            drop(completions.token().expect("room: the others are done"));
        }
        let held: Vec<_> = (0..3).map(|_| completions.token().expect("room")).collect();
        assert_eq!(completions.token().unwrap_err(), TooManyMessages);
        assert_eq!(completions.outstanding(), 1003);
        let range = completions.poll().expect("they are done");
        assert_eq!((range.first, range.last), (0, 999));
        let more = completions.token().expect("room");
        drop((held, more));
        let range = completions.poll().expect("they are done");
        assert_eq!((range.first, range.last), (1000, 1003));
        assert_eq!(completions.outstanding(), 0);
    }
}
