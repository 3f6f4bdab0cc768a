//! For each rule, a change that breaks it in a good capture: the judge reports that rule, and besides it only the
//! consequences listed here.

#[path = "mutations/capture.rs"]
mod capture;
#[path = "mutations/complete.rs"]
mod complete;
#[path = "mutations/craft.rs"]
mod craft;
#[path = "mutations/datagrams.rs"]
mod datagrams;
#[path = "mutations/losses.rs"]
mod losses;
#[path = "mutations/packets.rs"]
mod packets;
#[path = "mutations/segments.rs"]
mod segments;
#[path = "mutations/talk.rs"]
mod talk;
#[path = "mutations/talks.rs"]
mod talks;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use capture::Capture;
use pcap_verify::{Offload, Options, catalogue, check_reader_with};

/// One change.
pub(crate) struct Case {
    rule: &'static str,
    capture: &'static str,
    change: fn(&mut Capture),
    /// Other rules that the change cannot help breaking.
    also: &'static [&'static str],
}

const fn case(
    rule: &'static str,
    capture: &'static str,
    also: &'static [&'static str],
    change: fn(&mut Capture),
) -> Case {
    Case {
        rule,
        capture,
        change,
        also,
    }
}

/// The changes of recorded captures.
fn cases() -> impl Iterator<Item = &'static Case> {
    segments::CASES
        .iter()
        .chain(datagrams::CASES)
        .chain(packets::CASES)
}

type Counts = BTreeMap<&'static str, u64>;

fn broken(capture: &Capture) -> Counts {
    let mut options = Options::default();
    options.mtu = Some(600);
    counts(capture, &options)
}

/// What is broken by the server of a written conversation, of which the capture has everything.
fn broken_by_server(segments: &[talk::Segment]) -> Counts {
    let mut options = Options::default();
    options.beside = vec![talk::SERVER.into()];
    options.complete = true;
    options.offload = Offload::After;
    counts(&talk::capture(segments), &options)
}

fn counts(capture: &Capture, options: &Options) -> Counts {
    let report = check_reader_with(Cursor::new(capture.write()), options).unwrap();
    let counts = report.counts.iter();
    counts.map(|(id, count)| (*id, *count)).collect()
}

/// What is wrong with what a change brought about, which is to be `rule`, and nothing beyond `also`.
fn wrong(
    (rule, also): (&'static str, &[&'static str]),
    before: &Counts,
    after: &Counts,
) -> Option<String> {
    let more = |(id, count): &(&&'static str, &u64)| before.get(**id).is_none_or(|old| old < count);
    let new: BTreeSet<&str> = after.iter().filter(more).map(|(id, _)| *id).collect();
    let expected: BTreeSet<&str> = also.iter().copied().chain([rule]).collect();
    let holds = new.contains(rule) && new.is_subset(&expected);
    (!holds).then(|| format!("{rule}: {new:?}, not {expected:?}"))
}

#[test]
fn each_change_is_seen_and_nothing_else() {
    let mut failed = Vec::new();
    for case in cases() {
        let mut capture = Capture::load(case.capture);
        let before = broken(&capture);
        (case.change)(&mut capture);
        failed.extend(wrong((case.rule, case.also), &before, &broken(&capture)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn each_change_of_a_conversation_is_seen_and_nothing_else() {
    let mut failed = Vec::new();
    for talk in talks::TALKS {
        let mut segments = (talk.good)();
        let before = broken(&talk::capture(&segments));
        if !before.is_empty() {
            failed.push(format!("{}: the good one has {before:?}", talk.rule));
        }
        (talk.change)(&mut segments);
        segments.sort_by_key(|segment| segment.micros);
        let after = broken(&talk::capture(&segments));
        failed.extend(wrong((talk.rule, talk.also), &before, &after));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn what_a_host_does_not_do_is_seen_where_the_capture_is_complete() {
    let mut failed = Vec::new();
    for talk in complete::TALKS {
        let mut segments = (talk.good)();
        let before = broken_by_server(&segments);
        if !before.is_empty() {
            failed.push(format!("{}: the good one has {before:?}", talk.rule));
        }
        (talk.change)(&mut segments);
        segments.sort_by_key(|segment| segment.micros);
        let after = broken_by_server(&segments);
        failed.extend(wrong((talk.rule, talk.also), &before, &after));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_finding_names_the_host_that_is_to_blame() {
    let mut segments = (complete::TALKS[2].good)();
    (complete::TALKS[2].change)(&mut segments);
    let mut options = Options::default();
    options.beside = vec![talk::SERVER.into()];
    let bytes = talk::capture(&segments).write();
    let report = check_reader_with(Cursor::new(bytes), &options).unwrap();
    // The packet to look at is the client's, and it is the server that does not answer.
    assert!(!report.findings.is_empty());
    for finding in &report.findings {
        assert_eq!(finding.accused, Some(talk::SERVER.into()), "{finding}");
    }
}

#[test]
fn conversations_that_are_right_say_nothing() {
    for (what, talk) in talks::RIGHT {
        let found = broken(&talk::capture(&talk()));
        assert!(found.is_empty(), "{what}: {found:?}");
    }
}

#[test]
fn every_rule_is_shown() {
    let talks = talks::TALKS.iter().chain(complete::TALKS);
    let talks = talks.map(|talk| talk.rule);
    let shown: BTreeSet<&str> = cases().map(|case| case.rule).chain(talks).collect();
    let unshown: Vec<&str> = catalogue()
        .map(|rule| rule.id)
        .filter(|id| !shown.contains(id))
        .collect();
    assert_eq!(unshown, [""; 0]);
}
