//! `netstack bench`: this stack beside its peers.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::CommandFactory as _;
use netstack_bench::{Options, Pin, Program, Report};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::args::{Bench, BenchPart, Cli, PinName};
use crate::failure::{Failure, Outcome};
use crate::output;

const ROUNDS: u32 = 5;
const SECONDS: f64 = 2.0;
/// Long enough to see a case work.
const QUICK_SECONDS: f64 = 0.1;

/// Measures, and writes down what was found.
pub(crate) fn run(options: &Bench) -> Result<Outcome, Failure> {
    // Hours of measuring are not to end with a file that cannot be written.
    let page = create(options.html.as_deref(), "--html")?;
    let prints_json = options.json.as_deref() == Some(Path::new("-"));
    let json = match &options.json {
        Some(path) if !prints_json => create(Some(path), "--json")?,
        _ => None,
    };
    let stop = stop_flag()?;
    let report =
        netstack_bench::run(&measured(options), &this_program()?, &stop).map_err(Failure::of)?;
    let as_json = || {
        serde_json::to_string_pretty(&report)
            .map(|text| text + "\n")
            .map_err(Failure::of)
    };
    if let Some((mut file, path)) = json {
        save(&mut file, path, &as_json()?)?;
    }
    if let Some((mut file, path)) = page {
        save(&mut file, path, &report.to_page().map_err(Failure::of)?)?;
    }
    output::print(&if prints_json {
        as_json()?
    } else {
        report.to_text()
    })?;
    Ok(outcome(&report, options.check))
}

/// Is a part of a measurement.
pub(crate) fn part(part: &BenchPart) -> Result<Outcome, Failure> {
    netstack_bench::run_part(&part.words)
        .map(|()| Outcome::Fine)
        .map_err(Failure::of)
}

/// Says on standard error what is wrong with a report, since tables are long.
fn outcome(report: &Report, check: bool) -> Outcome {
    let mut outcome = Outcome::Fine;
    for skipped in &report.skipped {
        output::complain(&format!("SKIPPED {}: {}", skipped.subject, skipped.why));
    }
    for failed in &report.failed {
        outcome = Outcome::Found;
        let (case, subject) = (failed.case, failed.subject);
        output::complain(&format!("{case} with {subject} failed: {}", failed.why));
    }
    for missed in report.missed().filter(|_| check) {
        outcome = Outcome::Found;
        output::complain(&format!("missed: {}", missed.demand));
    }
    outcome
}

fn measured(options: &Bench) -> Options {
    let (rounds, seconds) = if options.quick {
        (1, QUICK_SECONDS)
    } else {
        (ROUNDS, SECONDS)
    };
    let pin = |name: &PinName| match name {
        PinName::One => Pin::One,
        PinName::Two => Pin::Two,
        PinName::Free => Pin::Free,
    };
    Options {
        rounds: options.rounds.unwrap_or(rounds),
        seconds: options.seconds.unwrap_or(seconds),
        cases: options.only.clone(),
        subjects: options.subjects.clone(),
        pins: options.pin.iter().map(pin).collect(),
        peers: options.peers.clone(),
    }
}

fn this_program() -> Result<Program, Failure> {
    let path = std::env::current_exe().map_err(|error| {
        Failure::new(format!(
            "cannot tell where this program lies: {error}; mount /proc"
        ))
    })?;
    let cli = Cli::command();
    let serve = cli.find_subcommand("serve");
    let options = serve.into_iter().flat_map(clap::Command::get_opts);
    Ok(Program {
        path,
        part: "bench-part",
        serve_options: options
            .filter_map(|option| Some(format!("--{}", option.get_long()?)))
            .collect(),
    })
}

/// Becomes true by a signal that would have ended the process.
fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(|error| {
            Failure::new(format!(
                "cannot wait for signals: {error}; run it without a debugger"
            ))
        })?;
    }
    Ok(stop)
}

fn create<'a>(path: Option<&'a Path>, option: &str) -> Result<Option<(File, &'a Path)>, Failure> {
    let Some(path) = path else { return Ok(None) };
    match File::create(path) {
        Ok(file) => Ok(Some((file, path))),
        Err(error) => Err(Failure::new(format!(
            "cannot write {}: {error}; choose another file with {option}",
            path.display()
        ))),
    }
}

fn save(file: &mut File, path: &Path, text: &str) -> Result<(), Failure> {
    file.write_all(text.as_bytes())
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}
