//! A script that does not hold is told with its line, and with both packets.

use std::path::Path;

use packet_script::{Options, parse, run_all, run_script};

/// A connection up to `accept`, at 0.1.
const OPEN: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1000>
+0 > S. 0:0(0) ack 1 <...>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
";

/// What is told of `OPEN` with `more` behind it.
fn told(more: &str) -> String {
    let script = parse(Path::new("a.pkt"), &format!("{OPEN}{more}")).expect("a script");
    let outcome = run_script(&script, &Options::default());
    outcome
        .failure
        .map_or_else(|| "it holds".to_owned(), |failure| failure.to_string())
}

#[test]
fn what_holds_is_no_failure() {
    assert_eq!(
        told("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n"),
        "it holds"
    );
}

#[test]
fn both_packets_are_shown() {
    assert_eq!(
        told("+0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 1\n"),
        "a.pkt:9: it carries 10 bytes, and not 11\n    expected  +0 > P. 1:12(11) ack 1\n    \
         seen      0.100000 > P. 1:11(10) ack 1 win 65535"
    );
}

#[test]
fn every_field_counts() {
    for (line, what) in [
        ("+0 > . 1:11(10) ack 1", "its flags are P., and not ."),
        (
            "+0 > P. 2:12(10) ack 1",
            "its sequence number is 1, and not 2",
        ),
        ("+0 > P. 1:11(10) ack 2", "it acknowledges 1, and not 2"),
        (
            "+0 > P. 1:11(10) ack 1 win 9",
            "its window is 65535, and not 9",
        ),
        (
            "+0 > P. 1:11(10) ack 1 urg 3",
            "its urgent pointer is 0, and not 3",
        ),
        (
            "+0 > P. 1:11(10) ack 1 <nop,nop,nop,nop>",
            "its options are <>, and not <nop,nop,nop,nop>",
        ),
        (
            "+0 > [ect0] P. 1:11(10) ack 1",
            "its ECN bits are 00, and not 10",
        ),
        (
            "+0 > [ttl 3] P. 1:11(10) ack 1",
            "its hop limit is 64, and not 3",
        ),
        (
            "+.5 > P. 1:11(10) ack 1",
            "it was sent at 0.100000, and not at 0.600000",
        ),
        ("+0 > udp (10)", "it is of another protocol"),
    ] {
        let told = told(&format!("+0 write(4, ..., 10) = 10\n{line}\n"));
        assert!(
            told.starts_with(&format!("a.pkt:9: {what}")),
            "{line}: {told}"
        );
    }
}

#[test]
fn packets_too_many_and_too_few_are_failures() {
    assert_eq!(
        told("+0 write(4, ..., 10) = 10\n"),
        "a.pkt:8: at 0.100000 the host sent a packet that the script does not have\n    expected  nothing more\n    \
         seen      > P. 1:11(10) ack 1 win 65535"
    );
    assert_eq!(
        told("+0 > P. 1:11(10) ack 1\n"),
        "a.pkt:8: the host sent nothing until 0.104000\n    expected  +0 > P. 1:11(10) ack 1\n    seen      nothing"
    );
}

#[test]
fn what_is_done_at_a_time_is_not_done_later() {
    let again = "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n* > P. 1:11(10) ack 1\n";
    let told = told(&format!("{again}.2 close(4) = 0\n"));
    let what = "a.pkt:11: this time has passed: what comes before was at 0.";
    assert!(told.starts_with(what), "{told}");
}

#[test]
fn what_is_done_to_a_packet_changes_it() {
    for (edit, what) in [
        (
            "at 65000:ff",
            "`at 65000:ff` goes beyond the packet, which has 40 bytes",
        ),
        (
            "at 39:ff00",
            "`at 39:ff00` goes beyond the packet, which has 40 bytes",
        ),
        (
            "options 01010101, at 44:00",
            "`at 44:00` goes beyond the packet, which has 44 bytes",
        ),
        (
            "cut 40",
            "`cut 40` leaves the whole packet, which has 40 bytes",
        ),
        (
            "part 0:21",
            "`part 0:21` goes beyond what IP carries, which has 20 bytes",
        ),
        (
            "part 24:24",
            "`part 24:24` goes beyond what IP carries, which has 20 bytes",
        ),
        ("at 39:ff", ""),
        ("cut 39", ""),
        ("part 0:20", ""),
    ] {
        let wanted = if what.is_empty() {
            "it holds".to_owned()
        } else {
            format!("a.pkt:8: {what}")
        };
        let line = format!("+0 < [{edit}] . 1:1(0) ack 1 win 65535\n");
        assert_eq!(told(&line), wanted, "{edit}");
    }
    let v6 = |edit: &str| {
        let text = format!("// ip: both\n0 < [{edit}] S 0:0(0) win 65535\n");
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("a.pkt");
        std::fs::write(&path, text).expect("a script");
        let outcomes = run_all(&[path], &Options::default());
        let failure = outcomes[1].failure.as_ref();
        failure.map(|failure| (failure.line, failure.what.clone()))
    };
    for (edit, what) in [
        (
            "options 01010101",
            "`options` are of IPv4, and this packet is of IPv6",
        ),
        (
            "badheader",
            "`badheader` is of IPv4: the header of IPv6 has no checksum",
        ),
    ] {
        assert_eq!(v6(edit), Some((2, what.to_owned())));
    }
}

#[test]
fn calls_are_held_to_results_and_times() {
    for (line, what) in [
        (
            "+0 write(4, ..., 10) = 11",
            "`write` returned 10, and not 11",
        ),
        (
            "+0 write(9, ..., 10) = 10",
            "`write` returned -1 EBADF, and not 10",
        ),
        (
            "+0 close(4) = -1 EINVAL",
            "`close` returned 0, and not -1 EINVAL",
        ),
        (
            "+0 read(4, ..., 10) = 10",
            "the call waits, which a script says by two times, as in `+0...0.2`",
        ),
        (
            "+0...1 read(4, ..., 10) = 10",
            "the call did not return by 1.100000",
        ),
        (
            "+0...1 ioctl(4, SIOCINQ, [0]) = 0",
            "`ioctl` returned at once, and not at 1.100000",
        ),
        (
            "+0 ioctl(4, SIOCINQ, [5]) = 0",
            "value 1 of `ioctl` is 0, and not 5",
        ),
        (
            "+0 frobnicate(4) = 0",
            "the call `frobnicate` is not known here",
        ),
        (
            "+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
            "the descriptor 3 is open already",
        ),
        (
            "+0 listen(SOME_THING, 1) = 0",
            "the constant `SOME_THING` is not known here",
        ),
        (
            "`true`",
            "`true` is a line for the shell, which runs only where that is allowed (--allow-shell)",
        ),
        (
            "`sysctl -q net.ipv4.tcp_sack=0`",
            "net.ipv4.tcp_sack can only be set before the first packet or call: the stack exists",
        ),
        (
            "+0 %{ assert tcpi_state == TCP_CLOSE }%",
            "`assert tcpi_state == TCP_CLOSE` does not hold: tcpi_state is 1, TCP_CLOSE is 7",
        ),
        (
            "+0 %{ assert tcpi_frob }%",
            "`tcpi_frob` is not known of this host",
        ),
        ("+0 %{ assert 1 / 0 }%", "a division by zero"),
    ] {
        assert_eq!(
            told(&format!("{line}\n")),
            format!("a.pkt:8: {what}"),
            "{line}"
        );
    }
}

#[test]
fn the_longest_statement_is_evaluated_in_a_small_stack() {
    let sum = vec!["1"; 254].join("+");
    let script = format!("{OPEN}+0 %{{ assert {sum} == 256 }}%\n");
    let run = move || {
        let script = parse(Path::new("a.pkt"), &script).expect("a script");
        let failure = run_script(&script, &Options::default()).failure;
        failure.expect("it is 254").what
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run);
    let what = thread.expect("a thread").join().expect("no overflow");
    assert!(what.ends_with("does not hold"), "{what}");
}

#[test]
fn times_beyond_the_clock_are_refused_and_not_waited_for() {
    let mut script = parse(
        Path::new("a.pkt"),
        "+1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n",
    )
    .expect("a script");
    script.events[0].when = packet_script::ast::When::At(std::time::Duration::MAX / 2);
    let failure = run_script(&script, &Options::default()).failure;
    assert_eq!(
        failure.expect("no such time").what,
        "the clock of the stack does not count so far"
    );
}

#[test]
fn a_capture_is_written_and_judged() {
    let captures = tempfile::tempdir().expect("a directory");
    let script = parse(Path::new("a.pkt"), OPEN).expect("a script");
    let mut options = Options::default();
    options.captures = Some(captures.path().to_owned());
    let outcome = run_script(&script, &options);
    assert!(outcome.is_fine(), "{outcome}");
    let report =
        pcap_verify::check_file(&captures.path().join("a-ipv4.pcapng")).expect("a capture");
    assert_eq!(report.packets, 3);
}

#[test]
fn findings_are_those_that_the_script_says() {
    let captures = tempfile::tempdir().expect("a directory");
    let mut options = Options::default();
    options.captures = Some(captures.path().to_owned());
    let found = |text: &str| {
        let script = parse(Path::new("a.pkt"), text).expect("a script");
        let outcome = run_script(&script, &options);
        assert_eq!(outcome.failure, None, "{text}");
        (outcome.findings, outcome.of_script)
    };
    let (findings, of_script) = found(&format!("// judge: W-RTX-01\n{OPEN}"));
    assert_eq!(of_script.len(), 0);
    assert!(findings[0].starts_with("`// judge: W-RTX-01` excepts what was not found"));
    // What is wrong with the script's own packets is not the host's fault, and is told all the same.
    let (findings, of_script) = found(&format!(
        "{OPEN}+0 < . 1:1(0) ack 1 win 65535 urg 5\n+1 < . 1:1(0) ack 1 win 65535 urg 5\n"
    ));
    assert_eq!(findings, [""; 0]);
    assert_eq!(of_script.get("W-TCPFMT-12"), Some(&2), "{of_script:?}");
}

#[cfg(unix)]
#[test]
fn folders_that_go_round_in_circles_are_searched_once() {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::write(folder.path().join("a.pkt"), OPEN).expect("a script");
    for name in ["b", "c"] {
        std::os::unix::fs::symlink(folder.path(), folder.path().join(name)).expect("a link");
    }
    let found = packet_script::find(&[folder.path().to_owned()]).expect("a directory");
    assert_eq!(found, [folder.path().join("a.pkt")]);
}

#[cfg(unix)]
#[test]
fn of_a_folder_only_regular_files_are_scripts() {
    use std::os::unix::net::UnixListener;

    let folder = tempfile::tempdir().expect("a directory");
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("a.pkt"), OPEN).expect("a script");
    std::os::unix::fs::symlink("a.pkt", at("b.pkt")).expect("a link");
    std::os::unix::fs::symlink("/dev/zero", at("c.pkt")).expect("a link");
    std::os::unix::fs::symlink("nowhere", at("d.pkt")).expect("a link");
    // As a pipe, it is none that could be read to an end.
    let _socket = UnixListener::bind(at("e.pkt")).expect("a socket");
    let found = packet_script::find(&[folder.path().to_owned()]).expect("a directory");
    assert_eq!(found, [at("a.pkt"), at("b.pkt"), at("d.pkt")]);
    let outcomes = run_all(&found, &Options::default());
    let unable: Vec<bool> = outcomes
        .iter()
        .map(|outcome| outcome.unable.is_some())
        .collect();
    assert_eq!(unable, [false, false, true]);
    assert!(!outcomes[2].is_fine());
}

#[cfg(target_os = "linux")]
#[test]
fn a_capture_that_cannot_be_written_is_no_finding() {
    let captures = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink("/dev/full", captures.path().join("a-ipv4.pcapng")).expect("a link");
    let mut options = Options::default();
    options.captures = Some(captures.path().to_owned());
    let script = parse(Path::new("a.pkt"), OPEN).expect("a script");
    let outcome = run_script(&script, &options);
    assert_eq!((&outcome.failure, outcome.findings.len()), (&None, 0));
    let told = outcome.to_string();
    assert!(
        told.starts_with("UNABLE a.pkt over IPv4: no capture: ")
            && told.contains("No space left on device"),
        "{told}"
    );
    assert!(!outcome.is_fine());
}

/// What is told of a script whose socket has sent 3000 bytes, all of whose packets but `line` are as they should be.
fn told_of_fragment(line: &str) -> String {
    let open = "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 connect(3, ..., ...) = 0
+0 write(3, ..., 3000) = 3000
+0 > [id 1, part 0:1480] udp (3000)
";
    let end = "+0 > [part 2960:3008] udp (3000)\n";
    let text = format!("{open}{line}\n{end}");
    let script = parse(Path::new("a.pkt"), &text).expect("a script");
    let outcome = run_script(&script, &Options::default());
    let failure = outcome.failure.map(|failure| failure.to_string());
    failure.unwrap_or_else(|| "it holds".to_owned())
}

#[test]
fn every_byte_of_a_part_counts() {
    let holds = told_of_fragment("+0 > [id 1, nodf, part 1480:2960] udp (3000)");
    assert_eq!(holds, "it holds");
    for (line, what) in [
        (
            "[part 1480:2968] udp (3000)",
            "it carries 1480 bytes, and not 1488",
        ),
        (
            "[part 1488:2960] udp (3000)",
            "it begins at byte 1480 and others follow, and not at 1488",
        ),
        (
            "[part 1480:2960] udp (2952)",
            "it begins at byte 1480 and others follow",
        ),
        (
            "[id 2, part 1480:2960] udp (3000)",
            "its identification is the one that was 1 before",
        ),
        (
            "[df, part 1480:2960] udp (3000)",
            "it does not forbid its fragmentation",
        ),
        (
            "[at 8:3f] udp (3000)",
            "at byte 8 stand Some([40]), and not [3f]",
        ),
        (
            "[options 94040000] udp (3000)",
            "its IP options are [], and not [94, 04, 00, 00]",
        ),
        ("udp (3000)", "it is of another protocol"),
    ] {
        let told = told_of_fragment(&format!("+0 > {line}"));
        assert!(
            told.starts_with(&format!("a.pkt:5: {what}")),
            "{line}: {told}"
        );
    }
}
