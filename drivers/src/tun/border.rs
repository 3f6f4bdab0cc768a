//! The border between headers and payload of a received packet.
//!
//! Headers are read into a packet's own area and payload into the arena, where payloads of packets that follow each
//! other then lie side by side: several segments of one flow can be joined without a gather. Where the border is can
//! only be known after reading, so it is guessed to be where it was last, and moved if it was not.

use crate::headers::LONGEST;

/// Moves the border: of a packet whose first `from` bytes are in `front` and whose other `behind` bytes are in `room`,
/// the first `to` are in `front` afterwards. `room` has space for what it is given.
pub(super) fn shift(
    front: &mut [u8; LONGEST],
    room: &mut [u8],
    from: usize,
    to: usize,
    behind: usize,
) {
    if to < from {
        let more = from - to;
        room.copy_within(..behind, more);
        room[..more].copy_from_slice(&front[to..from]);
    } else if to > from {
        let fewer = to - from;
        front[from..to].copy_from_slice(&room[..fewer]);
        room.copy_within(fewer..behind, 0);
    }
}

#[cfg(test)]
mod tests;
