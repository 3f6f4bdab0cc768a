//! Stack to stack over a bad link, in virtual time.

use core::time::Duration;
use suite::sim::{Impairment, Transfer, World, WorldConfig};

const BAD_LINK: Impairment = Impairment {
    delay: Duration::from_millis(5),
    bottleneck: None,
    loss: 50,
    duplicate: 20,
    reorder: 20,
    corrupt: 10,
    bursts: None,
    blackout: None,
};

/// What both ends have seen of a bad link.
#[derive(Debug, Default)]
struct Seen {
    retransmits: u64,
    bad_checksums: u64,
    out_of_order: u64,
}

impl Seen {
    fn add(&mut self, world: &World) {
        for host in &world.hosts {
            let tcp = &host.stack.counters().tcp;
            self.retransmits += tcp.retransmits;
            self.bad_checksums += tcp.in_bad_checksum;
            self.out_of_order += tcp.in_out_of_order;
        }
    }
}

fn check_seed(seed: u64, seen: &mut Seen) {
    let config = WorldConfig {
        seed,
        impairment: BAD_LINK,
        ..WorldConfig::default()
    };
    let v6 = seed % 2 == 1;
    let mut world = Transfer::run(&config, v6, 200_000);
    seen.add(&world);
    for host in &world.hosts {
        assert_eq!(
            host.stack.tcp_connections().count(),
            0,
            "seed {seed}: a connection is left"
        );
    }
    assert_eq!(
        world.live_nodes(),
        0,
        "seed {seed}: {:?}",
        world.hosts[0].stack.ledger().report()
    );
    let again = Transfer::run(&config, v6, 200_000);
    assert_eq!(
        again.fingerprint(),
        world.fingerprint(),
        "seed {seed} is not reproducible"
    );
}

#[test]
fn a_clean_link_carries_everything_without_a_retransmission() {
    let mut world = Transfer::run(&WorldConfig::default(), false, 3_000_000);
    for host in &world.hosts {
        assert_eq!(host.stack.counters().tcp.retransmits, 0);
    }
    assert_eq!(world.live_nodes(), 0);
}

// req: MUST-3
#[test]
fn two_hundred_bad_links_lose_nothing() {
    let mut seen = Seen::default();
    for seed in 0..200 {
        check_seed(seed, &mut seen);
    }
    // The link was as bad as it should be.
    assert!(
        seen.retransmits > 0 && seen.bad_checksums > 0 && seen.out_of_order > 0,
        "{seen:?}"
    );
}
