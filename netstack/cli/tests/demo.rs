//! `netstack demo`: against the kernel where it may, stack to stack where it may not.

mod common;

use std::process::Command;

use common::{Ended, may_use_tun, netstack, public_copy, run, with_tun_mode};
use serde_json::Value;

#[track_caller]
fn result(ended: &Ended) -> Value {
    ended.fine();
    let value: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(value["passed"], true, "{ended:?}");
    assert_eq!(value["live_nodes"], 0);
    assert_eq!(value["short"]["connections"], 100);
    assert_eq!(value["short"]["wrong"], 0);
    assert_eq!(value["capture"]["findings"], 0);
    assert!(value["capture"]["packets"].as_u64().unwrap() > 1000);
    for stream in value["streams"].as_array().unwrap() {
        assert_eq!(stream["intact"], true);
    }
    value
}

#[test]
fn stack_to_stack() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new/place");
    let ended = netstack(&format!(
        "demo --no-tun --size 16MiB --json --out {}",
        out.display()
    ));
    let value = result(&ended);
    assert_eq!(ended.err, "");
    assert_eq!(
        (value["link"].as_str(), value["fallback"].is_null()),
        (Some("memory"), true)
    );
    assert_eq!(value["streams"][1]["bytes"], 16 << 20);
    netstack(&format!("verify {}", out.join("demo.pcapng").display())).fine();
}

#[test]
fn a_table_for_people() {
    let dir = tempfile::tempdir().unwrap();
    let ended = netstack(&format!(
        "demo --no-tun --size 100kB --out {}",
        dir.path().display()
    ));
    ended.fine();
    for line in [
        "stack to stack ",
        "short connections",
        "retransmits",
        "live nodes at the end",
        "all checks passed",
    ] {
        assert!(ended.out.contains(line), "{line:?} is missing: {ended:?}");
    }
}

#[test]
fn a_temporary_directory_stays_with_its_result_only() {
    let dir = tempfile::tempdir().unwrap();
    let left = || std::fs::read_dir(dir.path()).unwrap().count();
    let demo = |to: &str| {
        let line = format!("{} demo --no-tun --size 1MB --json {to}", common::NETSTACK);
        run(Command::new("sh")
            .args(["-c", &line])
            .env("TMPDIR", dir.path()))
    };
    demo("> /dev/full").refused(&["standard output"]);
    assert_eq!(left(), 0);
    let value = result(&demo(""));
    assert_eq!(left(), 1);
    let capture = value["capture"]["file"].as_str().unwrap();
    assert!(std::path::Path::new(capture).is_file());
}

#[test]
fn against_the_kernel_with_and_without_rights() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("root");
    let ended = netstack(&format!("demo --size 64MiB --json --out {}", out.display()));
    assert_eq!(result(&ended)["link"], "tun", "{ended:?}");

    let program = public_copy(dir.path());
    let demo = format!("$NOBODY {} demo --size 64MiB --json", program.display());
    let ended = with_tun_mode("666", &demo);
    assert_eq!(result(&ended)["link"], "tun", "{ended:?}");

    let ended = with_tun_mode("600", &demo);
    assert_eq!(result(&ended)["link"], "memory");
    assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
    assert!(
        ended.err.contains("in memory") && ended.err.contains("/dev/net/tun"),
        "{ended:?}"
    );
}

#[test]
fn a_kernel_that_allows_no_user_namespaces() {
    if !may_use_tun() {
        return;
    }
    // The limit is one of the user namespace that is made here.
    let script = format!(
        "echo 0 > /proc/sys/user/max_user_namespaces && exec {} demo --size 1MiB --json",
        common::NETSTACK
    );
    let dir = tempfile::tempdir().unwrap();
    let ended = run(Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", &script])
        .env("TMPDIR", dir.path()));
    assert_eq!(result(&ended)["link"], "memory");
    assert!(
        ended.err.contains("in memory") && ended.err.contains("max_user_namespaces"),
        "{ended:?}"
    );
}
