use std::collections::VecDeque;
use std::io::{self, Write};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use txbuf::{Chain, Ledger, Offloads, Packet};

use super::{Clock, Tap, TapConfig};
use crate::memory::{self, MemoryConfig};
use crate::testing::{Scripted, Spec, parse, pool, pool_of, skip, udp};
use crate::{Device, Edge};

mod files;
mod keeping;
mod resolution;

use files::{Shared, read_back, stalling};

#[test]
fn both_directions_are_captured_with_times_and_flags() {
    let ledger = Ledger::new();
    let mut arena = Chain::arena(&pool(&ledger));
    let file = Shared::default();
    let (one, mut other) = memory::raw_pair(MemoryConfig::default()).unwrap();
    let (mut tap, capture) = Tap::new(one, file.clone(), TapConfig::new("wire0")).unwrap();
    let mut stamped = udp(&mut arena, 500);
    stamped.meta.timestamp = 1_234_567_890_123_456_789;
    let expected = stamped.to_vec().unwrap();
    assert_eq!(
        tap.transmit(&mut VecDeque::from([stamped, udp(&mut arena, 60)]))
            .unwrap(),
        2
    );
    other
        .transmit(&mut VecDeque::from([udp(&mut arena, 1500)]))
        .unwrap();
    let mut received = Vec::new();
    assert_eq!(tap.receive(&mut received, 64).unwrap(), 1);
    drop(tap);
    let report = capture.finish().unwrap();
    assert_eq!((report.written, report.bytes, report.dropped), (3, 2060, 0));

    let (packets, missing) = read_back(&file.bytes(), "wire0");
    assert_eq!(missing, 0);
    assert_eq!(
        packets
            .iter()
            .map(|packet| (packet.original, packet.flags))
            .collect::<Vec<_>>(),
        [(500, 2), (60, 2), (1500, 1)]
    );
    assert_eq!(
        packets[0].timestamp,
        Duration::from_nanos(1_234_567_890_123_456_789)
    );
    assert!(packets[1].timestamp > Duration::from_secs(1_600_000_000));
    assert_eq!(packets[0].bytes, expected);
    drop((received, other, arena));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn packets_are_stamped_with_the_time_of_whoever_lets_it_pass() {
    let ledger = Ledger::new();
    let mut arena = Chain::arena(&pool(&ledger));
    let file = Shared::default();
    let (one, mut other) = memory::raw_pair(MemoryConfig::default()).unwrap();
    let time = Arc::new(AtomicU64::new(5));
    let shown = Arc::clone(&time);
    let clock = Clock::of(move || shown.load(Ordering::Relaxed));
    let config = TapConfig::new("wire0").clock(clock);
    let (mut tap, capture) = Tap::new(one, file.clone(), config).unwrap();
    tap.transmit(&mut VecDeque::from([udp(&mut arena, 60)]))
        .unwrap();
    time.store(3_600_000_000_007, Ordering::Relaxed);
    other
        .transmit(&mut VecDeque::from([udp(&mut arena, 60)]))
        .unwrap();
    tap.receive(&mut Vec::new(), 64).unwrap();
    drop(tap);
    capture.finish().unwrap();
    let (packets, _) = read_back(&file.bytes(), "wire0");
    assert_eq!(
        packets
            .iter()
            .map(|packet| packet.timestamp.as_nanos())
            .collect::<Vec<_>>(),
        [5, 3_600_000_000_007]
    );
}

#[test]
fn below_the_edge_the_capture_has_what_is_on_the_wire() {
    let ledger = Ledger::new();
    let file = Shared::default();
    let (one, mut other) = memory::raw_pair(MemoryConfig::default()).unwrap();
    let (tap, capture) = Tap::new(one, file.clone(), TapConfig::new("wire0")).unwrap();
    let mut device = Edge::new(tap);
    device
        .transmit(&mut VecDeque::from([
            Spec::tcp(20_000, 1448).build(&pool(&ledger))
        ]))
        .unwrap();
    let mut received = Vec::new();
    other.receive(&mut received, 64).unwrap();
    drop(device);
    capture.finish().unwrap();
    let (packets, _) = read_back(&file.bytes(), "wire0");
    assert_eq!(packets.len(), 14);
    for (captured, received) in packets.iter().zip(&received) {
        assert_eq!(captured.bytes, received.to_vec().unwrap());
        parse(&captured.bytes);
    }
}

#[test]
fn on_a_link_with_offload_the_capture_has_completed_checksums() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let file = Shared::default();
    let all = Offloads {
        tx_checksum: true,
        rx_checksum: true,
        tso: true,
        uso: true,
    };
    let (one, mut other) = memory::raw_pair(MemoryConfig::symmetric(1500, all)).unwrap();
    let (mut tap, capture) = Tap::new(one, file.clone(), TapConfig::new("wire0")).unwrap();
    let specs = [
        Spec::tcp(60_000, 1448),
        Spec {
            six: true,
            ..Spec::tcp(33_333, 1428)
        },
        Spec {
            udp: true,
            options: 0,
            ..Spec::tcp(10_000, 1000)
        },
        Spec {
            size: 0,
            ..Spec::tcp(77, 0)
        },
    ];
    tap.transmit(&mut specs.iter().map(|spec| spec.build(&pool)).collect())
        .unwrap();
    let mut received = Vec::new();
    other.receive(&mut received, 64).unwrap();
    assert!(received[0].meta.gso.is_some());
    drop(tap);
    capture.finish().unwrap();
    let (packets, _) = read_back(&file.bytes(), "wire0");
    for (captured, spec) in packets.iter().zip(&specs) {
        assert_eq!(parse(&captured.bytes).payload, spec.payload_bytes());
    }
    assert_eq!(packets.len(), 4);
}

#[test]
fn only_what_the_device_took_is_captured() {
    let ledger = Ledger::new();
    let mut arena = Chain::arena(&pool(&ledger));
    let file = Shared::default();
    let device = Scripted::new(Offloads::default(), [Some(2), Some(0), None]);
    let (mut tap, capture) = Tap::new(device, file.clone(), TapConfig::new("wire0")).unwrap();
    let mut queue: VecDeque<_> = (0..5).map(|i| udp(&mut arena, 100 + i)).collect();
    assert_eq!(tap.transmit(&mut queue).unwrap(), 2);
    assert_eq!(tap.transmit(&mut queue).unwrap(), 0);
    assert!(tap.transmit(&mut queue).is_err());
    assert_eq!(queue.len(), 3);
    assert_eq!(tap.transmit(&mut queue).unwrap(), 3);
    drop(tap);
    assert_eq!(capture.finish().unwrap().written, 5);
    let lengths: Vec<_> = read_back(&file.bytes(), "wire0")
        .0
        .iter()
        .map(|packet| packet.original)
        .collect();
    assert_eq!(lengths, [100, 101, 102, 103, 104]);
}

#[test]
fn a_capture_can_be_limited_in_packets_and_in_length() {
    let ledger = Ledger::new();
    let mut arena = Chain::arena(&pool(&ledger));
    let file = Shared::default();
    let config = TapConfig::new("wire0").first(3).snap(64);
    let (mut tap, capture) =
        Tap::new(Scripted::new(Offloads::default(), []), file.clone(), config).unwrap();
    tap.transmit(&mut (0..200).map(|_| udp(&mut arena, 1000)).collect())
        .unwrap();
    assert_eq!(tap.inner().sent.len(), 200);
    drop(tap);
    let report = capture.finish().unwrap();
    assert_eq!((report.written, report.bytes, report.dropped), (3, 192, 0));
    for packet in read_back(&file.bytes(), "wire0").0 {
        assert_eq!((packet.bytes.len(), packet.original), (64, 1000));
    }
}

#[test]
fn a_stalled_writer_costs_captures_but_no_packets_and_pins_little() {
    const PACKETS: usize = 3000;
    let ledger = Ledger::new();
    // A segment for each packet: the worst case of what a capture could pin.
    let pool = pool(&ledger);
    let (file, go_on) = stalling();
    let config = TapConfig {
        queue_packets: 1000,
        ..TapConfig::new("wire0")
    };
    let (mut tap, capture) =
        Tap::new(Scripted::new(Offloads::default(), []), file, config).unwrap();
    for _ in 0..PACKETS {
        let packet = udp(&mut Chain::arena(&pool), 400);
        assert_eq!(tap.transmit(&mut VecDeque::from([packet])).unwrap(), 1);
        assert_eq!(tap.inner_mut().sent.drain(..).count(), 1);
    }
    // What the writer had taken before it stalled has let go of its storage.
    assert!(
        ledger.live_nodes() <= super::queue::CLONES + 1,
        "{} nodes",
        ledger.live_nodes()
    );
    let dropped = tap.dropped();
    // Besides the queue there is the writer's own buffer, of 256 KiB.
    assert!((1300..=2000).contains(&dropped), "{dropped}");
    assert_eq!(tap.counters().capture_dropped, dropped);
    drop((tap, go_on));
    let report = capture.finish().unwrap();
    assert_eq!(
        (report.dropped, report.written),
        (dropped, PACKETS as u64 - dropped)
    );
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn the_queue_is_bounded_in_bytes() {
    let ledger = Ledger::new();
    // A segment for each super-packet, and little more.
    let pool = pool_of(&ledger, 64 << 10);
    let (file, go_on) = stalling();
    let config = TapConfig {
        queue_bytes: 1 << 20,
        ..TapConfig::new("wire0")
    };
    let all = Offloads {
        tx_checksum: true,
        rx_checksum: true,
        tso: true,
        uso: true,
    };
    let (mut tap, capture) = Tap::new(Scripted::new(all, []), file, config).unwrap();
    for _ in 0..100 {
        tap.transmit(&mut VecDeque::from([Spec::tcp(60_000, 1448).build(&pool)]))
            .unwrap();
        tap.inner_mut().sent.clear();
    }
    assert!(
        ledger
            .report()
            .iter()
            .map(|(_, usage)| usage.bytes)
            .sum::<usize>()
            < 2 << 20
    );
    assert!(tap.dropped() >= 70, "{}", tap.dropped());
    drop((tap, go_on));
    capture.finish().unwrap();
}

#[test]
fn a_file_that_cannot_be_written_is_reported() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let device = || Scripted::new(Offloads::default(), []);
    let refused = Tap::new(device(), Full(0), TapConfig::new("wire0"))
        .err()
        .unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);

    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let (mut tap, capture) = Tap::new(device(), Full(1), TapConfig::new("wire0")).unwrap();
    let mut sent = 0;
    while !capture.has_failed() {
        let packet: Packet = udp(&mut Chain::arena(&pool), 1500);
        sent += tap.transmit(&mut VecDeque::from([packet])).unwrap();
        assert_eq!(tap.inner_mut().sent.drain(..).count(), 1);
        assert!(sent < 10_000_000);
    }
    tap.transmit(&mut VecDeque::from([udp(&mut Chain::arena(&pool), 1500)]))
        .unwrap();
    assert!(tap.dropped() > 0);
    assert_eq!(tap.inner().sent.len(), 1);
    assert_eq!(
        capture.finish().unwrap_err().kind(),
        io::ErrorKind::StorageFull
    );
    drop(tap);
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn a_file_that_takes_nothing_is_given_up() {
    let mut arena = Chain::arena(&pool(&Ledger::new()));
    let (file, _never) = stalling();
    let (mut tap, capture) = Tap::new(
        Scripted::new(Offloads::default(), []),
        file,
        TapConfig::new("x"),
    )
    .unwrap();
    let mut packets: VecDeque<Packet> = (0..1000).map(|_| udp(&mut arena, 1500)).collect();
    assert_eq!(tap.transmit(&mut packets).unwrap(), 1000);
    let error = capture.finish().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    assert!(error.to_string().contains("packets"), "{error}");
}

#[test]
fn an_idle_capture_is_complete_on_disk_before_it_is_finished() {
    let ledger = Ledger::new();
    let mut arena = Chain::arena(&pool(&ledger));
    let file = Shared::default();
    let (mut tap, capture) = Tap::new(
        Scripted::new(Offloads::default(), []),
        file.clone(),
        TapConfig::new("wire0"),
    )
    .unwrap();
    for round in 1..=2 {
        tap.transmit(&mut VecDeque::from([udp(&mut arena, 1500)]))
            .unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while file.bytes().len() < 1500 * round {
            assert!(std::time::Instant::now() < deadline, "nothing was written");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    drop(capture);
    let before = file.bytes();
    tap.transmit(&mut VecDeque::from([udp(&mut arena, 1500)]))
        .unwrap();
    assert_eq!((tap.dropped(), tap.inner().sent.len()), (1, 3));
    assert_eq!(read_back(&before, "wire0").0.len(), 2);
}

/// Two super-packets and two packets without payload, of both versions and transports.
fn for_the_dissector() -> [Spec; 4] {
    [
        Spec::tcp(20_000, 1448),
        Spec {
            six: true,
            udp: true,
            options: 0,
            ..Spec::tcp(7000, 1000)
        },
        Spec {
            size: 0,
            ..Spec::tcp(9, 0)
        },
        Spec {
            six: true,
            size: 0,
            ..Spec::tcp(1001, 0)
        },
    ]
}

/// The reference dissector finds nothing to complain about, checksums included.
#[test]
fn tshark_reads_the_capture_without_complaint() {
    let version = Command::new("tshark").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        skip(
            "tshark_reads_the_capture_without_complaint",
            "tshark is not installed",
        );
        return;
    }
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wire0.pcapng");
    let file = std::fs::File::create(&path).unwrap();
    let all = Offloads {
        tx_checksum: true,
        rx_checksum: true,
        tso: true,
        uso: true,
    };
    for (offloads, count) in [(Offloads::default(), 21 + 2), (all, 2 + 2)] {
        let (one, _other) = memory::raw_pair(MemoryConfig::symmetric(1500, offloads)).unwrap();
        let (tap, capture) =
            Tap::new(one, file.try_clone().unwrap(), TapConfig::new("wire0")).unwrap();
        let mut device = Edge::new(tap);
        let mut packets = for_the_dissector()
            .iter()
            .map(|spec| spec.build(&pool))
            .collect();
        device.transmit(&mut packets).unwrap();
        drop(device);
        assert_eq!(capture.finish().unwrap().written, count);
    }
    // Its own configuration only: a user's could change what it checks.
    let tshark = || {
        let mut command = Command::new("tshark");
        command
            .env("HOME", directory.path())
            .env_remove("XDG_CONFIG_HOME");
        command
    };
    let mut command = tshark();
    for protocol in ["ip", "tcp", "udp"] {
        command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    command
        .arg("-r")
        .arg(&path)
        .args(["-T", "fields", "-e", "frame.number"]);
    let bad = "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0";
    let all = command.output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&all.stdout).lines().count(),
        27,
        "{}",
        String::from_utf8_lossy(&all.stderr)
    );
    let good = "tcp.checksum.status == 1 || udp.checksum.status == 1";
    let checked = tshark()
        .args(command.get_args())
        .args(["-Y", good])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&checked.stdout).lines().count(), 27);
    let complaints = command.args(["-Y", bad]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&complaints.stdout), "");
}
