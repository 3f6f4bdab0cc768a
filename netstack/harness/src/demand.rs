//! What the figures have to be beside each other, as a table, and whether they are.

use serde::Serialize;

use crate::Options;
use crate::case::Pin;
use crate::row::{self, Row};

/// The figure of a row that a demand is about; its median counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    /// More is better.
    Rate,
    /// Less is better, in microseconds.
    P50,
    P99,
    /// Less is better, in processor time of the subject for each packet.
    Cost,
    /// Less is better, in MiB.
    Peak,
}

/// What the figure is held against.
#[derive(Clone, Copy, Debug)]
enum Against {
    /// So many times the best of these subjects, those that were measured.
    Best(&'static [&'static str], f64),
    /// So many times the best of these subjects in another case, under the same pinning.
    BestIn(&'static str, &'static [&'static str], f64),
    /// The lesser of two of the kind.
    Lesser((&'static str, f64), (&'static str, f64)),
    /// A number.
    Number(f64),
}

/// One demand.
struct Demand {
    case: &'static str,
    pin: Pin,
    subject: &'static str,
    figure: Figure,
    against: Against,
}

/// All that sleep, and are not this stack.
const PEERS: &[&str] = &[
    "veth",
    "veth-plain",
    "smoltcp",
    "gvisor",
    "gvisor-plain",
    "ipstack",
];

const DEMANDS: &[Demand] = &[
    rate(
        "in-1",
        Pin::Free,
        "offload",
        Against::Best(&["ceiling"], 0.8),
    ),
    rate(
        "in-1",
        Pin::Free,
        "offload",
        Against::Best(&["gvisor"], 2.0),
    ),
    rate("in-1", Pin::Free, "offload", Against::Best(&["veth"], 1.2)),
    rate(
        "out-1",
        Pin::Free,
        "offload",
        Against::Best(&["ceiling"], 0.8),
    ),
    rate(
        "out-1",
        Pin::Free,
        "offload",
        Against::Best(&["gvisor"], 2.0),
    ),
    rate("out-1", Pin::Free, "offload", Against::Best(&["veth"], 1.2)),
    rate("in-1", Pin::Free, "plain", Against::Best(&["smoltcp"], 1.3)),
    rate(
        "out-1",
        Pin::Free,
        "plain",
        Against::Best(&["ceiling-plain"], 0.9),
    ),
    rate(
        "out-1",
        Pin::Free,
        "plain",
        Against::Best(&["smoltcp"], 1.2),
    ),
    rate(
        "out-1",
        Pin::Free,
        "napi",
        Against::Best(&["ceiling-plain", "ceiling-napi"], 0.9),
    ),
    rate("out-1", Pin::Free, "napi", Against::Best(&["smoltcp"], 1.2)),
    rate("rr-1", Pin::One, "plain", Against::Best(&["veth"], 1.25)),
    most(
        "rr-1",
        Pin::One,
        "plain",
        Figure::P99,
        Against::Best(&["smoltcp"], 1.0),
    ),
    // Without pinning the scheduler at times puts both ends of a whole run on one core, where no wake-up crosses cores.
    // So what is demanded of free ends is demanded of a core each, too.
    sleeping(Pin::Free),
    sleeping(Pin::Two),
    watching(Pin::Free),
    watching(Pin::Two),
    spinning(Pin::Free),
    spinning(Pin::Two),
    rate(
        "crr",
        Pin::One,
        "plain",
        Against::Lesser(("smoltcp", 1.2), ("ceiling-plain", 0.9)),
    ),
    rate("udp-echo", Pin::One, "plain", Against::Best(PEERS, 0.97)),
    rate(
        "udp-bulk",
        Pin::Free,
        "offload",
        Against::Best(&["ceiling"], 0.8),
    ),
    rate(
        "udp-bulk-gso",
        Pin::Free,
        "offload",
        Against::Best(&["ceiling"], 0.8),
    ),
    memory("in-100", "offload"),
    memory("out-100", "offload"),
    memory("both-100", "offload"),
    memory("in-100", "plain"),
    memory("out-100", "plain"),
    memory("both-100", "plain"),
    carrying("fwd-64", "wire"),
    carrying("fwd-512", "wire"),
    carrying("fwd-1500", "wire"),
    carrying("fwd-64k", "wire"),
    carrying("fwd-64", "router"),
    carrying("fwd-512", "router"),
    carrying("fwd-1500", "router"),
    carrying("fwd-64k", "router"),
];

const fn rate(case: &'static str, pin: Pin, subject: &'static str, against: Against) -> Demand {
    most(case, pin, subject, Figure::Rate, against)
}

const fn most(
    case: &'static str,
    pin: Pin,
    subject: &'static str,
    figure: Figure,
    against: Against,
) -> Demand {
    Demand {
        case,
        pin,
        subject,
        figure,
        against,
    }
}

/// A stack that sleeps answers as soon as the kernel.
const fn sleeping(pin: Pin) -> Demand {
    most(
        "rr-1",
        pin,
        "plain",
        Figure::P50,
        Against::Best(&["veth"], 1.0),
    )
}

/// One that watches its device answers sooner than any that sleeps.
const fn watching(pin: Pin) -> Demand {
    rate("rr-1", pin, "busy-poll", Against::Best(PEERS, 2.0))
}

/// The same with a client that watches, too.
const fn spinning(pin: Pin) -> Demand {
    let peers = Against::BestIn("rr-1", PEERS, 8.0);
    rate("rr-1-spin", pin, "busy-poll", peers)
}

/// Carrying a packet on costs little more than reading and writing it.
const fn carrying(case: &'static str, subject: &'static str) -> Demand {
    most(
        case,
        Pin::Two,
        subject,
        Figure::Cost,
        Against::Best(&["bare"], 1.25),
    )
}

const fn memory(case: &'static str, subject: &'static str) -> Demand {
    most(
        case,
        Pin::Free,
        subject,
        Figure::Peak,
        Against::Number(64.0),
    )
}

/// How a demand was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It holds.
    Met,
    /// It does not.
    Missed,
    /// One side was asked for and not measured: it is not here, this machine has too few cores for it, or it failed.
    NotMeasured,
    /// One side was left out by the options.
    LeftOut,
}

/// A demand and how it was met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The demand in words.
    pub demand: String,
    /// Our median.
    pub ours: Option<f64>,
    /// What it had to reach, or not to pass.
    pub limit: Option<f64>,
    /// How it was met.
    pub status: Status,
}

/// What was asked for. What is empty leaves nothing out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    cases: Vec<String>,
    pins: Vec<Pin>,
    subjects: Vec<String>,
}

impl Asked {
    pub(crate) fn by(options: &Options) -> Asked {
        Asked {
            cases: options.cases.clone(),
            pins: options.pins.clone(),
            subjects: options.subjects.clone(),
        }
    }

    fn has_case(&self, name: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|case| case == name)
    }

    fn has_pin(&self, pin: Pin) -> bool {
        self.pins.is_empty() || self.pins.contains(&pin)
    }

    fn has_subject(&self, name: &str) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|subject| subject == name)
    }
}

/// Holds every demand about a case that was asked for against what was measured.
pub(crate) fn judge(rows: &[Row], asked: &Asked) -> Vec<Verdict> {
    DEMANDS
        .iter()
        .filter(|demand| asked.has_case(demand.case) && asked.has_pin(demand.pin))
        .map(|demand| demand.judge(rows, asked))
        .collect()
}

impl Demand {
    fn judge(&self, rows: &[Row], asked: &Asked) -> Verdict {
        let ours = self.median(rows, self.case, self.subject);
        let (limit, by) = self.limit(rows);
        let status = match (ours, limit) {
            (Some(ours), Some(limit)) if self.holds(ours, limit) => Status::Met,
            (Some(_), Some(_)) => Status::Missed,
            _ if self.is_asked(asked) => Status::NotMeasured,
            _ => Status::LeftOut,
        };
        Verdict {
            demand: format!(
                "{} ({}), {}: {} {} {by}",
                self.case,
                self.pin.name(),
                self.subject,
                match self.figure {
                    Figure::Rate => "rate",
                    Figure::P50 => "p50",
                    Figure::P99 => "p99",
                    Figure::Cost => "cost",
                    Figure::Peak => "memory",
                },
                if self.is_more_better() {
                    "at least"
                } else {
                    "at most"
                },
            ),
            ours,
            limit,
            status,
        }
    }

    /// Whether the options leave neither side out.
    fn is_asked(&self, asked: &Asked) -> bool {
        let one_of = |names: &[&str]| names.iter().any(|name| asked.has_subject(name));
        let other = match self.against {
            Against::Number(_) => true,
            Against::Best(names, _) => one_of(names),
            Against::BestIn(case, names, _) => asked.has_case(case) && one_of(names),
            Against::Lesser((one, _), (other, _)) => one_of(&[one]) && one_of(&[other]),
        };
        asked.has_subject(self.subject) && other
    }

    /// The number to reach or not to pass, if the other side was measured, and how it comes about.
    fn limit(&self, rows: &[Row]) -> (Option<f64>, String) {
        let times =
            |case, (name, factor): (&str, f64)| Some(self.median(rows, case, name)? * factor);
        let best = |case, names: &[&str], factor| {
            let better = if self.is_more_better() {
                f64::max
            } else {
                f64::min
            };
            let limits = names.iter().filter_map(|name| times(case, (*name, factor)));
            let whom = match names {
                [one] => one,
                _ => "the best peer",
            };
            (limits.reduce(better), format!("{factor} of {whom}"))
        };
        match self.against {
            Against::Number(number) => (Some(number), format!("{number} MiB")),
            Against::Best(names, factor) => best(self.case, names, factor),
            Against::BestIn(case, names, factor) => {
                let (limit, by) = best(case, names, factor);
                (limit, format!("{by} in {case}"))
            }
            Against::Lesser(one, other) => (
                times(self.case, one).and_then(|limit| Some(limit.min(times(self.case, other)?))),
                format!(
                    "the lesser of {} {} and {} {}",
                    one.1, one.0, other.1, other.0
                ),
            ),
        }
    }

    fn holds(&self, ours: f64, limit: f64) -> bool {
        if self.is_more_better() {
            ours >= limit
        } else {
            ours <= limit
        }
    }

    fn is_more_better(&self) -> bool {
        self.figure == Figure::Rate
    }

    fn median(&self, rows: &[Row], case: &str, subject: &str) -> Option<f64> {
        let medians = row::medians(rows, case, self.pin, subject)?;
        let summary = match self.figure {
            Figure::Rate => Some(medians.rate),
            Figure::P50 => medians.p50,
            Figure::P99 => medians.p99,
            Figure::Cost => Some(medians.cost),
            Figure::Peak => Some(medians.peak_mib),
        };
        summary.map(|summary| summary.median)
    }
}

#[cfg(test)]
mod tests;
