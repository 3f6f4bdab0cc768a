//! What the tap writes is read without complaint: by the project's own judge, and by tshark.

use core::time::Duration;
use drivers::tap::{Capture, Tap, TapConfig};
use std::fs::File;
use std::path::Path;
use std::process::Command;
use suite::calls;
use suite::sim::{Host, Impairment, Transfer, World, WorldConfig};

/// What tshark calls wrong.
const WRONG: &str = "_ws.malformed || ip.checksum.status == \"Bad\" || tcp.checksum.status == \"Bad\" \
    || udp.checksum.status == \"Bad\" || icmp.checksum.status == \"Bad\" || icmpv6.checksum.status == \"Bad\"";

/// A world whose first host has a tap between its edge and the wire.
fn tapped(config: &WorldConfig, path: &Path) -> (World, Capture) {
    let mut capture = None;
    let host = Host::tapped(1, config, |end| {
        let file = File::create(path).expect("a temporary file");
        // Virtual time runs faster than the writer.
        let mut tap_config = TapConfig::new("sim1");
        tap_config.queue_packets = 1 << 17;
        tap_config.queue_bytes = 1 << 30;
        let (tap, writer) = Tap::new(end, file, tap_config).expect("a thread");
        capture = Some(writer);
        Box::new(tap)
    });
    (
        World::of([host, Host::new(2, config)], config),
        capture.expect("the layer was made"),
    )
}

/// Moves something of everything over the link and returns how many packets were captured.
fn run(config: &WorldConfig, path: &Path) -> u64 {
    let (mut world, capture) = tapped(config, path);
    for v6 in [false, true] {
        let mut transfer = Transfer::start(&mut world, v6, 7, 300_000);
        loop {
            transfer.work(&mut world);
            if !world.step() {
                break;
            }
        }
        assert!(transfer.is_done());
        datagrams(&mut world, v6);
    }
    drop(world);
    let report = capture.finish().expect("the file could be written");
    assert_eq!((report.dropped, report.unreadable), (0, 0));
    report.written
}

/// Datagrams in one piece and in many, and one that nobody takes, which makes an ICMP error.
fn datagrams(world: &mut World, v6: bool) {
    let bind = |host: usize| {
        let stack = &mut world.hosts[host].stack;
        stack
            .udp_bind(World::address(host, v6, 7))
            .expect("a free port")
    };
    let sockets = [0, 1].map(bind);
    for len in [0, 1, 100, 1_473, 20_000, 65_507] {
        for (host, socket) in sockets.into_iter().enumerate() {
            for port in [7, 8] {
                let to = Some(World::address(1 - host, v6, port));
                let stack = &mut world.hosts[host].stack;
                calls::send_to(stack, socket, to, &vec![9; len]).expect("room");
            }
        }
        world.run_for(Duration::from_secs(1));
    }
    for (host, socket) in world.hosts.iter_mut().zip(sockets) {
        host.stack.close(world.now, socket);
    }
}

fn bad_link(corrupt: u32) -> WorldConfig {
    let impairment = Impairment {
        delay: Duration::from_millis(5),
        bottleneck: None,
        loss: 50,
        duplicate: 20,
        reorder: 20,
        corrupt,
    };
    WorldConfig {
        seed: 11,
        impairment,
        ..WorldConfig::default()
    }
}

/// Lines of tshark about the packets of `path` that `filter` shows; `None` without tshark, which is said
/// loudly, and is a failure where tests may not skip.
fn tshark(path: &Path, filter: &str) -> Option<Vec<String>> {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(path)
        .args([
            "-o",
            "ip.check_checksum:TRUE",
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "udp.check_checksum:TRUE",
        ])
        .args(["-Y", filter])
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            assert!(
                std::env::var_os("REQUIRE_TUN").is_none(),
                "tshark cannot be run: {error}; install tshark"
            );
            eprintln!(
                "SKIPPED: tshark cannot be run ({error}): install the package tshark to have captures read by it"
            );
            return None;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark: {errors}");
    Some(
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect(),
    )
}

#[test]
fn a_capture_of_a_bad_link_is_clean() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("clean.pcapng");
    let captured = run(&bad_link(0), &path);
    let report = pcap_verify::check_file(&path).expect("a capture");
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.packets, report.cut), (captured, 0));
    assert!(report.packets > 1_000 && report.fragments > 100, "{report}");
    let Some(wrong) = tshark(&path, WRONG) else {
        return;
    };
    assert!(
        wrong.is_empty(),
        "{} packets, the first: {}",
        wrong.len(),
        wrong[0]
    );
    let all = tshark(&path, "frame").expect("it ran a moment ago");
    assert_eq!(all.len() as u64, captured);
}

#[test]
fn damage_would_be_seen() {
    // The control: the same filters find what a link that corrupts packets did.
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("damaged.pcapng");
    run(&bad_link(50), &path);
    let report = pcap_verify::check_file(&path).expect("a capture");
    assert!(!report.is_clean());
    if let Some(wrong) = tshark(&path, WRONG) {
        assert!(wrong.len() > 10, "{} packets", wrong.len());
    }
}
