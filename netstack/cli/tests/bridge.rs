//! `netstack bridge` between the sockets of two kernels' namespaces: ping, path MTU, hop limits, and TCP over a bad
//! network, with and without offload, with and without privilege.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{
    Ended, NETSTACK, Server, Space, Taken, judged_beside, netstack, public_copy, run, with_tun_mode,
};
use needs::may_use_tun;
use sha2::{Digest as _, Sha256};

const SIZE: usize = 20_000_000;

/// A running bridge between two named namespaces.
struct Joined {
    left: Space,
    right: Space,
    server: Option<Server>,
}

impl Joined {
    /// With the addresses of the kernel on both sides, and whatever else is said.
    fn start(left: &str, right: &str, rest: &str) -> Joined {
        let spaces = (Space::new(), Space::new());
        let line = format!(
            "bridge --left tun0 --left-netns {} --left-peer {left} --right tun0 --right-netns {} --right-peer {right} {rest}",
            spaces.0.name, spaces.1.name
        );
        let server = Server::spawn(Command::new(NETSTACK).args(line.split_whitespace()));
        Joined {
            left: spaces.0,
            right: spaces.1,
            server: Some(server),
        }
    }

    fn wire(rest: &str) -> Joined {
        Joined::start("10.0.0.1/24,fd00::1/64", "10.0.0.2/24,fd00::2/64", rest)
    }

    fn route(rest: &str) -> Joined {
        let rest = format!(
            "--mode route --left-addr 10.0.1.1/24,fd00:1::1/64 --right-addr 10.0.2.1/24,fd00:2::1/64 {rest}"
        );
        Joined::start(
            "10.0.1.2/24,fd00:1::2/64",
            "10.0.2.2/24,fd00:2::2/64",
            &rest,
        )
    }

    fn ping(&self, args: &str) -> Ended {
        let args: Vec<&str> = args.split_whitespace().collect();
        self.left.exec("ping", &args)
    }

    /// Moves bytes from left to right over TCP and compares their hashes.
    fn transfer(&self, to: &str) {
        let listener = self
            .right
            .netns
            .run(|| TcpListener::bind((to, 7000)))
            .unwrap()
            .unwrap();
        let data: Vec<u8> = (0..SIZE as u32)
            .map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8)
            .collect();
        let sent = Sha256::digest(&data);
        let sender = self
            .left
            .netns
            .run(|| TcpStream::connect((to, 7000)))
            .unwrap()
            .unwrap();
        let sending = thread::spawn(move || {
            let mut sender = sender;
            sender
                .set_write_timeout(Some(Duration::from_secs(60)))
                .unwrap();
            sender.write_all(&data).unwrap();
        });
        let mut received = Vec::with_capacity(SIZE);
        let (mut receiver, _) = listener.accept().unwrap();
        receiver
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        receiver.read_to_end(&mut received).unwrap();
        sending.join().unwrap();
        assert!(
            Sha256::digest(&received) == sent,
            "{} bytes over {to}",
            received.len()
        );
    }

    /// Ends the bridge, which has nothing to complain of; what it has printed.
    fn stop(self) -> String {
        let (out, err) = self.end();
        assert_eq!(err, "");
        out
    }

    /// Ends the bridge; what it has printed, and what it has complained of.
    fn end(mut self) -> (String, String) {
        let ended = self
            .server
            .take()
            .unwrap()
            .end(rustix::process::Signal::INT);
        ended.fine();
        assert!(!self.left.has_device("tun0") && !self.right.has_device("tun0"));
        (ended.out, ended.err)
    }
}

#[test]
fn a_wire_carries_ping_of_both_versions_with_its_delay() {
    if !may_use_tun() {
        return;
    }
    let joined = Joined::wire("--delay 20ms");
    for to in ["10.0.0.2", "fd00::2"] {
        let ended = joined.ping(&format!("-c 3 -i 0.2 -W 5 {to}"));
        ended.fine();
        let times = ended.out.split("time=").skip(1);
        let times: Vec<f64> = times
            .filter_map(|text| text.split(' ').next()?.parse().ok())
            .collect();
        assert!(
            times.len() == 3 && times.iter().all(|time| (40.0..60.0).contains(time)),
            "{times:?}"
        );
    }
    joined.stop();
}

#[test]
fn tcp_over_a_wire_that_loses_one_in_a_hundred() {
    if !may_use_tun() {
        return;
    }
    for offload in ["", "--offload", "--offload=left", "--offload=right"] {
        let joined = Joined::wire(&format!("--delay 1ms --loss 1% --seed 7 {offload}"));
        joined.transfer("10.0.0.2");
        joined.transfer("fd00::2");
        assert!(joined.stop().contains("left to right lost"));
    }
}

#[test]
fn tcp_over_a_router_with_a_smaller_link_behind_it() {
    if !may_use_tun() {
        return;
    }
    for offload in ["", "--offload", "--offload=left", "--offload=right"] {
        let joined = Joined::route(&format!("--right-mtu 1300 {offload}"));
        joined.transfer("10.0.2.2");
        joined.transfer("fd00:2::2");
        joined.stop();
    }
}

#[test]
fn a_router_tells_of_path_mtu_hop_limits_and_missing_routes() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |side: &str| dir.path().join(side).display().to_string();
    let joined = Joined::route(&format!(
        "--right-mtu 1300 --left-pcap {} --right-pcap {}",
        path("left"),
        path("right")
    ));
    // Before the kernel has learnt the size of the path, and fragments itself.
    joined.ping("-c 2 -i 0.2 -M dont -s 1400 10.0.2.2").fine();
    joined
        .left
        .exec("ip", &["route", "add", "192.0.2.0/24", "via", "10.0.1.1"])
        .fine();
    for (args, words) in [
        ("-c 1 -M do -s 1400 10.0.2.2", "mtu = 1300"),
        ("-c 1 -M do -s 1400 fd00:2::2", "mtu=1300"),
        (
            "-c 1 -t 1 10.0.2.2",
            "From 10.0.1.1 icmp_seq=1 Time to live exceeded",
        ),
        ("-c 1 -t 1 fd00:2::2", "Time exceeded: Hop limit"),
        (
            "-c 1 192.0.2.9",
            "From 10.0.1.1 icmp_seq=1 Destination Net Unreachable",
        ),
    ] {
        let ended = joined.ping(args);
        assert!(
            ended.code == Some(1) && ended.out.contains(words),
            "{args}: {ended:?}"
        );
    }
    // It answers itself.
    for args in ["-c 1 10.0.1.1", "-c 1 fd00:2::1", "-c 1 -t 2 10.0.2.2"] {
        joined.ping(args).fine();
    }
    let report = joined.stop();
    for counter in [
        "forward_too_big",
        "forward_hop_limit",
        "forward_no_route",
        "out_fragments",
    ] {
        assert!(report.contains(counter), "{counter}: {report}");
    }
    let router = ["10.0.1.1", "fd00:1::1", "10.0.2.1", "fd00:2::1"];
    let kernels = ["10.0.1.2", "fd00:1::2", "10.0.2.2", "fd00:2::2"];
    for side in ["left", "right"] {
        let (broken, packets) = judged_beside(&router, path(side).as_ref(), Taken::Wire, &kernels);
        assert!(
            broken.is_empty() && packets >= 8,
            "{side}: {broken:?}, {packets}"
        );
    }
}

#[test]
fn captures_of_both_sides_and_a_report_for_programs() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |side: &str| dir.path().join(side).display().to_string();
    let joined = Joined::wire(&format!(
        "--json --left-to-right duplicate=100% --left-pcap {} --right-pcap {}",
        path("left"),
        path("right")
    ));
    joined.ping("-c 4 -i 0.1 10.0.0.2");
    let report: serde_json::Value =
        serde_json::from_str(joined.stop().lines().last().unwrap()).unwrap();
    let doubled = report["left_to_right"]["duplicated"].as_u64().unwrap();
    assert!(doubled >= 4, "{report}");
    assert_eq!(report["right"]["tx_packets"].as_u64(), Some(2 * doubled));
    for (side, beside) in [("left", "10.0.0.1"), ("right", "10.0.0.2")] {
        let kernels = ["10.0.0.1", "10.0.0.2"];
        let (broken, packets) =
            judged_beside(&[beside], path(side).as_ref(), Taken::Wire, &kernels);
        assert!(broken.is_empty(), "{side}: {broken:?}");
        assert!(packets >= 8, "{side}: {packets}");
    }
}

#[test]
fn a_side_that_is_down_is_said_and_the_router_answers_on_the_other() {
    if !may_use_tun() {
        return;
    }
    let joined = Joined::route("--json");
    joined
        .right
        .exec("ip", &["link", "set", "tun0", "down"])
        .fine();
    joined.ping("-q -c 400 -i 0.002 -W 1 10.0.2.2");
    let ended = joined.ping("-c 3 -i 0.2 -W 5 10.0.1.1");
    ended.fine();
    let (out, err) = joined.end();
    assert!(
        err.starts_with("netstack: right (tun0): TUN device tun0 is down")
            && err.lines().count() == 1,
        "{err:?}"
    );
    let report: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let right = &report["right"];
    assert!(right["transmit_errors"].as_u64() > Some(0), "{report}");
    assert_eq!(
        report["left"]["transmit_errors"].as_u64(),
        Some(0),
        "{report}"
    );
    assert!(report["left"]["error"].is_null(), "{report}");
}

/// Whether this user could make private namespaces; the reason is said if not.
fn is_private_possible(ended: &Ended) -> bool {
    let denied = ended.code == Some(2) && ended.err.contains("user namespace");
    if denied {
        needs::skip(&ended.err);
    }
    !denied
}

#[test]
fn private_namespaces_without_privilege() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = public_copy(dir.path());
    let script = |mode: &str, command: &str| {
        format!(
            "$NOBODY {} bridge --private --mode {mode} --left-cmd '{command}'",
            program.display()
        )
    };
    for mode in ["wire", "route"] {
        let ended = with_tun_mode(
            "666",
            &script(mode, "ping -c 2 -i 0.2 $PEER && ping -c 2 -i 0.2 $PEER6"),
        );
        if !is_private_possible(&ended) {
            return;
        }
        ended.fine();
        assert_eq!(ended.out.matches(" 0% packet loss").count(), 2, "{ended:?}");
    }
    let failed = with_tun_mode("666", &script("wire", "exit 3"));
    assert_eq!(failed.code, Some(1), "{failed:?}");
}

/// Whether a process runs that has this among its words.
fn is_running(word: &str) -> bool {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .any(|line| {
            line.split(|byte| *byte == 0)
                .any(|it| it == word.as_bytes())
        })
}

#[test]
fn what_commands_have_started_ends_with_the_bridge() {
    if !may_use_tun() {
        return;
    }
    let time = |number: u32| format!("86399.{}{number}", std::process::id());
    // In a shell that stays, in one that has gone, and in a session of its own.
    let [stays, gone, apart] = [1, 2, 3].map(time);
    let left = format!("sleep {gone} & setsid sleep {apart} & sleep 0.3");
    let right = format!("sleep {stays}; true");
    let bridge = [
        "bridge",
        "--private",
        "--right-cmd",
        &right,
        "--left-cmd",
        &left,
    ];
    let ended = run(Command::new(NETSTACK).args(bridge));
    if !is_private_possible(&ended) {
        return;
    }
    ended.fine();
    for word in [&stays, &gone, &apart] {
        assert!(!is_running(word), "sleep {word}");
    }
}

#[test]
fn a_device_that_is_deleted_is_the_end_and_the_totals_are_told() {
    if !may_use_tun() {
        return;
    }
    let mut joined = Joined::wire("");
    joined.ping("-c 2 -i 0.1 10.0.0.2").fine();
    joined.left.exec("ip", &["link", "del", "tun0"]).fine();
    let ended = joined.server.take().unwrap().wait();
    ended.refused(&["tun0", "deleted while in use"]);
    assert!(ended.out.contains("total of"), "{ended:?}");
    assert!(ended.out.contains("left (tun0) rx_packets"), "{ended:?}");
    assert!(!joined.right.has_device("tun0"));
}

#[test]
fn packets_that_are_larger_than_the_device_was_are_told_of() {
    if !may_use_tun() {
        return;
    }
    let joined = Joined::wire("");
    joined
        .left
        .exec("ip", &["link", "set", "tun0", "mtu", "4000"])
        .fine();
    let ended = joined.ping("-c 4 -i 0.5 -W 1 -s 3000 10.0.0.2");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let (out, err) = joined.end();
    assert!(
        err.starts_with("netstack: left (tun0): the kernel sends packets larger")
            && err.lines().count() == 1,
        "{err:?}"
    );
    assert!(out.contains("left (tun0) rx_too_big"), "{out}");
}

#[test]
fn a_bridge_that_is_refused_leaves_the_captures_that_were_there() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [left, right] = ["left", "right"].map(|side| dir.path().join(side));
    let older = "an older capture";
    for path in [&left, &right] {
        std::fs::write(path, older).unwrap();
    }
    let space = Space::new();
    space
        .exec("ip", &["tuntap", "add", "other", "mode", "tap"])
        .fine();
    let bridge = |right_pcap: &Path| {
        netstack(&format!(
            "bridge --left tun0 --left-netns {0} --right other --right-netns {0} --left-pcap {1} --right-pcap {2}",
            space.name,
            left.display(),
            right_pcap.display(),
        ))
    };
    bridge(&right).refused(&["other"]);
    bridge(&left).refused(&["--left-pcap and --right-pcap", "same file"]);
    for path in [&left, &right] {
        assert_eq!(std::fs::read_to_string(path).unwrap(), older);
    }
    assert!(!space.has_device("tun0"));
}

#[test]
fn a_capture_whose_disk_is_full_is_told_of_and_the_bridge_goes_on() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=64k none \"$DIR\" || exit 9; ";
    let bridge = "bridge --private --right-pcap $DIR/right --left-cmd 'ping -q -c 60 -i 0.02 -s 1400 $PEER; sleep 2; ping -q -c 1 $PEER'";
    let ended = run(Command::new("unshare")
        .args([
            "--mount",
            "sh",
            "-c",
            &format!("{mount} exec {NETSTACK} {bridge}"),
        ])
        .env("DIR", dir.path()));
    if !is_private_possible(&ended) {
        return;
    }
    let told =
        "right (right): the capture cannot be written any more; the bridge goes on without it";
    assert!(ended.err.contains(told), "{ended:?}");
    let end = ended.err.lines().last().unwrap_or_default();
    for words in ["No space", "--right-pcap or free space there"] {
        assert!(end.contains(words), "{ended:?}");
    }
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.out.matches(" 0% packet loss").count(), 2, "{ended:?}");
    assert!(
        ended.out.contains("right (right) capture_dropped"),
        "{ended:?}"
    );
}

#[test]
fn what_cannot_be_joined_is_said() {
    netstack("bridge --left tun0").refused(&["--right"]);
    netstack("bridge --left tun0 --right tun0").refused(&["same device", "--left-netns"]);
    netstack("bridge --private").refused(&["--left-cmd", "--right-cmd"]);
    netstack("bridge --left a --right b --mode route").refused(&["--left-addr"]);
    netstack("bridge --left a --right b --left-addr 10.0.0.1/24").refused(&["--mode route"]);
    netstack(
        "bridge --left a --right b --mode route --left-addr 10.0.0.1/24 --right-addr 10.0.0.2/24",
    )
    .refused(&["same network, 10.0.0.0/24"]);
    for routes in [
        "--left-route 10.1.0.0/24",
        "--right-route 10.0.0.7/24",
        "--left-route fd00::/8,10.9.0.0/16 --right-route 10.9.0.0/16",
    ] {
        let addresses = "--left-addr 10.0.0.1/24 --right-addr 10.1.0.1/24";
        netstack(&format!(
            "bridge --left a --right b --mode route {addresses} {routes}"
        ))
        .refused(&["same network, 10.", "--left-route", "--right-route"]);
    }
    netstack("bridge --left a --right b --mode route --left-addr 10.0.0.1/24 --right-addr 10.1.0.2/24 --right-peer 10.1.0.2/24")
        .refused(&["10.1.0.2", "both --right-addr and --right-peer"]);
    netstack("bridge --left a --right b --left-gateway 10.0.0.2").refused(&[
        "a wire",
        "--left-gateway",
        "--mode route",
    ]);
    let gateway = |rest: &str| {
        let addresses = "--left-addr 10.0.0.1/24 --right-addr 10.1.0.1/24";
        netstack(&format!("bridge --mode route {addresses} {rest}"))
    };
    gateway("--left a --right b --left-route 10.9.0.0/16 --left-gateway 10.0.0.2").refused(&[
        "TUN",
        "--left-gateway",
        "tap:NAME",
    ]);
    gateway("--left a --right tap:b --right-gateway 10.1.0.2")
        .refused(&["10.1.0.2 leads nowhere", "--right-route"]);
    gateway("--left a --right tap:b --right-route 10.9.0.0/16 --right-gateway 10.0.0.2")
        .refused(&["10.0.0.2", "no --right-addr"]);
    netstack("bridge --left a --right b --loss 101%").refused(&["percentage"]);
    netstack("bridge --left a --right b --loss 1").refused(&["percentage"]);
    netstack("bridge --left a --right b --rate 5").refused(&["mbit"]);
    netstack("bridge --left a --right b --left-to-right lossy=1%").refused(&["lossy", "duplicate"]);
    netstack("bridge --left a --right b --left-netns no-such-space").refused(&["no-such-space"]);
    let ended = run(Command::new(NETSTACK).args(["help", "bridge"]));
    ended.fine();
}
