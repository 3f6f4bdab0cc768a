//! `netstack demo`: against the kernel where it may, stack to stack where it may not.

mod common;

use std::process::Command;

use common::{Ended, netstack, public_copy, run, with_tun_mode};
use needs::may_use_tun;
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
    let of_kernel = value["capture"]["of_kernel"].as_object().unwrap();
    assert!(of_kernel.is_empty(), "{of_kernel:?}");
    assert!(value["capture"]["packets"].as_u64().unwrap() > 1000);
    let streams = value["streams"].as_array().unwrap();
    for stream in streams {
        assert_eq!(stream["intact"], true);
    }
    for family in ["IPv4", "IPv6"] {
        let of_family = |stream: &&Value| stream["family"] == family;
        let seen = streams.iter().filter(of_family).map(|s| &s["what"]);
        let seen: Vec<_> = seen.filter_map(Value::as_str).collect();
        let [to, from] = match value["link"].as_str() {
            Some("tun") => ["kernel to stack", "stack to kernel"],
            _ => ["stack to stack", "stack to stack, back"],
        };
        assert_eq!(seen, ["http file", to, from, "echo"], "{ended:?}");
    }
    value
}

/// As [`result`], of a demonstration against the kernel, which moved `size` bytes in packets of `mtu`.
#[track_caller]
fn against_the_kernel(ended: &Ended, mtu: u32, size: u64) {
    let value = result(ended);
    assert_eq!(
        (value["link"].as_str(), value["mtu"].as_u64()),
        (Some("tun"), Some(mtu.into())),
        "{ended:?}"
    );
    for (ping, family) in value["pings"]
        .as_array()
        .unwrap()
        .iter()
        .zip(["IPv4", "IPv6"])
    {
        assert_eq!(ping["family"], family);
        assert_eq!((&ping["sent"], &ping["answered"]), (&10.into(), &10.into()));
    }
    for stream in value["streams"].as_array().unwrap() {
        assert_eq!(stream["bytes"], size, "{stream}");
    }
    let packets = value["packets"].as_u64().unwrap();
    // Each stream once and the echo twice, over both versions of IP.
    let fewest = 10 * size / u64::from(mtu);
    assert!(packets > fewest, "{packets} packets are too few: {ended:?}");
    assert_eq!(ended.err, "");
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
    assert_eq!(value["streams"][2]["bytes"], 16 << 20);
    assert_eq!(value["mtu"], 1500);
    assert_eq!(value["pings"].as_array().unwrap().len(), 0);
    let left = std::fs::read_dir(&out).unwrap().count();
    assert_eq!(left, 1, "the capture, and nothing of the file");
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
        "http file, IPv6 ",
        "stack to stack, IPv4 ",
        "stack to stack, back, IPv6 ",
        "echo, IPv4 ",
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

/// The smallest MTU, the common one, and the largest. In release `.ci/run` does the same with full sizes.
const MTUS: [u32; 3] = [1280, 1500, 65535];
const SIZE: u64 = 64 << 20;

#[test]
fn against_the_kernel_as_root() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("root");
    let ended = netstack(&format!(
        "demo --size {SIZE} --json --out {}",
        out.display()
    ));
    against_the_kernel(&ended, 1500, SIZE);
}

#[test]
fn against_the_kernel_without_rights_at_every_mtu() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = public_copy(dir.path());
    for mtu in MTUS {
        let demo = format!(
            "$NOBODY {} demo --size {SIZE} --mtu {mtu} --json",
            program.display()
        );
        against_the_kernel(&with_tun_mode("666", &demo), mtu, SIZE);
    }
}

#[test]
fn in_memory_at_every_mtu() {
    let dir = tempfile::tempdir().unwrap();
    for mtu in MTUS {
        let ended = netstack(&format!(
            "demo --no-tun --size 4MiB --mtu {mtu} --json --out {}",
            dir.path().display()
        ));
        assert_eq!(result(&ended)["mtu"], mtu);
    }
}

#[test]
fn a_device_that_may_not_be_opened() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = public_copy(dir.path());
    let demo = format!("$NOBODY {} demo --size 1MiB --json", program.display());
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
