//! Copying received spans to where the application wants them, outside the lock.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};

use txbuf::{IovIter, Span, Unreadable};

/// Copies `spans` to the front of `bufs`, which are large enough for them.
///
/// # Errors
///
/// `Unsupported` for memory that the CPU may not read.
pub(crate) fn copy_out(spans: VecDeque<Span>, bufs: &mut [IoSliceMut<'_>]) -> io::Result<()> {
    let mut sink = IovIter::sink(bufs);
    for span in spans {
        for extent in span.extents() {
            sink.copy_to(extent.bytes().map_err(unreadable)?);
        }
    }
    Ok(())
}

/// Turns the refusal of a span to be read into an error of the read.
pub(crate) fn unreadable(error: Unreadable) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, error)
}
