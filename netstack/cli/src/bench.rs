//! `netstack bench`: this stack beside its peers.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::CommandFactory as _;
use netstack_bench::{Options, Pin, Program, Report, Status};
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
    check_apart(json.as_ref(), page.as_ref())?;
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
    for verdict in report.verdicts.iter().filter(|_| check) {
        let word = match verdict.status {
            Status::Missed => "missed",
            Status::NotMeasured => "not measured",
            Status::LeftOut => {
                output::complain(&format!("left out by the options: {}", verdict.demand));
                continue;
            }
            Status::Met => continue,
        };
        outcome = Outcome::Found;
        output::complain(&format!("{word}: {}", verdict.demand));
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

/// A file and its path.
type Target<'a> = (File, &'a Path);

/// Opens a file to be written. What is in it stays until there is something to write.
fn create<'a>(path: Option<&'a Path>, option: &str) -> Result<Option<Target<'a>>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let mut options = File::options();
    match options.write(true).create(true).truncate(false).open(path) {
        Ok(file) => Ok(Some((file, path))),
        Err(error) => Err(Failure::new(format!(
            "cannot write {}: {error}; choose another file with {option}",
            path.display()
        ))),
    }
}

/// Two results do not fit one file.
fn check_apart(one: Option<&Target<'_>>, other: Option<&Target<'_>>) -> Result<(), Failure> {
    let place = |target: Option<&Target<'_>>| {
        let found = target?.0.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((found.dev(), found.ino()))
    };
    match (place(one), place(other)) {
        (Some(one), Some(other)) if one == other => Err(Failure::new(
            "--json and --html name the same file; choose another for one of them",
        )),
        _ => Ok(()),
    }
}

fn save(file: &mut File, path: &Path, text: &str) -> Result<(), Failure> {
    let is_regular = file.metadata().is_ok_and(|found| found.is_file());
    let emptied = if is_regular { file.set_len(0) } else { Ok(()) };
    emptied
        .and_then(|()| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}
