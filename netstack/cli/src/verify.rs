//! `netstack verify`: judges captures.

use std::fs;
use std::path::{Path, PathBuf};

use pcap_verify::VerifyError;

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
            Err(error) => failure = Some(refusal(file, &error)),
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None => Ok(outcome),
    }
}

/// Why `file` cannot be judged, and what to do.
fn refusal(file: &Path, error: &VerifyError) -> Failure {
    let name = file.display();
    let is = |test: fn(&fs::Metadata) -> bool| fs::metadata(file).is_ok_and(|data| test(&data));
    Failure::new(match error {
        _ if is(fs::Metadata::is_dir) => format!("{name} is a directory; name a capture file"),
        // The error names the file itself.
        VerifyError::Open { .. } => format!("{error}; name a capture file that can be read"),
        VerifyError::Format(_) if is(|data| data.is_file() && data.len() == 0) => {
            format!("{name} is empty; name a capture file, such as `netstack serve --pcap` writes")
        }
        VerifyError::Format(_) => {
            format!("{name}: {error}; name a capture file, such as `netstack serve --pcap` writes")
        }
        _ => format!("{name}: {error}"),
    })
}
