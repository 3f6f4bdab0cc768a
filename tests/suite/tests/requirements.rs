//! Every row of the requirement tables has a status, and the status is what the annotations say.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use suite::requirements::{
    Noticed, Packets, Played, Status, annotations, aparts, folder, mutants, page, sample, tables,
    users, waivers, workspace,
};

#[test]
fn the_status_is_what_the_annotations_say() {
    let (tables, waivers) = (tables().expect("tables"), waivers().expect("waivers"));
    let annotations = annotations(&workspace()).expect("sources");
    let status = Status::new(&tables, &annotations, &waivers)
        .unwrap_or_else(|wrong| panic!("\n{}", wrong.join("\n")));
    let open: Vec<&str> = status.open().map(|(_, row)| row.id.as_str()).collect();
    println!("{}\nopen: {}", status.summary(), open.join(" "));
    let written = fs::read_to_string(folder().join("status.tsv")).expect("status.tsv");
    assert!(
        written == status.render(),
        "status.tsv is stale: run `cargo run -p suite --bin requirements`"
    );
    let short = status.shortfalls();
    assert!(short.is_empty(), "\n{}", short.join("\n"));
}

#[test]
fn what_no_script_can_show_has_none_and_says_why() {
    with_packets(|_, packets| println!("{}", packets.summary()));
}

#[test]
fn the_page_is_what_is_played_now() {
    with_packets(|status, packets| {
        let played = Played::new(&workspace(), status).expect("scripts");
        let page = page(status, packets, &played);
        let kept = fs::read_to_string(workspace().join("docs/requirements.html"));
        let kept = kept.expect("the page");
        let lines = page.lines().zip(kept.lines());
        let differs = lines.clone().position(|(new, old)| new != old);
        let line = differs.unwrap_or_else(|| lines.count());
        let start = |text: &str| -> String {
            let line = text.lines().nth(line).unwrap_or_default();
            line.chars().take(200).collect()
        };
        assert!(
            page == kept,
            "docs/requirements.html is stale from line {}:\n{}\nand not\n{}\nrun `cargo run --release -p suite --bin \
             requirements -- --html docs/requirements.html`",
            line + 1,
            start(&page),
            start(&kept)
        );
    });
}

/// Calls `check` with the state of each row, and with what packets show of them.
fn with_packets(check: impl FnOnce(&Status<'_>, &Packets<'_>)) {
    let (tables, waivers) = (tables().expect("tables"), waivers().expect("waivers"));
    let annotations = annotations(&workspace()).expect("sources");
    let status = Status::new(&tables, &annotations, &waivers)
        .unwrap_or_else(|wrong| panic!("\n{}", wrong.join("\n")));
    let aparts = aparts().expect("unscripted.tsv");
    let packets =
        Packets::new(&status, &aparts).unwrap_or_else(|wrong| panic!("\n{}", wrong.join("\n")));
    check(&status, &packets);
}

#[test]
fn what_users_ran_into_elsewhere_has_tests_here() {
    let users = users().expect("users.tsv");
    assert!(users.len() >= 10, "{} rows", users.len());
    for user in users {
        let missing = user.missing(&workspace());
        assert!(missing.is_empty(), "{}: no {missing:?}", user.reported);
        assert!(!user.here.is_empty());
    }
}

#[test]
fn a_sample_is_the_same_for_the_same_seed_and_another_for_another() {
    let tables = tables().expect("tables");
    let annotations = annotations(&workspace()).expect("sources");
    let draw = |seed| -> Vec<&str> {
        let drawn = sample(&tables, &annotations, &["rfc9293"], seed, 9);
        drawn.into_iter().map(|drawn| drawn.id).collect()
    };
    assert_eq!(draw(1).len(), 9);
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn nine_of_ten_mutants_are_noticed_and_the_others_explained() {
    let mutants = mutants().expect("mutants.tsv");
    assert_eq!(mutants.len(), 100);
    let noticed = mutants.iter().filter(|one| one.outcome == Noticed::Yes);
    assert!(noticed.clone().all(|one| !one.by.is_empty()));
    let missed = mutants.iter().filter(|one| one.outcome == Noticed::No);
    assert!(missed.count() * 9 <= noticed.count());
    for mutant in mutants.iter().filter(|one| one.outcome != Noticed::Yes) {
        let explained = !mutant.remark.is_empty() || mutant.outcome == Noticed::Unviable;
        assert!(explained, "{}", mutant.name);
    }
}

/// What makes a capture, in the sources.
const MAKERS: [&str; 4] = [
    "Tap::new(",
    "-pcap {",
    ".captures = Some",
    ".captures.clone_from",
];

/// The sources below `folder` that make captures, but this one.
fn makers(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path: PathBuf = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            makers(&path, found);
        }
        if path.extension().is_none_or(|kind| kind != "rs")
            || path.ends_with("tests/requirements.rs")
        {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        if MAKERS.iter().any(|maker| text.contains(maker)) {
            let name = path.strip_prefix(workspace()).expect("below the workspace");
            found.insert(name.display().to_string());
        }
    }
}

#[test]
fn whatever_makes_a_capture_has_it_judged() {
    let table = fs::read_to_string(folder().join("captures.tsv")).expect("captures.tsv");
    let mut listed = BTreeSet::new();
    for row in table.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let [file, taken, judged_in] = cells[..] else {
            panic!("{row}");
        };
        assert!(listed.insert(file.to_owned()) && !taken.is_empty(), "{row}");
        if judged_in != "-" {
            let text = fs::read_to_string(workspace().join(judged_in)).expect(judged_in);
            let judges = text.contains("pcap_verify::check_") && text.contains(".beside = ");
            assert!(judges, "{judged_in} judges nothing as taken beside a host");
        }
    }
    let mut found = BTreeSet::new();
    for folder in ["bench", "drivers", "netstack", "tests", "txbuf"] {
        makers(&workspace().join(folder), &mut found);
    }
    let [new, gone] = [&found - &listed, &listed - &found];
    assert!(
        new.is_empty(),
        "judge their captures, and list them in captures.tsv: {new:?}"
    );
    assert!(gone.is_empty(), "they make none: {gone:?}");
}
