//! Captures that cannot be written, or not any more: nothing that was there is lost, and one line says what to do.

mod common;

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::{Ended, NETSTACK, Server, Space, Taken, judged, netstack, run};
use needs::may_use_tun;
use rustix::process::{Pid, Signal, kill_process};

/// Runs a shell script in a mount namespace where `$DIR` is a file system of `size`.
fn with_disk(size: &str, script: &str) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size={size} none \"$DIR\" || exit 9; ");
    run(Command::new("unshare")
        .args(["--mount", "sh", "-c", &format!("{mount}{script}")])
        .env("DIR", dir.path()))
}

#[test]
fn a_disk_that_is_full_or_fills() {
    if !may_use_tun() {
        return;
    }
    let full = format!(
        "cat /dev/zero > $DIR/x 2>/dev/null; exec {NETSTACK} demo --no-tun --size 1MiB --out $DIR"
    );
    with_disk("64k", &full).refused(&["demo.pcapng", "No space", "--out", "free space"]);
    let fills = format!("exec {NETSTACK} demo --no-tun --size 16KiB --out $DIR/d");
    with_disk("64k", &fills).refused(&[
        "/d/demo.pcapng",
        "No space",
        "packets are missing from it",
        "choose another place with --out or free space there",
    ]);
    let fills = format!("exec {NETSTACK} demo --no-tun --size 16MiB --out $DIR/d");
    with_disk("1m", &fills).refused(&[
        "file for the http service",
        "/d/",
        "No space",
        "choose another place with --out, free space there, or move less with --size",
    ]);
}

#[test]
fn a_limit_that_is_reached_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for limit in [4, 5] {
        let line = format!(
            "ulimit -n {limit}; exec {NETSTACK} demo --no-tun --size 1MiB --out {}",
            dir.path().display()
        );
        let ended = run(Command::new("sh").args(["-c", &line]));
        ended.refused(&["Too many open files", "`ulimit -n`"]);
    }
    let line = format!("ulimit -n 4; exec {NETSTACK} serve --tun tun0 --addr 10.9.0.2/24");
    let ended = run(Command::new("sh").args(["-c", &line]));
    ended.refused(&["cannot wait for signals", "`ulimit -n`"]);
    assert!(!ended.err.contains("processes"), "{ended:?}");
}

#[test]
fn a_command_that_is_refused_leaves_the_capture_that_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let pcap = dir.path().join("demo.pcapng");
    fs::write(&pcap, "an older capture").unwrap();
    let left = || fs::read_to_string(&pcap).unwrap();
    netstack(&format!(
        "serve --tun fd:999 --addr 10.9.0.2/24 --pcap {}",
        pcap.display()
    ))
    .refused(&["999"]);
    assert_eq!(left(), "an older capture");

    let other = File::open(&pcap).unwrap();
    other.lock().unwrap();
    netstack(&format!(
        "serve --tun fd:999 --addr 10.9.0.2/24 --pcap {}",
        pcap.display()
    ))
    .refused(&["is being written by another process", "--pcap"]);
    netstack(&format!(
        "demo --no-tun --size 1MiB --out {}",
        dir.path().display()
    ))
    .refused(&["is being written by another process", "--out"]);
    assert_eq!(left(), "an older capture");
    // Not by closing it: a child of another test may have it until it runs its program.
    other.unlock().unwrap();
    netstack(&format!(
        "demo --no-tun --size 1MiB --out {}",
        dir.path().display()
    ))
    .fine();
    netstack(&format!("verify {}", pcap.display())).fine();
}

#[test]
fn a_capture_that_is_being_written_is_not_spoilt() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let dir = tempfile::tempdir().unwrap();
    let pcap = dir.path().join("serve.pcapng");
    // Longer than the new one, so that what is left of it would show.
    fs::write(&pcap, vec![0xff; 1 << 20]).unwrap();
    let line = |tun: &str| {
        format!(
            "--tun {tun} --netns {} --addr 10.9.0.2/24 --peer 10.9.0.1/24 --pcap {}",
            space.name,
            pcap.display()
        )
    };
    let server = Server::start(&line("tun0"));
    netstack(&format!("serve {}", line("tun1"))).refused(&["is being written by another process"]);
    space
        .exec("ping", &["-c", "1", "-W", "5", "10.9.0.2"])
        .fine();
    server.stop();
    let (of_kernel, packets) = judged(&pcap, Taken::Wire);
    assert!(
        of_kernel.is_empty() && packets >= 2,
        "{of_kernel:?}, {packets}"
    );
}

#[test]
fn a_pipe_without_a_reader_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    run(Command::new("mkfifo").arg(&pipe)).fine();
    netstack(&format!(
        "serve --tun fd:999 --addr 10.9.0.2/24 --pcap {}",
        pipe.display()
    ))
    .refused(&["nobody reads the pipe", "start its reader first"]);
}

/// Whatever ends `serve`, the totals are told first, and then what went wrong.
#[test]
fn totals_are_told_by_every_end() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let line = format!(
        "--tun tun0 --netns {} --addr 10.9.0.2/24 --peer 10.9.0.1/24 --stats",
        space.name
    );
    let ping = || {
        space
            .exec("ping", &["-c", "3", "-i", "0.2", "-W", "5", "10.9.0.2"])
            .fine()
    };
    let mut server = Server::start(&line);
    ping();
    space.exec("ip", &["link", "del", "tun0"]).fine();
    let ended = server.wait();
    ended.refused(&["tun0", "deleted"]);
    assert!(ended.out.contains("icmp_in_echo_requests"), "{ended:?}");

    // A reader that goes away takes the capture with it.
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    run(Command::new("mkfifo").arg(&pipe)).fine();
    let open = fs::OpenOptions::new().read(true).write(true).open(&pipe);
    let reader = open.unwrap();
    let server = Server::start(&format!("{line} --pcap {}", pipe.display()));
    drop(reader);
    ping();
    thread::sleep(Duration::from_millis(500));
    let ended = server.end(Signal::INT);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.out.contains("icmp_in_echo_requests"), "{ended:?}");
    assert!(
        ended.err.contains("packets are missing from it"),
        "{ended:?}"
    );
}

/// A demonstration that is interrupted leaves no temporary directory.
#[test]
fn an_interrupted_demonstration_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let has_capture = |dir: &Path| {
        let entries = fs::read_dir(dir).unwrap().map_while(Result::ok);
        entries.into_iter().any(|entry| {
            let capture = fs::metadata(entry.path().join("demo.pcapng"));
            capture.is_ok_and(|capture| capture.len() > 0)
        })
    };
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut demo = Command::new(NETSTACK)
            .args(["demo", "--no-tun", "--size", "64GiB"])
            .env("TMPDIR", dir.path())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !has_capture(dir.path()) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(200));
        kill_process(Pid::from_child(&demo), signal).unwrap();
        assert_eq!(demo.wait().unwrap().signal(), Some(signal.as_raw()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{signal:?}");
    }
}
