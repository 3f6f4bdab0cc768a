//! Concurrency models, built and run with `--cfg loom`.

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

/// The last holders of a message against an abort that drops the queue's own token,
/// while the consumer goes away.
#[test]
fn a_token_against_an_abort_against_a_consumer_that_is_gone() {
    loom::model(|| {
        let mut completions = Completions::new(Order::Datagram, 4);
        let token = completions.token().unwrap();
        let entry = token.clone();
        let driver = thread::spawn(move || drop(token));
        let abort = thread::spawn(move || drop(entry));
        let seen = completions.poll().is_some();
        drop(completions);
        driver.join().unwrap();
        abort.join().unwrap();
        let _ = seen;
    });
}
