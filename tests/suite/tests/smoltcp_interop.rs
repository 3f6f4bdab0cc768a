//! Our TCP and smoltcp's on one link, in virtual time.

use core::time::Duration;
use suite::peer::{Close, End, Exchange, PeerWorld, Role};
use suite::sim::{Impairment, WorldConfig};
use suite::wire::Tcp;

const CLEAN: Impairment = Impairment {
    delay: Duration::from_millis(5),
    bottleneck: None,
    loss: 0,
    duplicate: 0,
    reorder: 0,
    corrupt: 0,
    bursts: None,
    blackout: None,
};
const BAD: Impairment = Impairment {
    delay: Duration::from_millis(5),
    bottleneck: None,
    loss: 40,
    duplicate: 20,
    reorder: 20,
    corrupt: 10,
    bursts: None,
    blackout: None,
};
const SEEDS: u64 = 20;
const BULK: u64 = 150_000;

/// Every seed with both families and both roles, over a clean link first.
fn for_all(mut check: impl FnMut(&WorldConfig, bool, Role)) {
    for seed in 0..=SEEDS {
        for v6 in [false, true] {
            for role in [Role::Connects, Role::Listens] {
                let impairment = if seed == 0 { CLEAN } else { BAD };
                check(
                    &WorldConfig {
                        seed,
                        impairment,
                        ..WorldConfig::default()
                    },
                    v6,
                    role,
                );
            }
        }
    }
}

/// Runs the exchange to its end; afterwards nothing may be left.
fn run(config: &WorldConfig, v6: bool, role: Role, ends: [End; 2]) -> PeerWorld {
    let mut world = PeerWorld::new(config, 1500, 64 << 10);
    run_in(
        &mut world,
        v6,
        role,
        ends,
        &format!("seed {} v6 {v6} {role:?}", config.seed),
    );
    world
}

fn run_in(world: &mut PeerWorld, v6: bool, role: Role, ends: [End; 2], what: &str) {
    let mut exchange = Exchange::start(world, v6, role, ends);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| exchange.run(world)));
    assert!(outcome.is_ok(), "{what}");
    assert_eq!(
        world.ours.stack.tcp_connections().count(),
        0,
        "{what}: a connection is left"
    );
    assert_eq!(
        world.ours.live_nodes(),
        0,
        "{what}: {:?}",
        world.ours.stack.ledger()
    );
}

#[test]
fn bulk_both_ways_at_once() {
    for_all(|config, v6, role| {
        let world = run(config, v6, role, [End::sending(BULK), End::sending(BULK)]);
        if config.seed == 0 {
            assert_eq!(
                world.ours.stack.counters().tcp.retransmits,
                0,
                "a clean link needs no retransmission"
            );
        }
    });
}

#[test]
fn each_side_may_close_first_and_go_on_receiving() {
    for_all(|config, v6, role| {
        let early = End::sending(10_000);
        let late = End::sending(BULK).closing(Close::AfterPeer);
        run(config, v6, role, [early, late]);
        run(config, v6, role, [late, early]);
    });
}

#[test]
fn both_sides_close_at_the_same_time() {
    for_all(|config, v6, role| {
        // Both have all of the other's data before they close, so that the FINs cross.
        let end = End::sending(5_000).closing(Close::AfterReceiving);
        run(config, v6, role, [end, end]);
        let nothing = End::sending(0);
        run(config, v6, role, [nothing, nothing]);
    });
}

#[test]
fn an_abort_reaches_the_other_side() {
    for_all(|config, v6, role| {
        // The side that is reset must have something to send, or a lost reset would never be noticed.
        let endless = End::sending(u64::MAX / 2).closing(Close::AfterPeer);
        let aborting = End::sending(1_000).closing(Close::Abort(50_000));
        let world = run(config, v6, role, [aborting, endless]);
        assert!(world.ours.stack.counters().tcp.out_resets > 0);
        let world = run(config, v6, role, [endless, aborting]);
        assert!(
            world.ours.stack.counters().tcp.in_resets > 0,
            "{:?}",
            world.ours.stack.counters()
        );
    });
}

#[test]
fn a_side_that_does_not_read_for_long_stops_the_other_and_then_receives_all() {
    for_all(|config, v6, role| {
        let wait = Duration::from_secs(20);
        let sender = End::sending(BULK);
        // smoltcp's buffer is 64 KiB; ours is made smaller than what is sent.
        let mut config = config.clone();
        config.tcp.receive_buffer = 50_000;
        let world = run(
            &config,
            v6,
            role,
            [sender, End::sending(1_000).reading_after(wait)],
        );
        assert!(
            world.ours.stack.counters().tcp.out_window_probes > 0,
            "the window was shut"
        );
        run(
            &config,
            v6,
            role,
            [End::sending(1_000).reading_after(wait), sender],
        );
        run(
            &config,
            v6,
            role,
            [sender.reading_after(wait), sender.reading_after(wait)],
        );
    });
}

#[test]
fn a_lost_window_update_is_made_up_for_by_probes() {
    for_all(|config, v6, role| {
        let mut config = config.clone();
        config.tcp.receive_buffer = 50_000;
        for reader in [0, 1] {
            let wait = Duration::from_secs(20);
            let mut ends = [End::sending(BULK), End::sending(BULK)];
            ends[reader] = End::sending(0).reading_after(wait);
            let mut world = PeerWorld::new(&config, 1500, 50_000);
            // Everything that the reader sends for two seconds after it began to read is lost.
            world.lose(reader, move |now, _| {
                let since = now.as_nanos().checked_sub(wait.as_nanos() as u64);
                since.is_some_and(|since| since < 2_000_000_000)
            });
            run_in(
                &mut world,
                v6,
                role,
                ends,
                &format!("seed {} v6 {v6} reader {reader}", config.seed),
            );
        }
    });
}

#[test]
fn the_smaller_segment_size_holds_for_both() {
    for_all(|config, v6, role| {
        let sizes: &[(usize, usize)] = if v6 {
            &[(1500, 1280), (1280, 1500), (9000, 1500)]
        } else {
            &[(1500, 576), (576, 1500), (9000, 128)]
        };
        for &(ours, smol) in sizes {
            let config = WorldConfig {
                mtu: ours,
                ..config.clone()
            };
            let mut world = PeerWorld::new(&config, smol, 64 << 10);
            let smaller = ours.min(smol);
            world.lose(0, move |_, packet| {
                assert!(
                    packet.len() <= smaller,
                    "{} bytes on a path of {smaller}",
                    packet.len()
                );
                false
            });
            // smoltcp keeps to the size that we announced, which its packets must not exceed.
            world.lose(1, move |_, packet| {
                let bytes = packet.to_vec().expect("readable");
                assert!(
                    Tcp::parse(&bytes).is_none_or(|_| bytes.len() <= smaller),
                    "{} bytes",
                    bytes.len()
                );
                false
            });
            let bulk = if smaller < 200 { 10_000 } else { BULK };
            let ends = [End::sending(bulk), End::sending(bulk)];
            run_in(
                &mut world,
                v6,
                role,
                ends,
                &format!("seed {} v6 {v6} {ours}/{smol}", config.seed),
            );
        }
    });
}
