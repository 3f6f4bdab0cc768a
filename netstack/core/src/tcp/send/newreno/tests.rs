use super::*;

const MSS: usize = 1000;

// req: RFC5681-18, RFC5681-23
#[test]
fn the_third_duplicate_means_a_loss() {
    let mut newreno = NewReno::default();
    let third: Vec<bool> = (0..4).map(|_| newreno.on_duplicate(Seq(9))).collect();
    assert_eq!(third, [false, false, true, false]);
    newreno.begin(MSS);
    assert_eq!(newreno.allowance(5 * MSS, MSS), 8 * MSS);
}

// req: RFC3042-01, RFC5681-19
#[test]
fn the_first_two_let_one_segment_out_each() {
    let mut newreno = NewReno::default();
    newreno.on_duplicate(Seq(9));
    assert_eq!(newreno.limited_transmit(MSS), MSS);
    newreno.on_duplicate(Seq(9));
    newreno.on_duplicate(Seq(9));
    assert_eq!(newreno.limited_transmit(MSS), 2 * MSS);
}

// req: RFC6582-04
#[test]
fn a_partial_acknowledgement_deflates() {
    let mut newreno = NewReno::default();
    newreno.begin(MSS);
    newreno.on_partial(4 * MSS, MSS);
    assert_eq!(newreno.allowance(5 * MSS, MSS), 5 * MSS);
    newreno.end();
    assert_eq!(newreno.allowance(5 * MSS, MSS), 5 * MSS);
}

// req: RFC5681-25
#[test]
fn duplicates_that_nobody_sent_data_for_let_nothing_out() {
    let mut newreno = NewReno::default();
    newreno.begin(MSS);
    for _ in 0..100 {
        newreno.inflate(MSS, 6 * MSS);
    }
    assert_eq!(newreno.allowance(5 * MSS, MSS), 11 * MSS);
}
