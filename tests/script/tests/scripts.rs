//! Every script of this project holds against the stack, and the judge of captures has nothing against its packets.

use std::path::{Path, PathBuf};

use packet_script::{Options, find, run_all};

#[test]
fn every_script_holds_against_the_stack() {
    let scripts =
        find(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")]).expect("the scripts");
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
}
