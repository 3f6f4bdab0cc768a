use super::*;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn starts_at_one_second_and_follows_the_first_measurement() {
    let mut rtt = RttEstimator::default();
    assert_eq!(rtt.rto(), ms(1000));
    rtt.measure(ms(100));
    assert_eq!(rtt.smoothed(), Some(ms(100)));
    assert_eq!(rtt.rto(), ms(300));
}

// req: RFC6298-05
#[test]
fn a_steady_path_settles_near_its_round_trip_but_not_below_the_minimum() {
    let mut rtt = RttEstimator::default();
    for _ in 0..100 {
        rtt.measure(ms(10));
    }
    assert_eq!(rtt.rto(), MIN_RTO);
}

#[test]
fn doubles_up_to_the_maximum_and_a_measurement_ends_it() {
    let mut rtt = RttEstimator::default();
    rtt.measure(ms(100));
    rtt.back_off();
    assert_eq!(rtt.rto(), ms(600));
    for _ in 0..40 {
        rtt.back_off();
    }
    assert_eq!(rtt.rto(), MAX_RTO);
    rtt.measure(ms(100));
    assert!(rtt.rto() < ms(301));
}

// req: RFC6298-09
#[test]
fn a_path_without_any_variation_has_a_tick_of_slack() {
    let mut rtt = RttEstimator::default();
    for _ in 0..200 {
        rtt.measure(ms(500));
    }
    assert_eq!(rtt.rto(), ms(501));
}

// req: RFC8985-08
#[test]
fn the_least_follows_a_path_that_became_longer() {
    let mut rtt = RttEstimator::default();
    let at = Instant::from_secs;
    rtt.note_least(at(0), ms(10));
    for second in 1..=60 {
        rtt.note_least(at(second), ms(50));
        assert_eq!(rtt.least(), ms(10), "after {second} s");
    }
    for second in 61..=130 {
        rtt.note_least(at(second), ms(50));
    }
    assert_eq!(rtt.least(), ms(50));
}
