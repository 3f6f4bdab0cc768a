//! One page that needs no other file: plots, tables, demands.

use std::fmt::{self, Write};

use super::text::{short, span};
use super::{Report, plot};
use crate::BenchError;
use crate::demand::Status;
use crate::row::{Medians, Row};
use crate::subject::{SUBJECTS, Start};

const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>netstack bench</title><style>\
body{font:15px/1.45 sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.15rem .6rem;text-align:right;\
border-bottom:1px solid #ddd;font-weight:normal}th{color:#666}td:first-child,th:first-child{text-align:left}\
h2{margin-top:2.2rem}.missed{color:#b00020}svg{max-width:100%;height:auto}</style></head><body>\n";

pub(super) fn write(report: &Report) -> Result<String, BenchError> {
    let mut page = String::from(HEAD);
    let plots = report
        .groups()
        .map(|group| plot::bars(group, is_ours))
        .collect::<Result<Vec<_>, _>>()?;
    fill(report, &plots, &mut page).map_err(|error| BenchError::Drawing(error.to_string()))?;
    Ok(page)
}

fn is_ours(subject: &str) -> bool {
    SUBJECTS.iter().any(|known| {
        known.name == subject && matches!(known.start, Start::Serve(_) | Start::Bridge(_))
    })
}

fn fill(report: &Report, plots: &[String], to: &mut impl Write) -> fmt::Result {
    let machine = &report.machine;
    writeln!(
        to,
        "<h1>netstack bench</h1><p>{}, {} cores, Linux {}. {} rounds of {} s, subjects by turns; medians \
         (least-greatest). The kernel's sockets use CUBIC. Compare inside this page only.</p>",
        escape(&machine.processor),
        machine.cores,
        escape(&machine.kernel),
        report.rounds,
        report.seconds
    )?;
    subjects(report, to)?;
    demands(report, to)?;
    for (group, plot) in report.groups().zip(plots) {
        case(group, plot, to)?;
    }
    writeln!(to, "</body></html>")
}

fn subjects(report: &Report, to: &mut impl Write) -> fmt::Result {
    writeln!(to, "<table><tr><th>subject</th><th></th></tr>")?;
    for subject in SUBJECTS {
        let skipped = report.skipped.iter().find(|it| it.subject == subject.name);
        let about = match skipped {
            Some(skipped) => format!("skipped: {}", escape(&skipped.why)),
            None if report.rows.iter().any(|row| row.subject == subject.name) => {
                escape(subject.about)
            }
            None => continue,
        };
        writeln!(to, "<tr><td>{}</td><td>{about}</td></tr>", subject.name)?;
    }
    writeln!(to, "</table>")?;
    for failed in &report.failed {
        writeln!(
            to,
            "<p class=\"missed\">{} ({}) {} failed: {}</p>",
            failed.case,
            failed.pin.name(),
            failed.subject,
            escape(&failed.why)
        )?;
    }
    Ok(())
}

fn demands(report: &Report, to: &mut impl Write) -> fmt::Result {
    if report.verdicts.is_empty() {
        return Ok(());
    }
    writeln!(
        to,
        "<h2>Demands</h2><p>Each names the subject that stands for this stack: <code>offload</code> where bulk is held \
         against the ceiling, gVisor and veth, <code>plain</code> and <code>napi</code> beside smoltcp and a plain \
         ceiling, <code>plain</code> for requests, <code>busy-poll</code> where it watches its device, \
         <code>wire</code> and <code>router</code> beside a program that reads and writes. The other rows are judged \
         by nothing.</p><table><tr><th>demand</th><th>figure</th><th>limit</th><th></th></tr>"
    )?;
    for verdict in &report.verdicts {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
        let (class, word) = match verdict.status {
            Status::Met => ("", "met"),
            Status::Missed => (" class=\"missed\"", "missed"),
            Status::NotMeasured => (" class=\"missed\"", "not measured"),
            Status::LeftOut => ("", "left out"),
        };
        writeln!(
            to,
            "<tr{class}><td>{}</td><td>{}</td><td>{}</td><td>{word}</td></tr>",
            escape(&verdict.demand),
            number(verdict.ours),
            number(verdict.limit)
        )?;
    }
    writeln!(to, "</table>")
}

fn case(group: &[Row], plot: &str, to: &mut impl Write) -> fmt::Result {
    let Some(first) = group.first() else {
        return Ok(());
    };
    writeln!(
        to,
        "<h2>{}</h2><p>{}; pinned: {}; {}</p>\n{plot}",
        first.case,
        escape(first.about),
        first.pin.name(),
        first.unit()
    )?;
    let bits = if first.is_forwarding {
        "<th>Gbit/s</th>"
    } else {
        ""
    };
    writeln!(
        to,
        "<table><tr><th>subject</th>{bits}<th>p50 / p99 / p99.9 µs</th><th>CPU {}: user</th><th>system</th>\
         <th>client</th><th>peak MiB</th><th>cores busy %</th><th>others %</th><th>dropped</th><th>sent again</th></tr>",
        first.cost_unit()
    )?;
    for row in group {
        if let Some(medians) = &row.medians {
            line(row.subject, medians, to)?;
        }
    }
    writeln!(to, "</table>")
}

fn line(subject: &str, medians: &Medians, to: &mut impl Write) -> fmt::Result {
    let times = [medians.p50, medians.p99, medians.p999];
    let times: Vec<String> = times
        .iter()
        .flatten()
        .map(|time| short(time.median))
        .collect();
    let percent = |part: &f64| format!("{:.0}", part * 100.0);
    let cores: Vec<String> = medians.cores.iter().map(percent).collect();
    let bits = medians
        .bits
        .map(|bits| format!("<td>{}</td>", short(bits.median)));
    writeln!(
        to,
        "<tr><td>{subject}</td>{}<td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
         <td>{:.0}</td><td>{:.0}</td></tr>",
        bits.unwrap_or_default(),
        times.join(" / "),
        span(medians.user),
        span(medians.system),
        span(medians.client),
        short(medians.peak_mib.median),
        cores.join(" "),
        percent(&medians.others.median),
        medians.dropped.median,
        medians.retransmits.median
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
