//! Packets that get lost.

use std::time::Duration;

use txbuf::Packet;

use super::{Chance, Dice, Released, Stage};

/// Loses packets, each by the same chance.
#[derive(Debug)]
pub struct Loss {
    chance: Chance,
    dice: Dice,
    lost: u64,
}

impl Loss {
    /// Loses packets by this chance.
    pub fn new(chance: Chance, dice: Dice) -> Loss {
        Loss {
            chance,
            dice,
            lost: 0,
        }
    }
}

impl Stage for Loss {
    fn push(&mut self, now: Duration, packet: Packet, out: &mut Released) {
        if self.dice.happens(self.chance) {
            self.lost += 1;
        } else {
            out.push_back((now, packet));
        }
    }

    fn counters(&self, tell: &mut dyn FnMut(&'static str, u64)) {
        tell("lost", self.lost);
    }
}
