//! What is wrong with a command line is said in one line, with exit code 2.

mod common;

use std::fs;
use std::process::Command;

use common::{netstack, run};

#[test]
fn help_and_version_are_no_errors() {
    let help = netstack("--help");
    help.fine();
    for command in [
        "demo",
        "serve",
        "bridge",
        "verify",
        "bench",
        "completions",
        "man",
    ] {
        assert!(help.out.contains(command), "{help:?}");
        let own = netstack(&format!("{command} --help"));
        own.fine();
        assert!(own.out.contains("Example"), "{own:?}");
    }
    assert!(netstack("--version").out.starts_with("netstack 0."));
}

#[test]
fn a_command_line_that_cannot_be_understood() {
    netstack("").refused(&["demo, serve, bridge, verify", "--help"]);
    netstack("sevre").refused(&["sevre", "serve"]);
    netstack("serve").refused(&["--tun", "--addr"]);
    netstack("serve --tun tun0").refused(&["--addr"]);
    netstack("serve --tun tun0 --addres 10.9.0.2/24").refused(&["--addres", "--addr"]);
    netstack("verify").refused(&["FILE"]);
    netstack("verify --beside nowhere x.pcap").refused(&["nowhere", "--beside"]);
    netstack("verify --beside 10.9.0.1 --vantage sender x.pcap")
        .refused(&["--beside", "--vantage"]);
    netstack("completions tcsh").refused(&["tcsh", "bash"]);
    netstack("serve --tun tun0 --addr 10.9.0.2/24 --json").refused(&["--stats"]);
    // The help that says more is that of the command that was named.
    netstack("sevre").refused(&["try `netstack --help`"]);
    netstack("serve").refused(&["try `netstack serve --help`"]);
    netstack("serve --tun a/b").refused(&["try `netstack serve --help`"]);
    netstack("demo --size big").refused(&["try `netstack demo --help`"]);
}

#[test]
fn values_that_make_no_sense() {
    let serve = |rest: &str| netstack(&format!("serve --tun tun0 --addr 10.9.0.2/24 {rest}"));
    netstack("serve --tun tun0 --addr 10.9.0.2").refused(&["prefix length", "10.9.0.2/24"]);
    netstack("serve --tun tun0 --addr 10.9.0.299/24").refused(&["10.9.0.299", "IP address"]);
    netstack("serve --tun tun0 --addr 10.9.0.2/33").refused(&["0 to 32"]);
    netstack("serve --tun tun0 --addr 10.9.0.255/24")
        .refused(&["10.9.0.255 is the broadcast address of 10.9.0.0/24; take another"]);
    netstack("serve --tun tun0 --addr ::ffff:10.9.0.2/120").refused(&["write it as 10.9.0.2"]);
    netstack("serve --tun tun0 --addr 240.1.2.3/24")
        .refused(&["240.1.2.3 cannot be the address of one host"]);
    netstack("serve --tun fd:3 --addr 10.9.0.2/24 --offload").refused(&["--offload", "--tun NAME"]);
    netstack("serve --tun fd:3 --addr 10.9.0.2/24 --shards 2").refused(&["--shards", "--tun NAME"]);
    serve("--shards 0").refused(&["1..=64"]);
    serve("--netns a/b").refused(&["ip netns list"]);
    serve("--congestion vegas").refused(&["vegas", "reno", "cubic", "bbr"]);
    let mut nameless = Command::new(common::NETSTACK);
    nameless.args([
        "serve",
        "--tun",
        "tun0",
        "--addr",
        "10.9.0.2/24",
        "--netns",
        "",
    ]);
    run(&mut nameless).refused(&["ip netns list"]);
    netstack("serve --tun tun0 --addr 224.0.0.1/24").refused(&["one host"]);
    netstack("serve --tun a/b --addr 10.9.0.2/24").refused(&["device name"]);
    netstack("serve --tun fd:x --addr 10.9.0.2/24").refused(&["fd:3"]);
    serve("--service smtp:25").refused(&["no service `smtp`", "chargen"]);
    serve("--service echo").refused(&["NAME:PORT"]);
    serve("--service echo:70000").refused(&["1 to 65535"]);
    serve("--proxy 8080").refused(&["PORT=ADDRESS:PORT"]);
    serve("--proxy 8080=127.0.0.1:80").refused(&["cannot connect to 127.0.0.1"]);
    serve("--mtu 67").refused(&["67", "68"]);
    serve("--mtu 70000").refused(&["65535"]);
    serve("--for soon").refused(&["20s"]);
    netstack("demo --size big").refused(&["64MiB"]);
    for mtu in ["1279", "65536", "0", "-1", "many"] {
        netstack(&format!("demo --mtu={mtu}")).refused(&[mtu, "--mtu", "netstack demo --help"]);
    }
    netstack("bench --rounds 0").refused(&["1..=1000"]);
    netstack("bench --seconds 61").refused(&["from 0.01 to 60 seconds"]);
    netstack("bench --pin three").refused(&["one, two, free"]);
    netstack("bench --only in-2").refused(&["no case in-2", "in-1, in-10"]);
    netstack("bench --subjects linux").refused(&["no subject linux", "offload, plain"]);
    netstack("bench --only in-100 --subjects ceiling").refused(&["choose others"]);
    netstack("bench --only in-1 --json /nonexistent/x").refused(&["/nonexistent/x", "--json"]);
    netstack("bench-part {}").refused(&["netstack bench"]);
}

#[test]
fn options_that_do_not_go_together() {
    let serve = |rest: &str| netstack(&format!("serve --tun tun0 --addr 10.9.0.2/24 {rest}"));
    serve("--service echo:7 --service discard:7").refused(&["port 7", "echo and discard"]);
    serve("--service echo:7,echo:7").refused(&["echo:7 is given twice"]);
    serve("--proxy 7=10.9.0.1:7 --service echo:7").refused(&["port 7", "echo and a proxy"]);
    serve("--proxy 7=10.9.0.1:7,7=10.9.0.1:7").refused(&["7=10.9.0.1:7 is given twice"]);
    serve("--proxy 7=10.9.0.1:7,7=10.9.0.1:8").refused(&["port 7", "a proxy and a proxy"]);
    serve("--proxy 7=[fd00:9::1]:7").refused(&["fd00:9::1", "--addr"]);
    serve("--proxy 7=10.9.0.2:8,8=10.9.0.2:7").refused(&["a proxy of this stack", "server"]);
    serve("--service http:80").refused(&["--http-root"]);
    serve("--http-root /tmp").refused(&["--service http:80"]);
    serve("--service http:80 --http-root /nonexistent").refused(&["/nonexistent", "--http-root"]);
    serve("--peer 10.8.0.1/24").refused(&["10.9.0.2", "--peer", "10.9.0.0/24"]);
    serve("--peer fd00:9::1/64").refused(&["10.9.0.2", "--peer"]);
    serve("--addr 10.9.0.3/24,10.9.0.2/16").refused(&["10.9.0.2 is given twice"]);
    serve("--peer 10.9.0.2/24").refused(&["10.9.0.2", "both --addr and --peer"]);
}

#[test]
fn a_log_filter_that_cannot_be_understood() {
    let mut command = Command::new(common::NETSTACK);
    let output = command
        .args(["completions", "bash"])
        .env("RUST_LOG", "a=b=c")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .starts_with("netstack: RUST_LOG")
    );
}

#[test]
fn completions_for_each_shell() {
    for (shell, mark) in [
        ("bash", "complete"),
        ("zsh", "#compdef netstack"),
        ("fish", "complete -c netstack"),
    ] {
        let script = netstack(&format!("completions {shell}"));
        script.fine();
        assert!(
            script.out.contains(mark) && script.out.contains("http-root"),
            "{shell}"
        );
    }
}

#[test]
fn manual_pages() {
    let page = netstack("man");
    page.fine();
    assert!(page.out.contains(".TH netstack 1"), "{page:?}");
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("man1");
    netstack(&format!("man {}", place.display())).fine();
    for name in [
        "netstack.1",
        "netstack-serve.1",
        "netstack-demo.1",
        "netstack-verify.1",
        "netstack-bench.1",
    ] {
        assert!(
            fs::read_to_string(place.join(name))
                .unwrap()
                .contains(".TH"),
            "{name}"
        );
    }
    netstack("man /dev/null/x").refused(&["/dev/null/x"]);
}

#[test]
fn verify_tells_good_from_bad_from_unreadable() {
    netstack("verify /nonexistent.pcap").refused(&["/nonexistent.pcap", "cannot open"]);
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("text"), "this is no capture at all").unwrap();
    netstack(&format!("verify {}", path("text").display())).refused(&["not a pcap"]);
    netstack(&format!("verify {}", path("text").display())).refused(&["name a capture file"]);
    netstack(&format!("verify {}", dir.path().display()))
        .refused(&["is a directory; name a capture file"]);
    fs::write(path("nothing"), "").unwrap();
    netstack(&format!("verify {}", path("nothing").display()))
        .refused(&["is empty; name a capture file"]);
    // A header of a microsecond pcap of raw IP, and one record.
    let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 101];
    let mut file: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    fs::write(path("empty.pcap"), &file).unwrap();
    let fine = netstack(&format!("verify {}", path("empty.pcap").display()));
    fine.fine();
    assert!(fine.out.contains("packets 0, "), "{fine:?}");
    file.extend([0u32, 0, 4, 4].iter().flat_map(|word| word.to_le_bytes()));
    file.extend([0x45, 0, 0, 4]);
    fs::write(path("short.pcap"), &file).unwrap();
    let found = netstack(&format!(
        "verify {0}/empty.pcap {0}/short.pcap",
        dir.path().display()
    ));
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(
        found.out.contains("packet 1: error: W-IP4-02 "),
        "{found:?}"
    );
    // Every file is judged, and every one that cannot be is named.
    let mixed = netstack(&format!(
        "verify {0}/text {0}/short.pcap {0}/nothing",
        dir.path().display()
    ));
    assert_eq!(mixed.code, Some(2), "{mixed:?}");
    assert!(mixed.out.contains("W-IP4-02"), "{mixed:?}");
    assert!(
        mixed.err.contains("text: not a pcap") && mixed.err.contains("nothing is empty"),
        "{mixed:?}"
    );
    let json = netstack(&format!(
        "verify --json {}/short.pcap",
        dir.path().display()
    ));
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["findings"][0]["rule"], "W-IP4-02");
    let sarif = netstack(&format!(
        "verify --sarif {}/short.pcap",
        dir.path().display()
    ));
    let value: serde_json::Value = serde_json::from_str(&sarif.out).unwrap();
    assert_eq!(value["runs"][0]["results"][0]["ruleId"], "W-IP4-02");
    netstack(&format!(
        "verify --annotate x.pcapng {0}/empty.pcap {0}/short.pcap",
        dir.path().display()
    ))
    .refused(&["name one file"]);
}

/// A file that is refused stands in the log, and what was found is said whatever becomes of a copy.
#[test]
fn verify_says_what_it_found_whatever_fails() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("text"), "this is no capture at all").unwrap();
    // One record, whose packet is less than a header.
    let words: [u32; 10] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 101, 0, 0, 4, 4];
    let mut file: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    file.extend([0x45, 0, 0, 4]);
    fs::write(path("short.pcap"), &file).unwrap();
    let sarif = netstack(&format!(
        "verify --sarif {0}/text {0}/short.pcap",
        dir.path().display()
    ));
    assert_eq!(sarif.code, Some(2), "{sarif:?}");
    let value: serde_json::Value = serde_json::from_str(&sarif.out).unwrap();
    let told = &value["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    assert!(told.to_string().contains("not a pcap"), "{told}");
    let failed = netstack(&format!(
        "verify --annotate /dev/null --plot /dev/null/x {}/short.pcap",
        dir.path().display()
    ));
    assert_eq!(failed.code, Some(2), "{failed:?}");
    assert!(failed.out.contains("W-IP4-02"), "{failed:?}");
    assert!(
        failed.err.contains("/dev/null:") && failed.err.contains("/dev/null/x:"),
        "{failed:?}"
    );
}

#[test]
fn a_queue_without_a_rate_is_refused() {
    for (options, named) in [
        ("--queue 10KiB", "--rate"),
        ("--mark 10KiB", "--rate"),
        ("--left-to-right queue=10KiB", "rate="),
        (
            "--right-to-left mark=10KiB --left-to-right rate=1mbit",
            "--right-to-left",
        ),
    ] {
        let line = format!("bridge --private {options} --left-cmd true");
        netstack(&line).refused(&["queue in front of a rate", named]);
    }
}
