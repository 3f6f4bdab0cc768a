//! One subject of the memory-link bench alone, for a profiler: `ours` or `smoltcp`, and GiB to move.

use bench::memory_link::{Work, ours, smoltcp};

fn main() {
    let mut args = std::env::args().skip(1);
    let subject = args.next().unwrap_or_default();
    let gib: u64 = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(4);
    let buffer = args
        .next()
        .and_then(|arg| arg.parse().ok())
        .unwrap_or(1 << 20);
    let work = Work {
        bytes: gib << 30,
        buffer,
        mtu: 1500,
        offload: false,
    };
    let elapsed = if subject == "smoltcp" {
        smoltcp(&work)
    } else {
        ours(&work)
    };
    println!(
        "{:.2} Gbit/s",
        work.bytes as f64 * 8.0 / elapsed.as_secs_f64() / 1e9
    );
}
