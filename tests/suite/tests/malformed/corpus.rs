//! The corpus: packets in files, made by [`super::cases`] and checked in, so that it is seen when what
//! is tested changes. `REGENERATE_CORPUS=1` writes the files anew.

use super::cases::{self, Case};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use suite::victim::{Record, Victim, dropped};

/// What a fuzzer found begins so: those files have no generator.
const FOUND: &str = "fuzz-";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn path(case: &Case) -> PathBuf {
    directory().join(format!("{}.bin", case.name))
}

fn file(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        record.write(&mut bytes);
    }
    bytes
}

#[test]
fn the_corpus_is_what_its_generator_makes() {
    let cases = cases::all();
    if std::env::var_os("REGENERATE_CORPUS").is_some() {
        for case in &cases {
            fs::write(path(case), file(&case.records)).expect("the corpus can be written");
        }
    }
    for case in &cases {
        let committed =
            fs::read(path(case)).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert!(
            committed == file(&case.records),
            "{}: run with REGENERATE_CORPUS=1 and look at the change",
            case.name
        );
        assert_eq!(
            Record::parse(&committed),
            case.records,
            "{}: the form of files",
            case.name
        );
    }
    let names: BTreeSet<String> = cases
        .iter()
        .map(|case| format!("{}.bin", case.name))
        .collect();
    for entry in fs::read_dir(directory()).expect("the corpus is there") {
        let name = entry
            .expect("readable")
            .file_name()
            .into_string()
            .expect("ASCII");
        assert!(
            !name.ends_with(".bin") || names.contains(&name) || name.starts_with(FOUND),
            "{name} is nobody's"
        );
    }
}

// req: MUST-7, RFC1122-21
#[test]
fn every_file_of_the_corpus_is_harmless() {
    for entry in fs::read_dir(directory()).expect("the corpus is there") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "bin") {
            continue;
        }
        let bytes = fs::read(&path).expect("readable");
        let mut victim = Victim::new();
        victim.feed(&bytes);
        // The fuzz targets read the same bytes in other ways.
        victim.feed_segments(&bytes);
        victim.feed_fragments(&bytes);
        victim.finish();
    }
}

// req: MUST-57, MUST-63, RFC791-01, RFC791-02, RFC1122-03, RFC1122-04, RFC1122-06, RFC1122-07, RFC1122-22
// req: RFC6274-17, RFC6274-18
#[test]
fn every_drop_of_the_corpus_has_the_name_it_should() {
    let mut wrong = Vec::new();
    for case in cases::all() {
        let mut victim = Victim::new();
        for (number, record) in case.records.iter().enumerate() {
            let before = dropped(victim.lab.host.stack.counters());
            victim.record(record);
            let drops = dropped(victim.lab.host.stack.counters()) - before;
            if drops > 1 || drops == 0 && case.all_dropped {
                wrong.push(format!(
                    "{} packet {number}: dropped under {drops} names",
                    case.name
                ));
            }
        }
        let counters = victim.lab.host.stack.counters();
        for (layer, name) in case.counted {
            let found = counters
                .iter()
                .find(|(of, counter, _)| of == layer && counter == name);
            let (_, _, value) = found.unwrap_or_else(|| panic!("no counter {layer} {name}"));
            if value == 0 {
                wrong.push(format!("{}: {layer} {name} is 0", case.name));
            }
        }
        victim.finish();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
