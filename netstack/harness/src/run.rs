//! The rounds of a run, in which subjects take turns.

use std::sync::atomic::{AtomicBool, Ordering};

use drivers::netlink;
use indicatif::{ProgressBar, ProgressStyle};

use crate::case::Pin;
use crate::cell::{self, Cell};
use crate::plan::Plan;
use crate::report::{Failed, Report};
use crate::row::Row;
use crate::subject::Link;
use crate::{BenchError, Options, Program};

/// Measures what `options` ask for. The whole process moves into a user and network namespace of its own first, so it
/// needs no privilege, and it must have a single thread when this is called.
///
/// A cell that cannot be measured is told of in the report and the others go on. When `stop` becomes true, everything
/// that was started is ended and that is the error.
///
/// # Errors
/// Options that make no sense, a machine without namespaces or TUN devices, or `stop`.
pub fn run(options: &Options, program: &Program, stop: &AtomicBool) -> Result<Report, BenchError> {
    let plan = Plan::new(options, program)?;
    netlink::private_namespace()?;
    let all = || plan.groups.iter().flatten();
    if all().any(|cell| !matches!(cell.subject.link, Link::Veth { .. })) {
        cell::try_tun()?;
    }
    for pin in [Pin::One, Pin::Two] {
        if all().any(|cell| cell.pin == pin) {
            cell::cores_for(pin)?;
        }
    }
    let mut report = Report::new(options, plan.skipped.clone());
    let bar = progress(all().count() as u64 * u64::from(options.rounds));
    let mut groups: Vec<Vec<(Cell, Row)>> = plan
        .groups
        .iter()
        .map(|group| group.iter().map(|cell| (*cell, Row::of(cell))).collect())
        .collect();
    let mut done = Ok(());
    'rounds: for round in 0..options.rounds {
        for group in &mut groups {
            // Nobody is always the first one, or always comes after the same one.
            let first = round as usize % group.len().max(1);
            let (before, after) = group.split_at_mut(first);
            for (cell, row) in after.iter_mut().chain(before) {
                bar.set_message(format!("{} {} {}", row.case, row.pin.name(), row.subject));
                match cell.measure(options, program, stop) {
                    Ok(sample) => row.samples.push(sample),
                    Err(_) if stop.load(Ordering::Relaxed) => done = Err(BenchError::Interrupted),
                    Err(error) => report.failed.push(Failed::of(row, &error)),
                }
                if done.is_err() {
                    break 'rounds;
                }
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    done?;
    report.finish(groups.into_iter().flatten().map(|(_, row)| row).collect());
    Ok(report)
}

/// A bar on standard error, which hides itself where that is no terminal.
fn progress(cells: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(cells).with_style(style)
}
