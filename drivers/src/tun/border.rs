//! The border between headers and payload of a received packet.
//!
//! Headers are read into a packet's own area and payload into the arena, where payloads of packets that follow each
//! other then lie side by side: several segments of one flow can be joined without a gather. Where the border is can
//! only be known after reading, so it is guessed to be where it was last, and moved if it was not.

/// The longest headers that are told from payload: IPv4 and TCP, both with all options.
pub(super) const LONGEST: usize = 120;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Bytes of headers at the front of a packet, of which `byte` gives the first [`LONGEST`]. What is neither TCP nor UDP,
/// or a fragment, has only an IP header; what is no IP has none.
pub(super) fn header_length(byte: impl Fn(usize) -> u8) -> usize {
    let (transport, protocol, whole) = match byte(0) >> 4 {
        4 => {
            let whole = byte(6) & 0x3f == 0 && byte(7) == 0;
            (usize::from(byte(0) & 0x0f) * 4, byte(9), whole)
        }
        6 => (40, byte(6), true),
        _ => return 0,
    };
    match protocol {
        TCP if whole => transport + usize::from(byte(transport + 12) >> 4) * 4,
        UDP if whole => transport + 8,
        _ => transport,
    }
}

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
