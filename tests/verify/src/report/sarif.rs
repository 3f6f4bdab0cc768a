//! Reports as SARIF 2.1.0, which code hosts show beside the files.

use serde_json::{Value, json};

use super::{Finding, Report};
use crate::rule::{Rule, Severity, catalogue};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The reports of several files, each with its name, as one SARIF log.
pub fn to_sarif(files: &[(String, Report)]) -> Value {
    to_sarif_with(files, &[])
}

/// The same with the files that could not be judged, each with the reason. What captures cannot show, and how many
/// findings are not in the log, is said in its notifications.
pub fn to_sarif_with(files: &[(String, Report)], refused: &[(String, String)]) -> Value {
    let results: Vec<Value> = files
        .iter()
        .flat_map(|(file, report)| report.findings.iter().map(|found| result(file, found)))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "netstack verify",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": catalogue().map(rule).collect::<Vec<_>>(),
            }},
            "artifacts": files
                .iter()
                .map(|(file, _)| json!({ "location": { "uri": uri(file) } }))
                .collect::<Vec<_>>(),
            "invocations": [{
                "executionSuccessful": refused.is_empty(),
                "toolExecutionNotifications": notifications(files, refused),
            }],
            "results": results,
        }],
    })
}

fn notifications(files: &[(String, Report)], refused: &[(String, String)]) -> Vec<Value> {
    let notification = |level: &str, file: &str, text: &str| {
        json!({
            "level": level,
            "message": { "text": text },
            "locations": [{
                "physicalLocation": { "artifactLocation": { "uri": uri(file) } },
            }],
        })
    };
    let mut all = Vec::new();
    for (file, report) in files {
        let limits = report.limits.iter();
        all.extend(limits.map(|limit| notification("note", file, &format!("cannot say: {limit}"))));
        if report.omitted() > 0 {
            let text = format!("{} more findings are not listed", report.omitted());
            all.push(notification("warning", file, &text));
        }
    }
    all.extend(
        refused
            .iter()
            .map(|(file, why)| notification("error", file, why)),
    );
    all
}

fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.title },
        "help": { "text": format!("RFC {}", rule.rfc) },
        "defaultConfiguration": { "level": level(rule.severity) },
    })
}

fn result(file: &str, finding: &Finding) -> Value {
    let packet = finding.packets.first().copied().unwrap_or(0);
    json!({
        "ruleId": finding.rule.id,
        "level": level(finding.rule.severity),
        "message": { "text": format!("packet {packet}: {}", finding.sentence) },
        "locations": [{
            "physicalLocation": { "artifactLocation": { "uri": uri(file) } },
            "logicalLocations": [{ "name": format!("packet {packet}"), "kind": "member" }],
        }],
        "properties": { "packets": finding.packets },
    })
}

fn level(severity: Severity) -> &'static str {
    // SARIF has the same three words.
    severity.name()
}

/// A relative or absolute path as a URI: what may not stand in one is escaped.
fn uri(file: &str) -> String {
    let mut escaped = String::with_capacity(file.len());
    for byte in file.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}
