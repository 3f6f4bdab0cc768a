//! Datagrams that travel together, between sockets of the kernel with `UDP_SEGMENT` and `UDP_GRO` and the echo service.

mod common;

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use common::{Space, V4, V6, address, serve};
use drivers::netlink::{Address, LinkConfig};
use drivers::{Tun, TunConfig};
use needs::may_use_tun;
use netstack::{Interface, Netstack, SendControl, SendFlags, net};
use rustix::process::Signal;
use serde_json::Value;
use txbuf::{IovIter, Ledger, Pool, PoolConfig};

/// Sends a message of so many segments by one call, and takes the echo. Prints how many messages the kernel's socket
/// got it in; each says its segment size if it is several datagrams.
const CLIENT: &str = "
import socket, struct, sys
address, size, total, gro = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == 'gro'
UDP_SEGMENT, UDP_GRO = 103, 104
family = socket.AF_INET6 if ':' in address else socket.AF_INET
client = socket.socket(family, socket.SOCK_DGRAM)
client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
if gro:
    client.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
client.connect((address, 7))
client.settimeout(10)
data = bytes((i * 7 + i // 256) % 256 for i in range(total))
client.send(data)
got, messages = b'', 0
while len(got) < total:
    message, control, flags, _ = client.recvmsg(1 << 16, 1 << 10)
    assert not flags & socket.MSG_TRUNC, flags
    segments = [struct.unpack('=i', value[:4])[0] for level, kind, value in control if (level, kind) == (17, UDP_GRO)]
    if len(message) > size:
        assert segments == [size], (segments, len(message))
    elif len(got) + len(message) < total:
        assert len(message) == size, len(message)
    got += message
    messages += 1
assert got == data
print(messages)
";

/// How many messages come back.
fn ask(space: &Space, address: &str, size: usize, total: usize, gro: bool) -> usize {
    let [size, total] = [size, total].map(|number| number.to_string());
    let gro = if gro { "gro" } else { "" };
    let ended = space.exec("python3", &["-c", CLIENT, address, &size, &total, gro]);
    ended.fine();
    ended.out.trim().parse().unwrap()
}

/// What the device and UDP counted at the end.
fn totals(out: &str) -> impl Fn(&str, &str) -> u64 {
    let line = out.lines().last().unwrap().to_owned();
    let value: Value = serde_json::from_str(&line).unwrap();
    move |part, name| {
        let group = match part {
            "device" => &value["devices"]["tun0"],
            part => &value["counters"][part],
        };
        group[name].as_u64().unwrap()
    }
}

/// Sizes of segments and messages, and of how many datagrams a message is.
const MESSAGES: [(usize, usize, u64); 4] = [
    (1000, 44_000, 44),
    (1400, 60_001, 43),
    (1, 64, 64),
    (1400, 1401, 2),
];

#[test]
fn with_offload_what_came_together_goes_together() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let server = serve(&space, "--offload --stats --json");
    let mut datagrams = 0;
    for address in [V4, V6] {
        for (size, total, count) in MESSAGES {
            assert_eq!(ask(&space, address, size, total, true), 1);
            // The kernel takes it apart for a socket that did not ask.
            let apart = ask(&space, address, size, total, false);
            assert_eq!(apart as u64, count);
            datagrams += 2 * count;
        }
    }
    let ended = server.end(Signal::INT);
    ended.fine();
    let total = totals(&ended.out);
    assert_eq!(total("udp", "in_datagrams"), datagrams);
    assert_eq!(total("udp", "out_datagrams"), datagrams);
    // Each message was one packet, in both directions, and none was cut here.
    let messages = 4 * MESSAGES.len() as u64;
    assert!(
        total("device", "tx_packets") < messages + 20,
        "{}",
        ended.out
    );
    assert!(
        total("device", "rx_packets") < messages + 40,
        "{}",
        ended.out
    );
    assert_eq!(total("device", "super_packets"), 0);
}

#[test]
fn plain_devices_carry_them_one_by_one() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let server = serve(&space, "--stats --json");
    let mut datagrams = 0;
    for address in [V4, V6] {
        for (size, total, count) in MESSAGES {
            for gro in [true, false] {
                assert_eq!(ask(&space, address, size, total, gro) as u64, count);
                datagrams += count;
            }
        }
    }
    let ended = server.end(Signal::INT);
    ended.fine();
    let total = totals(&ended.out);
    assert_eq!(total("udp", "in_datagrams"), datagrams);
    assert_eq!(total("udp", "out_datagrams"), datagrams);
    assert!(total("device", "tx_packets") >= datagrams);
}

/// A stack of this process on a device in `space`.
fn stack(space: &Space, offload: bool) -> Netstack {
    let local = |cidr: &str| Address {
        local: cidr.parse().unwrap(),
        peer: None,
    };
    let config = TunConfig {
        netns: Some(space.netns.clone()),
        offload,
        link: Some(LinkConfig {
            addresses: vec![local("10.9.0.1/24"), local("fd00:9::1/64")],
            up: true,
            ..LinkConfig::default()
        }),
        ..TunConfig::new("tun0")
    };
    let memory = PoolConfig {
        segment: 128 << 10,
        limit: 16 << 20,
        keep: 4,
    };
    let tun = Tun::open(&config, &Pool::new(&Ledger::new(), memory)).unwrap();
    let interface = Interface::new("tun0", tun)
        .address("10.9.0.2/24".parse::<netstack::IpCidr>().unwrap())
        .address("fd00:9::2/64".parse::<netstack::IpCidr>().unwrap());
    Netstack::builder().interface(interface).start().unwrap()
}

/// What the stack sends by one call reaches a socket of the kernel as so many datagrams, each with its checksum.
fn the_kernel_gets_every_segment(offload: bool) {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let net = stack(&space, offload);
    let (mut messages, mut datagrams) = (0, 0);
    for (ip, to) in [(V4, "10.9.0.1"), (V6, "fd00:9::1")] {
        let bound = space.netns.run(|| UdpSocket::bind(address(to, 0)));
        let kernel = bound.unwrap().unwrap();
        kernel
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let to: SocketAddr = kernel.local_addr().unwrap();
        let socket = net::UdpSocket::bind(&net, address(ip, 0)).unwrap();
        for (size, total, count) in MESSAGES {
            let data: Vec<u8> = (0..total).map(|i| (i * 7 + i / 256) as u8).collect();
            let control = SendControl::segments(to, u16::try_from(size).unwrap());
            let mut from = IovIter::bytes(&data);
            let sent = socket.send_message(&mut from, SendFlags::NONE, &control);
            assert_eq!(sent.unwrap(), total);
            let mut buffer = vec![0; 1 << 16];
            for piece in data.chunks(size) {
                let (length, from) = kernel.recv_from(&mut buffer).unwrap();
                assert!(buffer[..length] == *piece);
                assert_eq!(from, socket.local_addr().unwrap());
            }
            messages += 1;
            datagrams += count;
            assert_eq!(net.counters().unwrap().udp.out_datagrams, datagrams);
        }
    }
    let cut = if offload { 0 } else { messages };
    // A device is counted after what it sent has arrived.
    let deadline = Instant::now() + Duration::from_secs(10);
    while net.interfaces().unwrap()[0].device.super_packets < cut && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    let device = net.interfaces().unwrap()[0].device;
    assert_eq!(device.super_packets, cut, "{device:?}");
    assert_eq!(device.drops(), 0, "{device:?}");
}

#[test]
fn the_kernel_gets_every_segment_from_an_offloading_device() {
    the_kernel_gets_every_segment(true);
}

#[test]
fn the_kernel_gets_every_segment_from_a_plain_device() {
    the_kernel_gets_every_segment(false);
}
