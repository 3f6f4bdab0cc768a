//! Mutants of the TCP: a recorded run of `.ci/mutants`, and how the page shows it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;

use super::html::escaped;
use super::{folder, invalid, records, take};

/// A place of the TCP that was broken.
#[derive(Debug)]
pub struct Mutant {
    /// Where, and how, in the words of cargo-mutants.
    pub name: String,
    /// What came of it.
    pub outcome: Noticed,
    /// The test program that noticed it first.
    pub by: String,
    /// Why nothing noticed it, where nothing did.
    pub remark: String,
}

/// Whether a mutant was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// A test failed, or never ended.
    Yes,
    /// No test did.
    No,
    /// No test can: the remark argues that it changes nothing that could be seen from outside.
    Equivalent,
    /// It does not compile.
    Unviable,
}

/// Reads the record.
///
/// # Errors
///
/// A file that cannot be read, lacks a column or names an unknown outcome.
pub fn mutants() -> io::Result<Vec<Mutant>> {
    let rows = records(&folder().join("mutants.tsv"))?;
    let mutant = |mut row: BTreeMap<String, String>| {
        let outcome = match take(&mut row, &["outcome"])?.as_str() {
            "caught" | "timeout" => Noticed::Yes,
            "missed" => Noticed::No,
            "equivalent" => Noticed::Equivalent,
            "unviable" => Noticed::Unviable,
            other => return Err(invalid(format!("mutants.tsv: outcome {other}"))),
        };
        Ok(Mutant {
            name: take(&mut row, &["mutant"])?,
            outcome,
            by: row.remove("noticed_by").unwrap_or_default(),
            remark: row.remove("remark").unwrap_or_default(),
        })
    };
    rows.into_iter().map(mutant).collect()
}

/// How many were noticed, and those that were not.
pub(super) fn table(html: &mut String, mutants: &[Mutant]) {
    let count = |kind| mutants.iter().filter(|one| one.outcome == kind).count();
    let _ = writeln!(
        html,
        "<h2>Mutants</h2>\n<p>{} places of the TCP were drawn by a seed and broken one at a time (<code>.ci/mutants 100 \
         1</code>, recorded in <code>mutants.tsv</code>). The packet scripts with the judge of their captures, or the \
         simulations, notice {} of them; {} change nothing that could be noticed, {} do not compile, and {} are missed. \
         The core's unit tests were not asked. Those that nothing noticed:</p>\n\
         <table><tr><th>mutant<th>outcome<th>remark</tr>",
        mutants.len(),
        count(Noticed::Yes),
        count(Noticed::Equivalent),
        count(Noticed::Unviable),
        count(Noticed::No),
    );
    for mutant in mutants {
        let outcome = match mutant.outcome {
            Noticed::No => "missed",
            Noticed::Equivalent => "equivalent",
            Noticed::Yes | Noticed::Unviable => continue,
        };
        let (name, remark) = (escaped(&mutant.name), escaped(&mutant.remark));
        let _ = writeln!(html, "<tr><td>{name}<td>{outcome}<td>{remark}</tr>");
    }
    html.push_str("</table>\n");
}
