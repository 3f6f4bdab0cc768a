//! `netstack verify`: judges captures.

use std::path::PathBuf;

use crate::failure::{Failure, Outcome};
use crate::output;

/// Checks each file and prints what was found in it.
///
/// All files are checked even when one cannot be; that failure is reported at the end.
pub(crate) fn run(files: &[PathBuf]) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Fine;
    let mut failure = None;
    for file in files {
        match pcap_verify::check_file(file) {
            Ok(report) => {
                output::print(&format!("{}: {report}", file.display()))?;
                if !report.is_clean() {
                    outcome = Outcome::Found;
                }
            }
            Err(error) => failure = Some(Failure::new(format!("{}: {error}", file.display()))),
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None => Ok(outcome),
    }
}
