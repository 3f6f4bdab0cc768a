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
#[path = "mutations/exchanges.rs"]
mod exchanges;
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
#[path = "mutations/wild.rs"]
mod wild;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use capture::Capture;
use pcap_verify::{Offload, Options, catalogue, check_file, check_reader_with};

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

/// The written conversations with what breaks them.
fn talks() -> impl Iterator<Item = &'static talks::Talk> {
    talks::TALKS.iter().chain(exchanges::TALKS)
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
    for talk in talks() {
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

/// Findings in what is good: captures of Linux, and conversations before they are broken.
fn false_positives() -> Counts {
    let mut counts = Counts::new();
    let mut add = |found: &Counts| {
        for (id, count) in found {
            *counts.entry(id).or_default() += count;
        }
    };
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let entries = fs::read_dir(directory).unwrap();
    let paths: BTreeSet<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "pcapng"))
    {
        add(&check_file(path).unwrap().counts);
    }
    for (_, talk) in talks::RIGHT {
        add(&broken(&talk::capture(&talk())));
    }
    for talk in talks() {
        add(&broken(&talk::capture(&(talk.good)())));
    }
    counts
}

/// For each rule, how many changes were made that break it, how many of them it was reported of, and how often it was
/// reported where nothing is wrong.
#[test]
fn the_table_of_rules_says_what_was_found() {
    let mut rows: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    let mut tell = |rule: &'static str, before: &Counts, after: &Counts| {
        let is_new = after.get(rule) > before.get(rule);
        let row = rows.entry(rule).or_default();
        *row = [row[0] + 1, row[1] + u64::from(is_new)];
    };
    for case in cases() {
        let mut capture = Capture::load(case.capture);
        let before = broken(&capture);
        (case.change)(&mut capture);
        tell(case.rule, &before, &broken(&capture));
    }
    for talk in talks() {
        let mut segments = (talk.good)();
        let before = broken(&talk::capture(&segments));
        (talk.change)(&mut segments);
        segments.sort_by_key(|segment| segment.micros);
        tell(talk.rule, &before, &broken(&talk::capture(&segments)));
    }
    let good = false_positives();
    let mut table = String::from("rule\tchanges\tdetected\tfalse_positives\n");
    for (rule, [changes, detected]) in rows {
        let wrongly = good.get(rule).copied().unwrap_or(0);
        writeln!(table, "{rule}\t{changes}\t{detected}\t{wrongly}").unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("detected.tsv");
    if std::env::var_os("RECORD_DETECTED").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == table, "run this with RECORD_DETECTED=1:\n{table}");
}

#[test]
fn every_rule_is_shown() {
    let talks = talks().chain(complete::TALKS).map(|talk| talk.rule);
    let shown: BTreeSet<&str> = cases().map(|case| case.rule).chain(talks).collect();
    let unshown: Vec<&str> = catalogue()
        .map(|rule| rule.id)
        .filter(|id| !shown.contains(id))
        .collect();
    assert_eq!(unshown, [""; 0]);
}
