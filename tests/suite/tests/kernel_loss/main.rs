//! TCP against the real kernel over a path that loses packets of an MTU: both directions, both ways of opening, all
//! data compared, and no silence longer than its retransmission timer explains. Beside it, as the measure, one kernel
//! and another over the same bridge.
//!
//! `KERNEL_LOSS=full` moves what is worth measuring: 1 GiB at 0.1 and 1 %, 64 MiB at 5 % and 8 MiB at 10 %, and holds
//! the goodput against the kernel's. Without it 64 MiB are moved at 0.1 and 1 %.

mod host;
mod judged;
mod path;
mod silence;
mod transfer;

use host::Host;
use needs::may_use_tun;
use path::{Far, Path};
use silence::Lateness;
use std::time::Duration;
use transfer::{Side, Transfer, transfer};

const MIB: u64 = 1 << 20;
/// Rounds of which the median counts when goodput is compared.
const ROUNDS: usize = 5;
/// What the goodput of a sender may be below the kernel's before it counts as less: two programs and a bridge share
/// two cores.
const NOISE: f64 = 0.9;

/// Whether what takes long is to be done too.
fn full() -> bool {
    std::env::var("KERNEL_LOSS").is_ok_and(|value| value == "full")
}

/// Moves `bytes` each way, opened from each side, at this loss and delay in both directions.
fn both_ways(percent: f64, delay: Duration, bytes: u64) {
    if !may_use_tun() {
        return;
    }
    for (number, (opens, sends)) in [
        (Side::Near, Side::Near),
        (Side::Near, Side::Far),
        (Side::Far, Side::Near),
        (Side::Far, Side::Far),
    ]
    .into_iter()
    .enumerate()
    {
        let path = Path::new(Far::Stack, percent, delay, number as u64);
        let lateness = Lateness::watch();
        let Transfer { elapsed } = transfer(&path, opens, sends, bytes);
        let late = lateness.worst();
        let capture = path.end();
        println!(
            "{percent} %: {:?} opens, {:?} sends: {:.0} Mbit/s",
            opens,
            sends,
            bytes as f64 * 8.0 / elapsed.as_secs_f64() / 1e6
        );
        judged::judge(capture.path());
        // The kernel's own silences are the kernel's.
        if sends == Side::Far {
            silence::explain(&capture, late);
        }
    }
}

/// Holds the goodput of this stack, as the sender or as the receiver of the kernel's data, against that of another
/// kernel, turn by turn over the same bridge. Says what came of it, and whether it is enough.
fn beside_the_kernel(sends: Side, percent: f64, delay: Duration, bytes: u64) -> (String, bool) {
    let mut goodput = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (far, figures) in [Far::Stack, Far::Kernel].into_iter().zip(&mut goodput) {
            let path = Path::new(far, percent, delay, round as u64);
            let Transfer { elapsed } = transfer(&path, Side::Near, sends, bytes);
            path.end();
            figures.push(bytes as f64 * 8.0 / elapsed.as_secs_f64() / 1e6);
        }
    }
    let [ours, kernel] = goodput.map(|mut figures| {
        figures.sort_by(f64::total_cmp);
        figures[ROUNDS / 2]
    });
    let said = format!(
        "{sends:?} sends, {percent} % lost, {delay:?} each way: {ours:.1} Mbit/s, the kernel {kernel:.1}, {:.2} of it",
        ours / kernel
    );
    println!("{said}");
    (said, ours >= NOISE * kernel)
}

#[test]
fn one_packet_in_a_thousand_is_lost() {
    let bytes = if full() { 1024 * MIB } else { 64 * MIB };
    both_ways(0.1, Duration::ZERO, bytes);
}

#[test]
fn one_packet_in_a_hundred_is_lost() {
    let bytes = if full() { 1024 * MIB } else { 64 * MIB };
    both_ways(1.0, Duration::ZERO, bytes);
}

#[test]
fn one_packet_in_twenty_is_lost() {
    both_ways(5.0, Duration::ZERO, if full() { 64 * MIB } else { 2 * MIB });
}

#[test]
fn one_packet_in_ten_is_lost() {
    both_ways(10.0, Duration::ZERO, if full() { 8 * MIB } else { MIB / 8 });
}

#[test]
#[ignore = "measures: run alone"]
fn goodput_is_at_least_the_kernels() {
    if !may_use_tun() {
        return;
    }
    let mut short = Vec::new();
    for delay in [Duration::ZERO, Duration::from_millis(2)] {
        for (percent, bytes) in [(0.1, 256), (1.0, 64), (5.0, 16), (10.0, 4)] {
            let bytes = if delay.is_zero() { bytes } else { bytes / 4 };
            for sends in [Side::Far, Side::Near] {
                let (said, enough) = beside_the_kernel(sends, percent, delay, bytes * MIB);
                short.extend((!enough).then_some(said));
            }
        }
    }
    assert!(short.is_empty(), "\n{}", short.join("\n"));
}
