//! What a check found, as data and as text.

mod json;
mod sarif;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::rule::{Rule, Severity, catalogue};

pub use json::to_json;
pub use sarif::{to_sarif, to_sarif_with};

/// How many findings of one file are kept in full; further ones are only counted.
pub const KEPT_FINDINGS: usize = 10_000;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule that was broken.
    pub rule: &'static Rule,
    /// The packets that show it, by their numbers in the file, counted from 1 as `tshark` does; the first is the one
    /// to look at. Empty when no packet was read.
    pub packets: Vec<u64>,
    /// The two ends of the conversation, where it belongs to one.
    pub flow: Option<(SocketAddr, SocketAddr)>,
    /// The first packet of that conversation, by which its findings are told from those of another on the same ports.
    pub(crate) track: Option<u64>,
    /// The host that broke the rule, where a packet names it: by what it sent, or by what it did not send.
    pub accused: Option<IpAddr>,
    /// What is wrong, in words and numbers.
    pub sentence: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packet = self.packets.first().copied().unwrap_or(0);
        write!(
            f,
            "packet {packet}: {}: {} (RFC {}): {}",
            self.rule.severity, self.rule.id, self.rule.rfc, self.sentence
        )?;
        if let Some((a, b)) = self.flow {
            write!(f, " [{a} and {b}]")?;
        }
        if let [_, others @ ..] = &self.packets[..]
            && !others.is_empty()
        {
            let others: Vec<String> = others.iter().map(ToString::to_string).collect();
            write!(f, " [see packet {}]", others.join(", "))?;
        }
        Ok(())
    }
}

/// Everything that one check saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Packets read.
    pub packets: u64,
    /// Bytes of packets on the wire.
    pub bytes: u64,
    /// Packets captured in part: their headers were judged, their checksums could not be.
    pub cut: u64,
    /// Fragments, whose transport part was not judged.
    pub fragments: u64,
    /// Distinct flows: unordered pairs of endpoints and a protocol. At most a million are told apart.
    pub flows: u64,
    /// The first [`KEPT_FINDINGS`] findings, in the order of their packets.
    pub findings: Vec<Finding>,
    /// All findings, those not kept included, by the rule's name.
    pub counts: BTreeMap<&'static str, u64>,
    /// Findings of rules that are errors.
    pub errors: u64,
    /// Findings of rules that are warnings.
    pub warnings: u64,
    /// Findings of rules that are notes.
    pub notes: u64,
    /// What this capture cannot show, in sentences.
    pub limits: Vec<String>,
    /// Suspicions that were dropped because the capture is not of the kind the rule needs, by the rule's name.
    pub withheld: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Whether no error was found. There may be warnings and notes.
    pub fn is_clean(&self) -> bool {
        self.errors == 0
    }

    /// All findings, those not kept included.
    pub fn found(&self) -> u64 {
        self.errors + self.warnings + self.notes
    }

    /// Findings that were counted and not kept.
    pub fn omitted(&self) -> u64 {
        self.found() - self.findings.len() as u64
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        *self.of_severity(finding.rule.severity) += 1;
        *self.counts.entry(finding.rule.id).or_default() += 1;
        if self.findings.len() < KEPT_FINDINGS {
            self.findings.push(finding);
        }
    }

    /// Counts the findings of the rules that `is_unsure` names as suspicions instead.
    pub(crate) fn withhold(&mut self, is_unsure: impl Fn(&Rule) -> bool) {
        for rule in catalogue().filter(|rule| is_unsure(rule)) {
            let Some(count) = self.counts.remove(rule.id) else {
                continue;
            };
            *self.of_severity(rule.severity) -= count;
            *self.withheld.entry(rule.id).or_default() += count;
        }
        self.findings.retain(|finding| !is_unsure(finding.rule));
    }

    /// Counts what was found of some rules in the connection that began with packet `track` as suspicions instead.
    pub(crate) fn withdraw(&mut self, track: u64, claims: &[(&'static Rule, u64)]) {
        for &(rule, count) in claims {
            *self.of_severity(rule.severity) -= count;
            *self.withheld.entry(rule.id).or_default() += count;
            let left = self.counts.entry(rule.id).or_default();
            *left -= count;
            if *left == 0 {
                self.counts.remove(rule.id);
            }
        }
        let is_claim = |rule: &Rule| claims.iter().any(|claim| claim.0 == rule);
        self.findings
            .retain(|finding| finding.track != Some(track) || !is_claim(finding.rule));
    }

    fn of_severity(&mut self, severity: Severity) -> &mut u64 {
        match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
            Severity::Note => &mut self.notes,
        }
    }
}

impl fmt::Display for Report {
    /// A line of totals, a line for each thing the capture cannot show, and one for each finding that was kept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "packets {}, bytes {}, flows {}, fragments {}, cut short {}, errors {}, warnings {}, notes {}",
            self.packets,
            self.bytes,
            self.flows,
            self.fragments,
            self.cut,
            self.errors,
            self.warnings,
            self.notes
        )?;
        for limit in &self.limits {
            writeln!(f, "cannot say: {limit}")?;
        }
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        if self.omitted() > 0 {
            writeln!(f, "and {} more", self.omitted())?;
        }
        Ok(())
    }
}
