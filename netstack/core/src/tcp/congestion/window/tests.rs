use super::*;

// req: RFC6928-01, RFC5681-04
#[test]
fn the_initial_window_follows_the_segment_size() {
    assert_eq!(initial(65_495), 2 * 65_495);
    assert_eq!(initial(536), 5_360);
    assert_eq!(initial(1_460), 14_600);
}
