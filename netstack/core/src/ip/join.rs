//! Making one span of many.

use arrayvec::ArrayVec;
use thiserror::Error;
use txbuf::{GATHER_MAX, NoMemory, Pool, Span};

/// Why spans could not be made one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum JoinError {
    /// They have to be copied, and the pool is at its cap.
    #[error("no memory to copy the pieces together")]
    NoMemory,
    /// They have to be copied, and the CPU may not read them.
    #[error("the pieces lie in memory that the CPU may not read")]
    Unreadable,
    /// They are longer than the segments of one gather can hold.
    #[error("the pieces are too long to be copied together")]
    TooLong,
}

/// One span of all `pieces`: by reference if a gather can list them, copied together into segments of
/// `pool` if they are too many.
pub(crate) fn join(pool: &Pool, pieces: &[Span]) -> Result<Span, JoinError> {
    if pieces.len() <= GATHER_MAX
        && let Ok(span) = Span::gather(pool.ledger(), pieces.iter().cloned())
    {
        return Ok(span);
    }
    copy_together(pool, pieces)
}

/// Copies `pieces` one after the other into as few segments as hold them.
fn copy_together(pool: &Pool, pieces: &[Span]) -> Result<Span, JoinError> {
    let mut left: usize = pieces.iter().map(Span::len).sum();
    let (mut index, mut at) = (0, 0);
    let mut copies = ArrayVec::<Span, GATHER_MAX>::new();
    while left > 0 {
        let mut segment = pool.reserve().map_err(|NoMemory| JoinError::NoMemory)?;
        let mut filled = 0;
        while let Some(piece) = pieces.get(index)
            && let Some(room) = segment.get_mut(filled..).filter(|room| !room.is_empty())
        {
            let copied = piece.copy_to(at, room).map_err(|_| JoinError::Unreadable)?;
            filled += copied;
            at += copied;
            if at >= piece.len() {
                (index, at) = (index + 1, 0);
            }
        }
        left = left.saturating_sub(filled.max(1));
        copies
            .try_push(segment.commit(filled))
            .map_err(|_| JoinError::TooLong)?;
    }
    Span::gather(pool.ledger(), copies).map_err(|_| JoinError::TooLong)
}

#[cfg(test)]
mod tests;
