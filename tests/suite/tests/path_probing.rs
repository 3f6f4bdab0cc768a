//! Paths that drop long packets and say nothing: what connections find out by themselves (RFC 4821, RFC 8899).

use core::time::Duration;
use netstack_core::{Instant, MtuProbing, TcpInfo, TcpState};
use std::cell::RefCell;
use std::rc::Rc;
use suite::sim::{Bottleneck, Impairment, Transfer, World, WorldConfig};
use txbuf::Packet;

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

// req: RFC4821-13, RFC4821-05, RFC4821-15, RFC8899-01, RFC8899-02, RFC8899-15
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

// req: RFC4821-01, RFC4821-02, RFC4821-10, RFC4821-11, RFC8899-07
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
