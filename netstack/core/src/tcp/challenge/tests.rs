use super::*;

/// How many are allowed in each of some seconds.
fn allowed(seed: u8) -> Vec<usize> {
    let mut challenges = Challenges::new([seed; 32]);
    let second = |second: u64| {
        let now = Instant::from_millis(second * 1_000);
        (0..10 * RATE).filter(|_| challenges.allow(now)).count()
    };
    (1..=100).map(second).collect()
}

#[test]
fn what_a_second_allows_is_bounded_and_cannot_be_foretold() {
    let (one, other) = (allowed(1), allowed(2));
    assert!(one.iter().all(|count| (500..1_500).contains(count)));
    assert!(one.iter().any(|count| *count < 700));
    assert!(one.iter().any(|count| *count > 1_300));
    assert_ne!(one, other);
    assert_eq!(one, allowed(1), "a function of the seed");
}
