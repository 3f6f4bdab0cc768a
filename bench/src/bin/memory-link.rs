//! Memory-link throughput of this stack and of smoltcp, alternating, as medians.
//!
//! `cargo run --release -p bench --bin memory-link [ROUNDS]`

use bench::memory_link::{Work, ours, smoltcp};
use bench::stats::Summary;

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .and_then(|arg| arg.parse().ok())
        .unwrap_or(9);
    let cases = [
        (
            "1500-byte packets",
            Work {
                bytes: 1 << 30,
                buffer: 1 << 20,
                mtu: 1500,
                offload: false,
            },
        ),
        (
            "super-packets",
            Work {
                bytes: 4 << 30,
                buffer: 1 << 20,
                mtu: 1500,
                offload: true,
            },
        ),
    ];
    for (name, work) in cases {
        let rate =
            |elapsed: core::time::Duration| work.bytes as f64 * 8.0 / elapsed.as_secs_f64() / 1e9;
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            a.push(rate(ours(&work)));
            b.push(rate(smoltcp(&work)));
        }
        let (Some(a), Some(b)) = (Summary::of(&a), Summary::of(&b)) else {
            return;
        };
        let show = |s: Summary| format!("{:6.2} ({:.2}-{:.2})", s.median, s.min, s.max);
        println!(
            "{name}: ours {} Gbit/s, smoltcp {} Gbit/s, ratio {:.2}",
            show(a),
            show(b),
            a.median / b.median
        );
    }
}
