//! How fast one connection is over simulated bad paths, beside smoltcp on the same paths, as a table of Markdown: means
//! with the least and the greatest of all seeds.
//!
//! All paths take hours. They can be measured in parts, each of which leaves lines of JSON, and shown together:
//! `goodput --seconds 60 --seeds 10 --rates 1000 --json > part`, then `goodput --from part --from other --plot x.svg`.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use bench::goodput::{CONTENDERS, Cell, Quantity, plot, table};
use clap::Parser;
use suite::goodput::Contender;

#[derive(Parser)]
#[command(name = "goodput", about = "Goodput over simulated bad paths")]
struct Options {
    /// Simulated seconds of each run
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Runs of each cell
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Rates, in Mbit/s
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100])]
    rates: Vec<u64>,
    /// Round-trip times, in milliseconds
    #[arg(long, value_delimiter = ',', default_values_t = [1, 20, 100])]
    rtts: Vec<u64>,
    /// Data packets lost, of a thousand
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 10, 50])]
    losses: Vec<u32>,
    /// Only these, such as "ours cubic"
    #[arg(long, value_delimiter = ',', value_parser = contender, default_values_t = CONTENDERS)]
    only: Vec<Contender>,
    /// Jain's index of two connections on one path, in place of the goodput of one
    #[arg(long)]
    fairness: bool,
    /// Lines of JSON in place of a table
    #[arg(long)]
    json: bool,
    /// Show what such lines say, and measure nothing
    #[arg(long)]
    from: Vec<PathBuf>,
    /// Draw a picture into this file
    #[arg(long)]
    plot: Option<PathBuf>,
}

fn contender(name: &str) -> Result<Contender, String> {
    let named = CONTENDERS
        .into_iter()
        .find(|known| known.to_string() == name);
    named.ok_or_else(|| {
        format!(
            "one of {}",
            CONTENDERS.map(|known| format!("`{known}`")).join(", ")
        )
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let cells = match options.from.is_empty() {
        true => measured(&options)?,
        false => read(&options.from)?,
    };
    if let Some(path) = &options.plot {
        plot(&cells, path)?;
    }
    if !options.json {
        io::stdout().write_all(table(&cells).as_bytes())?;
    }
    Ok(())
}

fn measured(options: &Options) -> Result<Vec<Cell>, Box<dyn Error>> {
    let quantity = match options.fairness {
        true => Quantity::Fairness,
        false => Quantity::Goodput,
    };
    let mut cells = Vec::new();
    for rate in &options.rates {
        for rtt in &options.rtts {
            for loss in &options.losses {
                for contender in &options.only {
                    let path = (*rate, *rtt, *loss);
                    let (seconds, seeds) = (options.seconds, options.seeds);
                    let cell = Cell::measure(quantity, *contender, path, seconds, seeds);
                    if options.json {
                        writeln!(io::stdout(), "{}", cell.to_json())?;
                    }
                    cells.push(cell);
                }
            }
        }
    }
    Ok(cells)
}

fn read(files: &[PathBuf]) -> Result<Vec<Cell>, Box<dyn Error>> {
    let mut cells = Vec::new();
    for file in files {
        for line in fs::read_to_string(file)?.lines() {
            let cell = Cell::from_json(line);
            cells.push(cell.ok_or_else(|| format!("{}: not a cell: {line}", file.display()))?);
        }
    }
    Ok(cells)
}
