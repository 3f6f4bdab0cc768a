//! What was found: for people, for programs and as a page.

mod page;
mod plot;
#[cfg(test)]
pub(crate) mod testing;
mod text;

use std::fs;

use serde::Serialize;

use crate::case::Pin;
use crate::cell::Cell;
use crate::demand::{self, Asked, Verdict};
use crate::probe::Core;
use crate::stats::Summary;
use crate::{BenchError, Options, Sample};

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

/// What was measured of a subject in a case.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The case's name.
    pub case: &'static str,
    /// The case in words.
    pub about: &'static str,
    /// On which cores.
    pub pin: Pin,
    /// The subject's name.
    pub subject: &'static str,
    /// Whether the rate is in Gbit/s; else it is in requests or packets for each second.
    pub is_bulk: bool,
    /// Whether it is in packets.
    pub is_forwarding: bool,
    /// One for each round that came to something.
    pub samples: Vec<Sample>,
    /// Medians of the samples.
    pub medians: Option<Medians>,
}

/// The samples of a row in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Medians {
    /// Gbit/s, or requests or packets for each second.
    pub rate: Summary,
    /// Gbit/s of whole IP packets, where the rate is in packets.
    pub bits: Option<Summary>,
    /// Microseconds.
    pub p50: Option<Summary>,
    /// Microseconds.
    pub p99: Option<Summary>,
    /// Microseconds.
    pub p999: Option<Summary>,
    /// The subject's time in user mode: seconds for a gigabyte, or microseconds for a request.
    pub user: Summary,
    /// The same in kernel mode.
    pub system: Summary,
    /// The subject's time in both.
    pub cost: Summary,
    /// The client's time in either mode, in the same unit.
    pub client: Summary,
    /// The most memory that the subject had resident, in MiB.
    pub peak_mib: Summary,
    /// The part of all cores' time that somebody else used.
    pub others: Summary,
    /// The part of the time in which each core was busy: medians.
    pub cores: Vec<f64>,
    /// Packets that the client's device dropped.
    pub dropped: Summary,
    /// Segments that the client's kernel sent again.
    pub retransmits: Summary,
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
        for row in &mut self.rows {
            row.medians = Medians::of(&row.samples, row.is_bulk, row.is_forwarding);
        }
        self.verdicts = demand::judge(self, &self.asked);
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

    pub(crate) fn medians(&self, case: &str, pin: Pin, subject: &str) -> Option<&Medians> {
        let is_it = |row: &&Row| (row.case, row.pin, row.subject) == (case, pin, subject);
        self.rows.iter().find(is_it)?.medians.as_ref()
    }

    /// The rows case by case.
    fn groups(&self) -> impl Iterator<Item = &[Row]> {
        let is_same = |a: &Row, b: &Row| (a.case, a.pin) == (b.case, b.pin);
        self.rows.chunk_by(is_same)
    }
}

impl Row {
    pub(crate) fn of(cell: &Cell) -> Row {
        Row {
            case: cell.case.name,
            about: cell.case.about,
            pin: cell.pin,
            subject: cell.subject.name,
            is_bulk: cell.case.load.is_bulk(),
            is_forwarding: cell.case.load.is_forwarding(),
            samples: Vec::new(),
            medians: None,
        }
    }

    fn unit(&self) -> &'static str {
        match (self.is_bulk, self.is_forwarding) {
            (true, _) => "Gbit/s",
            (false, true) => "packets/s",
            (false, false) => "/s",
        }
    }

    fn cost_unit(&self) -> &'static str {
        if self.is_bulk { "s/GB" } else { "µs each" }
    }
}

impl Medians {
    fn of(samples: &[Sample], is_bulk: bool, is_forwarding: bool) -> Option<Medians> {
        let all = |value: &dyn Fn(&Sample) -> f64| {
            Summary::of(&samples.iter().map(value).collect::<Vec<_>>())
        };
        let latency = |value: &dyn Fn(&crate::Latency) -> f64| {
            let times = samples.iter().filter_map(|sample| sample.latency.as_ref());
            Summary::of(&times.map(value).collect::<Vec<_>>())
        };
        let cores = samples.first()?.cores.len();
        let busy = |core: usize| {
            let of_core = samples.iter().filter_map(|sample| sample.cores.get(core));
            Summary::of(&of_core.map(Core::busy).collect::<Vec<_>>())
        };
        Some(Medians {
            rate: all(&|sample| sample.rate)?,
            bits: match is_forwarding {
                true => all(&|sample| sample.bytes as f64 * 8e-9 / sample.seconds),
                false => None,
            },
            p50: latency(&|latency| latency.p50),
            p99: latency(&|latency| latency.p99),
            p999: latency(&|latency| latency.p999),
            user: all(&|sample| sample.cost(is_bulk).user)?,
            system: all(&|sample| sample.cost(is_bulk).system)?,
            cost: all(&|sample| sample.cost(is_bulk).total())?,
            client: all(&|sample| sample.client_cost(is_bulk))?,
            peak_mib: all(&|sample| sample.peak_kib as f64 / 1024.0)?,
            others: all(&|sample| sample.others())?,
            cores: (0..cores)
                .filter_map(|core| Some(busy(core)?.median))
                .collect(),
            dropped: all(&|sample| sample.dropped as f64)?,
            retransmits: all(&|sample| sample.retransmits as f64)?,
        })
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
