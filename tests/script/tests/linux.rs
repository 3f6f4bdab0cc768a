//! The scripts that are meant to hold everywhere hold against the Linux kernel.
//!
//! Namespaces are made by a process with a single thread, which the test harness is not: this test has none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use packet_script::{Options, Outcome, find, load, run_live};

fn main() -> ExitCode {
    let scripts =
        find(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")]).expect("the scripts");
    let everywhere = |path: &PathBuf| load(path).is_ok_and(|script| script.everywhere);
    let scripts: Vec<PathBuf> = scripts.into_iter().filter(everywhere).collect();
    assert!(!scripts.is_empty(), "some scripts are meant for everywhere");
    let outcomes = match run_live(&scripts, &Options::default()) {
        Ok(outcomes) => outcomes,
        Err(error) => return skip(&error.to_string()),
    };
    // Without a device no script has even begun.
    let unable = outcomes
        .iter()
        .filter_map(|outcome| outcome.unable.as_ref());
    let unable: Vec<_> = unable.collect();
    if unable.len() == outcomes.len() {
        return skip(unable[0]);
    }
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| !outcome.is_fine())
        .collect();
    for outcome in &failed {
        println!("{outcome}\n");
    }
    if std::env::var_os("RECORD_KERNEL").is_some() {
        record(&outcomes).expect("kernel.tsv");
    }
    println!(
        "{} of {} scripts hold against the kernel",
        outcomes.len() - failed.len(),
        outcomes.len()
    );
    ExitCode::from(u8::from(!failed.is_empty()))
}

/// Writes `kernel.tsv`, which the report of requirements reads.
fn record(outcomes: &[Outcome]) -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let version = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut text = String::from("script\tip\tresult\tkernel\n");
    for outcome in outcomes {
        let name = outcome.path.strip_prefix(root.join("scripts"));
        let name = name.unwrap_or(&outcome.path).display();
        let ip = if outcome.v6 { 6 } else { 4 };
        let result = if outcome.is_fine() { "holds" } else { "fails" };
        text += &format!("{name}\t{ip}\t{result}\t{}\n", version.trim());
    }
    fs::write(root.join("kernel.tsv"), text)
}

fn skip(why: &str) -> ExitCode {
    eprintln!("SKIPPED: scripts against the kernel: {why}");
    let required = std::env::var_os("REQUIRE_TUN").is_some_and(|value| value == "1");
    ExitCode::from(u8::from(required))
}
