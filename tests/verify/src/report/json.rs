//! Reports for programs.

use serde_json::{Value, json};

use super::{Finding, Report};

/// One file's report as a JSON object. `file` is its name.
pub fn to_json(file: &str, report: &Report) -> Value {
    json!({
        "file": file,
        "packets": report.packets,
        "bytes": report.bytes,
        "flows": report.flows,
        "fragments": report.fragments,
        "cut": report.cut,
        "errors": report.errors,
        "warnings": report.warnings,
        "notes": report.notes,
        "counts": report.counts,
        "withheld": report.withheld,
        "limits": report.limits,
        "omitted": report.omitted(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule.id,
        "severity": finding.rule.severity.name(),
        "rfc": finding.rule.rfc,
        "title": finding.rule.title,
        "packets": finding.packets,
        "flow": finding.flow.map(|(a, b)| [a.to_string(), b.to_string()]),
        "accused": finding.accused.map(|host| host.to_string()),
        "sentence": finding.sentence,
    })
}
