use super::*;

#[test]
fn the_earliest_counts_and_expires_once() {
    let mut timers = Timers::default();
    assert_eq!(timers.next(), None);
    timers.set(Timer::Close, Instant::from_millis(9));
    timers.set(Timer::Retransmit, Instant::from_millis(5));
    assert_eq!(timers.next(), Some(Instant::from_millis(5)));
    assert_eq!(timers.expired(Instant::from_millis(4)), None);
    assert_eq!(
        timers.expired(Instant::from_millis(5)),
        Some(Timer::Retransmit)
    );
    assert_eq!(timers.expired(Instant::from_millis(5)), None);
    assert!(timers.is_set(Timer::Close));
}
