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
