//! Packets that a capture has twice: it was taken in two places at once, as by a mirror of both sides of a switch.

use crate::parse::tcp::Segment;
use crate::parse::{MS, Packet};

/// So many of one side are remembered.
const PACKETS: usize = 8;
/// A copy follows no later.
const SOON: u64 = 2 * MS;

/// The last packets of one side.
#[derive(Default)]
pub(crate) struct Recent {
    list: [Option<(u64, Sign)>; PACKETS],
    next: usize,
}

/// What two packets of one host do not have in common: the identification tells them apart.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sign {
    id: u32,
    seq: u32,
    ack: u32,
    checksum: u16,
    len: u32,
}

impl Recent {
    /// Whether `tcp` in `packet` is among them; it is from now on. Of IPv6, and of hosts that identify no packets, nothing
    /// can be said.
    pub(super) fn has(&mut self, packet: &Packet<'_>, tcp: &Segment<'_>) -> bool {
        if !packet.ip.is_v4() || packet.ip.id == 0 {
            return false;
        }
        let sign = Sign {
            id: packet.ip.id,
            seq: tcp.seq.0,
            ack: tcp.ack_number.0,
            checksum: tcp.checksum,
            len: tcp.len,
        };
        let known = self.list.iter().flatten();
        let is_known = known
            .filter(|(time, _)| packet.now.saturating_sub(*time) < SOON)
            .any(|(_, other)| *other == sign);
        self.list[self.next] = Some((packet.now, sign));
        self.next = (self.next + 1) % PACKETS;
        is_known
    }
}
