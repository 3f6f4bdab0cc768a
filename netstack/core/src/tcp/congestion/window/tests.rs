use super::*;

// req: RFC6928-01, RFC5681-04
#[test]
fn the_initial_window_follows_the_segment_size() {
    assert_eq!(initial(65_495), 2 * 65_495);
    assert_eq!(initial(536), 5_360);
    assert_eq!(initial(1_460), 14_600);
}

// req: RFC5681-07
#[test]
fn smaller_segments_shrink_a_window_that_begins_and_no_other() {
    let mut begun = Window::new(1_460);
    begun.set_mss(1_241);
    assert_eq!(begun.size, initial(1_241));

    let mut recovering = Window::new(1_460);
    recovering.reduce(initial(1_460), Sign::Loss);
    recovering.set_mss(1_241);
    assert_eq!(recovering.size, initial(1_460));
}
