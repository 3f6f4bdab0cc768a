//! Each thing that can be wrong around the command ends in one line that says what to do, with exit code 2, and
//! leaves nothing behind.

mod common;

use std::process::{Command, Stdio};

use common::{NETSTACK, Server, Space, netstack, public_copy, run, with_tun_mode};
use needs::may_use_tun;

#[test]
fn a_namespace_that_is_not_there() {
    netstack("serve --tun tun0 --addr 10.9.0.2/24 --netns no-such-space")
        .refused(&["no-such-space", "ip netns add"]);
}

#[test]
fn a_capture_that_cannot_be_written() {
    netstack("serve --tun tun0 --addr 10.9.0.2/24 --pcap /nonexistent/x.pcapng")
        .refused(&["/nonexistent/x.pcapng", "--pcap"]);
    netstack("demo --no-tun --out /dev/null/x").refused(&["/dev/null/x", "--out"]);
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("a.pkt");
    std::fs::write(&script, "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n").unwrap();
    // Not a fault of the script.
    netstack(&format!("script --pcap /dev/null/x {}", script.display()))
        .refused(&["/dev/null/x", "--pcap"]);
}

#[test]
fn a_script_that_cannot_be_read_or_kept() {
    netstack("script /dev/zero").refused(&["/dev/zero", "at most 4 MiB"]);
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("a.pkt")).unwrap();
    netstack(&format!("script {}", dir.path().display())).refused(&["a.pkt", "No such file"]);
    let script = dir.path().join("b.pkt");
    std::fs::write(&script, "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n").unwrap();
    let full = dir.path().join("b-ipv4.pcapng");
    std::os::unix::fs::symlink("/dev/full", full).unwrap();
    let command = format!(
        "cd {} && {NETSTACK} script --pcap . b.pkt",
        dir.path().display()
    );
    run(Command::new("sh").args(["-c", &command])).refused(&["b.pkt", "No space left"]);
}

#[test]
fn a_descriptor_that_is_not_open_or_something_else() {
    netstack("serve --tun fd:999 --addr 10.9.0.2/24").refused(&["999", "not open"]);
    let ended = run(Command::new(NETSTACK)
        .args(["serve", "--tun", "fd:0", "--addr", "10.9.0.2/24"])
        .stdin(Stdio::from(std::fs::File::open("/dev/null").unwrap())));
    ended.refused(&["/dev/net/tun"]);
}

#[test]
fn no_permission() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = public_copy(dir.path());
    let serve = format!(
        "$NOBODY {} serve --tun tun0 --addr 10.9.0.2/24",
        program.display()
    );
    with_tun_mode("600", &serve).refused(&["may not open /dev/net/tun", "root"]);
    with_tun_mode("666", &serve).refused(&["no permission", "CAP_NET_ADMIN", "ip tuntap add"]);
    with_tun_mode(
        "666",
        &format!("umount /dev/net/tun; mount --bind /proc /dev/net; {serve}"),
    )
    .refused(&["/dev/net/tun does not exist", "modprobe tun"]);
    let elsewhere = "umount /dev/net/tun; mount -t tmpfs none /dev/net; ";
    for made in ["touch /dev/net/tun", "mkdir /dev/net/tun"] {
        let script =
            format!("{elsewhere}{made}; exec {NETSTACK} serve --tun tun0 --addr 10.9.0.2/24");
        with_tun_mode("666", &script)
            .refused(&["is not the TUN device node", "mknod /dev/net/tun c 10 200"]);
    }
    let script = dir.path().join("a.pkt");
    std::fs::write(&script, "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n").unwrap();
    let live = format!(
        "$NOBODY {} script --live {}",
        program.display(),
        script.display()
    );
    with_tun_mode("600", &live).refused(&["a.pkt", "may not open /dev/net/tun"]);
    let space = Space::new();
    with_tun_mode("666", &format!("{serve} --netns {}", space.name))
        .refused(&["no permission", &space.name]);
}

#[test]
fn a_device_that_is_in_use_or_no_tun_device() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let line = format!(
        "--tun tun0 --netns {} --addr 10.9.0.2/24 --peer 10.9.0.1/24",
        space.name
    );
    let server = Server::start(&line);
    netstack(&format!("serve {line}")).refused(&["tun0", "in use"]);
    server.stop();
    netstack(&format!(
        "serve --tun lo --netns {} --addr 10.9.0.2/24",
        space.name
    ))
    .refused(&["lo ", "TUN"]);
    space
        .exec("ip", &["tuntap", "add", "dev", "tap0", "mode", "tap"])
        .fine();
    netstack(&format!(
        "serve --tun tap0 --netns {} --addr 10.9.0.2/24",
        space.name
    ))
    .refused(&["tap0"]);
}

#[test]
fn an_mtu_that_ipv6_cannot_live_with() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let line = format!(
        "serve --tun tun0 --netns {} --addr fd00:9::2/64 --mtu 1000",
        space.name
    );
    netstack(&line).refused(&["1280"]);
    netstack(&format!("{line} --peer fd00:9::1/64")).refused(&["1280"]);
    assert!(!space.has_device("tun0"));
}

#[test]
fn a_device_that_is_deleted_while_it_is_served() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let mut server = Server::start(&format!(
        "--tun tun0 --netns {} --addr 10.9.0.2/24 --peer 10.9.0.1/24",
        space.name
    ));
    space.exec("ip", &["link", "del", "tun0"]).fine();
    server.wait().refused(&["tun0", "deleted"]);
}

#[test]
fn output_that_nobody_reads() {
    let ended = run(Command::new("sh").args(["-c", &format!("{NETSTACK} man | true")]));
    ended.fine();
    assert_eq!(ended.err, "");
    let ended = run(Command::new("sh").args(["-c", &format!("{NETSTACK} man > /dev/full")]));
    ended.refused(&["standard output"]);
}
