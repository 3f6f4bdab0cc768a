//! Tables of Markdown, which read well in a terminal, too.

use std::fmt::{self, Write};

use super::Report;
use crate::demand::{Status, Verdict};
use crate::row::{Medians, Row};
use crate::stats::Summary;

pub(super) fn write(report: &Report) -> String {
    let mut text = String::new();
    // A String takes everything.
    let _ = tables(report, &mut text);
    text
}

fn tables(report: &Report, to: &mut impl Write) -> fmt::Result {
    let machine = &report.machine;
    writeln!(
        to,
        "{}, {} cores, Linux {}; {} rounds of {} s, medians (least-greatest); the kernel's sockets use CUBIC",
        machine.processor, machine.cores, machine.kernel, report.rounds, report.seconds
    )?;
    for group in report.groups() {
        writeln!(to)?;
        table(group, to)?;
    }
    if !report.verdicts.is_empty() {
        writeln!(to, "\n| demand | figure | limit | |\n|---|---:|---:|---|")?;
        for verdict in &report.verdicts {
            demand(verdict, to)?;
        }
    }
    for skipped in &report.skipped {
        writeln!(to, "\nSKIPPED {}: {}", skipped.subject, skipped.why)?;
    }
    for failed in &report.failed {
        let (case, pin, subject) = (failed.case, failed.pin.name(), failed.subject);
        writeln!(to, "\nFAILED {case} ({pin}) {subject}: {}", failed.why)?;
    }
    Ok(())
}

fn table(group: &[Row], to: &mut impl Write) -> fmt::Result {
    let Some(first) = group.first() else {
        return Ok(());
    };
    let has_latency = group
        .iter()
        .any(|row| row.medians.as_ref().is_some_and(|all| all.p50.is_some()));
    writeln!(
        to,
        "### {}: {}; pinned: {}\n",
        first.case,
        first.about,
        first.pin.name()
    )?;
    let latency = if has_latency {
        " p50 µs | p99 µs | p99.9 µs |"
    } else {
        ""
    };
    let bits = if first.is_forwarding { " Gbit/s |" } else { "" };
    writeln!(
        to,
        "| subject | {} |{bits}{latency} CPU {}: user | system | client | peak MiB | cores busy % | others % | dropped | sent again |",
        first.unit(),
        first.cost_unit()
    )?;
    let columns = 9 + if has_latency { 3 } else { 0 } + usize::from(first.is_forwarding);
    writeln!(to, "|---|{}", "---:|".repeat(columns))?;
    for row in group {
        write!(to, "| {} |", row.subject)?;
        match &row.medians {
            Some(medians) => cells(medians, has_latency, to)?,
            None => write!(to, " failed |{}", " |".repeat(columns - 1))?,
        }
        writeln!(to)?;
    }
    Ok(())
}

fn cells(medians: &Medians, has_latency: bool, to: &mut impl Write) -> fmt::Result {
    write!(to, " {} |", span(medians.rate))?;
    if let Some(bits) = medians.bits {
        write!(to, " {} |", short(bits.median))?;
    }
    if has_latency {
        for time in [medians.p50, medians.p99, medians.p999] {
            let time = time.map_or_else(String::new, |time| short(time.median));
            write!(to, " {time} |")?;
        }
    }
    for cost in [medians.user, medians.system, medians.client] {
        write!(to, " {} |", short(cost.median))?;
    }
    let percent = |part: &f64| format!("{:.0}", part * 100.0);
    let cores: Vec<String> = medians.cores.iter().map(percent).collect();
    write!(
        to,
        " {} | {} | {} | {:.0} | {:.0} |",
        short(medians.peak_mib.median),
        cores.join(" "),
        percent(&medians.others.median),
        medians.dropped.median,
        medians.retransmits.median
    )
}

fn demand(verdict: &Verdict, to: &mut impl Write) -> fmt::Result {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
    writeln!(
        to,
        "| {} | {} | {} | {} |",
        verdict.demand,
        number(verdict.ours),
        number(verdict.limit),
        match verdict.status {
            Status::Met => "met",
            Status::Missed => "MISSED",
            Status::NotMeasured => "NOT MEASURED",
            Status::LeftOut => "left out",
        }
    )
}

/// A median with its least and greatest sample.
pub(super) fn span(summary: Summary) -> String {
    format!(
        "{} ({}-{})",
        short(summary.median),
        short(summary.min),
        short(summary.max)
    )
}

/// A number with three digits that matter.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        100_000.0.. => format!("{:.0}k", value / 1000.0),
        10_000.0.. => format!("{:.1}k", value / 1000.0),
        1000.0.. => format!("{:.2}k", value / 1000.0),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
