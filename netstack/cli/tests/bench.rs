//! `netstack bench`: every case works with every subject, and nothing is left behind.

mod common;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{NETSTACK, netstack, public_copy, run, with_tun_mode};
use needs::may_use_tun;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

#[test]
fn every_case_works_with_every_subject() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (page, json) = (dir.path().join("page.html"), dir.path().join("all.json"));
    let ended = netstack(&format!(
        "bench --quick --peers {} --html {} --json {}",
        dir.path().display(),
        page.display(),
        json.display()
    ));
    ended.fine();
    assert!(!ended.out.contains("FAILED"), "{ended:?}");
    // What is not here is named, with what to do.
    assert!(ended.err.contains("SKIPPED gvisor: ") && ended.err.contains("gv/build.sh"));

    let json = std::fs::read_to_string(json).unwrap();
    let value: Value = serde_json::from_str(&json).unwrap();
    let rows = value["rows"].as_array().unwrap();
    let has = |case: &str, subject: &str| {
        let is_it = |row: &&Value| row["case"] == case && row["subject"] == subject;
        rows.iter().any(|row| is_it(&row))
    };
    for case in [
        "in-1", "in-100", "out-10", "both-100", "rr-1", "rr-64k", "crr", "udp-echo",
    ] {
        for subject in ["offload", "plain", "veth", "veth-plain", "smoltcp"] {
            assert!(has(case, subject), "{case} {subject}");
        }
    }
    assert!(has("in-1", "copying") && has("out-1", "copying"));
    for case in ["in-1", "out-1", "crr", "udp-bulk"] {
        assert!(has(case, "ceiling") && has(case, "ceiling-plain"), "{case}");
    }
    assert!(has("udp-bulk-gso", "ceiling") && has("udp-bulk-gso", "ceiling-plain"));
    for subject in ["offload", "plain", "calls", "busy-poll"] {
        assert!(
            has("udp-bulk-gso", subject) && has("proxy", subject),
            "{subject}"
        );
    }
    assert!(has("proxy", "veth") && has("proxy", "veth-plain"));
    for case in ["fwd-64", "fwd-512", "fwd-1500", "fwd-64k"] {
        assert!(
            has(case, "wire") && has(case, "router") && has(case, "bare"),
            "{case}"
        );
    }
    for row in rows {
        assert!(
            row["medians"]["rate"]["median"].as_f64().unwrap() > 0.0,
            "{row}"
        );
        assert!(
            row["medians"]["peak_mib"]["median"].as_f64().unwrap() > 0.5,
            "{row}"
        );
        assert_eq!(
            row["medians"]["p999"].is_null(),
            row["is_bulk"] == true || row["case"].as_str().unwrap().starts_with("fwd-"),
            "{row}"
        );
    }
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.matches("<svg").count() > 15, "{page}");
}

#[test]
fn without_rights_and_without_a_device() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = public_copy(dir.path());
    let bench = |more: &str| {
        let only = "--quick --only rr-1 --pin one,free --subjects plain,ceiling,veth-plain";
        format!(
            "$NOBODY {} bench {only} --peers / {more}",
            program.display()
        )
    };
    let ended = with_tun_mode("666", &bench("--json -"));
    ended.fine();
    let value: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(value["rows"].as_array().unwrap().len(), 6);
    with_tun_mode("600", &bench("")).refused(&["/dev/net/tun", "root"]);
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let ended = run(Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", script, "sh"])
        .args([NETSTACK, "bench", "--quick", "--peers", "/"]));
    ended.refused(&["max_user_namespaces"]);
}

#[test]
fn a_demand_that_is_missed_is_named() {
    if !may_use_tun() {
        return;
    }
    let line = "bench --quick --json - --pin free --only rr-1,rr-1-spin --subjects busy-poll,veth";
    netstack(line).fine();
    let ended = netstack(&format!("{line} --check"));
    let value: Value = serde_json::from_str(&ended.out).unwrap();
    let verdicts = value["verdicts"].as_array().unwrap();
    let missed: Vec<&Value> = verdicts
        .iter()
        .filter(|verdict| verdict["status"] == "missed")
        .collect();
    assert_eq!(verdicts.len(), 3, "{ended:?}");
    assert_eq!(verdicts[0]["status"], "left-out", "{ended:?}");
    assert_eq!(ended.code, Some(i32::from(!missed.is_empty())), "{ended:?}");
    for verdict in missed {
        let sentence = format!("missed: {}", verdict["demand"].as_str().unwrap());
        assert!(ended.err.contains(&sentence), "{ended:?}");
    }
}

#[test]
fn a_demand_that_was_not_measured_is_not_met() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let line = format!(
        "bench --quick --only in-1 --check --peers {} --subjects",
        dir.path().display()
    );
    let absent = netstack(&format!("{line} offload,gvisor"));
    assert_eq!(absent.code, Some(1), "{absent:?}");
    let sentence = "not measured: in-1 (free), offload: rate at least 2 of gvisor";
    assert!(absent.err.contains(sentence), "{absent:?}");
    let alone = netstack(&format!("{line} offload"));
    alone.fine();
    let sentence = "left out by the options: in-1 (free), offload: rate at least 2 of gvisor";
    assert!(alone.err.contains(sentence), "{alone:?}");
}

#[test]
fn a_result_replaces_a_file_only_when_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let old = dir.path().join("old.json");
    std::fs::write(&old, "kept").unwrap();
    let bench = |more: &str| netstack(&format!("bench --quick --json {} {more}", old.display()));
    bench("--subjects nope").refused(&["no subject nope"]);
    bench(&format!("--html {}", old.display())).refused(&["same file"]);
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "kept");
}

#[test]
fn an_interruption_ends_everything() {
    if !may_use_tun() {
        return;
    }
    let mut bench = Command::new(NETSTACK);
    bench.args([
        "bench",
        "--seconds",
        "30",
        "--only",
        "in-1",
        "--subjects",
        "plain",
    ]);
    let child = bench
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    let begun = Instant::now();
    while descendants(child.id()).len() < 2 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "no measurement begins"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let started = descendants(child.id());
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("interrupted"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(25));
    for id in started {
        assert!(
            !std::path::Path::new(&format!("/proc/{id}")).exists(),
            "{id} is left"
        );
    }
}

/// The processes whose parent has this number.
fn descendants(parent: u32) -> Vec<u32> {
    let of_thread = |task: std::io::Result<std::fs::DirEntry>| {
        let path = task.ok()?.path().join("children");
        std::fs::read_to_string(path).ok()
    };
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task"));
    let tasks = tasks.into_iter().flatten().filter_map(of_thread);
    let ids = |text: String| {
        let ids: Vec<u32> = text
            .split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect();
        ids
    };
    tasks.flat_map(ids).collect()
}
