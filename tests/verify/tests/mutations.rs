//! For each rule, a change that breaks it in a good capture: the judge reports that rule, and besides it only the
//! consequences listed here.

#[path = "mutations/capture.rs"]
mod capture;
#[path = "mutations/datagrams.rs"]
mod datagrams;
#[path = "mutations/segments.rs"]
mod segments;

use std::collections::BTreeSet;
use std::io::Cursor;

use capture::Capture;
use pcap_verify::{Options, catalogue, check_reader_with};

/// One change.
pub(crate) struct Case {
    rule: &'static str,
    capture: &'static str,
    change: fn(&mut Capture),
    /// Other rules that the change cannot help breaking.
    also: &'static [&'static str],
}

/// Rules that no change here shows yet.
const UNSHOWN: &[&str] = &[
    "J-FILE-01",
    "J-FILE-02",
    "J-IP-01",
    "W-IP6-01",
    "W-IP4-13",
    "W-IP4-19",
    "W-IP6-02",
    "W-IP6-03",
    "W-IP6-04",
    "W-IP6-06",
    "J-IP6-01",
    "W-IP4-10",
    "W-IP4-12",
    "W-IP6-05",
    "W-IP4-15",
    "W-IP4-17",
    "W-IP4-18",
    "W-IP4-20",
    "W-IP6-08",
    "W-IP6-10",
    "W-UDP-05",
    "J-ICMP-01",
    "W-ICMP-05",
    "W-ICMP-06",
    "W-ICMP-07",
    "W-ICMP-09",
    "W-ND-01",
    "W-ND-03",
    "W-ND-04",
    "W-TCPHS-12",
    "W-TCPHS-08",
    "W-TCPSEQ-04",
    "W-TCPSEQ-05",
    "W-TCPHS-06",
    "W-TCPHS-07",
    "W-TCPSEQ-12",
    "W-ACK-03",
    "W-ACK-04",
    "W-ACK-05",
    "W-ACK-09",
    "W-SACK-06",
    "W-SACK-10",
    "W-RTX-02",
    "W-RTX-03",
    "W-RTX-06",
    "W-RTX-10",
    "W-CC-06",
    "W-TS-03",
    "W-ZWP-01",
    "W-ZWP-03",
    "W-ZWP-07",
    "W-CLOSE-02",
    "W-CLOSE-04",
    "W-CLOSE-06",
    "W-ECN-03",
];

fn broken(capture: &Capture) -> BTreeSet<(&'static str, u64)> {
    let mut options = Options::default();
    options.mtu = Some(600);
    let report = check_reader_with(Cursor::new(capture.write()), &options).unwrap();
    report
        .counts
        .iter()
        .map(|(id, count)| (*id, *count))
        .collect()
}

#[test]
fn each_change_is_seen_and_nothing_else() {
    let mut wrong = Vec::new();
    for case in segments::CASES.iter().chain(datagrams::CASES) {
        let mut capture = Capture::load(case.capture);
        let before = broken(&capture);
        (case.change)(&mut capture);
        let after = broken(&capture);
        let new: BTreeSet<&str> = after
            .difference(&before)
            .map(|(id, _)| *id)
            .filter(|id| {
                let count = |set: &BTreeSet<(&str, u64)>| {
                    set.iter()
                        .find(|(other, _)| other == id)
                        .map_or(0, |found| found.1)
                };
                count(&after) > count(&before)
            })
            .collect();
        let expected: BTreeSet<&str> = case.also.iter().copied().chain([case.rule]).collect();
        if !new.contains(case.rule) || !new.is_subset(&expected) {
            wrong.push(format!(
                "{} in {}: {new:?}, not {expected:?}",
                case.rule, case.capture
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_is_shown_or_named() {
    let shown: BTreeSet<&str> = segments::CASES
        .iter()
        .chain(datagrams::CASES)
        .map(|case| case.rule)
        .collect();
    let unshown: Vec<&str> = catalogue()
        .map(|rule| rule.id)
        .filter(|id| !shown.contains(id))
        .collect();
    assert_eq!(unshown, UNSHOWN);
}
