//! Which cells to measure.

use std::path::Path;

use crate::case::{CASES, Case, Pin};
use crate::cell::{self, Cell};
use crate::report::Skipped;
use crate::subject::{self, SUBJECTS, Subject};
use crate::{BenchError, Options, Program};

/// The cells of a run by case and pinning, and what was left out.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Cells to be measured in turns.
    pub(crate) groups: Vec<Vec<Cell>>,
    pub(crate) skipped: Vec<Skipped>,
}

impl Plan {
    /// What the options ask for and this machine has.
    pub(crate) fn new(options: &Options, program: &Program) -> Result<Plan, BenchError> {
        let is_time = (0.01..=60.0).contains(&options.seconds);
        if !is_time || !(1..=1000).contains(&options.rounds) {
            return Err(BenchError::BadLength);
        }
        let cases = chosen_cases(&options.cases)?;
        let (subjects, skipped) = chosen_subjects(options, program)?;
        if let (true, Some(first)) = (subjects.is_empty(), skipped.first()) {
            return Err(BenchError::NobodyHere {
                subject: first.subject,
                why: first.why.clone(),
            });
        }
        let mut groups = Vec::new();
        for case in cases {
            for pin in pins(case, &options.pins) {
                let cells: Vec<Cell> = subjects
                    .iter()
                    .filter(|subject| (subject.serves)(case.load))
                    .map(|subject| Cell { case, pin, subject })
                    .collect();
                if !cells.is_empty() {
                    groups.push(cells);
                }
            }
        }
        if groups.is_empty() {
            return Err(BenchError::NothingToDo);
        }
        Ok(Plan { groups, skipped })
    }
}

/// The subjects that are here, and those that were asked for and are not.
fn chosen_subjects(
    options: &Options,
    program: &Program,
) -> Result<(Vec<&'static Subject>, Vec<Skipped>), BenchError> {
    let asked: Vec<&'static Subject> = if options.subjects.is_empty() {
        SUBJECTS.iter().collect()
    } else {
        let mut asked: Vec<&'static Subject> = Vec::new();
        for name in &options.subjects {
            let subject = subject::find(name)?;
            if !asked.iter().any(|other| other.name == subject.name) {
                asked.push(subject);
            }
        }
        asked
    };
    let (mut here, mut skipped) = (Vec::new(), Vec::new());
    let peers: &Path = &options.peers;
    for subject in asked {
        match subject.is_missing(program, peers) {
            None => here.push(subject),
            Some(why) => skipped.push(Skipped {
                subject: subject.name,
                why,
            }),
        }
    }
    Ok((here, skipped))
}

fn chosen_cases(names: &[String]) -> Result<Vec<&'static Case>, BenchError> {
    if names.is_empty() {
        return Ok(CASES.iter().collect());
    }
    let unknown = names
        .iter()
        .find(|name| !CASES.iter().any(|case| case.name == **name));
    if let Some(name) = unknown {
        return Err(BenchError::UnknownCase {
            name: name.clone(),
            known: subject::names(CASES.iter().map(|case| case.name)),
        });
    }
    let is_chosen = |case: &&Case| names.iter().any(|name| name == case.name);
    Ok(CASES.iter().filter(is_chosen).collect())
}

/// The pins of the command line, or else those of the case's own that this machine has the cores for.
fn pins(case: &Case, asked: &[Pin]) -> Vec<Pin> {
    if asked.is_empty() {
        let is_possible = |pin: &Pin| cell::cores_for(*pin).is_ok();
        case.pins.iter().copied().filter(is_possible).collect()
    } else {
        let mut pins = Vec::new();
        for pin in asked {
            if !pins.contains(pin) {
                pins.push(*pin);
            }
        }
        pins
    }
}

#[cfg(test)]
mod tests;
