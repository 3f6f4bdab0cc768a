//! Paths that drop long packets and say nothing: what connections find out by themselves (RFC 4821, RFC 8899).

use core::time::Duration;
use netstack_core::{Instant, MtuProbing, SendControl, SendFlags, TcpInfo, TcpState};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::{Bottleneck, Impairment, Transfer, World, WorldConfig};
use suite::wire::{ACK, Icmp, Tcp, options};
use txbuf::{IovIter, Packet, Span};

/// What crossed a path that takes packets of so many bytes.
#[derive(Default)]
struct Seen {
    longest: usize,
    swallowed: Vec<(Instant, usize)>,
    fragile: bool,
}

fn config(probing: MtuProbing, seed: u64, loss: u32) -> WorldConfig {
    let impairment = Impairment {
        delay: Duration::from_millis(10),
        // A path slow enough that a search ends before the transfer does.
        bottleneck: Some(Bottleneck {
            rate: 20_000_000,
            queue: 100_000,
            mark: None,
        }),
        loss,
        ..Impairment::default()
    };
    let mut config = WorldConfig {
        seed,
        impairment,
        ..WorldConfig::default()
    };
    config.tcp.mtu_probing = probing;
    config
}

/// Has the path from both hosts swallow what is longer than `takes` from the time `from` on.
fn narrow(world: &mut World, takes: usize, from: Instant) -> [Rc<RefCell<Seen>>; 2] {
    [0, 1].map(|host| {
        let seen = Rc::new(RefCell::new(Seen {
            fragile: true,
            ..Seen::default()
        }));
        let told = Rc::clone(&seen);
        world.lose(host, move |now, packet: &Packet| {
            let mut seen = told.borrow_mut();
            let bytes = packet.to_vec().expect("readable");
            let len = bytes.len();
            seen.fragile &= bytes[0] >> 4 == 6 || bytes[6] & 0x40 != 0;
            if len > takes && now >= from {
                seen.swallowed.push((now, len));
                return true;
            }
            seen.longest = seen.longest.max(len);
            false
        });
        seen
    })
}

/// A connection of a stack that searches every path, to a far end that the test plays.
fn searching(v6: bool) -> Remote {
    let mut config = WorldConfig::default();
    config.tcp.mtu_probing = MtuProbing::Always;
    let offer = Offer {
        v6,
        sack: true,
        rtt: Duration::from_millis(20),
        ..Offer::default()
    };
    Remote::accepts(Lab::new(&config), &offer)
}

/// That a packet was too big for a link of `mtu` bytes, as a router says that got `segment`.
fn too_big(segment: &Tcp, mtu: u32) -> Vec<u8> {
    let v6 = segment.src.is_ipv6();
    let quote = segment.to_packet();
    let error = Icmp {
        src: segment.dst.ip(),
        dst: segment.src.ip(),
        kind: if v6 { (2, 0) } else { (3, 4) },
        word: mtu,
        payload: quote[..quote.len().min(500)].to_vec(),
    };
    error.to_packet()
}

/// Moves `size` bytes both ways, and shows what the first host says of its connection at each step.
fn run(world: &mut World, v6: bool, size: u64, mut look: impl FnMut(Instant, &TcpInfo)) {
    let mut transfer = Transfer::start(world, v6, 7, size);
    while !transfer.is_done() {
        transfer.work(world);
        assert!(world.step(), "stalled");
        assert!(world.now < Instant::from_secs(3600), "no end");
        let info = world.hosts[0].stack.tcp_connections().next();
        if let Some((_, _, info)) = info
            && info.state == TcpState::Established
        {
            look(world.now, &info);
        }
    }
}

// req: RFC4821-13, RFC4821-05, RFC4821-15, RFC8899-01, RFC8899-02, RFC8899-15, RFC2923-01
#[test]
fn a_black_hole_is_found_and_the_longest_segments_that_pass_it() {
    for (seed, takes) in [(1, 1490), (2, 1400), (3, 1280), (4, 1100)] {
        for v6 in [false, true] {
            let takes = if v6 { takes.max(1280) } else { takes };
            let mut world = World::new(&config(MtuProbing::AfterBlackHole, seed, 0));
            let seen = narrow(&mut world, takes, Instant::ZERO);
            run(&mut world, v6, 20_000_000, |_, _| {});
            for (host, seen) in world.hosts.iter().zip(seen) {
                let seen = seen.borrow();
                let tcp = &host.stack.counters().tcp;
                assert_eq!(tcp.mtu_black_holes, 1, "{takes}");
                assert!(
                    tcp.mtu_probes_passed >= 1 || v6 && takes < 1290,
                    "{takes}: {tcp:?}"
                );
                assert!(
                    seen.longest > takes - 12 || v6 && takes < 1290,
                    "{}",
                    seen.longest
                );
                assert!(seen.fragile, "nobody may fragment a probe");
            }
        }
    }
}

#[test]
fn a_black_hole_that_opens_later_and_loss_beside_it_do_no_harm() {
    for seed in 0..20 {
        let mut world = World::new(&config(MtuProbing::AfterBlackHole, seed, 10));
        narrow(&mut world, 1300, Instant::from_secs(1));
        run(&mut world, seed % 2 == 1, 3_000_000, |_, _| {});
    }
}

// req: RFC4821-14
#[test]
fn where_the_first_size_is_too_long_too_halves_are_tried() {
    let mut world = World::new(&config(MtuProbing::AfterBlackHole, 1, 0));
    narrow(&mut world, 600, Instant::ZERO);
    run(&mut world, false, 100_000, |_, info| {
        assert!(info.send_mss >= 524, "not below what every path takes");
    });
    assert!(world.hosts[0].stack.counters().tcp.mtu_black_holes >= 2);
}

// req: RFC4821-01, RFC4821-02, RFC4821-10, RFC4821-11, RFC8899-07, RFC8899-11
#[test]
fn a_lost_probe_is_no_congestion() {
    let mut config = config(MtuProbing::Always, 1, 0);
    // So little that no queue overflows.
    config.tcp.receive_buffer = 60_000;
    let mut world = World::new(&config);
    let seen = narrow(&mut world, 1300, Instant::ZERO);
    let mut window = 0;
    run(&mut world, false, 30_000_000, |_, info| {
        assert_eq!((info.recoveries, info.after_timeout), (0, false));
        assert!(info.congestion_window >= window, "it never shrinks");
        window = info.congestion_window;
    });
    let seen = seen[0].borrow();
    let tcp = &world.hosts[0].stack.counters().tcp;
    assert_eq!(tcp.mtu_black_holes, 0);
    assert!(tcp.mtu_probes_lost >= 2, "{tcp:?}");
    assert_eq!(
        tcp.mtu_probes_lost as usize,
        seen.swallowed.len(),
        "one segment each"
    );
    assert!(seen.longest > 1288);
    for pair in seen.swallowed.windows(2) {
        assert!(pair[1].1 < pair[0].1, "shorter each time");
        assert!(
            pair[1].0 - pair[0].0 >= Duration::from_secs(1),
            "and not at once"
        );
    }
}

// req: RFC4821-03, RFC4821-07, RFC8899-08
#[test]
fn a_probe_that_passes_makes_segments_longer_but_not_the_window() {
    let mut world = World::new(&config(MtuProbing::Always, 1, 0));
    let mut before: Option<TcpInfo> = None;
    let mut steps = Vec::new();
    run(&mut world, false, 3_000_000, |_, info| {
        if let Some(before) = &before
            && before.send_mss < info.send_mss
        {
            let grown = info.congestion_window - before.congestion_window;
            // What was acknowledged with the probe counts as ever.
            assert!(grown <= before.outstanding, "{grown}");
            steps.push(info.send_mss);
        }
        before = Some(info.clone());
    });
    assert_eq!(steps, [1448], "all of it at once");
}

#[test]
fn without_probing_a_black_hole_is_the_end() {
    let mut world = World::new(&config(MtuProbing::Off, 1, 0));
    narrow(&mut world, 1300, Instant::ZERO);
    let _transfer = {
        let mut transfer = Transfer::start(&mut world, false, 7, 100_000);
        for _ in 0..200 {
            transfer.work(&mut world);
            world.step_until(Instant::from_secs(100));
        }
        transfer
    };
    let (_, _, info) = world.hosts[0].stack.tcp_connections().next().expect("one");
    assert_eq!((info.send_mss, info.outstanding > 0), (1448, true));
}

// req: RFC4821-09
#[test]
fn a_probe_leaves_with_three_segments_behind_it_or_not_at_all() {
    for v6 in [false, true] {
        let longest = if v6 { 1440 } else { 1460 };
        for segments in 1..8 {
            let mut remote = searching(v6);
            let mss = remote.info().send_mss;
            assert!(mss < longest);
            remote.write(&vec![1; segments * mss]);
            let sent = remote.sent();
            let probes = sent.iter().filter(|one| one.payload.len() > mss);
            let enough = segments * mss >= longest + 3 * mss;
            assert_eq!(probes.count(), usize::from(enough), "{segments}");
            if enough {
                assert_eq!(sent[0].payload.len(), longest);
                assert!(sent[1..].iter().map(|one| one.payload.len()).sum::<usize>() >= 3 * mss);
            }
        }
        // Nor where the peer's window has no room for them.
        let mut remote = searching(v6);
        let mss = remote.info().send_mss;
        remote.window = (longest + 3 * mss - 1) as u16;
        let update = remote.segment(ACK, b"");
        remote.inject(&update);
        remote.write(&vec![1; 20 * mss]);
        assert!(remote.sent().iter().all(|one| one.payload.len() <= mss));
    }
}

// req: RFC4821-04
#[test]
fn shorter_segments_are_not_more_of_them() {
    for v6 in [false, true] {
        let mut remote = Remote::accepts(
            Lab::default(),
            &Offer {
                v6,
                ..Offer::default()
            },
        );
        let before = remote.info().congestion_window / remote.info().send_mss;
        remote.write(&[1; 200_000]);
        let flight = remote.sent();
        assert_eq!(flight.len(), before);
        remote.lab.inject(&too_big(&flight[0], 1280));
        let short = remote.info().send_mss;
        assert!(short < flight[0].payload.len());
        let packets = remote.info().congestion_window.div_ceil(short);
        assert!(packets <= before, "{packets} > {before}");
        assert!(remote.sent().len() <= before);
    }
}

// req: RFC8899-03, RFC8899-09
#[test]
fn during_a_search_no_error_is_believed_about_what_was_not_sent() {
    for v6 in [false, true] {
        let mut remote = searching(v6);
        let before = remote.info().send_mss;
        remote.write(&vec![1; 20 * before]);
        let flight = remote.sent();
        let probe = flight[0].clone();
        assert!(probe.payload.len() > before);
        let last = flight.last().expect("some").end();
        for seq in [probe.seq.wrapping_sub(1), last, last.wrapping_add(1 << 20)] {
            let forged = Tcp {
                seq,
                ..probe.clone()
            };
            remote.lab.inject(&too_big(&forged, 1300));
        }
        let mut elsewhere = probe.clone();
        elsewhere.src.set_port(1);
        remote.lab.inject(&too_big(&elsewhere, 1300));
        remote.nothing();
        // The search goes on: the probe passes, and segments are as long.
        remote.acknowledge(&probe);
        assert_eq!(remote.info().send_mss, probe.payload.len());
        assert_eq!(remote.lab.host.stack.counters().tcp.path_mtu_reduced, 0);
    }
}

// req: RFC8899-04, RFC8899-05, RFC8899-10
#[test]
fn an_error_makes_no_segment_longer_and_its_size_is_probed_first() {
    for v6 in [false, true] {
        let header = if v6 { 60 } else { 40 };
        // No more than the probe had, and more than segments are known to have.
        for mtu in [1_340, 1_400, 1_500, 9_000] {
            let mut remote = searching(v6);
            let before = remote.info().send_mss;
            remote.write(&vec![1; 60 * before]);
            let flight = remote.sent();
            let probe = flight[0].clone();
            assert!(probe.payload.len() > before);
            remote.lab.inject(&too_big(&probe, mtu));
            assert_eq!(remote.info().send_mss, before, "{mtu}");
            let most = probe.payload.len().min(mtu as usize - header);
            // The probe is lost, what left behind it arrives.
            let behind = flight.last().expect("some").end();
            remote.lab.pass(Duration::from_millis(20));
            let mut report = remote.segment(ACK, b"");
            report.options = options::sack(&[(probe.end(), behind)]);
            remote.inject(&report);
            let mut last = remote.sent().pop().expect("it is sent again");
            assert!(last.end().wrapping_sub(behind) < 1 << 31);
            let mut probes = Vec::new();
            for _ in 0..100 {
                remote.lab.pass(Duration::from_millis(20));
                remote.acknowledge(&last);
                let known = remote.info().send_mss;
                assert!(known <= most, "{mtu}: {known}");
                remote.write(&vec![1; 8 * known]);
                let sent = remote.sent();
                let longer = sent.iter().map(|one| one.payload.len());
                probes.extend(longer.filter(|len| *len > known));
                last = sent.last().cloned().unwrap_or(last);
            }
            assert!(
                !probes.is_empty() && probes.iter().all(|len| *len <= most),
                "{mtu}: {probes:?}"
            );
            assert!(
                remote.info().send_mss + 8 > most.min(probe.payload.len() - 1),
                "{mtu}"
            );
        }
    }
}

// req: RFC8899-06
#[test]
fn probes_are_a_round_trip_apart() {
    let mut world = World::new(&config(MtuProbing::Always, 1, 0));
    let sizes = Rc::new(RefCell::new(Vec::new()));
    let told = Rc::clone(&sizes);
    let known = Rc::new(RefCell::new(usize::MAX));
    let mss = Rc::clone(&known);
    world.lose(0, move |now, packet: &Packet| {
        let len = packet.to_vec().expect("readable").len();
        // Headers and timestamps are 52 bytes.
        if len > mss.borrow().saturating_add(52) {
            told.borrow_mut().push((now, len));
        }
        len > 1400
    });
    run(&mut world, false, 20_000_000, |_, info| {
        *known.borrow_mut() = info.send_mss;
    });
    let sizes = sizes.borrow();
    assert!(sizes.len() >= 4, "{sizes:?}");
    for pair in sizes.windows(2) {
        assert!(
            pair[1].0 - pair[0].0 >= Duration::from_millis(20),
            "{sizes:?}"
        );
    }
}

// req: RFC4821-12
#[test]
fn segments_that_a_probe_made_longer_get_shorter_when_they_are_lost() {
    for v6 in [false, true] {
        let narrows = Instant::from_secs(2);
        let mut world = World::new(&config(MtuProbing::Always, 1, 0));
        narrow(&mut world, 1300, narrows);
        let (mut before, mut after) = (0, usize::MAX);
        run(&mut world, v6, 10_000_000, |now, info| {
            match now < narrows {
                true => before = before.max(info.send_mss),
                false => after = after.min(info.send_mss),
            }
        });
        assert!(before > 1400, "{before}");
        assert!(after <= 1300 - 52, "{after}");
        assert_eq!(world.hosts[0].stack.counters().tcp.mtu_black_holes, 1);
    }
}

// req: RFC4821-10
#[test]
fn after_a_lost_probe_the_next_one_waits_as_long_as_losses_are_apart() {
    let mut config = WorldConfig::default();
    config.tcp.mtu_probing = MtuProbing::Always;
    // A handshake that takes no longer than its first timeout.
    let rtt = Duration::from_millis(900);
    let offer = Offer {
        sack: true,
        rtt,
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::new(&config), &offer);
    let mss = remote.info().send_mss;
    remote.write(&vec![1; 9 * mss]);
    let sent = remote.sent();
    assert!(sent[0].payload.len() > mss, "a probe");
    assert!(remote.pass(rtt).is_empty());
    let last = sent.last().expect("some").end();
    let mut segment = remote.segment(ACK, b"");
    segment.options = options::sack(&[(sent[1].seq, last)]);
    remote.inject(&segment);
    let (lost, info) = (remote.lab.now, remote.info());
    let pause = rtt * (info.congestion_window / mss / 2) as u32;
    assert!(pause >= rtt * 4, "long enough to tell: {pause:?}");
    remote.sent();
    remote.rcv = last;
    let waited = loop {
        assert!(remote.pass(rtt).is_empty());
        remote.send(ACK, b"");
        remote.write(&vec![1; 9 * mss]);
        let sent = remote.sent();
        if sent.iter().any(|one| one.payload.len() > mss) {
            break remote.lab.now.since(lost);
        }
        remote.rcv = sent.last().expect("some").end();
    };
    assert!((pause..=pause + rtt * 2).contains(&waited), "{waited:?}");
}

#[test]
fn data_in_too_many_pieces_for_a_probe_leaves_as_ever() {
    let mut config = WorldConfig {
        mtu: 9_000,
        ..WorldConfig::default()
    };
    config.tcp.mtu_probing = MtuProbing::Always;
    let offer = Offer {
        mss: Some(8_960),
        sack: true,
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::new(&config), &offer);
    let mss = remote.info().send_mss;
    let ledger = remote.lab.host.stack.ledger().clone();
    let piece = |number| Span::from_owner(&ledger, vec![number; 520]).expect("short");
    // Windows that have room for a probe, and what would follow it.
    for _ in 0..5 {
        let mut pieces: VecDeque<Span> = (0..100).map(piece).collect();
        let (stack, mut from) = (&mut remote.lab.host.stack, IovIter::spans(&mut pieces));
        let control = SendControl::default();
        let taken = stack.send_message(remote.socket, &mut from, SendFlags::NONE, &control);
        assert_eq!(taken, Ok(52_000));
        while remote.info().outstanding + remote.info().unsent > 0 {
            for segment in remote.sent() {
                assert!(segment.payload.len() <= mss);
                remote.acknowledge(&segment);
            }
        }
    }
    let tcp = &remote.lab.host.stack.counters().tcp;
    assert_eq!((tcp.out_mtu_probes, tcp.mtu_probes_passed), (0, 0));
    remote.write(&[7; 52_000]);
    let probe = &remote.sent()[0];
    assert_eq!(probe.payload.len(), 8_960, "of data in one piece");
}
