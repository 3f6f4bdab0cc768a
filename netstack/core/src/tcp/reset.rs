//! Resets for segments that no connection wants (RFC 9293, 3.10.7.1 and 3.5.2).

use super::options::{Options, Timestamps};
use super::segment::{Flags, Segment};
use super::seq::Seq;

/// The reset that answers `segment`, or `None` where none may be sent: never to a reset.
// req: U-01, U-02, U-03, RFC7323-34
pub(crate) fn answer(segment: &Segment) -> Option<Segment> {
    if segment.flags.has(Flags::RST) {
        return None;
    }
    let (seq, ack, flags) = if segment.flags.has(Flags::ACK) {
        (segment.ack, Seq(0), Flags::RST)
    } else {
        (Seq(0), segment.end(), Flags::RST | Flags::ACK)
    };
    let mut reset = bare(segment.dst_port, segment.src_port, seq, ack, flags);
    // Whose clock shows nothing: there need be no connection (RFC 7323, 5.2).
    let echo = |heard: Timestamps| Timestamps {
        val: 0,
        ecr: heard.val,
    };
    reset.options.timestamps = segment.options.timestamps.map(echo);
    Some(reset)
}

/// A segment with nothing but its header.
pub(crate) fn bare(src_port: u16, dst_port: u16, seq: Seq, ack: Seq, flags: Flags) -> Segment {
    Segment {
        src_port,
        dst_port,
        seq,
        ack,
        flags,
        window: 0,
        urgent: 0,
        options: Options::default(),
        len: 0,
        ecn: 0,
    }
}

#[cfg(test)]
mod tests;
