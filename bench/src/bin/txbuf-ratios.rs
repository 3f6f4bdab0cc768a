//! What the operations of `txbuf` cost beside those of Linux's packets and of a rope, and whether the ratios are
//! what they have to be. Fails when one is not.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench::cost::{
    BARS, EXTENTS, Effort, Operation, Subject, Table, Verdict, judge, measure, plot,
};
use clap::Parser;
use serde_json::json;

/// Measures packet operations of txbuf, of a model of Linux's sk_buff and of a rope of `Bytes`, in turn, and compares
/// the medians with the ratios that are required. The status is 1 when one is missed.
#[derive(Parser)]
struct Arguments {
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
    /// Measure every number of extents and not only those of the required ratios
    #[arg(long)]
    all: bool,
    /// Draw cost against extents into this SVG file; measures all
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Samples of each case
    #[arg(long, default_value_t = 101)]
    rounds: usize,
    /// Length of a sample in microseconds
    #[arg(long, default_value_t = 200)]
    sample: u64,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let effort = Effort {
        rounds: arguments.rounds,
        sample: Duration::from_micros(arguments.sample),
    };
    let all = arguments.all || arguments.plot.is_some();
    let table = measure(effort, |case| {
        let needed = |bar: &bench::cost::Bar| {
            let ours = [Subject::Txbuf, bar.peer].contains(&case.subject);
            ours && (bar.operation, bar.extents) == (case.operation, case.extents)
        };
        all || BARS.iter().any(needed)
    });
    let verdicts = judge(&table);
    if let Some(path) = &arguments.plot {
        plot(&table, path)?;
    }
    if arguments.json {
        println!("{:#}", as_json(&table, &verdicts));
    } else {
        if all {
            print_table(&table);
        }
        print_verdicts(&verdicts);
    }
    let met = verdicts.len() == BARS.len() && verdicts.iter().all(Verdict::holds);
    Ok(ExitCode::from(u8::from(!met)))
}

fn print_table(table: &Table) {
    println!("median ns    extents      txbuf        skb       rope      bytes");
    for operation in Operation::ALL {
        println!("{}", operation.name());
        for extents in EXTENTS {
            let medians = Subject::ALL.map(|subject| table.median(operation, subject, extents));
            if medians.iter().all(Option::is_none) {
                continue;
            }
            let cells = medians.map(|median| match median {
                Some(median) => format!("{median:11.1}"),
                None => format!("{:>11}", "-"),
            });
            println!("{extents:>20}{}", cells.concat());
        }
    }
    println!();
}

fn print_verdicts(verdicts: &[Verdict]) {
    println!("operation                  extents  against   ours ns   peer ns   ratio  required");
    for verdict in verdicts {
        let bar = verdict.bar;
        println!(
            "{:26} {:>7}  {:7} {:>9.1} {:>9.1} {:>7.2}  {:>8.1}  {}",
            bar.operation.name(),
            bar.extents,
            bar.peer.name(),
            verdict.ours,
            verdict.peer,
            verdict.ratio(),
            bar.least,
            if verdict.holds() { "met" } else { "MISSED" },
        );
    }
}

fn as_json(table: &Table, verdicts: &[Verdict]) -> serde_json::Value {
    let cases = table.0.iter().map(|row| {
        json!({
            "operation": row.operation.name(),
            "subject": row.subject.name(),
            "extents": row.extents,
            "median_ns": row.nanoseconds.median,
            "min_ns": row.nanoseconds.min,
            "max_ns": row.nanoseconds.max,
        })
    });
    let bars = verdicts.iter().map(|verdict| {
        json!({
            "operation": verdict.bar.operation.name(),
            "extents": verdict.bar.extents,
            "against": verdict.bar.peer.name(),
            "ours_ns": verdict.ours,
            "peer_ns": verdict.peer,
            "ratio": verdict.ratio(),
            "required": verdict.bar.least,
            "met": verdict.holds(),
        })
    });
    json!({
        "cases": cases.collect::<Vec<_>>(),
        "ratios": bars.collect::<Vec<_>>(),
    })
}
