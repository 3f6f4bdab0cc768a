use std::time::Duration;

use super::{BARS, Effort, Operation, Subject, cases, judge, measure};
use crate::skb::live_pages;

#[test]
fn every_case_runs_and_leaves_nothing_behind() {
    let mut all = cases();
    for case in &mut all {
        case.run(1);
        case.run(70);
    }
    drop(all);
    assert_eq!(live_pages(), 0);
}

#[test]
fn every_bar_is_measured() {
    let cases = cases();
    for bar in BARS {
        for subject in [Subject::Txbuf, bar.peer] {
            let of_bar = (bar.operation, subject, bar.extents);
            let found = cases
                .iter()
                .any(|case| (case.operation, case.subject, case.extents) == of_bar);
            assert!(found, "{of_bar:?}");
        }
    }
}

#[test]
fn a_ratio_is_the_peers_median_over_ours() {
    let effort = Effort {
        rounds: 3,
        sample: Duration::from_micros(10),
    };
    let table = measure(effort, |case| {
        case.operation == Operation::Copy && case.extents == 16
    });
    assert_eq!(table.0.len(), 2);
    let [verdict] = judge(&table)[..] else {
        panic!("one bar is about copies")
    };
    let median = |subject| {
        table
            .median(Operation::Copy, subject, 16)
            .expect("measured")
    };
    let ratio = median(Subject::Skb) / median(Subject::Txbuf);
    assert_eq!(verdict.ratio(), ratio);
    assert_eq!(verdict.holds(), ratio >= 8.0);
}
