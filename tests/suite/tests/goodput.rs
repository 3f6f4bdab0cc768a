//! How fast one connection is over a bad path, beside smoltcp on the same path and beside what theory promises.
//!
//! The whole table: `cargo run --release -p bench --bin goodput`.

use core::time::Duration;
use netstack_core::Congestion;
use suite::goodput::{Contender, Path, fairness, measure, share};

const TIME: Duration = Duration::from_secs(20);
const SEEDS: u64 = 2;
/// What follows losses, and answers marks.
const LOSS_BASED: [Congestion; 2] = [Congestion::Reno, Congestion::Cubic];

fn path(megabits: u64, millis: u64, per_mille: u32) -> Path {
    Path {
        rate: megabits * 1_000_000,
        rtt: Duration::from_millis(millis),
        loss: per_mille,
        marks: false,
    }
}

fn mean(contender: Contender, path: &Path) -> f64 {
    mean_of(contender, path, TIME, SEEDS)
}

fn mean_of(contender: Contender, path: &Path, time: Duration, seeds: u64) -> f64 {
    let sum: f64 = (0..seeds)
        .map(|seed| measure(contender, path, time, seed).goodput)
        .sum();
    sum / seeds as f64
}

#[test]
fn a_clean_path_is_filled() {
    for algorithm in Congestion::ALL {
        let path = path(10, 20, 0);
        let goodput = measure(Contender::Ours(algorithm), &path, TIME, 1).goodput;
        assert!(goodput > 0.9 * path.rate as f64, "{algorithm}: {goodput}");
    }
}

#[test]
fn a_short_path_is_filled_for_what_overflows_its_queue_is_lost_once() {
    let path = path(100, 1, 0);
    for algorithm in Congestion::ALL {
        let goodput = measure(Contender::Ours(algorithm), &path, TIME, 1).goodput;
        assert!(goodput > 0.95 * path.rate as f64, "{algorithm}: {goodput}");
    }
}

// req: RFC3168-02
#[test]
fn a_path_that_marks_is_filled_without_losing_anything() {
    for algorithm in LOSS_BASED {
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
    for algorithm in LOSS_BASED {
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

/// The same over ten seeds of a minute each. Twice what smoltcp's CUBIC reaches over so long would be a tenth more than
/// CUBIC's response function promises.
#[test]
fn at_one_per_cent_loss_it_stays_there_for_a_minute() {
    let path = path(100, 20, 10);
    let minute = Duration::from_secs(60);
    let mean = |contender| mean_of(contender, &path, minute, 10);
    for (algorithm, factor) in [(Congestion::Reno, 2.0), (Congestion::Cubic, 1.9)] {
        let ours = mean(Contender::Ours(algorithm));
        let smoltcp = mean(Contender::Smoltcp(algorithm));
        let promised = path.response();
        assert!(ours >= 0.8 * promised, "{algorithm}: {ours} of {promised}");
        assert!(
            ours >= factor * smoltcp,
            "{algorithm}: {ours}, smoltcp {smoltcp}"
        );
    }
}

#[test]
fn it_is_never_slower_than_smoltcp() {
    for path in [path(10, 20, 1), path(10, 100, 10), path(100, 1, 50)] {
        for algorithm in LOSS_BASED {
            let ours = mean(Contender::Ours(algorithm), &path);
            let smoltcp = mean(Contender::Smoltcp(algorithm), &path);
            assert!(
                ours >= 0.98 * smoltcp,
                "{path}, {algorithm}: {ours}, smoltcp {smoltcp}"
            );
        }
    }
}

#[test]
fn a_model_of_the_path_fills_it_whatever_it_loses() {
    for (per_mille, share) in [(0, 0.9), (1, 0.9), (10, 0.8)] {
        let path = path(100, 20, per_mille);
        let goodput = mean(Contender::Ours(Congestion::Bbr), &path);
        assert!(goodput >= share * path.rate as f64, "{path}: {goodput}");
    }
}

#[test]
fn what_answers_no_marks_asks_for_none() {
    let path = Path {
        marks: true,
        ..path(10, 20, 0)
    };
    let outcome = measure(Contender::Ours(Congestion::Bbr), &path, TIME, 1);
    assert!(!outcome.info.expect("ours").ecn);
    assert!(outcome.goodput > 0.9 * path.rate as f64);
}

#[test]
fn two_connections_of_one_algorithm_share_a_path_fairly() {
    let path = path(10, 20, 0);
    for algorithm in Congestion::ALL {
        let minute = Duration::from_secs(60);
        let outcomes = share(Contender::Ours(algorithm), &path, minute, 1, 2);
        let fair = fairness(&outcomes);
        let goodputs: Vec<f64> = outcomes.iter().map(|outcome| outcome.goodput).collect();
        assert!(fair >= 0.9, "{algorithm}: {fair}, {goodputs:?}");
        assert!(
            goodputs.iter().sum::<f64>() > 0.9 * path.rate as f64,
            "{algorithm}: {goodputs:?}"
        );
    }
}

#[test]
fn buffers_that_begin_small_do_not_hold_a_long_path_back() {
    let path = path(100, 100, 0);
    let minute = Duration::from_secs(60);
    for algorithm in Congestion::ALL {
        let outcome = measure(Contender::Ours(algorithm), &path, minute, 1);
        let info = outcome.info.expect("ours");
        assert!(info.send_buffer > path.product(), "{}", info.send_buffer);
        assert!(
            outcome.goodput > 0.85 * path.rate as f64,
            "{algorithm}: {}",
            outcome.goodput
        );
    }
}
