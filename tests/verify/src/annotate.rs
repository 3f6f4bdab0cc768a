//! A copy of a capture in which each finding is a comment of its packet.

mod blocks;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use crate::draft::draft;
use crate::report::Report;
use crate::source::{Source, Step, VerifyError, reopen};

use blocks::Copy;

/// Writes the capture `from` to `to`, as pcapng, with the findings of `report` as further comments of its packets, which
/// Wireshark shows. What else a pcapng file says stays as it is: interfaces, their statistics, names, options. Of a
/// packet of more than 256 KiB the rest is left out, or Wireshark would not open it, and so is a block that cannot be
/// understood. A packet without a time, where it gets comments, gets the time of one before it with them. Only what is in [`Report::findings`] can be written. `to` appears, or takes the place of what it was, when all of it is
/// written.
///
/// # Errors
/// When `from` cannot be read again or is no regular file, `to` cannot be written, is there and no regular file, or is
/// `from` under whatever name. `to` is then what it was.
pub fn annotate(from: &Path, report: &Report, to: &Path) -> Result<(), VerifyError> {
    let mut comments: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for finding in &report.findings {
        for (at, &packet) in finding.packets.iter().enumerate() {
            let comment = if at == 0 {
                format!(
                    "{}: {} (RFC {}): {}",
                    finding.rule.severity, finding.rule.id, finding.rule.rfc, finding.sentence
                )
            } else {
                format!("see packet {}: {}", finding.packets[0], finding.rule.id)
            };
            comments.entry(packet).or_default().push(comment);
        }
    }
    let input = reopen(from)?;
    let failed = |why: String| VerifyError::Write {
        path: to.to_owned(),
        why,
    };
    // Behind a symbolic link is what is to be written.
    let real = fs::canonicalize(to).unwrap_or_else(|_| to.to_owned());
    if let Ok(old) = fs::metadata(&real) {
        if !old.is_file() {
            return Err(failed("it is no regular file".into()));
        }
        if same_file::is_same_file(from, &real).map_err(|error| failed(error.to_string()))? {
            return Err(failed("it is the capture itself; name another file".into()));
        }
    }
    let folder = real
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let file =
        draft(folder.unwrap_or(Path::new("."))).map_err(|error| failed(error.to_string()))?;
    copy(
        Source::open(input)?,
        &comments,
        BufWriter::new(file.as_file()),
        &failed,
    )?;
    file.persist(&real)
        .map_err(|error| failed(error.to_string()))?;
    Ok(())
}

fn copy(
    mut source: Source<File>,
    comments: &BTreeMap<u64, Vec<String>>,
    file: BufWriter<&File>,
    failed: &dyn Fn(String) -> VerifyError,
) -> Result<(), VerifyError> {
    let mut copy = Copy::begin(&source, file).map_err(failed)?;
    let mut number = 0;
    loop {
        let (step, block) = source.step_with_block()?;
        let written = match (step, block) {
            (Step::End | Step::Damaged(_), _) => break,
            // Programs that count it as a packet would number those behind it otherwise.
            (Step::Unreadable(_), _) => continue,
            (Step::Packet(captured), block) => {
                number += 1;
                let comments = comments.get(&number).map_or(&[][..], |comments| comments);
                match block {
                    Some(block) => copy.packet(block, &captured, comments),
                    None => copy.record(captured, comments),
                }
            }
            (Step::Lost { .. } | Step::Other, Some(block)) => copy.other(block),
            (Step::Lost { .. } | Step::Other, None) => continue,
        };
        written.map_err(failed)?;
    }
    copy.end().map_err(failed)
}
