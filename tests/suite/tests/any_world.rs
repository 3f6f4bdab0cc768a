//! Worlds that are bad in ways of their own, each carried through to its end in virtual time.

use core::time::Duration;
use netstack_core::{Congestion, Ecn, SocketOption, TcpConfig};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use suite::sim::{
    Bottleneck, Bursts, Finish, Habits, Impairment, Pace, Plan, Transfer, World, WorldConfig,
};

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
        let mut world = World::new(&config);
        let mut plans = plans(seed, &config);
        change_later(seed, &mut plans);
        Transfer::run_all(&mut world, plans);
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
    // A minute is not enough for every handshake.
    (tcp.syn_retries, tcp.synack_retries) = (10, 10);
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

/// What connections there are in it, one to four that share its bytes, and what their applications do. All of it follows
/// from numbers of its own: what the world is like does not depend on how many of those are drawn.
fn plans(seed: u64, config: &WorldConfig) -> Vec<Plan> {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed ^ 3 << 56));
    let connections = [1, 1, 2, 2, 3, 4][dice.below(6) as usize];
    let size = size(seed) / connections;
    let path = config.squeeze.map_or(config.mtu, |(_, narrow)| narrow);
    let plan = |number: u64| {
        let first = number == 0;
        let odd = if first { seed % 2 } else { dice.below(2) };
        Plan {
            number: number as usize,
            v6: odd == 1 && path >= 1280,
            opener: if first { 0 } else { dice.below(2) as usize },
            port: 7 + number as u16,
            after: match first {
                true => Duration::ZERO,
                false => Duration::from_millis(dice.below(8_000)),
            },
            ends: [habits(&mut dice, size), habits(&mut dice, size)],
        }
    };
    (0..connections).map(plan).collect()
}

/// What an application does that sends up to `most` bytes, and gets as many.
fn habits(dice: &mut Dice, most: u64) -> Habits {
    let size = match dice.below(8) {
        0 => 0,
        1 => 1 + dice.below(2_000),
        2 => dice.below(most),
        _ => most,
    };
    let mut options = Vec::new();
    if dice.below(4) == 0 {
        options.push(SocketOption::ReceiveBuffer(
            1_000 + dice.below(30_000) as usize,
        ));
    }
    if dice.below(3) == 0 {
        let algorithm = Congestion::ALL[dice.below(3) as usize];
        options.push(SocketOption::Congestion(algorithm));
    }
    if dice.below(4) == 0 {
        options.push(SocketOption::NoDelay(true));
    }
    Habits {
        size,
        writes: pace(dice, size),
        finishes: match dice.below(4) {
            0 => Finish::After(dice.time()),
            1 => Finish::WhenRead,
            _ => Finish::AtOnce,
        },
        reads: pace(dice, most),
        options,
        later: Vec::new(),
    }
}

/// What applications change while data is under way, by numbers of its own: without it the worlds are the same.
fn change_later(seed: u64, plans: &mut [Plan]) {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed ^ 4 << 56));
    for habits in plans.iter_mut().flat_map(|plan| &mut plan.ends) {
        let mut after = Duration::ZERO;
        for _ in 0..dice.below(5) {
            after += dice.time() / 4;
            let option = match dice.below(5) {
                0 => SocketOption::NoDelay(dice.below(2) == 0),
                1 => SocketOption::ReceiveBuffer(10_000 + dice.below(30_000) as usize),
                _ => SocketOption::Congestion(Congestion::ALL[dice.below(3) as usize]),
            };
            habits.later.push((after, option));
        }
    }
}

/// What takes up to five minutes for `size` bytes, in up to two thousand pieces.
fn pace(dice: &mut Dice, size: u64) -> Pace {
    let (kind, time, pieces) = (dice.below(8), dice.time(), 1_u32 << dice.below(11));
    match kind {
        0..4 => Pace::AtOnce,
        4 => Pace::Rate(size * 1_000 / time.as_millis() as u64 + 100),
        _ => Pace::Pieces {
            most: 2 * size / u64::from(pieces) + 1,
            rest: 2 * time / pieces,
        },
    }
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, below: u64) -> u64 {
        self.0.next_u64() % below
    }

    /// From a hundredth of a second to some five minutes.
    fn time(&mut self) -> Duration {
        Duration::from_millis(10 << self.below(16))
    }
}

/// A number below `below` that depends on `seed` and on `which`.
fn draw(seed: u64, which: u64, below: u64) -> u64 {
    let mixed =
        (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ which).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 31) % below
}
