//! What a capture keeps of a packet until it is written.
//!
//! A stalled writer may hold it for ever, so it must hold up nobody: lent payload is copied, which completes the
//! sender's message, memory of a device is not kept at all, and once many packets wait, what pins much more than it
//! shows is copied too.

use txbuf::{Chain, Kind, Ledger, Packet, Pool, PoolConfig, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

/// A packet that is to be captured.
#[derive(Debug)]
pub(super) struct Record {
    /// The packet as far as the CPU may read it. Nothing of it is lent.
    pub(super) packet: Packet,
    /// Bytes of the packet that passed.
    pub(super) length: usize,
    pub(super) direction: Direction,
    /// Nanoseconds since 1970.
    pub(super) timestamp: u64,
}

/// Bytes of a segment for copies: the longest packet fits.
const SEGMENT: usize = 64 << 10;

/// A place for the copies of packets of which `bytes` may wait. At the end of each segment there may be no room for
/// another packet, so it has twice that.
pub(super) fn copies(bytes: usize) -> Chain {
    let config = PoolConfig {
        segment: SEGMENT,
        limit: bytes.saturating_mul(2).saturating_add(2 * SEGMENT),
        keep: 4,
    };
    Chain::arena(&Pool::new(&Ledger::new(), config))
}

/// Makes of a packet what may be kept, `sparingly` if many others are. None: there is no room for a copy.
pub(super) fn keep(mut packet: Packet, copies: &mut Chain, sparingly: bool) -> Option<Packet> {
    if let Some(readable) = readable(&packet) {
        packet.trim(readable).ok()?;
    }
    packet.orphan(copies).ok()?;
    if sparingly && let Some(span) = packet.span().filter(|span| span.overpins()) {
        let copy = span.copy_into(copies).ok()?;
        packet.set_span(copy);
    }
    Some(packet)
}

/// Bytes before the first that the CPU may not read; none if it may read all.
fn readable(packet: &Packet) -> Option<usize> {
    let span = packet.span().filter(|span| !span.is_readable())?;
    let front = span
        .extents()
        .take_while(|extent| extent.kind() != Kind::Device);
    let in_span: usize = front.map(|extent| extent.len()).sum();
    Some(packet.len() - Span::len(span) + in_span)
}
