//! Header split: headers stay with the packet, payload goes where the CPU may not read it.

use txbuf::{Checksum, GATHER_MAX, Packet, Span, checksum};

use super::mapping::Mapping;
use super::memory::ShieldedMemory;
use crate::headers::{Headers, LONGEST, UDP};

/// Where UDP has its checksum; zero there says that the sender made none (RFC 768).
const UDP_CHECKSUM: usize = 6;

/// Every slot is in use, or the payload needs more of them than one packet can have: the packet is dropped.
#[derive(Debug)]
pub(super) struct NoSlot;

#[derive(Debug)]
pub(super) struct Split {
    /// What goes into one slot, on its way there.
    piece: Box<[u8]>,
}

impl Split {
    pub(super) fn new(slot: usize) -> Split {
        Split {
            piece: vec![0; slot].into_boxed_slice(),
        }
    }

    /// Moves the payload of `packet` into slots. What cannot be split, or should be judged by the stack, stays whole.
    pub(super) fn apply(
        &mut self,
        packet: &mut Packet,
        memory: &ShieldedMemory,
        own: &Mapping,
    ) -> Result<(), NoSlot> {
        let Some((headers, verified)) = intact(packet) else {
            return Ok(());
        };
        let payload = headers.payload;
        let (mut parts, mut at) = (Vec::new(), payload);
        while at < packet.len() {
            let n = packet.copy_to(at, &mut self.piece).map_err(|_| NoSlot)?;
            let slot = memory.take().filter(|_| parts.len() < GATHER_MAX);
            let slot = slot.ok_or(NoSlot)?;
            if !own.copy_in(slot.offset(), &self.piece[..n]) {
                return Err(NoSlot);
            }
            parts.push(slot.into_span(n, None).map_err(|_| NoSlot)?);
            at += n;
        }
        let span = Span::gather(memory.ledger(), parts).map_err(|_| NoSlot)?;
        packet.trim(payload).map_err(|_| NoSlot)?;
        packet.set_span(span);
        if verified {
            packet.meta.checksum = Checksum::Verified;
        }
        Ok(())
    }
}

/// The headers of a TCP or UDP packet with payload whose lengths and checksum are right, all of them in the header area,
/// and whether the checksum was verified here.
fn intact(packet: &mut Packet) -> Option<(Headers, bool)> {
    let mut first = [0; LONGEST];
    packet.copy_to(0, &mut first).ok()?;
    let headers = Headers::of(|at| first[at])?;
    let protocol = headers.protocol?;
    let (addresses, length) = match first[0] >> 4 {
        4 => (&first[12..20], word(&first, 2)),
        _ => (&first[8..40], 40 + word(&first, 4)),
    };
    let transport = headers.transport;
    let least = if protocol == UDP { 8 } else { 20 };
    if length != packet.len() || headers.payload < transport + least || headers.payload >= length {
        return None;
    }
    let trusted = packet.meta.checksum != Checksum::Complete
        || (protocol == UDP && first[0] >> 4 == 4 && word(&first, transport + UDP_CHECKSUM) == 0);
    if !trusted {
        let length = (length - transport) as u16;
        let pseudo = [[0, protocol], length.to_be_bytes()].concat();
        let pseudo = checksum::combine(checksum::sum(addresses), checksum::sum(&pseudo), false);
        let sum = packet.checksum(transport).ok()?;
        if checksum::combine(pseudo, sum, false) != 0xffff {
            return None;
        }
    }
    packet.pull(headers.payload).ok()?;
    Some((headers, !trusted))
}

fn word(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}
