//! Two devices joined, on links in memory.

mod common;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::cidr;
use netstack::bridge::{BridgeEnd, BridgeReport};
use netstack::drivers::impair::{Chance, Impairments};
use netstack::drivers::memory::{EndConfig, MemoryConfig, MemoryEnd, raw_pair};
use netstack::drivers::{Capabilities, Device, DeviceCounters};
use netstack::net::{TcpListener, TcpStream};
use netstack::txbuf::{Ledger, Offloads, Packet, Span, StableBytes, checksum};
use netstack::{Bridge, Injector, Interface, Netstack, Passage, Verdict};

const ALL: Offloads = Offloads {
    tx_checksum: true,
    rx_checksum: true,
    tso: true,
    uso: true,
};
const PLAIN: Offloads = Offloads {
    tx_checksum: false,
    rx_checksum: false,
    tso: false,
    uso: false,
};
const PATIENCE: Duration = Duration::from_secs(20);

/// A link whose one end is the bridge's.
fn link(mtu: usize, offloads: Offloads) -> (MemoryEnd, MemoryEnd) {
    let ends = [EndConfig { mtu, offloads }; 2];
    raw_pair(MemoryConfig {
        ends,
        queue: 64,
        wakeup: true,
    })
    .expect("descriptors")
}

fn packet(ledger: &Ledger, number: u32, len: usize) -> Packet {
    let mut bytes = vec![7; len];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Packet::from_span(Span::from_bytes(ledger, bytes.into()).expect("short"))
}

/// Waits until `count` packets have arrived.
#[track_caller]
fn receive(end: &mut MemoryEnd, count: usize) -> Vec<Packet> {
    let (mut arrived, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while arrived.len() < count {
        assert!(Instant::now() < deadline, "{} of {count}", arrived.len());
        let left = count - arrived.len();
        if end.receive(&mut arrived, left).expect("a link") == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    arrived
}

#[track_caller]
fn value(counters: &[(&'static str, u64)], name: &str) -> u64 {
    let found = counters.iter().find(|(other, _)| *other == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {counters:?}"))
        .1
}

#[test]
fn a_wire_passes_everything_as_it_is_by_its_one_reference() {
    let ((mut one, left), (right, mut other)) = (link(1500, PLAIN), link(1500, PLAIN));
    let bridge = Bridge::wire(Interface::new("left", left), Interface::new("right", right))
        .start()
        .expect("a bridge");
    let ledger = Ledger::tracking();
    // No IP packet at all, and longer than a header area.
    let mut there = VecDeque::from([packet(&ledger, 1, 900)]);
    one.transmit(&mut there).expect("a link");
    let arrived = receive(&mut other, 1);
    assert_eq!(
        arrived[0].to_vec().expect("readable"),
        packet(&Ledger::new(), 1, 900).to_vec().unwrap()
    );
    assert_eq!(
        ledger
            .dump(0)
            .iter()
            .map(|node| node.pins)
            .collect::<Vec<_>>(),
        [1]
    );
    let mut back = VecDeque::from(arrived);
    other.transmit(&mut back).expect("a link");
    receive(&mut one, 1);
    let BridgeEnd {
        report, devices, ..
    } = bridge.stop().expect("no panic");
    let counts = report
        .interfaces
        .map(|side| (side.device.rx_packets, side.device.tx_packets));
    assert_eq!((counts, devices.len()), ([(1, 1), (1, 1)], 2));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn a_device_that_is_behind_slows_the_other_side_and_loses_nothing() {
    let ((mut one, left), (right, mut other)) = (link(1500, PLAIN), link(1500, PLAIN));
    let bridge = Bridge::wire(Interface::new("left", left), Interface::new("right", right))
        .start()
        .expect("a bridge");
    let ledger = Ledger::new();
    let mut waiting: VecDeque<Packet> = (0..5000).map(|i| packet(&ledger, i, 200)).collect();
    let deadline = Instant::now() + Duration::from_millis(300);
    while Instant::now() < deadline {
        one.transmit(&mut waiting).expect("a link");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(
        waiting.len() > 4000,
        "what is on its way is bounded: {}",
        waiting.len()
    );
    let mut arrived = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while arrived.len() < 5000 && Instant::now() < deadline {
        one.transmit(&mut waiting).expect("a link");
        other.receive(&mut arrived, 64).expect("a link");
    }
    let numbers = arrived.iter().map(|packet| {
        let mut bytes = [0; 4];
        packet.copy_to(0, &mut bytes).expect("readable");
        u32::from_be_bytes(bytes)
    });
    assert!(numbers.eq(0..5000));
    drop(bridge);
}

/// The end of a link that can be set down.
struct Fallible(MemoryEnd, Arc<AtomicBool>);

impl Device for Fallible {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        self.0.receive(into, max)
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        match self.1.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::NetworkDown.into()),
            false => self.0.transmit(from),
        }
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.poll_fd()
    }

    fn counters(&self) -> DeviceCounters {
        self.0.counters()
    }
}

/// Gives all of `waiting` to the bridge, which has to read it.
#[track_caller]
fn send_all(end: &mut MemoryEnd, mut waiting: VecDeque<Packet>) {
    let deadline = Instant::now() + PATIENCE;
    while !waiting.is_empty() {
        assert!(Instant::now() < deadline, "{} are not read", waiting.len());
        end.transmit(&mut waiting).expect("a link");
        thread::sleep(Duration::from_millis(1));
    }
}

#[track_caller]
fn wait_for(bridge: &Bridge, what: &str, is_there: impl Fn(&BridgeReport) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_there(&bridge.report().expect("it runs")) {
        assert!(Instant::now() < deadline, "{what}: {:?}", bridge.report());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_wire_drops_what_waited_too_long_and_delivers_what_did_not() {
    let ((mut one, left), (right, mut other)) = (link(1500, PLAIN), link(1500, PLAIN));
    let down = Arc::new(AtomicBool::new(true));
    let right = Fallible(right, Arc::clone(&down));
    let bridge = Bridge::wire(Interface::new("left", left), Interface::new("right", right))
        .start()
        .expect("a bridge");
    let ledger = Ledger::new();
    // Far more than there is room for: who sends it is not held up for good.
    send_all(
        &mut one,
        (0..2000).map(|i| packet(&ledger, i, 200)).collect(),
    );
    wait_for(&bridge, "all are late", |report| {
        report.directions[0].late_dropped == 2000
    });
    let end = bridge.report().expect("it runs").interfaces[1].clone();
    assert!(end.transmit_errors > 1, "{end:?}");
    down.store(false, Ordering::SeqCst);
    send_all(
        &mut one,
        (2000..2010).map(|i| packet(&ledger, i, 200)).collect(),
    );
    let arrived = receive(&mut other, 10);
    let first = arrived[0].to_vec().expect("readable");
    assert_eq!(first[..4], 2000_u32.to_be_bytes());
    assert_eq!(bridge.report().unwrap().directions[0].late_dropped, 2000);
}

#[test]
fn packets_that_are_on_their_way_at_the_end_are_told() {
    let ((mut one, left), (right, mut other)) = (link(1500, PLAIN), link(1500, PLAIN));
    let slow = Impairments {
        delay: Duration::from_secs(3600),
        ..Impairments::default()
    };
    let down = Arc::new(AtomicBool::new(true));
    let left = Fallible(left, Arc::clone(&down));
    let bridge = Bridge::wire(Interface::new("left", left), Interface::new("right", right))
        .left_to_right(slow.pipeline(1, 0))
        .start()
        .expect("a bridge");
    let ledger = Ledger::new();
    let some = |count| (0..count).map(|i| packet(&ledger, i, 200)).collect();
    send_all(&mut one, some(7));
    // More than are given to the device at once.
    send_all(&mut other, some(300));
    wait_for(&bridge, "all have come", |report| {
        let [left, right] = &report.interfaces;
        (left.device.rx_packets, right.device.rx_packets) == (7, 300)
    });
    let end = bridge.stop().expect("no panic");
    let [there, back] = end.report.directions;
    assert_eq!((there.under_way, there.late_dropped), (7, 0));
    assert_eq!(back.under_way + back.late_dropped, 300);
}

/// An IPv4 packet whose rest is `payload`.
fn ipv4(ledger: &Ledger, protocol: u8, to: [u8; 4], payload: &[u8]) -> Packet {
    let mut bytes = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 1, 2];
    bytes.extend(to);
    bytes.extend(payload);
    let length = bytes.len() as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    let sum = !checksum::sum(&bytes[..20]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    Packet::from_span(Span::from_bytes(ledger, bytes.into()).expect("short"))
}

#[test]
fn a_router_whose_one_side_is_down_hears_the_other_and_counts_what_is_late() {
    let ((mut one, left), (right, mut other)) = (link(1500, PLAIN), link(1500, PLAIN));
    let down = Arc::new(AtomicBool::new(true));
    let left = Interface::new("left", left).address(cidr("10.0.1.1/24"));
    let right = Interface::new("right", Fallible(right, Arc::clone(&down)));
    let bridge = Bridge::route(left, right.address(cidr("10.0.2.1/24")))
        .start()
        .expect("a bridge");
    let ledger = Ledger::new();
    let across = |number: u32| ipv4(&ledger, 253, [10, 0, 2, 2], &[number as u8; 100]);
    // More than lane and device have room for, and then the router itself is asked.
    send_all(&mut one, (0..1000).map(across).collect());
    let mut ask = vec![8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let sum = !checksum::sum(&ask);
    ask[2..4].copy_from_slice(&sum.to_be_bytes());
    send_all(&mut one, [ipv4(&ledger, 1, [10, 0, 1, 1], &ask)].into());
    let answer = receive(&mut one, 1)[0].to_vec().expect("readable");
    assert_eq!((answer[9], answer[20], &answer[24..]), (1, 0, &ask[4..]));
    wait_for(&bridge, "all that waited is late", |report| {
        let router = report.router.as_ref().expect("a router");
        router.ip.forward_queue_late + report.directions[0].late_dropped == 1000
    });
    down.store(false, Ordering::SeqCst);
    send_all(&mut one, [across(77)].into());
    let last = receive(&mut other, 1)[0].to_vec().expect("readable");
    assert_eq!(last[20..], [77; 100]);
}

/// Moves bytes both ways between stacks on both sides, and checks them.
fn transfer(one: &Netstack, other: &Netstack, to: &str, size: usize) {
    let listener = TcpListener::bind(other, to).expect("a free port");
    let pattern: Vec<u8> = (0..size).map(|i| (i * 31 / 7) as u8).collect();
    let expected = pattern.clone();
    let echo = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        let mut received = vec![0; size];
        stream.read_exact(&mut received).expect("all of it");
        assert!(received == expected, "there");
        stream.write_all(&received).expect("a connection");
    });
    let mut stream = TcpStream::connect(one, to).expect("a way");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    stream.write_all(&pattern).expect("a connection");
    let mut received = vec![0; size];
    stream.read_exact(&mut received).expect("all of it");
    assert!(received == pattern, "back");
    echo.join().expect("no panic");
}

fn stack(end: MemoryEnd, address: &str, gateway: Option<&str>) -> Netstack {
    let mut interface = Interface::new("link", end).address(cidr(address));
    if let Some(gateway) = gateway {
        let gateway = Some(gateway.parse().expect("an address"));
        interface = interface.route(cidr("0.0.0.0/0"), gateway);
    }
    Netstack::builder()
        .interface(interface)
        .start()
        .expect("a stack")
}

#[test]
fn tcp_over_a_bad_wire_loses_nothing() {
    let bad = Impairments {
        delay: Duration::from_millis(2),
        jitter: Duration::from_millis(1),
        loss: Chance::per_mille(10),
        reorder: Chance::per_mille(10),
        duplicate: Chance::per_mille(10),
        corrupt: Chance::per_mille(5),
        rate: Some(200_000_000),
        ..Impairments::default()
    };
    for offloads in [PLAIN, ALL] {
        let ((one, left), (right, other)) = (link(1500, offloads), link(1500, PLAIN));
        let bridge = Bridge::wire(Interface::new("left", left), Interface::new("right", right))
            .left_to_right(bad.pipeline(3, 0))
            .right_to_left(bad.pipeline(3, 1))
            .start()
            .expect("a bridge");
        let (one, other) = (
            stack(one, "10.0.0.1/24", None),
            stack(other, "10.0.0.2/24", None),
        );
        transfer(&one, &other, "10.0.0.2:7", 1_000_000);
        let report = bridge.report().expect("it runs");
        for direction in &report.directions {
            for name in ["lost", "duplicated", "corrupted", "reordered"] {
                assert!(
                    value(&direction.impairments, name) > 0,
                    "{name}: {direction:?}"
                );
            }
        }
        let cut = value(&report.directions[0].impairments, "super_packets_cut");
        assert_eq!(cut > 0, offloads == ALL);
    }
}

#[test]
fn tcp_over_a_router_between_links_of_different_sizes() {
    for offloads in [[PLAIN, PLAIN], [ALL, ALL], [ALL, PLAIN], [PLAIN, ALL]] {
        let (one, left) = link(1500, offloads[0]);
        let (right, other) = link(1300, offloads[1]);
        let left = Interface::new("left", left).address(cidr("10.0.1.1/24"));
        let right = Interface::new("right", right).address(cidr("10.0.2.1/24"));
        let bridge = Bridge::route(left, right).start().expect("a bridge");
        let one = stack(one, "10.0.1.2/24", Some("10.0.1.1"));
        let other = stack(other, "10.0.2.2/24", Some("10.0.2.1"));
        transfer(&one, &other, "10.0.2.2:7", 2_000_000);
        let router = bridge.report().expect("it runs").router.expect("a router");
        assert!(router.ip.forwarded > 10, "{offloads:?}");
        assert_eq!(router.ip.forward_queue_full, 0);
        drop((one, other));
        bridge.stop().expect("no panic");
    }
}

#[test]
fn super_packets_cross_whole_where_both_sides_take_them() {
    let ((one, left), (right, other)) = (link(1500, ALL), link(1500, ALL));
    let bridge = Bridge::wire(Interface::new("left", left), Interface::new("right", right))
        .start()
        .expect("a bridge");
    let (one, other) = (
        stack(one, "10.0.0.1/24", None),
        stack(other, "10.0.0.2/24", None),
    );
    transfer(&one, &other, "10.0.0.2:7", 4_000_000);
    let [left, right] = bridge.stop().expect("no panic").report.interfaces;
    assert_eq!(left.device.rx_packets, right.device.tx_packets);
    assert_eq!((right.device.super_packets, left.device.joined), (0, 0));
    let mean = left.device.rx_bytes / left.device.rx_packets;
    assert!(mean > 3000, "{mean} bytes a packet");
}

#[test]
fn a_router_has_hooks() {
    let ((mut one, left), (right, mut other)) = (link(1500, PLAIN), link(1500, PLAIN));
    let left = Interface::new("left", left).address(cidr("10.0.1.1/24"));
    let right = Interface::new("right", right).address(cidr("10.0.2.1/24"));
    let bridge = Bridge::route(left, right)
        .router(|stack| {
            stack.add_hook(
                |_: netstack::Instant, at: Passage, packet: &mut Packet, inject: &mut Injector| {
                    match at {
                        Passage::In { iface } => {
                            // Anything at all goes across: this router is a wire.
                            let to = netstack::IfaceId::new(1 - iface.index());
                            let packet = std::mem::take(packet);
                            inject.send(to, packet).expect("room");
                            Verdict::Taken
                        }
                        _ => Verdict::Pass,
                    }
                },
            );
        })
        .start()
        .expect("a bridge");
    let mut there = VecDeque::from([packet(&Ledger::new(), 5, 300)]);
    one.transmit(&mut there).expect("a link");
    assert_eq!(receive(&mut other, 1)[0].len(), 300);
    let router = bridge
        .stop()
        .expect("no panic")
        .report
        .router
        .expect("a router");
    assert_eq!((router.ip.hook_taken, router.ip.injected), (1, 1));
}

#[test]
fn what_cannot_be_joined_is_refused() {
    let silent = || raw_pair(MemoryConfig::default()).expect("no descriptor").0;
    for start in [Bridge::wire, Bridge::route] {
        let (_far, end) = link(1500, PLAIN);
        let twice = start(Interface::new("a", end), Interface::new("a", silent())).start();
        assert!(
            twice
                .expect_err("a name twice")
                .to_string()
                .contains("two interfaces")
        );
        let (_far, end) = link(1500, PLAIN);
        let blind = start(Interface::new("a", end), Interface::new("b", silent())).start();
        assert!(
            blind
                .expect_err("no descriptor")
                .to_string()
                .contains("cannot be waited for")
        );
    }
}

struct Bad(Vec<u8>);

// SAFETY: a vector's bytes stay where they are.
#[allow(unsafe_code, reason = "an owner that panics is an owner")]
unsafe impl StableBytes for Bad {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        panic!("destructor");
    }
}

#[test]
fn a_destructor_that_panics_ends_no_bridge() {
    let ((mut one, left), (right, _other)) = (link(1500, PLAIN), link(1500, PLAIN));
    let all = Impairments {
        loss: Chance::per_mille(1000),
        ..Impairments::default()
    };
    let bridge = Bridge::wire(Interface::new("left", left), Interface::new("right", right))
        .left_to_right(all.pipeline(7, 0))
        .start()
        .expect("a bridge");
    let ledger = Ledger::new();
    let packet = Packet::from_span(Span::from_owner(&ledger, Bad(vec![7; 900])).expect("short"));
    one.transmit(&mut VecDeque::from([packet])).expect("a link");
    let deadline = Instant::now() + PATIENCE;
    while bridge.report().expect("a bridge").destructor_panics == 0 {
        assert!(Instant::now() < deadline, "nothing was dropped");
        thread::sleep(Duration::from_millis(1));
    }
    bridge.stop().expect("no panic");
}
