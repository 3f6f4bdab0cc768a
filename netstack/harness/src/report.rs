//! What was found: for people, for programs and as a page.

mod page;
mod plot;
#[cfg(test)]
pub(crate) mod testing;
mod text;

use std::fs;

use serde::Serialize;

use crate::case::Pin;
use crate::demand::{self, Asked, Verdict};
use crate::row::Row;
use crate::{BenchError, Options};

/// The result of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where it was measured.
    pub machine: Machine,
    /// How often each cell was measured.
    pub rounds: u32,
    /// How long each time.
    pub seconds: f64,
    /// A row for each cell, in the order of the tables.
    pub rows: Vec<Row>,
    /// Subjects that are not here.
    pub skipped: Vec<Skipped>,
    /// Measurements that came to nothing.
    pub failed: Vec<Failed>,
    /// The demands about cases that were asked for.
    pub verdicts: Vec<Verdict>,
    #[serde(skip)]
    asked: Asked,
}

/// A machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The model of its processor.
    pub processor: String,
    /// Cores that are on.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
}

/// A subject that is not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name.
    pub subject: &'static str,
    /// Why, and how to have it.
    pub why: String,
}

/// A measurement that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The case's name.
    pub case: &'static str,
    /// On which cores.
    pub pin: Pin,
    /// The subject's name.
    pub subject: &'static str,
    /// Why.
    pub why: String,
}

impl Report {
    /// A report without rows.
    pub(crate) fn new(options: &Options, skipped: Vec<Skipped>) -> Report {
        Report {
            machine: Machine::this(),
            rounds: options.rounds,
            seconds: options.seconds,
            rows: Vec::new(),
            skipped,
            failed: Vec::new(),
            verdicts: Vec::new(),
            asked: Asked::by(options),
        }
    }

    /// Takes the rows and judges them.
    pub(crate) fn finish(&mut self, rows: Vec<Row>) {
        self.rows = rows;
        self.rows.iter_mut().for_each(Row::sum_up);
        self.verdicts = demand::judge(&self.rows, &self.asked);
    }

    /// The medians as tables of Markdown.
    pub fn to_text(&self) -> String {
        text::write(self)
    }

    /// The medians as a page with plots, which needs no other file.
    ///
    /// # Errors
    /// When a plot cannot be drawn.
    pub fn to_page(&self) -> Result<String, BenchError> {
        page::write(self)
    }

    /// The rows case by case.
    fn groups(&self) -> impl Iterator<Item = &[Row]> {
        let is_same = |a: &Row, b: &Row| (a.case, a.pin) == (b.case, b.pin);
        self.rows.chunk_by(is_same)
    }
}

impl Failed {
    pub(crate) fn of(row: &Row, error: &BenchError) -> Failed {
        Failed {
            case: row.case,
            pin: row.pin,
            subject: row.subject,
            why: error.to_string(),
        }
    }
}

impl Machine {
    fn this() -> Machine {
        let unknown = || "unknown".to_owned();
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let system = rustix::system::uname();
        Machine {
            processor: model.map_or_else(unknown, |(_, name)| name.trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: system
                .release()
                .to_str()
                .map_or_else(|_| unknown(), str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests;
