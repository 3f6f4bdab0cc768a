//! `netstack serve --tap` and a router with a TAP device against the real kernel, over both versions of IP.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Command;
use std::thread;

use common::{ADDRESSES, NETSTACK, Server, Space, Taken, V4, V6, connect, judged, netstack, run};
use needs::may_use_tun;
use sha2::{Digest as _, Sha256};

/// What curl downloads, and what the echo service gets.
const SIZE: usize = 20_000_000;
const MAC: &str = "02:00:5e:10:00:09";

/// What the judge has against the kernel's packets.
const OF_KERNEL: [&str; 0] = [];

fn data() -> Vec<u8> {
    (0..SIZE as u32)
        .map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8)
        .collect()
}

fn serve(space: &Space, rest: &str) -> Server {
    Server::start(&format!("--tap tap0 --netns {} {rest}", space.name))
}

fn ping(space: &Space, ip: &str, size: &str) {
    let ended = space.exec("ping", &["-c", "3", "-i", "0.2", "-W", "5", "-s", size, ip]);
    ended.fine();
    assert!(ended.out.contains(" 0% packet loss"), "{ended:?}");
}

/// What was echoed is what was sent.
fn echo(space: &Space, ip: &str, data: &[u8]) {
    let mut receiver = connect(space, ip, 7);
    let mut sender = receiver.try_clone().unwrap();
    let mut received = Vec::new();
    thread::scope(|scope| {
        scope.spawn(move || {
            sender.write_all(data).unwrap();
            sender.shutdown(std::net::Shutdown::Write).unwrap();
        });
        receiver.read_to_end(&mut received).unwrap();
    });
    assert!(received == data, "the echo over {ip} differs");
}

#[test]
fn ping_curl_and_sockets_reach_a_host_on_ethernet() {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let data = data();
    fs::write(dir.path().join("file"), &data).unwrap();
    let hash = Sha256::digest(&data);
    for offload in ["", "--offload"] {
        let space = Space::new();
        let pcap = dir.path().join(format!("tap{offload}.pcapng"));
        let server = serve(
            &space,
            &format!(
                "{ADDRESSES} --mac {MAC} {offload} --service echo:7,http:80 --http-root {} --pcap {} --stats",
                dir.path().display(),
                pcap.display()
            ),
        );
        for (ip, host) in [(V4, V4.to_owned()), (V6, format!("[{V6}]"))] {
            ping(&space, ip, "56");
            ping(&space, ip, "4000");
            let target = dir.path().join("downloaded");
            let url = format!("http://{host}/file");
            let target_name = target.to_str().unwrap();
            let words = ["-sSfg", "--max-time", "120", "-o", target_name, &url];
            space.exec("curl", &words).fine();
            assert!(Sha256::digest(fs::read(&target).unwrap()) == hash, "{ip}");
            echo(&space, ip, &data);
        }
        let neighbours = space.exec("ip", &["neigh", "show", "dev", "tap0"]);
        for ip in [V4, V6] {
            let line = neighbours.out.lines().find(|line| line.contains(ip));
            assert!(
                line.is_some_and(|line| line.contains(MAC)),
                "{neighbours:?}"
            );
        }
        let ended = server.end(rustix::process::Signal::INT);
        ended.fine();
        let device = |name: &str| ended.out.contains(&format!("tap0 {name}"));
        assert!(device("neighbour_messages"), "{ended:?}");
        for never in [
            "tx_unresolved",
            "rx_malformed",
            "address_conflicts",
            "rx_bad",
        ] {
            assert!(!device(never), "{ended:?}");
        }
        assert!(!space.has_device("tap0"));
        // The capture has packets of IP.
        let taken = match offload {
            "" => Taken::Wire,
            _ => Taken::Offload,
        };
        let (of_kernel, packets) = judged(&pcap, taken);
        assert_eq!(of_kernel, OF_KERNEL, "{offload}");
        assert!(packets > 100, "{packets}");
    }
}

/// What the kernel's neighbours say wrongly is dropped, by name, and what is right is answered all the same.
#[test]
fn what_is_malformed_is_counted_and_harms_nobody() {
    if !may_use_tun() || !needs::has("python3") {
        return;
    }
    let space = Space::new();
    let server = serve(&space, &format!("{ADDRESSES} --stats"));
    ping(&space, V4, "56");
    let script = "import socket\n\
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n\
        s.bind(('tap0', 0))\n\
        arp = bytes.fromhex('ffffffffffff0200000000aa08060001080006040001')\n\
        for end in range(14, 42): s.send(arp[:end])\n\
        for kind in (b'\\x08\\x00', b'\\x86\\xdd', b'\\x08\\x06', b'\\x81\\x00', b'\\x88\\xcc'):\n\
        \x20 for fill in (b'\\x00', b'\\x45', b'\\x60', b'\\xff'):\n\
        \x20   for n in (0, 1, 19, 39, 60, 1000): s.send(b'\\xff' * 6 + b'\\x02' * 6 + kind + fill * n)\n";
    space.exec("python3", &["-c", script]).fine();
    ping(&space, V4, "56");
    ping(&space, V6, "56");
    let ended = server.end(rustix::process::Signal::INT);
    ended.fine();
    for name in ["rx_malformed", "rx_unknown_protocol"] {
        assert!(ended.out.contains(&format!("tap0 {name}")), "{ended:?}");
    }
}

/// The stack reaches a server beyond its network by a gateway, without asking for it where it was told.
#[test]
fn other_networks_are_reached_by_a_gateway() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    for (address, family) in [("192.0.2.1/32", "-4"), ("2001:db8:1::1/128", "-6")] {
        let ended = space.exec("ip", &[family, "address", "add", address, "dev", "lo"]);
        ended.fine();
    }
    let rest = format!("{ADDRESSES} --gateway 10.9.0.1,fd00:9::1 --proxy 81=192.0.2.1:82");
    let server = serve(&space, &rest);
    let listener = space
        .netns
        .run(|| std::net::TcpListener::bind("192.0.2.1:82"))
        .unwrap()
        .unwrap();
    let mut client = connect(&space, V4, 81);
    client.write_all(b"hello").unwrap();
    let (mut server_side, _) = listener.accept().unwrap();
    let mut received = [0; 5];
    server_side.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"hello");
    // From an address beyond, the answer goes by the gateway too.
    for (from, to) in [("192.0.2.1", V4), ("2001:db8:1::1", V6)] {
        let ended = space.exec("ping", &["-c", "1", "-W", "5", "-I", from, to]);
        ended.fine();
    }
    drop((client, server_side));
    server.stop();
    let neighbours = space.exec("ip", &["link", "show", "tap0"]);
    assert_ne!(neighbours.code, Some(0), "the device is gone");
}

#[test]
fn options_of_the_link_are_judged() {
    let serve = |rest: &str| netstack(&format!("serve --addr 10.9.0.2/24 {rest}"));
    serve("--tap tap0 --tun tun0").refused(&["--tap", "--tun"]);
    serve("--tap fd:3").refused(&["tap0"]);
    serve("--tun tun0 --gateway 10.9.0.1").refused(&["--gateway", "--tun"]);
    serve("--tap tap0 --shards 2").refused(&["--shards", "--tun NAME"]);
    serve("--tap tap0 --mac 01:00:5e:00:00:01").refused(&["first byte is even"]);
    serve("--tap tap0 --mac 02:00").refused(&["02:00:5e:10:00:01"]);
    serve("--tap tap0 --neighbour 10.9.0.1").refused(&["ADDRESS=MAC"]);
    if may_use_tun() {
        serve("--tap tap0 --gateway 10.8.0.1").refused(&["10.8.0.1", "--addr"]);
        serve("--tap tap0 --gateway 10.9.0.1,10.9.0.3").refused(&["second --gateway"]);
    }
    netstack("bridge --left tap:a --right b").refused(&["--mode route"]);
}

#[test]
fn a_router_has_ethernet_on_either_side() {
    if !may_use_tun() {
        return;
    }
    for (left, right) in [("tap:l0", "r0"), ("tap:l0", "tap:r0")] {
        for offload in ["", "--offload"] {
            let line = format!(
                "bridge --private --mode route --left {left} --right {right} {offload} --for 30s"
            );
            let mut command = Command::new(NETSTACK);
            command.args(line.split_whitespace());
            command.args([
                "--left-cmd",
                "ping -c 3 -i 0.2 -W 5 $PEER && ping -c 3 -i 0.2 -W 5 $PEER6",
            ]);
            let ended = run(&mut command);
            ended.fine();
            assert!(!ended.out.contains("100% packet loss"), "{ended:?}");
        }
    }
}

#[test]
fn a_router_on_ethernet_reaches_networks_by_a_gateway() {
    if !may_use_tun() {
        return;
    }
    // The kernel on the left is asked for no address but those of its link.
    let setup = "sysctl -qw net.ipv4.conf.all.arp_ignore=1; ip link set lo up; \
                 ip address add 192.0.2.1/32 dev lo; ip address add 2001:db8:1::1/128 dev lo nodad";
    let pings = "ping -c 1 -W 5 -I 192.0.2.1 $PEER && ping -c 1 -W 5 -I 2001:db8:1::1 $PEER6";
    for (gateways, replies) in [("", false), ("--left-gateway 10.0.1.2,fd00:1::2", true)] {
        let line = format!(
            "bridge --private --mode route --left tap:l0 --for 30s \
             --left-route 192.0.2.0/24,2001:db8:1::/64 {gateways}"
        );
        let mut command = Command::new(NETSTACK);
        command.args(line.split_whitespace());
        command.args(["--left-cmd", &format!("{setup}; {pings}")]);
        let ended = run(&mut command);
        assert_eq!(ended.code == Some(0), replies, "{ended:?}");
    }
}
