//! `netstack serve` against the real kernel: ping, curl and kernel sockets, over both versions of IP, at three MTUs.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    ADDRESSES, Server, Space, Taken, V4, V6, address, connect, judged, netstack, run, serve,
};
use needs::may_use_tun;
use rustix::process::Signal;
use sha2::{Digest as _, Sha256};

/// What curl downloads.
const FILE: usize = 200_000_000;
/// What goes through the echo service.
const ECHO: u64 = 1 << 30;

/// What the judge has against the kernel's packets.
const OF_KERNEL: [&str; 0] = [];

/// Sends `size` bytes to the echo service and compares what comes back by hash.
fn echo(space: &Space, ip: &str, size: u64) {
    let mut receiver = connect(space, ip, 7);
    let mut sender = receiver.try_clone().unwrap();
    let sending = thread::spawn(move || {
        let mut hash = Sha256::new();
        let mut block: Vec<u8> = (0..1u32 << 16)
            .flat_map(|i| i.wrapping_mul(0x9e37_79b9).to_le_bytes())
            .collect();
        let mut left = size;
        while left > 0 {
            block[..8].copy_from_slice(&left.to_le_bytes());
            let length = block.len().min(usize::try_from(left).unwrap());
            hash.update(&block[..length]);
            sender.write_all(&block[..length]).unwrap();
            left -= length as u64;
        }
        sender.shutdown(std::net::Shutdown::Write).unwrap();
        hash.finalize()
    });
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut received = 0;
    loop {
        match receiver.read(&mut buffer).unwrap() {
            0 => break,
            read => {
                hash.update(&buffer[..read]);
                received += read as u64;
            }
        }
    }
    assert_eq!(received, size);
    assert!(
        hash.finalize() == sending.join().unwrap(),
        "the echo over {ip} differs"
    );
}

/// The packets of a capture that tshark finds malformed or whose checksum it finds wrong.
fn complaints_of_tshark(pcap: &Path) -> String {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(pcap);
    let mut filter = "_ws.malformed".to_owned();
    for protocol in ["ip", "tcp", "udp"] {
        tshark.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
        filter.push_str(&format!(" || {protocol}.checksum.status == \"Bad\""));
    }
    filter.push_str(" || icmp.checksum.status == \"Bad\" || icmpv6.checksum.status == \"Bad\"");
    let ended = run(tshark.args(["-Y", &filter]));
    ended.fine();
    ended.out
}

fn ping(space: &Space, ip: &str, size: &str) {
    let ended = space.exec("ping", &["-c", "3", "-i", "0.2", "-W", "5", "-s", size, ip]);
    ended.fine();
    assert!(ended.out.contains(" 0% packet loss"), "{ended:?}");
}

fn download(space: &Space, ip: &str, dir: &Path, hash: &[u8]) {
    let target = dir.join("downloaded");
    let host = if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip.to_owned()
    };
    let url = format!("http://{host}/file");
    let ended = space.exec(
        "curl",
        &[
            "-sSfg",
            "--max-time",
            "120",
            "-o",
            target.to_str().unwrap(),
            &url,
        ],
    );
    ended.fine();
    let file = fs::read(&target).unwrap();
    assert_eq!(file.len(), FILE);
    assert!(
        Sha256::digest(&file)[..] == *hash,
        "the file over {ip} differs"
    );
}

/// Everything at one MTU. The file that curl gets is made once for all.
fn at_mtu(mtu: u32) {
    if !may_use_tun() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir(&root).unwrap();
    let file: Vec<u8> = (0..FILE as u32 / 4)
        .flat_map(|i| i.wrapping_mul(0x85eb_ca6b).to_le_bytes())
        .collect();
    fs::write(root.join("file"), &file).unwrap();
    let hash = Sha256::digest(&file);
    drop(file);

    let space = Space::new();
    let rest = format!(
        "--mtu {mtu} --service echo:7,http:80 --http-root {}",
        root.display()
    );
    let server = serve(&space, &rest);
    for ip in [V4, V6] {
        ping(&space, ip, "56");
        ping(&space, ip, "4000");
        download(&space, ip, dir.path(), &hash);
        echo(&space, ip, ECHO);
    }
    server.stop();
    assert!(!space.has_device("tun0"));
}

#[test]
fn everything_at_mtu_1500() {
    at_mtu(1500);
}

#[test]
fn everything_at_mtu_1280() {
    at_mtu(1280);
}

#[test]
fn everything_at_mtu_65535() {
    at_mtu(65535);
}

#[test]
fn an_mtu_that_is_raised_while_serving_is_spoken_of() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let server = serve(&space, "");
    run(Command::new("ip").args(["-n", &space.name, "link", "set", "tun0", "mtu", "3000"])).fine();
    let lost = space.exec("ping", &["-c", "1", "-W", "1", "-s", "2500", V4]);
    assert_eq!(lost.code, Some(1), "{lost:?}");
    ping(&space, V4, "1400");
    thread::sleep(Duration::from_secs(2));
    let ended = server.end(Signal::INT);
    ended.fine();
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    assert!(
        ended.err.contains("rx_too_big") && ended.err.contains("set its MTU back"),
        "{}",
        ended.err
    );
}

#[test]
fn an_address_that_the_kernel_drops_is_spoken_of() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let server = serve(&space, "");
    let ip = |line: &str| {
        space
            .exec("ip", &line.split(' ').collect::<Vec<_>>())
            .fine()
    };
    ip("link set tun0 down");
    ip("link set tun0 up");
    thread::sleep(Duration::from_millis(2500));
    ping(&space, V4, "56");
    ip("address add fd00:9::1/64 dev tun0");
    ping(&space, V6, "56");
    let ended = server.end(Signal::INT);
    ended.fine();
    let told = "ip address add fd00:9::1/64 dev tun0";
    assert_eq!(ended.err.matches(told).count(), 1, "{ended:?}");
}

#[test]
fn default_services_over_tcp_and_udp() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let server = serve(&space, "");
    for ip in [V4, V6] {
        echo(&space, ip, 100_000);
        let mut discard = connect(&space, ip, 9);
        discard.write_all(&vec![1; 1 << 20]).unwrap();
        discard.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(discard.read(&mut [0; 16]).unwrap(), 0);
        let any = if ip == V4 { "0.0.0.0:0" } else { "[::]:0" };
        let socket = space.netns.run(|| UdpSocket::bind(any)).unwrap().unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        // The larger one is more than a packet: fragments, both ways.
        for size in [1, 1000, 9000] {
            let datagram = vec![7; size];
            socket.send_to(&datagram, address(ip, 7)).unwrap();
            let mut answer = vec![0; 65535];
            let length = socket.recv(&mut answer).unwrap_or_else(|error| {
                panic!("no answer to a datagram of {size} over {ip}: {error}")
            });
            assert!(
                answer[..length] == datagram,
                "a datagram of {size} over {ip}"
            );
        }
        // A port without a service refuses at once.
        let refused = space
            .netns
            .run(|| TcpStream::connect_timeout(&address(ip, 81), Duration::from_secs(5)))
            .unwrap();
        assert_eq!(
            refused.unwrap_err().kind(),
            std::io::ErrorKind::ConnectionRefused
        );
        socket.connect(address(ip, 81)).unwrap();
        socket.send(b"anybody?").unwrap();
        assert_eq!(
            socket.recv(&mut [0; 16]).unwrap_err().kind(),
            std::io::ErrorKind::ConnectionRefused
        );
    }
    // At last: each packet that is on its way when the socket closes is answered with a reset, and so many at once
    // that the device's queue in the kernel drops whatever else is sent meanwhile.
    for ip in [V4, V6] {
        let mut chargen = connect(&space, ip, 19);
        let mut characters = vec![0; 1 << 20];
        chargen.read_exact(&mut characters).unwrap();
        assert!(
            characters
                .iter()
                .all(|c| c.is_ascii_graphic() || b" \r\n".contains(c))
        );
    }
    server.stop();
}

#[test]
fn nothing_is_left_by_any_end() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let server = serve(&space, "");
        // With a connection in the middle of everything.
        let mut chargen = connect(&space, V4, 19);
        chargen.read_exact(&mut [0; 4096]).unwrap();
        assert!(space.has_device("tun0"));
        server.end(signal).fine();
        assert!(!space.has_device("tun0"));
    }
    let ended = netstack(&format!(
        "serve --tun tun0 --netns {} {ADDRESSES} --for 300ms {}",
        space.name,
        common::shards()
    ));
    ended.fine();
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("ready\n", ""));
    assert!(!space.has_device("tun0"));
}

/// All that the kernel has on the device and is for users to see.
fn picture(space: &Space) -> String {
    let show = |what| {
        let line = format!("{what} show dev tun0");
        let ended = space.exec("ip", &line.split(' ').collect::<Vec<_>>());
        ended.fine();
        ended.out
    };
    // The kernel takes an IPv6 address into use a moment after it was added.
    let deadline = Instant::now() + Duration::from_secs(5);
    while show("-j addr").contains("tentative") && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(2));
    }
    ["-j addr", "-4 route", "-6 route"].map(show).concat()
}

/// A TUN device that does not go with whoever has it open.
fn persistent(space: &Space, lines: &[&str]) {
    let queues = if common::shards() == "--shards 1" {
        ""
    } else {
        " multi_queue"
    };
    let made = format!("tuntap add dev tun0 mode tun{queues}");
    let mut all = vec![
        made.as_str(),
        // Once up, a device keeps the queueing discipline that it gets.
        "link set tun0 up",
        "link set tun0 down",
    ];
    all.extend(lines);
    for line in all {
        let words: Vec<&str> = line.split(' ').collect();
        space.exec("ip", &words).fine();
    }
}

#[test]
fn a_device_that_was_there_stays() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    persistent(
        &space,
        &["addr add 10.9.0.1/24 dev tun0", "link set tun0 up"],
    );
    let before = picture(&space);
    let server = Server::start(&format!(
        "--tun tun0 --netns {} --addr 10.9.0.2/24 {}",
        space.name,
        common::shards()
    ));
    ping(&space, V4, "56");
    echo(&space, V4, 1 << 20);
    server.stop();
    assert_eq!(picture(&space), before);
}

#[test]
fn a_device_that_was_there_is_as_before() {
    if !may_use_tun() {
        return;
    }
    let bare = &[][..];
    let down = &[
        "addr add 10.9.0.1/24 dev tun0",
        "addr add fd00:8::1/64 dev tun0",
    ];
    let up = &[
        "addr add 10.9.0.1/24 brd 10.9.0.77 dev tun0",
        "addr add 10.7.0.1/24 dev tun0",
        "addr add fd00:9::1/64 dev tun0",
        "link set tun0 txqueuelen 77 mtu 1400 up",
        "route add 10.6.0.0/16 dev tun0",
    ];
    for lines in [bare, down, up] {
        let space = Space::new();
        persistent(&space, lines);
        let before = picture(&space);
        for signal in [Signal::INT, Signal::TERM] {
            let server = serve(&space, "--mtu 1300");
            for ip in [V4, V6] {
                echo(&space, ip, 100_000);
            }
            // With a connection in the middle of everything.
            connect(&space, V4, 19).read_exact(&mut [0; 4096]).unwrap();
            assert_ne!(picture(&space), before);
            let ended = server.end(signal);
            ended.fine();
            assert_eq!(ended.err, "");
            assert_eq!(picture(&space), before, "after {signal:?}");
        }
        // Nor does a command that fails leave anything.
        space
            .exec("ip", &["addr", "add", "fd00:a::1/128", "dev", "tun0"])
            .fine();
        let before = picture(&space);
        netstack(&format!(
            "serve --tun tun0 --netns {} --mtu 1300 --addr 10.9.0.2/24,fd00:a::2/64 \
             --peer 10.9.0.1/24,fd00:a::1/64 {}",
            space.name,
            common::shards()
        ))
        .refused(&["fd00:a::1/64", "ip address del"]);
        assert_eq!(picture(&space), before);
    }
}

/// A capture that nobody reads any more keeps neither the device nor the command.
#[test]
fn a_capture_that_is_not_read() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    persistent(&space, &[]);
    let before = picture(&space);
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    run(Command::new("mkfifo").arg(&pipe)).fine();
    // Open for both, so that opening waits for nobody.
    let open = fs::OpenOptions::new().read(true).write(true).open(&pipe);
    let reader = open.unwrap();
    let server = serve(&space, &format!("--pcap {}", pipe.display()));
    echo(&space, V4, 1 << 20);
    let ended = server.end(Signal::INT);
    ended.refused(&["capture", "--pcap", "packets"]);
    assert_eq!(picture(&space), before);
    drop(reader);
}

#[test]
fn a_descriptor_that_was_inherited() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let ledger = txbuf::Ledger::new();
    let pool = txbuf::Pool::new(
        &ledger,
        txbuf::PoolConfig {
            segment: 65536,
            limit: 1 << 20,
            keep: 1,
        },
    );
    let config = drivers::TunConfig {
        netns: Some(space.netns.clone()),
        ..drivers::TunConfig::new("tun0")
    };
    let tun = drivers::Tun::open(&config, &pool).unwrap();
    let fd = drivers::Device::poll_fd(&tun)
        .unwrap()
        .try_clone_to_owned()
        .unwrap();
    drop(tun);
    let line = format!(
        "serve --tun fd:0 --netns {} {ADDRESSES} --service echo:7 --backend calls",
        space.name
    );
    let server = Server::spawn(
        Command::new(common::NETSTACK)
            .args(line.split_whitespace())
            .stdin(Stdio::from(fd)),
    );
    echo(&space, V6, 1 << 20);
    server.stop();
    assert!(!space.has_device("tun0"));
}

/// What `--stats` says of drops at the end of each second, added up.
fn drops_of(out: &str) -> u64 {
    let of_line = |line: &str| line.rsplit_once("  drops ")?.1.parse::<u64>().ok();
    out.lines().filter_map(of_line).sum()
}

#[test]
fn drops_are_what_was_dropped() {
    if !may_use_tun() {
        return;
    }
    for offload in ["", "--offload"] {
        let space = Space::new();
        let server = serve(&space, &format!("--stats {offload}"));
        for ip in [V4, V6] {
            let mut discard = connect(&space, ip, 9);
            // No more than the queue of the device holds: what that drops comes again, some of it in vain.
            discard.write_all(&vec![1; 400 << 10]).unwrap();
            discard.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!(discard.read(&mut [0; 16]).unwrap(), 0);
        }
        thread::sleep(Duration::from_millis(2100));
        let ended = server.end(Signal::INT);
        ended.fine();
        assert!(ended.out.contains("drops 0"), "{ended:?}");
        assert_eq!(drops_of(&ended.out), 0, "{ended:?}");
        assert_eq!(
            ended.out.contains("tun0 joined"),
            offload.is_empty(),
            "{ended:?}"
        );
    }
    // Datagrams for a port that nobody has.
    let space = Space::new();
    let server = serve(&space, "--stats");
    let socket = space
        .netns
        .run(|| UdpSocket::bind("0.0.0.0:0"))
        .unwrap()
        .unwrap();
    for _ in 0..17 {
        socket.send_to(b"nobody", address(V4, 1234)).unwrap();
    }
    thread::sleep(Duration::from_millis(2100));
    let ended = server.end(Signal::INT);
    ended.fine();
    assert_eq!(drops_of(&ended.out), 17, "{ended:?}");
}

#[test]
fn counters_and_capture() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let dir = tempfile::tempdir().unwrap();
    let pcap = dir.path().join("serve.pcapng");
    let rest = format!("--stats --json --pcap {}", pcap.display());
    let server = serve(&space, &rest);
    ping(&space, V4, "56");
    echo(&space, V6, 1 << 20);
    thread::sleep(Duration::from_millis(1100));
    let ended = server.end(Signal::TERM);
    ended.fine();
    let lines: Vec<serde_json::Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (total, seconds) = lines.split_last().unwrap();
    assert!(
        !seconds.is_empty() && seconds.iter().all(|line| line["kind"] == "second"),
        "{ended:?}"
    );
    assert_eq!(total["kind"], "total");
    assert!(total["devices"]["tun0"]["rx_packets"].as_u64().unwrap() > 100);
    assert!(
        total["counters"]["ip"]["icmp_in_echo_requests"]
            .as_u64()
            .unwrap()
            >= 3
    );
    let (of_kernel, packets) = judged(&pcap, Taken::Wire);
    assert_eq!(of_kernel, OF_KERNEL);
    assert_eq!(complaints_of_tshark(&pcap), "");
    assert_eq!(Some(packets), total["capture"]["packets"].as_u64());

    let ended = netstack(&format!(
        "serve --tun tun0 --netns {} {ADDRESSES} --stats --for 1200ms {}",
        space.name,
        common::shards()
    ));
    ended.fine();
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(
        lines[1].contains("packets/s") && lines[1].contains("Gbit/s"),
        "{ended:?}"
    );
    assert!(lines[2].starts_with("total of 1."), "{ended:?}");
}
