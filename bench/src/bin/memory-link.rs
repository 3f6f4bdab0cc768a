//! Memory-link throughput of this stack and of smoltcp on the same work, alternating, as medians.

use std::process::ExitCode;
use std::time::Duration;

use bench::memory_link::{Work, ours, smoltcp};
use bench::stats::Summary;
use clap::Parser;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Moves bulk TCP over a link in memory, by this stack and by smoltcp in turn, and compares the medians. Rates are by
/// the CPU time of the process, which neighbours disturb less than the clock. The status is 1 when this stack is less
/// than twice as fast with packets of 1500 bytes.
#[derive(Parser)]
struct Arguments {
    /// Runs of each subject
    #[arg(default_value_t = 9)]
    rounds: usize,
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
}

struct Case {
    name: &'static str,
    work: Work,
    /// The least that the ratio of the medians must be.
    required: Option<f64>,
}

/// Gbit/s of one subject.
struct Rates {
    by_cpu: Summary,
    by_clock: Summary,
}

struct Comparison {
    ours: Rates,
    smoltcp: Rates,
}

impl Comparison {
    fn ratio(&self) -> f64 {
        self.ours.by_cpu.median / self.smoltcp.by_cpu.median
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut missed = false;
    let mut reports = Vec::new();
    for case in cases() {
        let Some(comparison) = compare(&case.work, arguments.rounds) else {
            eprintln!("nothing to compare: give a number of rounds greater than 0");
            return ExitCode::from(2);
        };
        missed |= case
            .required
            .is_some_and(|required| comparison.ratio() < required);
        if arguments.json {
            reports.push(as_json(&case, &comparison));
        } else {
            print(&case, &comparison);
        }
    }
    if arguments.json {
        println!("{:#}", json!({ "unit": "Gbit/s", "cases": reports }));
    }
    ExitCode::from(u8::from(missed))
}

fn cases() -> [Case; 2] {
    let work = Work {
        bytes: 2 << 30,
        buffer: 1 << 20,
        mtu: 1500,
        offload: false,
    };
    [
        Case {
            name: "1500-byte packets",
            work,
            required: Some(2.0),
        },
        Case {
            name: "super-packets",
            work: Work {
                bytes: 4 << 30,
                offload: true,
                ..work
            },
            required: None,
        },
    ]
}

fn compare(work: &Work, rounds: usize) -> Option<Comparison> {
    let (mut own, mut peers) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for _ in 0..rounds {
        for (subject, rates) in [
            (ours as fn(&Work) -> Duration, &mut own),
            (smoltcp, &mut peers),
        ] {
            let before = cpu_time();
            let elapsed = subject(work);
            let used = cpu_time().saturating_sub(before);
            let rate = |time: Duration| work.bytes as f64 * 8.0 / time.as_secs_f64() / 1e9;
            rates.0.push(rate(used));
            rates.1.push(rate(elapsed));
        }
    }
    let rates = |(by_cpu, by_clock): (Vec<f64>, Vec<f64>)| {
        Some(Rates {
            by_cpu: Summary::of(&by_cpu)?,
            by_clock: Summary::of(&by_clock)?,
        })
    };
    Some(Comparison {
        ours: rates(own)?,
        smoltcp: rates(peers)?,
    })
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

fn print(case: &Case, comparison: &Comparison) {
    let show = |s: Summary| format!("{:.1} ({:.1}-{:.1})", s.median, s.min, s.max);
    let Comparison { ours, smoltcp } = comparison;
    println!("{}, Gbit/s, median (least-greatest):", case.name);
    println!(
        "  by CPU time: ours {}, smoltcp {}, ratio {:.2}",
        show(ours.by_cpu),
        show(smoltcp.by_cpu),
        comparison.ratio()
    );
    println!(
        "  by the clock: ours {}, smoltcp {}, ratio {:.2}",
        show(ours.by_clock),
        show(smoltcp.by_clock),
        ours.by_clock.median / smoltcp.by_clock.median
    );
}

fn as_json(case: &Case, comparison: &Comparison) -> Value {
    let summary = |s: Summary| json!({ "median": s.median, "min": s.min, "max": s.max });
    let rates = |rates: &Rates| {
        json!({
            "by_cpu_time": summary(rates.by_cpu),
            "by_clock": summary(rates.by_clock),
        })
    };
    json!({
        "case": case.name,
        "bytes": case.work.bytes,
        "buffer": case.work.buffer,
        "mtu": case.work.mtu,
        "offload": case.work.offload,
        "ours": rates(&comparison.ours),
        "smoltcp": rates(&comparison.smoltcp),
        "ratio": comparison.ratio(),
        "required": case.required,
    })
}
