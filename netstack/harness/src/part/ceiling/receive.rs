//! Receiving: TCP that is acknowledged and UDP that is not.

use std::io;
use std::time::Instant;

use super::wire::{ACK, FIN, Reply, SYN, Seen, Sheet, parse};
use crate::part::raw::{LOOK, ROOM, Raw};

/// Packets for one acknowledgement. A plain packet is one segment, and the kernel sends inside our `write` of an
/// acknowledgement: the fewer, the faster.
const EVERY_PLAIN: u32 = 64;
const EVERY_SUPER: u32 = 4;
/// Reads between two looks at the clock.
const READS: u32 = 64;
/// Of our sequence numbers.
const ISS: u32 = 1000;

/// Acknowledges everything that arrives on the discard port.
pub(super) fn acknowledge(raw: &Raw<'_>, offload: bool, end: Instant) -> io::Result<()> {
    let every = if offload { EVERY_SUPER } else { EVERY_PLAIN };
    let mut sheet = Sheet::new(raw.prefix);
    let mut room = vec![0; ROOM];
    // What was seen last and not acknowledged, and how many packets of it.
    let (mut last, mut pending) = (Seen::default(), 0);
    let mut reads = 0u32;
    loop {
        reads = reads.wrapping_add(1);
        if reads.is_multiple_of(READS) && Instant::now() >= end {
            return Ok(());
        }
        let Some(bytes) = raw.read(&mut room)? else {
            if pending > 0 {
                raw.write(sheet.fill(&last, plain_ack(&last)))?;
                pending = 0;
                continue;
            }
            if Instant::now() >= end {
                return Ok(());
            }
            raw.sleep(LOOK)?;
            continue;
        };
        let Some(seen) = room.get(raw.prefix..bytes).and_then(parse) else {
            continue;
        };
        if seen.flags & (SYN | FIN) != 0 {
            raw.write(sheet.fill(&seen, answer_edge(&seen, ISS)))?;
        } else if seen.length > 0 {
            (last, pending) = (seen, pending + 1);
            if pending >= every {
                raw.write(sheet.fill(&last, plain_ack(&last)))?;
                pending = 0;
            }
        }
    }
}

/// Reads and forgets.
pub(super) fn discard(raw: &Raw<'_>, end: Instant) -> io::Result<()> {
    let mut room = vec![0; ROOM];
    let mut reads = 0u32;
    loop {
        reads = reads.wrapping_add(1);
        let is_idle = raw.read(&mut room)?.is_none();
        if (is_idle || reads.is_multiple_of(READS)) && Instant::now() >= end {
            return Ok(());
        }
        if is_idle {
            raw.sleep(LOOK)?;
        }
    }
}

/// What answers a SYN or a FIN of a peer that has acknowledged all of ours.
pub(super) fn answer_edge(seen: &Seen, iss: u32) -> Reply {
    let ack = seen.seq.wrapping_add(seen.length).wrapping_add(1);
    let is_syn = seen.flags & SYN != 0;
    Reply {
        flags: ACK | if is_syn { SYN } else { FIN },
        seq: if is_syn { iss } else { seen.ack },
        ack,
        length: 0,
    }
}

fn plain_ack(seen: &Seen) -> Reply {
    Reply {
        flags: ACK,
        seq: seen.ack,
        ack: seen.seq.wrapping_add(seen.length),
        length: 0,
    }
}
