//! What was measured of each subject in each case, and its medians.

use serde::Serialize;

use crate::Sample;
use crate::case::Pin;
use crate::cell::Cell;
use crate::probe::Core;
use crate::stats::Summary;

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

/// The medians of a subject in a case, if it was measured.
pub(crate) fn medians<'a>(
    rows: &'a [Row],
    case: &str,
    pin: Pin,
    subject: &str,
) -> Option<&'a Medians> {
    let is_it = |row: &&Row| (row.case, row.pin, row.subject) == (case, pin, subject);
    rows.iter().find(is_it)?.medians.as_ref()
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

    /// Takes the medians of its samples.
    pub(crate) fn sum_up(&mut self) {
        self.medians = Medians::of(&self.samples, self.is_bulk, self.is_forwarding);
    }

    /// The unit of its rate.
    pub(crate) fn unit(&self) -> &'static str {
        match (self.is_bulk, self.is_forwarding) {
            (true, _) => "Gbit/s",
            (false, true) => "packets/s",
            (false, false) => "/s",
        }
    }

    /// The unit of processor time.
    pub(crate) fn cost_unit(&self) -> &'static str {
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
