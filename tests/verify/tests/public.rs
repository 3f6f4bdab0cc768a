//! Captures of others, broken and hostile ones among them: none may end the judge, or keep it for long.
//!
//! They are not kept here; the README says where they are.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pcap_verify::{Report, VerifyError, annotate, check_file, plot, to_json, to_sarif};

/// No file takes longer, whatever stands in it.
const PATIENCE: Duration = Duration::from_secs(60);

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files(&entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
}

/// Judges a file in all ways there are; an error if it is no capture that can be judged.
fn judge(path: &Path, place: &Path) -> Result<Report, VerifyError> {
    let report = check_file(path)?;
    assert!(to_json("name", &report).is_object());
    let log = to_sarif(&[("name".to_owned(), report.clone())]);
    assert_eq!(log["version"], "2.1.0");
    assert!(report.to_string().starts_with("packets "));
    let copy = place.join("copy.pcapng");
    annotate(path, &report, &copy)?;
    let again = check_file(&copy)?;
    assert_eq!(again.packets, report.packets);
    plot(path, &place.join("plot"))?;
    Ok(report)
}

#[test]
#[ignore = "needs captures: CAPTURES=DIR cargo test --release -p pcap-verify --test public -- --ignored --nocapture"]
fn captures_of_others_are_judged() {
    let folder = env::var_os("CAPTURES").expect("CAPTURES names a folder");
    let mut paths = Vec::new();
    files(Path::new(&folder), &mut paths);
    let (mut judged, mut refused, mut packets, mut failed) = (0, 0, 0, Vec::new());
    let mut rules: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for path in &paths {
        let (done, outcome) = mpsc::channel();
        let own = path.clone();
        let began = Instant::now();
        thread::spawn(move || {
            let place = tempfile::tempdir().unwrap();
            let _ = done.send(judge(&own, place.path()));
        });
        match outcome.recv_timeout(PATIENCE) {
            Ok(Ok(report)) => {
                judged += 1;
                packets += report.packets;
                for (rule, count) in report.counts {
                    let row = rules.entry(rule).or_default();
                    *row = (row.0 + 1, row.1 + count);
                }
            }
            Ok(Err(VerifyError::Format(_) | VerifyError::Link(_))) => refused += 1,
            // A panic drops the sender.
            other => failed.push(format!("{}: {other:?}", path.display())),
        }
        if began.elapsed() > Duration::from_secs(1) {
            println!("{}: {:?}", path.display(), began.elapsed());
        }
    }
    println!("{judged} files with {packets} packets judged, {refused} refused");
    for (rule, (files, findings)) in rules {
        println!("{rule}\t{files} files\t{findings} findings");
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(judged > 0, "no captures in {}", folder.display());
}
