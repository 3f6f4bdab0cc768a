use super::*;

#[test]
fn a_maximum_counts_for_ten_rounds() {
    let mut most = MaxBandwidth::default();
    assert_eq!(most.most(), 0);
    most.take(3, 100);
    most.take(3, 50);
    for round in 4..13 {
        most.take(round, 60);
        assert_eq!(most.most(), 100);
    }
    most.take(13, 55);
    assert_eq!(most.most(), 60);
}

#[test]
fn silence_does_not_age_it_but_what_follows_does() {
    let mut most = MaxBandwidth::default();
    most.take(0, 100);
    assert_eq!(most.most(), 100);
    most.take(1_000, 7);
    assert_eq!(most.most(), 7);
}
