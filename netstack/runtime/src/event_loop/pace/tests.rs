use std::time::Duration;

use super::{Came, Look, MOST_SKIPPED, Pace};

const SOON: Duration = Duration::from_micros(10);
const LATE: Duration = Duration::from_millis(4);

#[test]
fn one_is_asked_for_where_each_came_alone_and_was_answered() {
    let mut pace = Pace::default();
    for _ in 0..8 {
        assert_eq!(pace.worth_asking(), usize::MAX);
        pace.turned(Came::Alone, true);
    }
    // The ninth looks for more once more, as every eighth does.
    assert_eq!(pace.worth_asking(), usize::MAX);
    for _ in 0..7 {
        pace.turned(Came::Alone, true);
        assert_eq!(pace.worth_asking(), 1);
    }
    pace.turned(Came::Alone, true);
    assert_eq!(pace.worth_asking(), usize::MAX);
    pace.turned(Came::Alone, true);
    assert_eq!(pace.worth_asking(), 1);
    pace.turned(Came::Several, true);
    assert_eq!(pace.worth_asking(), usize::MAX, "two came together");
}

#[test]
fn what_is_not_answered_is_no_request() {
    let mut pace = Pace::default();
    for _ in 0..20 {
        pace.turned(Came::Alone, false);
        assert_eq!(pace.worth_asking(), usize::MAX);
    }
}

/// How many sleeps go by before the core is offered again.
fn sleeps(pace: &mut Pace) -> u32 {
    let mut sleeps = 0;
    pace.turned(Came::Nothing, true);
    while !pace.worth_offering() {
        sleeps += 1;
        pace.turned(Came::Nothing, true);
    }
    sleeps
}

#[test]
fn a_core_that_nobody_needs_is_offered_ever_more_seldom() {
    let mut pace = Pace::default();
    let mut last = 0;
    assert_eq!(sleeps(&mut pace), 0);
    for _ in 0..20 {
        pace.offered(false, SOON);
        let now = sleeps(&mut pace);
        assert!(now > last || now == MOST_SKIPPED, "{last} {now}");
        last = now;
    }
    assert_eq!(last, MOST_SKIPPED);
    pace.offered(true, SOON);
    assert_eq!(sleeps(&mut pace), 0, "a peer has come to this core");
}

#[test]
fn a_core_that_never_left_was_offered_in_vain() {
    let mut pace = Pace::default();
    for skipped in [1, 3, 7] {
        pace.offered(true, Duration::from_nanos(300));
        assert_eq!(sleeps(&mut pace), skipped);
    }
}

#[test]
fn a_core_that_came_back_late_is_not_offered_soon_again() {
    let mut pace = Pace::default();
    pace.offered(true, LATE);
    assert_eq!(sleeps(&mut pace), MOST_SKIPPED);
}

#[test]
fn who_was_sent_nothing_is_not_waited_for() {
    let mut pace = Pace::default();
    assert!(!pace.worth_offering());
    pace.turned(Came::Nothing, true);
    assert!(pace.worth_offering());
    pace.offered(true, SOON);
    assert!(!pace.worth_offering(), "what came was not answered");
    pace.turned(Came::Nothing, true);
    assert!(pace.worth_offering());
}

#[test]
fn packets_that_leave_nothing_to_be_sent_are_followed_by_sleep() {
    for came in [Came::Alone, Came::Several] {
        assert_eq!(Look::Now.next(came, false), Look::Asleep);
        assert_eq!(Look::Now.next(came, true), Look::Now);
        assert_eq!(Look::Before(came).next(came, false), Look::Now);
    }
    assert_eq!(Look::Now.next(Came::Burst, false), Look::Now);
    assert_eq!(Look::Asleep.next(Came::Nothing, false), Look::Now);
}
