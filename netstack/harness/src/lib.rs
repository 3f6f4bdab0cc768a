//! The harness behind `netstack bench`: this stack, its peers, the kernel and the ceiling of the device, measured in
//! one run on one machine.
//!
//! ```text
//! case.rs      the table of cases: what the client does
//! subject.rs   the table of subjects: one entry adds one
//! demand.rs    the table of ratios that are demanded
//! run.rs       the rounds, in which subjects take turns
//! cell.rs      one measurement: a stage, a subject, a client
//! stage.rs     network namespaces and what joins them
//! part.rs      the processes of a measurement that this program is itself
//! report.rs    what was found: text, JSON, a page
//! ```
//!
//! A program that calls [`run()`] must answer to its own name with [`run_part()`] when it is called as
//! [`Program::part`] says: the client and some subjects are processes of the same program.
#![deny(unsafe_code)]

mod address;
mod case;
mod cell;
mod child;
mod demand;
mod error;
mod part;
mod plan;
mod probe;
mod report;
mod row;
mod run;
mod sample;
mod stage;
pub mod stats;
mod subject;
mod sys;

use std::path::PathBuf;

pub use case::{CASES, Case, Load, Pin};
pub use demand::{Status, Verdict};
pub use error::BenchError;
pub use probe::{Core, Cpu};
pub use report::{Failed, Machine, Report, Skipped};
pub use row::{Medians, Row};
pub use run::run;
pub use sample::{Latency, Sample};
pub use subject::{SUBJECTS, Subject};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often each cell is measured.
    pub rounds: u32,
    /// How long each time, in seconds.
    pub seconds: f64,
    /// Cases by name; all when empty.
    pub cases: Vec<String>,
    /// Subjects by name; all that are here when empty.
    pub subjects: Vec<String>,
    /// On which cores; as each case has it when empty.
    pub pins: Vec<Pin>,
    /// Where peers lie that were built apart.
    pub peers: PathBuf,
}

/// The program that measures.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// The word on its command line before the argument of [`run_part()`].
    pub part: &'static str,
    /// The options that its `serve` has, dashes included.
    pub serve_options: Vec<String>,
}

/// Runs a part of a measurement: `words` is what [`run()`] has put on the command line.
///
/// # Errors
/// When `words` is something else, or what the part met.
pub fn run_part(words: &str) -> Result<(), BenchError> {
    let part: part::Part = serde_json::from_str(words).map_err(BenchError::NoPart)?;
    part.run()
}
