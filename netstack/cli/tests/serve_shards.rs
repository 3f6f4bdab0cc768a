//! Several shards on the queues of a TUN device: the kernel's traffic stays on the shard where it began, and what the kernel
//! sends to another one is passed on.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use common::{Space, Taken, V4, V6, address, connect, judged, netstack, run};
use drivers::netlink::{Address, LinkConfig};
use drivers::{Tun, TunConfig};
use needs::may_use_tun;
use netstack::net::TcpStream;
use netstack::{Counters, Interface, IpCidr, Netstack};
use rustix::process::Signal;
use serde_json::Value;
use txbuf::{Ledger, Pool, PoolConfig};

/// Connections and UDP sockets, of each version of IP.
const FLOWS: usize = 24;

/// What the judge may have against a capture of several queues: each has its own thread, which reads the clock before
/// it hands packets to the one file.
const OF_FILE: &str = "J-FILE-02";

/// What flows exchange with the echo service at a time, and how often.
const MESSAGE: usize = 20_000;
const ROUNDS: usize = 10;

/// Many flows at a time between kernel and stack. Nobody sends a datagram again: the device has room for all that may be
/// under way while nobody reads it.
fn traffic(space: &Space) {
    let queue = ["link", "set", "dev", "tun0", "txqueuelen", "5000"];
    space.exec("ip", &queue).fine();
    thread::scope(|scope| {
        for ip in [V4, V6] {
            for flow in 0..FLOWS {
                scope.spawn(move || {
                    let mut stream = connect(space, ip, 7);
                    let mut buffer = vec![0; MESSAGE];
                    for round in 0..ROUNDS {
                        let message = vec![(flow * ROUNDS + round) as u8; MESSAGE];
                        stream.write_all(&message).unwrap();
                        stream.read_exact(&mut buffer).unwrap();
                        assert!(buffer == message);
                    }
                });
            }
            scope.spawn(move || {
                for _ in 0..FLOWS {
                    let any = if ip == V4 { "0.0.0.0:0" } else { "[::]:0" };
                    let socket = space.netns.run(|| UdpSocket::bind(any)).unwrap().unwrap();
                    socket
                        .set_read_timeout(Some(Duration::from_secs(5)))
                        .unwrap();
                    for round in 0..ROUNDS as u8 {
                        socket.send_to(&[round; 100], address(ip, 7)).unwrap();
                        let mut answer = [0; 200];
                        assert_eq!(socket.recv(&mut answer).unwrap(), 100);
                        assert_eq!(answer[..100], [round; 100]);
                    }
                }
            });
        }
    });
}

fn count(shard: &Value, layer: &str, name: &str) -> u64 {
    shard["counters"][layer][name].as_u64().unwrap()
}

#[test]
fn each_flow_of_the_kernel_stays_on_one_shard() {
    if !may_use_tun() {
        return;
    }
    for rest in [
        "",
        "--offload",
        "--offload --busy-poll 50us",
        "--mtu 9000 --backend calls",
    ] {
        let space = Space::new();
        let dir = tempfile::tempdir().unwrap();
        let pcap = dir.path().join("serve.pcapng");
        let server = serve_sharded(
            &space,
            &format!("--stats --json --pcap {} {rest}", pcap.display()),
        );
        traffic(&space);
        let ended = server.end(Signal::INT);
        ended.fine();
        let total: Value = serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
        let shards = total["shards"].as_array().unwrap();
        assert_eq!(shards.len(), 2);
        for (layer, name, expected) in [
            ("tcp", "passive_opens", 2 * FLOWS),
            ("udp", "in_datagrams", 2 * FLOWS * ROUNDS),
            ("udp", "out_datagrams", 2 * FLOWS * ROUNDS),
        ] {
            let each: Vec<u64> = shards
                .iter()
                .map(|shard| count(shard, layer, name))
                .collect();
            assert_eq!(each.iter().sum::<u64>(), expected as u64, "{name} {each:?}");
            // By chance alone one of them has less than a sixth once in millions of runs.
            assert!(
                each.iter().all(|one| *one > expected as u64 / 8),
                "{name} {each:?}"
            );
            assert_eq!(count(&total, layer, name), expected as u64);
        }
        for shard in shards {
            assert_eq!(count(shard, "ip", "in_other_shard"), 0, "{rest}: {shard}");
            assert_eq!(count(shard, "ip", "strays"), 0, "{rest}: {shard}");
            assert_eq!(
                count(shard, "tcp", "in_no_connection"),
                0,
                "{rest}: {shard}"
            );
            assert!(shard["devices"]["tun0"]["rx_packets"].as_u64().unwrap() > 0);
        }
        // All of it is in the capture, whichever queue it came by.
        let taken = if rest.contains("--offload") {
            Taken::Offload
        } else {
            Taken::Wire
        };
        let (found, packets) = judged(&pcap, taken);
        assert!(
            found.iter().all(|rule| *rule == OF_FILE),
            "{rest}: {found:?}"
        );
        let passed = ["rx_packets", "tx_packets"]
            .map(|name| total["devices"]["tun0"][name].as_u64().unwrap());
        let lost = total["capture"]["dropped"].as_u64().unwrap();
        if rest.contains("--offload") {
            assert_eq!(packets + lost, passed[0] + passed[1]);
        }
        assert_eq!(Some(packets), total["capture"]["packets"].as_u64());
    }
}

fn serve_sharded(space: &Space, rest: &str) -> common::Server {
    common::Server::start(&format!(
        "--tun tun0 --netns {} {} --shards 2 {rest}",
        space.name,
        common::ADDRESSES
    ))
}

#[test]
fn the_totals_tell_of_each_shard() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let server = serve_sharded(&space, "--stats");
    connect(&space, V4, 19).read_exact(&mut [0; 4096]).unwrap();
    let ended = server.end(Signal::INT);
    ended.fine();
    let (of_first, of_second) = (ended.out.find("of shard 0"), ended.out.find("of shard 1"));
    assert!(of_first.is_some() && of_first < of_second, "{ended:?}");
    assert_eq!(
        ended.out.matches("tcp passive_opens").count(),
        2,
        "{ended:?}"
    );
}

#[test]
fn a_device_that_was_made_for_one_queue_is_refused() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    space
        .exec("ip", &["tuntap", "add", "dev", "tun0", "mode", "tun"])
        .fine();
    netstack(&format!(
        "serve --tun tun0 --netns {} --addr 10.9.0.2/24 --shards 2",
        space.name
    ))
    .refused(&["tun0", "multi_queue"]);
}

/// A stack of two shards on `tun0` of `space`.
fn stack(space: &Space) -> Netstack {
    let address = |text: &str| Address {
        local: text.parse().unwrap(),
        peer: None,
    };
    let config = TunConfig {
        netns: Some(space.netns.clone()),
        link: Some(LinkConfig {
            addresses: vec![address("10.9.0.1/24")],
            up: true,
            ..LinkConfig::default()
        }),
        offload: true,
        ..TunConfig::new("tun0")
    };
    let pool = || {
        let config = PoolConfig {
            segment: 128 << 10,
            limit: 64 << 20,
            keep: 8,
        };
        Pool::new(&Ledger::new(), config)
    };
    let mut queues = Tun::open_queues(&config, &[pool(), pool()])
        .unwrap()
        .into_iter();
    let interface = Interface::new("tun0", queues.next().unwrap())
        .queue(queues.next().unwrap())
        .address("10.9.0.2/24".parse::<IpCidr>().unwrap());
    Netstack::builder().interface(interface).start().unwrap()
}

fn strays(stack: &Netstack) -> u64 {
    stack.counters().unwrap().ip.in_other_shard
}

/// The kernel sends what it has not heard of for three seconds to the queue that addresses and ports stand for, and not
/// to that of the shard that has opened the connection.
#[test]
fn connections_that_the_stack_opens_outlive_the_memory_of_the_kernel() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let stack = stack(&space);
    let listener = space
        .netns
        .run(|| TcpListener::bind("10.9.0.1:0"))
        .unwrap()
        .unwrap();
    let to = listener.local_addr().unwrap();
    let mut pairs: Vec<_> = (0..FLOWS)
        .map(|_| {
            let ours = TcpStream::connect(&stack, to).unwrap();
            let (theirs, _) = listener.accept().unwrap();
            (ours, theirs)
        })
        .collect();
    let by_shard = stack
        .inspect(|stack| stack.counters().tcp.active_opens)
        .unwrap();
    assert_eq!(by_shard, [FLOWS as u64 / 2; 2]);
    // The kernel answers a SYN while it takes it in, before it notes by which queue that came: the answer may come by
    // another one, and nothing else.
    let begun = strays(&stack);
    assert!(begun <= FLOWS as u64, "{begun}");
    let mut buffer = vec![0; MESSAGE];
    for (ours, theirs) in &mut pairs {
        for _ in 0..ROUNDS {
            ours.write_all(&[1; MESSAGE]).unwrap();
            theirs.read_exact(&mut buffer).unwrap();
            theirs.write_all(&[2; MESSAGE]).unwrap();
            ours.read_exact(&mut buffer).unwrap();
        }
    }
    assert_eq!(strays(&stack), begun);
    // The kernel clears its table of flows now and then.
    thread::sleep(Duration::from_millis(6500));
    for (ours, theirs) in &mut pairs {
        theirs.write_all(&[3; MESSAGE]).unwrap();
        ours.read_exact(&mut buffer).unwrap();
        assert!(buffer == [3; MESSAGE]);
    }
    let passed_on = strays(&stack);
    assert!(passed_on > begun);
    // Every one was answered by its own shard, so that the kernel knows again.
    for (ours, theirs) in &mut pairs {
        theirs.write_all(&[4; MESSAGE]).unwrap();
        ours.read_exact(&mut buffer).unwrap();
        assert!(buffer == [4; MESSAGE]);
    }
    assert_eq!(strays(&stack), passed_on);
    drop(pairs);
    let ended = stack.shutdown(Duration::from_secs(5)).unwrap();
    let Counters { tcp, ip, .. } = ended.counters.clone();
    assert_eq!(
        (tcp.out_resets, tcp.in_no_connection, ip.stray_queue_full),
        (0, 0, 0)
    );
    assert_eq!(ended.live_nodes(), 0);
}

#[test]
fn a_device_with_queues_that_was_there_stays() {
    if !may_use_tun() {
        return;
    }
    let space = Space::new();
    let ip = |line: &str| {
        run(std::process::Command::new("ip")
            .args(["-n", &space.name])
            .args(line.split(' ')))
        .fine()
    };
    ip("tuntap add dev tun0 mode tun multi_queue");
    for _ in 0..2 {
        let server = serve_sharded(&space, "");
        connect(&space, V4, 19).read_exact(&mut [0; 4096]).unwrap();
        server.stop();
        assert!(space.has_device("tun0"));
    }
    let refused = netstack(&format!(
        "serve --tun tun0 --netns {} --addr 10.9.0.2/24",
        space.name
    ));
    refused.refused(&["tun0", "single queue"]);
}
