use super::*;

const MSS: usize = 1460;

// req: RFC5681-10, RFC5681-11, RFC5681-12
#[test]
fn slow_start_doubles_and_avoidance_adds_one_segment_per_window() {
    let mut reno = Reno::new(MSS);
    assert_eq!(reno.window(), 10 * MSS);
    reno.on_ack(10 * MSS, 10 * MSS);
    assert_eq!(reno.window(), 20 * MSS);
    reno.on_loss(20 * MSS);
    assert_eq!(reno.window(), 10 * MSS);
    reno.on_recovered(20 * MSS);
    for _ in 0..10 {
        reno.on_ack(MSS, 10 * MSS);
    }
    assert_eq!(reno.window(), 11 * MSS);
}

// req: RFC5681-13, RFC3465-05
#[test]
fn a_timeout_starts_from_one_segment_and_keeps_the_threshold_when_repeated() {
    let mut reno = Reno::new(MSS);
    reno.on_timeout(40 * MSS, false);
    assert_eq!((reno.window(), reno.threshold()), (MSS, 20 * MSS));
    reno.on_timeout(MSS, true);
    assert_eq!((reno.window(), reno.threshold()), (MSS, 20 * MSS));
    reno.on_ack(5 * MSS, MSS);
    assert_eq!(
        reno.window(),
        2 * MSS,
        "one segment per acknowledgement after a timeout"
    );
}

#[test]
fn an_unused_window_does_not_grow() {
    let mut reno = Reno::new(MSS);
    reno.on_ack(MSS, MSS);
    assert_eq!(reno.window(), 10 * MSS);
}

// req: RFC6928-01
#[test]
fn the_initial_window_follows_the_segment_size() {
    assert_eq!(initial_window(65_495), 2 * 65_495);
    assert_eq!(initial_window(536), 5_360);
    assert_eq!(initial_window(1_460), 14_600);
}
