//! Answers that follow from the packet they answer: echo over TCP and UDP without a connection.

use std::io;
use std::time::Instant;

use super::receive::answer_edge;
use super::wire::{ACK, FIN, PSH, RST, Reply, SYN, Sheet, parse, turn_around};
use crate::part::raw::{LOOK, ROOM, Raw};

/// Packets between two looks at the clock.
const PACKETS: u32 = 64;
const ISS: u32 = 1000;

/// Answers until `end`.
pub(super) fn answer(raw: &Raw<'_>, end: Instant) -> io::Result<()> {
    let mut sheet = Sheet::new(raw.prefix);
    let mut room = vec![0; ROOM];
    let mut packets = 0u32;
    loop {
        packets = packets.wrapping_add(1);
        if packets.is_multiple_of(PACKETS) && Instant::now() >= end {
            return Ok(());
        }
        let Some(bytes) = raw.read(&mut room)? else {
            if Instant::now() >= end {
                return Ok(());
            }
            raw.sleep(LOOK)?;
            continue;
        };
        let Some(packet) = room.get_mut(raw.prefix..bytes) else {
            continue;
        };
        if let Some(seen) = parse(packet) {
            let reply = if seen.flags & RST != 0 {
                continue;
            } else if seen.flags & (SYN | FIN) != 0 {
                answer_edge(&seen, ISS)
            } else if seen.length > 0 {
                Reply {
                    flags: ACK | PSH,
                    seq: seen.ack,
                    ack: seen.seq.wrapping_add(seen.length),
                    length: seen.length as usize,
                }
            } else {
                continue;
            };
            raw.write(sheet.fill(&seen, reply))?;
        } else if turn_around(packet) {
            raw.write(&room[..bytes])?;
        }
    }
}
