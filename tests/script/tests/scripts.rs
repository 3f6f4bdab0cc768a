//! Every script of this project holds against the stack, and the judge of captures has nothing against its packets. What
//! the judge has against packets of the scripts stands in `findings.tsv`. What is said of Linux is written down too.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use packet_script::{Options, Outcome, find, load, run_all};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The name of a script below `scripts`.
fn name(path: &Path) -> String {
    let name = path.strip_prefix(root().join("scripts")).unwrap_or(path);
    name.display().to_string()
}

#[test]
fn every_script_holds_against_the_stack() {
    let scripts = find(&[root().join("scripts")]).expect("the scripts");
    let captures = tempfile::tempdir().expect("a directory");
    let mut options = Options::default();
    options.captures = Some(PathBuf::from(captures.path()));
    let outcomes = run_all(&scripts, &options);
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| !outcome.is_fine())
        .collect();
    for outcome in &failed {
        println!("{outcome}\n");
    }
    assert!(
        failed.is_empty(),
        "{} of {} scripts fail",
        failed.len(),
        outcomes.len()
    );
    assert!(!outcomes.is_empty(), "there are scripts");
    compare(&outcomes);
}

/// Holds what was found in packets of the scripts against `findings.tsv`: a judge that saw less, or more, would show.
fn compare(outcomes: &[Outcome]) {
    let mut table = String::from("script\tip\trule\tfindings\n");
    for outcome in outcomes {
        let ip = if outcome.v6 { 6 } else { 4 };
        for (rule, count) in &outcome.of_script {
            let name = name(&outcome.path);
            writeln!(table, "{name}\t{ip}\t{rule}\t{count}").expect("a string has room");
        }
    }
    let path = root().join("findings.tsv");
    if std::env::var_os("RECORD_FINDINGS").is_some() {
        fs::write(&path, &table).expect("findings.tsv");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let (kept, now): (BTreeSet<&str>, BTreeSet<&str>) =
        (kept.lines().collect(), table.lines().collect());
    let (gone, new): (Vec<_>, Vec<_>) = (
        kept.difference(&now).collect(),
        now.difference(&kept).collect(),
    );
    assert!(
        gone.is_empty() && new.is_empty(),
        "no longer found: {gone:#?}, newly found: {new:#?}: if that is right, run this with RECORD_FINDINGS=1"
    );
}

#[test]
fn of_each_script_it_is_known_what_linux_does() {
    let recorded = fs::read_to_string(root().join("kernel.tsv")).expect("kernel.tsv");
    let held: BTreeSet<(String, String)> = recorded
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split('\t').map(str::to_owned);
            let mut next = || cells.next().unwrap_or_default();
            (next(), next())
        })
        .collect();
    let (mut wanted, mut wrong) = (BTreeSet::new(), Vec::new());
    for path in find(&[root().join("scripts")]).expect("the scripts") {
        let script = load(&path).expect("a script");
        let name = name(&path);
        if !script.everywhere {
            if script.linux.is_none() {
                wrong.push(format!(
                    "{name} says neither `// runs: everywhere` nor `// linux: `"
                ));
            }
            continue;
        }
        let first = if script.settings.local.is_ipv6() {
            6
        } else {
            4
        };
        wanted.insert((name.clone(), first.to_string()));
        if script.both {
            wanted.insert((name, "6".to_owned()));
        }
    }
    wrong.extend(
        wanted
            .difference(&held)
            .map(|run| format!("kernel.tsv lacks {run:?}")),
    );
    wrong.extend(
        held.difference(&wanted)
            .map(|run| format!("kernel.tsv has {run:?}, which is not run")),
    );
    assert!(
        wrong.is_empty(),
        "{wrong:#?}: run RECORD_KERNEL=1 cargo test -p packet-script --test linux"
    );
}
