use super::{Asked, Status, Verdict, judge};
use crate::case::Pin;
use crate::report::Report;
use crate::report::testing::{report, row};

fn verdict(report: &Report, words: &str) -> Verdict {
    let mut all = judge(&report.rows, &Asked::default()).into_iter();
    let found = all.find(|verdict| verdict.demand.contains(words));
    found.unwrap_or_else(|| panic!("no demand {words:?}"))
}

#[test]
fn a_rate_has_to_reach_a_part_of_the_peers() {
    let mut cells = vec![
        row("in-1", Pin::Free, "offload", true, &[8.0, 8.1, 1.0]),
        row("in-1", Pin::Free, "ceiling", true, &[10.0, 10.0, 90.0]),
    ];
    let met = verdict(&report(cells.clone()), "0.8 of ceiling");
    assert_eq!(
        (met.ours, met.limit, met.status),
        (Some(8.0), Some(8.0), Status::Met)
    );
    assert_eq!(
        met.demand,
        "in-1 (free), offload: rate at least 0.8 of ceiling"
    );
    cells[0] = row("in-1", Pin::Free, "offload", true, &[7.9]);
    let missed = verdict(&report(cells.clone()), "0.8 of ceiling");
    assert_eq!(missed.status, Status::Missed);
    let absent = verdict(&report(cells), "2 of gvisor");
    assert_eq!((absent.limit, absent.status), (None, Status::NotMeasured));
}

#[test]
fn what_was_asked_for_and_not_measured_is_no_success() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let cells = vec![row("in-1", Pin::Free, "offload", true, &[8.0])];
    let report = report(cells);
    let statuses = |asked: &Asked| {
        let verdicts = judge(&report.rows, asked);
        let all = verdicts.into_iter().map(|verdict| verdict.status);
        all.collect::<Vec<_>>()
    };
    // Three of offload and one of plain.
    let case = Asked {
        cases: names(&["in-1"]),
        ..Asked::default()
    };
    assert_eq!(statuses(&case), [Status::NotMeasured; 4]);
    let one = Asked {
        subjects: names(&["offload"]),
        ..case.clone()
    };
    assert_eq!(statuses(&one), [Status::LeftOut; 4]);
    let gvisor = Asked {
        subjects: names(&["offload", "gvisor"]),
        ..case.clone()
    };
    let [left, absent] = [Status::LeftOut, Status::NotMeasured];
    assert_eq!(statuses(&gvisor), [left, absent, left, left]);
    let elsewhere = Asked {
        pins: vec![Pin::Two],
        ..case
    };
    assert_eq!(statuses(&elsewhere), []);
    // A machine with one core measures no row of these, and has not met the demand.
    let two = Asked {
        cases: names(&["fwd-64"]),
        ..Asked::default()
    };
    assert_eq!(statuses(&two), [Status::NotMeasured; 2]);
}

#[test]
fn the_best_of_several_peers_counts() {
    let cells = vec![
        row("udp-echo", Pin::One, "plain", false, &[96.0]),
        row("udp-echo", Pin::One, "veth", false, &[90.0]),
        row("udp-echo", Pin::One, "smoltcp", false, &[100.0]),
    ];
    let echo = verdict(&report(cells), "0.97 of the best peer");
    assert_eq!((echo.limit, echo.status), (Some(97.0), Status::Missed));
}

#[test]
fn the_lesser_of_two_counts_and_takes_both() {
    let mut cells = vec![
        row("crr", Pin::One, "plain", false, &[25.0]),
        row("crr", Pin::One, "smoltcp", false, &[20.0]),
        row("crr", Pin::One, "ceiling-plain", false, &[30.0]),
    ];
    let crr = verdict(&report(cells.clone()), "the lesser of 1.2 smoltcp");
    assert_eq!((crr.limit, crr.status), (Some(24.0), Status::Met));
    cells.pop();
    let crr = verdict(&report(cells), "the lesser of 1.2 smoltcp");
    assert_eq!(crr.status, Status::NotMeasured);
}

#[test]
fn less_memory_and_less_time_are_better() {
    let cells = vec![row("in-100", Pin::Free, "offload", true, &[1.0])];
    let memory = verdict(&report(cells), "offload: memory at most 64 MiB");
    assert_eq!((memory.ours, memory.status), (Some(8.0), Status::Met));
    let cells = vec![
        row("rr-1", Pin::One, "plain", false, &[50_000.0]),
        row("rr-1", Pin::One, "smoltcp", false, &[100_000.0]),
    ];
    let time = verdict(&report(cells), "p99 at most 1 of smoltcp");
    assert_eq!(
        (time.ours, time.limit, time.status),
        (Some(40.0), Some(20.0), Status::Missed)
    );
}

#[test]
fn a_spinning_client_is_held_against_peers_whose_client_sleeps() {
    let cells = vec![
        row("rr-1", Pin::Free, "veth", false, &[10.0]),
        row("rr-1", Pin::Free, "smoltcp", false, &[12.0]),
        row("rr-1-spin", Pin::Free, "veth", false, &[50.0]),
        row("rr-1-spin", Pin::Free, "busy-poll", false, &[96.0]),
    ];
    let spin = verdict(&report(cells), "8 of the best peer in rr-1");
    assert_eq!((spin.limit, spin.status), (Some(96.0), Status::Met));
}

#[test]
fn each_way_to_send_is_held_against_the_ceiling_of_its_own() {
    let cells = vec![
        row("out-1", Pin::Free, "plain", true, &[4.0]),
        row("out-1", Pin::Free, "napi", true, &[8.0]),
        row("out-1", Pin::Free, "ceiling-plain", true, &[5.0]),
        row("out-1", Pin::Free, "ceiling-napi", true, &[8.0]),
    ];
    let report = report(cells);
    let plain = verdict(&report, "out-1 (free), plain: rate at least 0.9");
    assert_eq!((plain.limit, plain.status), (Some(4.5), Status::Missed));
    let napi = verdict(&report, "out-1 (free), napi: rate at least 0.9");
    assert_eq!((napi.limit, napi.status), (Some(7.2), Status::Met));
}
