//! Making one span of many.

use txbuf::{GATHER_MAX, NoMemory, Pool, Span};

use crate::storage::copy_together;

/// One span of all `pieces`: by reference if a gather can list them, copied together into segments of
/// `pool` if they are too many.
///
/// # Errors
///
/// They have to be copied, and cannot: the pool is at its cap, the CPU may not read them, or they are
/// longer than the segments of one gather.
pub(crate) fn join(pool: &Pool, pieces: &[Span]) -> Result<Span, NoMemory> {
    if pieces.len() <= GATHER_MAX
        && let Ok(span) = Span::gather(pool.ledger(), pieces.iter().cloned())
    {
        return Ok(span);
    }
    copy_together(pool, pieces)
}

#[cfg(test)]
mod tests;
