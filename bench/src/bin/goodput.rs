//! Prints how fast one connection is over simulated paths, beside smoltcp on the same paths.
//!
//! `goodput [SECONDS] [SEEDS] [MOST_MEGABITS] [--json]`: simulated seconds of each run (10), runs of each cell (3), and
//! the fastest path (100). The full table: `goodput 60 10 1000`.

use core::time::Duration;
use netstack_core::Congestion;
use std::process::ExitCode;
use suite::goodput::{Contender, Path, measure};

const CONTENDERS: [Contender; 5] = [
    Contender::Ours(Congestion::Reno),
    Contender::Smoltcp(Congestion::Reno),
    Contender::Ours(Congestion::Cubic),
    Contender::Smoltcp(Congestion::Cubic),
    Contender::Ours(Congestion::Bbr),
];

struct Options {
    time: Duration,
    seeds: u64,
    most: u64,
    json: bool,
}

fn options() -> Result<Options, String> {
    let (flags, numbers): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|arg| arg.starts_with('-'));
    if let Some(flag) = flags.iter().find(|flag| *flag != "--json") {
        return Err(format!("{flag}: no such option; there is --json"));
    }
    let number = |at: usize, default: u64| match numbers.get(at) {
        None => Ok(default),
        Some(text) => match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("{text}: give a number above zero")),
        },
    };
    Ok(Options {
        time: Duration::from_secs(number(0, 10)?),
        seeds: number(1, 3)?,
        most: number(2, 100)?,
        json: !flags.is_empty(),
    })
}

fn paths(most: u64) -> impl Iterator<Item = Path> {
    let rates = [10, 100, 1000]
        .into_iter()
        .filter(move |rate| *rate <= most);
    rates.flat_map(|rate| {
        [1, 20, 100].into_iter().flat_map(move |millis| {
            [0, 1, 10, 50].into_iter().map(move |loss| Path {
                rate: rate * 1_000_000,
                rtt: Duration::from_millis(millis),
                loss,
                marks: false,
            })
        })
    })
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("goodput: {error}");
            return ExitCode::FAILURE;
        }
    };
    if !options.json {
        print!("{:32}", "Mbit/s, mean (least-greatest)");
        for contender in CONTENDERS {
            print!("{:>26}", contender.to_string());
        }
        println!("{:>12}", "promised");
    }
    for path in paths(options.most) {
        if !options.json {
            print!("{:32}", path.to_string());
        }
        for contender in CONTENDERS {
            let runs: Vec<f64> = (0..options.seeds)
                .map(|seed| measure(contender, &path, options.time, seed).goodput / 1e6)
                .collect();
            report(&options, &path, contender, &runs);
        }
        if !options.json {
            match path.loss {
                0 => println!(),
                _ => println!("{:12.1}", path.response() / 1e6),
            }
        }
    }
    ExitCode::SUCCESS
}

fn report(options: &Options, path: &Path, contender: Contender, runs: &[f64]) {
    let mean = runs.iter().sum::<f64>() / runs.len() as f64;
    let least = runs.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = runs.iter().copied().fold(0.0, f64::max);
    if options.json {
        println!(
            "{{\"rate\":{},\"rtt_ms\":{},\"loss_per_mille\":{},\"contender\":\"{contender}\",\"seconds\":{},\"mbits\":{runs:?}}}",
            path.rate,
            path.rtt.as_millis(),
            path.loss,
            options.time.as_secs(),
        );
    } else {
        let text = format!("{mean:.1} ({least:.1}-{greatest:.1})");
        print!("{text:>26}");
    }
}
