//! How fast one connection is over a bad path, beside smoltcp on the same path and beside what theory promises.
//!
//! The whole table: `cargo run --release -p bench --bin goodput`.

use core::time::Duration;
use netstack_core::Congestion;
use suite::goodput::{Contender, Path, measure};

const TIME: Duration = Duration::from_secs(20);
const SEEDS: u64 = 2;

fn path(megabits: u64, millis: u64, per_mille: u32) -> Path {
    Path {
        rate: megabits * 1_000_000,
        rtt: Duration::from_millis(millis),
        loss: per_mille,
        marks: false,
    }
}

fn mean(contender: Contender, path: &Path) -> f64 {
    let sum: f64 = (0..SEEDS)
        .map(|seed| measure(contender, path, TIME, seed).goodput)
        .sum();
    sum / SEEDS as f64
}

#[test]
fn a_clean_path_is_filled() {
    for algorithm in Congestion::ALL {
        let path = path(10, 20, 0);
        let goodput = measure(Contender::Ours(algorithm), &path, TIME, 1).goodput;
        assert!(goodput > 0.9 * path.rate as f64, "{algorithm}: {goodput}");
    }
}

// req: RFC3168-02
#[test]
fn a_path_that_marks_is_filled_without_losing_anything() {
    for algorithm in Congestion::ALL {
        let path = Path {
            marks: true,
            ..path(10, 20, 0)
        };
        let outcome = measure(Contender::Ours(algorithm), &path, TIME, 1);
        let info = outcome.info.expect("ours");
        assert!(info.ecn);
        let first_overshoot = 40;
        assert!(info.retransmits <= first_overshoot, "{}", info.retransmits);
        assert!(info.threshold < usize::MAX, "marks were answered");
        assert!(
            outcome.goodput > 0.9 * path.rate as f64,
            "{algorithm}: {}",
            outcome.goodput
        );
    }
}

// req: RFC5681-02
#[test]
fn at_one_per_cent_loss_it_is_what_theory_promises_and_twice_smoltcp() {
    let path = path(100, 20, 10);
    for algorithm in Congestion::ALL {
        let ours = mean(Contender::Ours(algorithm), &path);
        let smoltcp = mean(Contender::Smoltcp(algorithm), &path);
        let promised = path.response();
        assert!(ours >= 0.8 * promised, "{algorithm}: {ours} of {promised}");
        assert!(
            ours >= 2.0 * smoltcp,
            "{algorithm}: {ours}, smoltcp {smoltcp}"
        );
    }
}

#[test]
fn it_is_never_slower_than_smoltcp() {
    for path in [path(10, 20, 1), path(10, 100, 10), path(100, 1, 50)] {
        for algorithm in Congestion::ALL {
            let ours = mean(Contender::Ours(algorithm), &path);
            let smoltcp = mean(Contender::Smoltcp(algorithm), &path);
            assert!(
                ours >= 0.98 * smoltcp,
                "{path}, {algorithm}: {ours}, smoltcp {smoltcp}"
            );
        }
    }
}
