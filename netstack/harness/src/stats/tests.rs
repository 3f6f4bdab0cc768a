use super::Summary;

#[test]
fn the_median_of_an_even_number_lies_between() {
    let summary = Summary::of(&[4.0, 1.0, 3.0, 2.0]).expect("samples");
    assert_eq!((summary.min, summary.median, summary.max), (1.0, 2.5, 4.0));
}

#[test]
fn the_median_of_an_odd_number_is_the_middle_one() {
    let summary = Summary::of(&[9.0, 1.0, 2.0]).expect("samples");
    assert_eq!((summary.min, summary.median, summary.max), (1.0, 2.0, 9.0));
}

#[test]
fn no_samples_have_no_summary() {
    assert_eq!(Summary::of(&[]), None);
}
