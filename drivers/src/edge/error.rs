//! Why a super-packet cannot be taken apart.

use thiserror::Error;
use txbuf::{ChecksumError, NoRoom, PullError};

/// Why a super-packet cannot be cut. It is dropped then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CutError {
    /// Headers and metadata contradict each other.
    #[error("the headers of the super-packet do not fit what is known of it")]
    Malformed,
    /// The checksum needs payload that the CPU may not read.
    #[error("the super-packet lies in memory that the CPU may not read")]
    Unreadable,
}

impl From<ChecksumError> for CutError {
    fn from(error: ChecksumError) -> CutError {
        match error {
            ChecksumError::Unreadable => CutError::Unreadable,
            _ => CutError::Malformed,
        }
    }
}

impl From<NoRoom> for CutError {
    fn from(NoRoom: NoRoom) -> CutError {
        CutError::Malformed
    }
}

impl From<PullError> for CutError {
    fn from(error: PullError) -> CutError {
        match error {
            PullError::Unreadable => CutError::Unreadable,
            _ => CutError::Malformed,
        }
    }
}
