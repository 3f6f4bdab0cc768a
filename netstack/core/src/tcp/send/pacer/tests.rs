use super::*;

const RATE: u64 = 1_000_000;

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

#[test]
fn packets_leave_a_rate_apart() {
    let mut pacer = Pacer::default();
    assert_eq!(pacer.holds_until(at(5)), None);
    pacer.on_send(at(0), 1_000, RATE);
    assert_eq!(pacer.holds_until(at(0)), Some(at(1)));
    assert_eq!(pacer.holds_until(at(1)), None);
    pacer.on_send(at(1), 2_000, RATE);
    assert_eq!(pacer.holds_until(at(2)), Some(at(3)));
}

#[test]
fn what_leaves_whatever_the_pace_says_is_waited_for() {
    let mut pacer = Pacer::default();
    pacer.on_send(at(0), 1_000, RATE);
    pacer.on_send(at(0), 1_000, RATE);
    assert_eq!(pacer.holds_until(at(0)), Some(at(2)));
}

#[test]
fn lateness_is_made_up_for_at_no_more_than_twice_the_rate() {
    let mut pacer = Pacer::default();
    pacer.on_send(at(1_000), 4_000, RATE);
    assert_eq!(pacer.holds_until(at(1_000)), Some(at(1_002)), "long idle");
    pacer.on_send(at(1_003), 4_000, RATE);
    assert_eq!(pacer.holds_until(at(1_003)), Some(at(1_006)), "1 ms late");
}

#[test]
fn the_lower_of_two_rates_holds() {
    let mut pacer = Pacer::default();
    assert_eq!(pacer.rate(None), None);
    assert_eq!(pacer.rate(Some(5)), Some(5));
    pacer.set_limit(Some(3));
    assert_eq!(pacer.rate(None), Some(3));
    assert_eq!(pacer.rate(Some(5)), Some(3));
    assert_eq!(pacer.rate(Some(2)), Some(2));
    pacer.set_limit(None);
    assert_eq!(pacer.rate(None), None);
}

#[test]
fn a_packet_holds_a_millisecond_but_at_least_a_segment() {
    assert_eq!(quantum(100, 1_000), 1_000);
    assert_eq!(quantum(3_500_000, 1_000), 3_000);
    assert_eq!(quantum(u64::MAX - 1, 1_000) % 1_000, 0);
}
