use super::{LEAST, MOST, Told, UserTimeout};
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

// req: RFC5482-10
#[test]
fn an_option_says_seconds_or_minutes() {
    let field = |time| Told::of(time).map(Told::field);
    assert_eq!(field(SECOND * 100), Some(100));
    assert_eq!(field(Duration::from_millis(1_500)), Some(2), "rounded up");
    assert_eq!(field(SECOND * 32_767), Some(32_767));
    assert_eq!(field(SECOND * 32_768), Some(0x8000 | 547), "minutes");
    assert_eq!(field(SECOND * 60 * 32_767), Some(0xffff));
    assert_eq!(field(SECOND * 60 * 32_768), None);
    assert_eq!(field(Duration::MAX), None);
    let time = |field| Told::from_field(field).map(Told::time);
    assert_eq!(time(100), Some(SECOND * 100));
    assert_eq!(time(0x8000 | 3), Some(SECOND * 180));
    assert_eq!(
        time(0x8000),
        Some(Duration::ZERO),
        "that is not the reserved value"
    );
}

// req: RFC5482-11
#[test]
fn zero_is_neither_sent_nor_heard() {
    assert_eq!(Told::of(Duration::ZERO), None);
    assert_eq!(Told::from_field(0), None);
}

// req: RFC5482-04, RFC5482-06, RFC5482-07
#[test]
fn the_longer_of_both_counts_within_limits() {
    let mut timeout = UserTimeout::default();
    timeout.hear(Told::of(SECOND * 500).unwrap());
    assert_eq!(
        timeout.in_force(),
        None,
        "options are not heeded by default"
    );
    timeout.advertise(Told::of(SECOND * 300));
    timeout.hear(Told::of(SECOND * 500).unwrap());
    assert_eq!(timeout.in_force(), Some(SECOND * 500));
    timeout.hear(Told::of(SECOND).unwrap());
    assert_eq!(timeout.in_force(), Some(SECOND * 300));
    timeout.hear(Told::from_field(0xffff).unwrap());
    assert_eq!(timeout.in_force(), Some(MOST));
    timeout.advertise(Told::of(SECOND));
    timeout.hear(Told::from_field(0x8000).unwrap());
    assert_eq!(timeout.in_force(), Some(LEAST));
}

// req: RFC5482-05
#[test]
fn what_the_application_chose_no_peer_changes() {
    let mut timeout = UserTimeout::default();
    timeout.advertise(Told::of(SECOND * 300));
    timeout.choose(Some(SECOND * 5));
    timeout.hear(Told::of(SECOND * 500).unwrap());
    assert_eq!(
        (timeout.in_force(), timeout.agreed()),
        (Some(SECOND * 5), None)
    );
    timeout.choose(None);
    assert_eq!(timeout.in_force(), Some(SECOND * 500));
}

// req: RFC5482-02, RFC5482-03
#[test]
fn a_change_is_told_once_more() {
    let mut timeout = UserTimeout::default();
    assert_eq!((timeout.of_syn(), timeout.take_due()), (None, None));
    timeout.advertise(Told::of(SECOND * 300));
    assert_eq!(timeout.of_syn(), Told::of(SECOND * 300));
    assert_eq!(
        timeout.take_due(),
        Told::of(SECOND * 300),
        "behind the SYN too"
    );
    assert_eq!(timeout.take_due(), None);
    timeout.advertise(Told::of(SECOND * 400));
    assert_eq!(timeout.take_due(), Told::of(SECOND * 400));
}
