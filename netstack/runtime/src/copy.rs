//! Copying received spans to where the application wants them, outside the lock.

use std::collections::VecDeque;
use std::io;

use txbuf::{IovIter, Span, Unreadable};

/// Copies `spans` into `into`, which has room for them.
///
/// # Errors
///
/// `Unsupported` for memory that the CPU may not read.
pub(crate) fn copy_out(spans: VecDeque<Span>, into: &mut IovIter<'_>) -> io::Result<()> {
    for span in spans {
        into.put_span(span).map_err(unreadable)?;
    }
    Ok(())
}

/// Turns the refusal of a span to be read into an error of the read.
pub(crate) fn unreadable(error: Unreadable) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, error)
}
