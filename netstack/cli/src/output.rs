//! Writing to standard output and error without ever panicking on a closed pipe.

use std::io::{self, Write};

use crate::failure::Failure;

/// Prints `text` as it is and flushes.
///
/// # Errors
/// When standard output cannot be written to, except that a reader that has gone away is no error: it has
/// seen what it wanted.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Prints one line and flushes.
///
/// # Errors
/// As [`print()`].
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}

/// Says `text` on standard error, after the command's name. There is nowhere left to report that this failed.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "netstack: {text}");
}
