//! Packets that arrive damaged.

use std::time::Duration;

use txbuf::{Ledger, Meta, Packet, Span};

use super::{Chance, Dice, Released, Stage};

/// The longest burst of wrong bits: one less than a word of the Internet checksum, which therefore detects it.
const LONGEST_BURST: u64 = 15;

/// Flips a burst of bits somewhere in a packet, each packet by the same chance.
///
/// What is damaged is a copy, for the payload of a packet is nobody's to write. Its checksum is completed first:
/// otherwise it would be made right afterwards.
#[derive(Debug)]
pub struct Corrupt {
    chance: Chance,
    dice: Dice,
    /// Of the copies, which are apart from the storage of devices and stacks.
    ledger: Ledger,
    corrupted: u64,
    unreadable: u64,
}

impl Corrupt {
    /// Damages packets by this chance.
    pub fn new(chance: Chance, dice: Dice) -> Corrupt {
        Corrupt {
            chance,
            dice,
            ledger: Ledger::new(),
            corrupted: 0,
            unreadable: 0,
        }
    }

    /// `None`: the packet lies in memory that the CPU may not read, or its headers do not fit its metadata.
    fn damage(&mut self, mut packet: Packet) -> Option<Packet> {
        packet.complete_checksum().ok()?;
        let mut bytes = packet.to_vec().ok()?;
        let bits = bytes.len() as u64 * 8;
        let length = (1 + self.dice.up_to(LONGEST_BURST - 1)).min(bits);
        let start = self.dice.up_to(bits.checked_sub(length)?);
        let middle = self.dice.up_to(u64::MAX);
        for bit in 0..length {
            // The first and the last bit of a burst always are wrong.
            if bit == 0 || bit + 1 == length || middle >> bit & 1 == 1 {
                let at = start + bit;
                *bytes.get_mut((at / 8) as usize)? ^= 0x80 >> (at % 8);
            }
        }
        let mut damaged = Packet::from_span(Span::from_bytes(&self.ledger, bytes.into()).ok()?);
        damaged.meta = Meta {
            iface: packet.meta.iface,
            timestamp: packet.meta.timestamp,
            ..Meta::default()
        };
        Some(damaged)
    }
}

impl Stage for Corrupt {
    fn push(&mut self, now: Duration, packet: Packet, out: &mut Released) {
        if !self.dice.happens(self.chance) {
            out.push_back((now, packet));
            return;
        }
        match self.damage(packet) {
            Some(damaged) => {
                self.corrupted += 1;
                out.push_back((now, damaged));
            }
            None => self.unreadable += 1,
        }
    }

    fn counters(&self, tell: &mut dyn FnMut(&'static str, u64)) {
        tell("corrupted", self.corrupted);
        tell("corrupt_unreadable_dropped", self.unreadable);
    }
}
