//! What the tap writes is read without complaint: by the project's own judge, and by tshark.

use core::ops::Range;
use core::time::Duration;
use drivers::tap::{Capture, Tap, TapConfig};
use netstack_core::Ecn;
use pcap_verify::{Offload, Options, Report};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use suite::calls;
use suite::sim::{Bottleneck, Host, Impairment, Transfer, World, WorldConfig};

/// What the judge finds in packets that a link has damaged.
const DAMAGE: [&str; 3] = ["W-IP4-01", "W-TCPFMT-01", "W-TCPFMT-08"];

/// What tshark calls wrong.
const WRONG: &str = "_ws.malformed || ip.checksum.status == \"Bad\" || tcp.checksum.status == \"Bad\" \
    || udp.checksum.status == \"Bad\" || icmp.checksum.status == \"Bad\" || icmpv6.checksum.status == \"Bad\"";

/// The captures of both hosts of a world, each taken between a host's edge and the wire: in front of whatever the link
/// does to what the host sends, and behind what it does to what the host receives.
struct Taps {
    world: World,
    captures: [(Capture, PathBuf); 2],
}

impl Taps {
    fn new(config: &WorldConfig, directory: &Path) -> Taps {
        let mut captures = Vec::new();
        let hosts = [1, 2].map(|number| {
            let path = directory.join(format!("{number}.pcapng"));
            Host::tapped(number, config, |end, clock| {
                let file = File::create(&path).expect("a temporary file");
                let mut tap_config = TapConfig::new(format!("sim{number}")).clock(clock);
                // Virtual time runs faster than the writer.
                tap_config.queue_packets = 1 << 17;
                tap_config.queue_bytes = 1 << 30;
                let (tap, capture) = Tap::new(end, file, tap_config).expect("a thread");
                captures.push((capture, path));
                Box::new(tap)
            })
        });
        Taps {
            world: World::of(hosts, config),
            captures: captures.try_into().expect("two hosts, two taps"),
        }
    }

    /// The finished captures and how many packets are in each.
    fn finish(self) -> [(PathBuf, u64); 2] {
        drop(self.world);
        self.captures.map(|(capture, path)| {
            let report = capture.finish().expect("the file could be written");
            assert_eq!((report.dropped, report.unreadable), (0, 0));
            (path, report.written)
        })
    }
}

/// What is wrong in a capture that is said to have been taken beside `host`, behind its edge, and to have everything:
/// nothing may be excused by what the capture might be.
fn judge(path: &Path, host: usize) -> Report {
    let mut options = Options::default();
    options.beside = [false, true]
        .map(|v6| World::address(host, v6, 0).ip())
        .into();
    options.offload = Offload::After;
    options.complete = true;
    pcap_verify::check_file_with(path, &options).expect("a capture")
}

/// Moves something of everything over the link; the capture of the first host, and how many packets it has.
fn run(config: &WorldConfig, directory: &Path) -> (PathBuf, u64) {
    let mut taps = Taps::new(config, directory);
    for v6 in [false, true] {
        Transfer::run_in(&mut taps.world, v6, 300_000);
        datagrams(&mut taps.world, v6);
    }
    let [first, _] = taps.finish();
    first
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
        ..Impairment::default()
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
            needs::skip(format_args!(
                "tshark cannot be run ({error}): install the package tshark to have captures read by it"
            ));
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

/// What every link here does: it takes a while.
const LINK: Impairment = Impairment {
    delay: Duration::from_millis(20),
    bottleneck: None,
    loss: 0,
    duplicate: 0,
    reorder: 0,
    corrupt: 0,
    bursts: None,
    blackout: None,
};

/// Links that are bad in one way each.
fn links() -> Vec<(&'static str, WorldConfig)> {
    let bottleneck = |rate: u64, queue, mark| {
        Some(Bottleneck {
            rate: rate * 1_000_000,
            queue,
            mark,
        })
    };
    let links = [
        ("good", LINK),
        ("lossy", Impairment { loss: 30, ..LINK }),
        ("hardly usable", Impairment { loss: 200, ..LINK }),
        (
            "doubling",
            Impairment {
                duplicate: 50,
                ..LINK
            },
        ),
        (
            "reordering",
            Impairment {
                reorder: 50,
                ..LINK
            },
        ),
        (
            "narrow",
            Impairment {
                bottleneck: bottleneck(10, 20_000, None),
                ..LINK
            },
        ),
        (
            "marking",
            Impairment {
                bottleneck: bottleneck(20, 60_000, Some(20_000)),
                ..LINK
            },
        ),
        (
            "bad in all ways",
            Impairment {
                loss: 50,
                duplicate: 20,
                reorder: 20,
                ..LINK
            },
        ),
    ];
    let world = |(name, impairment)| {
        let mut config = WorldConfig {
            impairment,
            ..WorldConfig::default()
        };
        config.tcp.ecn = Ecn::Offer;
        (name, config)
    };
    links.map(world).into()
}

/// Hosts with small windows, and with other packets.
fn hosts() -> Vec<(&'static str, WorldConfig)> {
    let kinds = [
        ("small windows", 20_000, 1500),
        ("tiny windows", 5_000, 1500),
        ("long packets", 1 << 20, 9000),
        ("short packets", 100_000, 1280),
    ];
    let world = |(name, receive_buffer, mtu)| {
        let impairment = Impairment {
            loss: 20,
            reorder: 20,
            ..LINK
        };
        let mut config = WorldConfig {
            mtu,
            impairment,
            ..WorldConfig::default()
        };
        config.tcp.receive_buffer = receive_buffer;
        (name, config)
    };
    kinds.map(world).into()
}

/// Judges, for `seeds` of each condition, both hosts from captures beside them. What may be found in them is nothing.
fn judge_ourselves(seeds: Range<u64>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (mut packets, mut wrong) = (0, Vec::new());
    for (name, config) in links().into_iter().chain(hosts()) {
        for seed in seeds.clone() {
            let config = WorldConfig {
                seed,
                ..config.clone()
            };
            let mut taps = Taps::new(&config, directory.path());
            Transfer::run_in(&mut taps.world, seed % 2 == 1, 300_000);
            for (host, (path, captured)) in taps.finish().into_iter().enumerate() {
                let report = judge(&path, host);
                if !report.findings.is_empty() || !report.limits.is_empty() {
                    wrong.push(format!("{name}, seed {seed}, host {host}: {report}"));
                }
                assert_eq!(report.packets, captured);
                packets += captured;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        packets > 400 * (seeds.end - seeds.start),
        "{packets} packets"
    );
}

#[test]
fn nothing_is_found_against_this_stack_in_captures_beside_it() {
    judge_ourselves(0..6);
}

#[test]
#[ignore = "a minute; run with --ignored after changes of TCP or of the judge"]
fn nothing_is_found_against_this_stack_for_many_seeds() {
    judge_ourselves(6..250);
}

#[test]
fn the_same_rules_find_much_from_the_other_side_of_a_bad_link() {
    // The control: behind a link that loses and reorders, rules about what a host does when are broken without end.
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut seen = BTreeSet::new();
    for seed in 0..10 {
        let config = WorldConfig {
            seed,
            ..bad_link(0)
        };
        let mut taps = Taps::new(&config, directory.path());
        Transfer::run_in(&mut taps.world, false, 300_000);
        let [(first, _), _] = taps.finish();
        seen.extend(judge(&first, 1).counts.into_keys());
    }
    for rule in ["W-ACK-07", "W-TCPSEQ-05", "W-TCPSEQ-07", "W-RTX-07"] {
        assert!(seen.contains(rule), "{rule} is not in {seen:?}");
    }
}

#[test]
fn a_capture_of_a_bad_link_is_clean() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (path, captured) = run(&bad_link(0), directory.path());
    let report = judge(&path, 0);
    assert!(
        report.findings.is_empty() && report.limits.is_empty(),
        "{report}"
    );
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
    let (path, _) = run(&bad_link(50), directory.path());
    let report = judge(&path, 0);
    let host = [false, true].map(|v6| World::address(0, v6, 0).ip());
    let (own, damaged): (Vec<_>, Vec<_>) = report.findings.iter().partition(|finding| {
        finding
            .accused
            .is_some_and(|accused| host.contains(&accused))
    });
    assert!(own.is_empty(), "what the host sent left whole: {own:?}");
    let rules: BTreeSet<&str> = damaged.iter().map(|finding| finding.rule.id).collect();
    assert_eq!(rules, BTreeSet::from(DAMAGE));
    if let Some(wrong) = tshark(&path, WRONG) {
        assert!(wrong.len() > 10, "{} packets", wrong.len());
    }
}
