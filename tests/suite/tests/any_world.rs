//! Worlds that are bad in ways of their own, each carried through to its end in virtual time.

use core::time::Duration;
use netstack_core::{Congestion, Ecn, TcpConfig};
use suite::sim::{Bottleneck, Bursts, Impairment, Transfer, WorldConfig};

/// As many as `SEEDS` says; a failure is repeated with `FIRST_SEED` set to its seed and `SEEDS` to 1.
#[test]
fn a_thousand_worlds_of_any_kind_lose_nothing() {
    let number = |name: &str, default| match std::env::var(name) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => default,
    };
    let first: u64 = number("FIRST_SEED", 0);
    for seed in first..first + number("SEEDS", 1_000) {
        let _named = Named(seed);
        let config = any_world(seed);
        let v6 = seed % 2 == 1 && config.mtu >= 1280;
        let mut world = Transfer::run(&config, v6, size(seed));
        assert_eq!(world.live_nodes(), 0, "seed {seed}");
    }
}

/// Says in which world a test has failed.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Named(seed) = self;
            eprintln!("again: FIRST_SEED={seed} SEEDS=1 cargo test -p suite --test any_world");
        }
    }
}

/// Bytes each way: in every fiftieth world many, for what shows only after a while.
fn size(seed: u64) -> u64 {
    match seed % 50 {
        7 => 1_000_000 + draw(seed, 16, 3_000_000),
        _ => 30_000 + draw(seed, 16, 100_000),
    }
}

/// A world that is bad in a way of its own: slow or fast, near or far, with any of the options missing.
fn any_world(seed: u64) -> WorldConfig {
    let rate = [500_000, 5_000_000, 50_000_000, 500_000_000][draw(seed, 1, 4) as usize];
    let queue = 3_000 + draw(seed, 2, 200_000) as usize;
    let mut tcp = TcpConfig::default();
    tcp.congestion = Congestion::ALL[draw(seed, 3, 3) as usize];
    tcp.sack = draw(seed, 4, 4) > 0;
    tcp.timestamps = draw(seed, 5, 4) > 0;
    tcp.ecn = [Ecn::Off, Ecn::Accept, Ecn::Offer][draw(seed, 6, 3) as usize];
    tcp.send_buffer = 10_000 << draw(seed, 7, 8);
    tcp.receive_buffer = 10_000 << draw(seed, 8, 8);
    let mtu = [576, 1280, 1500, 9000][draw(seed, 9, 4) as usize];
    // What every path takes, at least.
    let narrow = [576, 1280][seed as usize % 2] + draw(seed, 17, 500) as usize;
    let squeezed = draw(seed, 18, 4) == 0 && narrow < mtu;
    let millis = |which, most| Duration::from_millis(draw(seed, which, most));
    WorldConfig {
        seed,
        mtu,
        tcp,
        squeeze: squeezed.then(|| (millis(19, 2_000), narrow)),
        impairment: Impairment {
            delay: Duration::from_micros(100 << draw(seed, 10, 11)),
            bottleneck: Some(Bottleneck {
                rate,
                queue,
                mark: (draw(seed, 11, 2) > 0).then_some(queue / 3),
            }),
            loss: draw(seed, 12, 100) as u32,
            duplicate: draw(seed, 13, 50) as u32,
            reorder: draw(seed, 14, 200) as u32,
            corrupt: draw(seed, 15, 20) as u32,
            bursts: (draw(seed, 20, 3) == 0).then(|| Bursts {
                begin: 1 + draw(seed, 21, 20) as u32,
                last: Duration::from_millis(1) + millis(22, 100),
                loss: 500 + draw(seed, 23, 500) as u32,
            }),
            blackout: (draw(seed, 24, 4) == 0).then(|| (millis(25, 3_000), millis(26, 20_000))),
        },
        ..WorldConfig::default()
    }
}

/// A number below `below` that depends on `seed` and on `which`.
fn draw(seed: u64, which: u64, below: u64) -> u64 {
    let mixed =
        (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ which).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 31) % below
}
