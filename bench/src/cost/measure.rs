//! Many short samples of every case, in turn, and their medians.

use std::time::Duration;

use super::{Case, Operation, Subject, cases};
use crate::stats::Summary;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Samples of each case. They are taken in turn, so that a disturbance meets all cases alike.
    pub rounds: usize,
    /// Length of a sample: short, so that most are not interrupted.
    pub sample: Duration,
}

/// What one operation of one case takes, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// The operation.
    pub operation: Operation,
    /// Whose it is.
    pub subject: Subject,
    /// Extents of the packet.
    pub extents: usize,
    /// The samples.
    pub nanoseconds: Summary,
}

/// The results of all cases.
#[derive(Clone, Debug)]
pub struct Table(pub Vec<Measured>);

impl Table {
    /// The median of a case, in nanoseconds; `None` when there is no such case.
    pub fn median(&self, operation: Operation, subject: Subject, extents: usize) -> Option<f64> {
        let case = self
            .0
            .iter()
            .find(|row| (row.operation, row.subject, row.extents) == (operation, subject, extents));
        case.map(|row| row.nanoseconds.median)
    }
}

/// Measures the cases that `wanted` chooses.
pub fn measure(effort: Effort, wanted: impl Fn(&Case) -> bool) -> Table {
    let mut cases: Vec<(Case, u64, Vec<f64>)> = cases()
        .into_iter()
        .filter(|case| wanted(case))
        .map(|mut case| {
            let times = times_for(&mut case, effort.sample);
            (case, times, Vec::with_capacity(effort.rounds))
        })
        .collect();
    for _ in 0..effort.rounds {
        for (case, times, samples) in &mut cases {
            samples.push(case.run(*times).as_nanos() as f64 / *times as f64);
        }
    }
    let row = |(case, _, samples): (Case, u64, Vec<f64>)| {
        Some(Measured {
            operation: case.operation,
            subject: case.subject,
            extents: case.extents,
            nanoseconds: Summary::of(&samples)?,
        })
    };
    Table(cases.into_iter().filter_map(row).collect())
}

/// How often the case is done in about `sample`.
fn times_for(case: &mut Case, sample: Duration) -> u64 {
    let mut times = 64;
    loop {
        // The first run fills pools and caches.
        let elapsed = case.run(times).min(case.run(times));
        if elapsed * 4 >= sample || times >= 1 << 24 {
            let per = elapsed.as_nanos().max(1) as f64 / times as f64;
            let times = sample.as_nanos() as f64 / per;
            // Whole batches.
            return (times as u64).next_multiple_of(64).max(64);
        }
        times *= 2;
    }
}
