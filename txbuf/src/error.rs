//! Errors, one per way an operation can be refused.

use thiserror::Error;

/// The pool is at its cap (or the machine is out of memory): nothing was taken.
/// Try again when storage has been dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the buffer pool has reached its limit")]
pub struct NoMemory;

/// The bytes lie in memory the CPU may not read; only a driver can move them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the bytes lie in memory that the CPU may not read")]
pub struct Unreadable;

/// A position or length beyond what is there; the object is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("position or length out of range")]
pub struct OutOfRange;

/// A buffer of more than `u32::MAX` bytes, which no span can describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the buffer is longer than a span can describe")]
pub struct TooLong;

/// More parts (or more than `u32::MAX` bytes) than one gather node can list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("more parts than a gather can hold")]
pub struct TooManyParts;

/// Why a copy could not be made. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The pool is at its cap, or its segments are shorter than the bytes.
    #[error("the buffer pool has no room for a copy")]
    NoMemory,
    /// The bytes lie in memory the CPU may not read.
    #[error("the bytes lie in memory that the CPU may not read")]
    Unreadable,
}

impl From<NoMemory> for CopyError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl From<Unreadable> for CopyError {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}

/// The packet's header area has no room for that many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no room in the packet's header area")]
pub struct NoRoom;

/// Why [`Packet::pull`](crate::Packet::pull) could not bring bytes into the
/// header area. The packet is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PullError {
    /// The packet has fewer bytes than asked for.
    #[error("the packet is too short")]
    TooShort,
    /// The header area cannot hold that many bytes.
    #[error("no room in the packet's header area")]
    NoRoom,
    /// The bytes lie in memory the CPU may not read.
    #[error("the bytes lie in memory that the CPU may not read")]
    Unreadable,
}

/// Why [`Packet::complete_checksum`](crate::Packet::complete_checksum) left the
/// packet as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChecksumError {
    /// The checksum field lies outside the packet or outside what the header
    /// area can hold.
    #[error("the checksum field is not within the packet's headers")]
    Field,
    /// Payload in memory the CPU may not read.
    #[error("the bytes lie in memory that the CPU may not read")]
    Unreadable,
}

impl From<Unreadable> for ChecksumError {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}
