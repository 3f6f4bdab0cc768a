//! What tests need of the machine they run on: where it is not there they are skipped, loudly, or fail if the environment
//! says `REQUIRE_TUN=1`.

use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

/// Says that the test that runs is skipped, and why; it has to return then.
///
/// # Panics
///
/// Where tests may not be skipped.
#[track_caller]
pub fn skip(why: impl Display) {
    let required = std::env::var_os("REQUIRE_TUN").is_some_and(|value| value == "1");
    assert!(!required, "REQUIRE_TUN=1 allows no skipping: {why}");
    // The harness swallows what a test that passes prints by `eprintln!`.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Whether tests may make network namespaces and TUN devices; the one that asks is [skipped](skip) if not.
///
/// # Panics
///
/// As [`skip`] does.
#[track_caller]
pub fn may_use_tun() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip("it takes root to make network namespaces");
    } else if let Err(error) = File::open("/dev/net/tun") {
        skip(format_args!("/dev/net/tun cannot be opened: {error}"));
    } else {
        return true;
    }
    false
}

/// Whether a program is there that not everybody has; the test that asks is [skipped](skip) if not.
///
/// # Panics
///
/// As [`skip`] does.
#[track_caller]
pub fn has(program: &str) -> bool {
    let mut look = Command::new("sh");
    look.args(["-c", "command -v \"$0\"", program]);
    let found = look.stdout(Stdio::null()).status();
    let there = found.is_ok_and(|status| status.success());
    if !there {
        skip(format_args!("{program} is not installed"));
    }
    there
}
