//! Packets that arrive twice.

use std::time::Duration;

use txbuf::Packet;

use super::{Chance, Dice, Released, Stage};

/// Lets packets out twice, each by the same chance. The second is a clone: one reference.
#[derive(Debug)]
pub struct Duplicate {
    chance: Chance,
    dice: Dice,
    duplicated: u64,
}

impl Duplicate {
    /// Duplicates packets by this chance.
    pub fn new(chance: Chance, dice: Dice) -> Duplicate {
        Duplicate {
            chance,
            dice,
            duplicated: 0,
        }
    }
}

impl Stage for Duplicate {
    fn push(&mut self, now: Duration, packet: Packet, out: &mut Released) {
        if self.dice.happens(self.chance) {
            self.duplicated += 1;
            out.push_back((now, packet.clone()));
        }
        out.push_back((now, packet));
    }

    fn counters(&self, tell: &mut dyn FnMut(&'static str, u64)) {
        tell("duplicated", self.duplicated);
    }
}
