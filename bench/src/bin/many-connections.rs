//! What connections cost as there come to be many: opening and closing them, one that talks among a million that do
//! not, and packets of ten among few and many.

use bench::crowded::{Measured, churn, growth, latency, packet_cost};
use bench::stats::Summary;
use clap::Parser;
use serde_json::json;
use std::process::ExitCode;

/// Opens, uses and closes connections between two stacks on a link in memory, both on one core. The status is 1 when
/// fewer than 100,000 connections a second are opened, used and closed, when a handshake or an echo takes more than twice
/// as long among very many idle ones as without, or when a packet's cost grows by half or more from one connection to 100,000.
#[derive(Parser)]
struct Arguments {
    /// How often everything is measured
    #[arg(default_value_t = 5)]
    rounds: usize,
    /// Connections that become idle, and among which one is not
    #[arg(long, default_value_t = 1_000_000)]
    idle: usize,
    /// Connections to open and close in each round
    #[arg(long, default_value_t = 100_000)]
    churn: usize,
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
}

/// How many connections there are while packets of ten of them are measured.
const CROWDS: [usize; 5] = [1, 10, 100, 10_000, 100_000];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let rounds = arguments.rounds;
    let results = [
        churn(arguments.churn, rounds),
        growth(arguments.idle),
        latency(arguments.idle, rounds),
        packet_cost(&CROWDS, rounds),
    ];
    let Some(results) = results.into_iter().collect::<Option<Vec<_>>>() else {
        eprintln!("nothing to measure: give numbers greater than 0");
        return ExitCode::from(2);
    };
    let missed = results.iter().any(|result| !result.holds());
    if arguments.json {
        let cases: Vec<_> = results.iter().map(as_json).collect();
        println!("{:#}", json!({ "cases": cases }));
    } else {
        results.iter().for_each(print);
    }
    ExitCode::from(u8::from(missed))
}

fn print(result: &Measured) {
    println!(
        "{} ({}), median (least-greatest):",
        result.name, result.unit
    );
    for (connections, summary) in &result.rows {
        let Summary { median, min, max } = summary;
        println!("  {connections:>9} connections: {median:.0} ({min:.0}-{max:.0})");
    }
    println!("  {}", result.verdict());
}

fn as_json(result: &Measured) -> serde_json::Value {
    let rows: Vec<_> = result
        .rows
        .iter()
        .map(|(connections, summary)| {
            json!({
                "connections": connections,
                "median": summary.median,
                "min": summary.min,
                "max": summary.max,
            })
        })
        .collect();
    json!({
        "case": result.name,
        "unit": result.unit,
        "rows": rows,
        "holds": result.holds(),
        "verdict": result.verdict(),
    })
}
