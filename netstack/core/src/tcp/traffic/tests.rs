use super::Traffic;
use crate::Instant;
use core::time::Duration;

#[test]
fn super_packets_count_as_the_segments_that_they_are() {
    let mut traffic = Traffic::new(Instant::from_secs(1));
    traffic.on_sent(0, 1448);
    traffic.on_sent(3 * 1448, 1448);
    traffic.on_sent(3 * 1448 + 1, 1448);
    traffic.on_sent(1, 0);
    traffic.on_received(Instant::from_secs(6), 2897, 1448);
    traffic.on_received(Instant::from_secs(7), 0, 1448);
    let counts = traffic.counts(Instant::from_secs(10), Instant::from_secs(5));
    assert_eq!((counts.sent, counts.sent_with_data), (9, 8));
    assert_eq!((counts.received, counts.received_with_data), (4, 3));
    assert_eq!(counts.since_data_sent, Duration::from_secs(5));
    assert_eq!(counts.since_data_received, Duration::from_secs(4));
}

#[test]
fn times_are_told_though_the_clock_comes_round() {
    let begun = Instant::ZERO + Duration::from_millis(u64::from(u32::MAX) - 10);
    let later = begun + Duration::from_millis(20);
    let counts = Traffic::new(begun).counts(later, begun);
    assert_eq!(counts.since_data_received, Duration::from_millis(20));
}
