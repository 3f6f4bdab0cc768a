//! Whose timers go off when: a hierarchical timing wheel.
//!
//! Eleven levels of 64 slots tell all nanoseconds apart. A deadline stands on the level of the highest digit, to the
//! base of 64, in which it differs from the wheel's own time, in the slot that this digit names. So whatever is on a
//! lower level is earlier, and the first slot of the lowest level that is not empty holds the first deadline. When
//! that is reached, the slot's entries move down by a level at least: arming and disarming touch one slot, and until
//! an entry goes off it moves ten times at most, however many there are.
//!
//! A deadline that moves later is left where it is: when it is reached, the owner says when it really
//! is due. So restarting a timer with every packet costs nothing here.

use super::pages::Pages;
use crate::Instant;

/// Whose timer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// The connection in this slot of the table.
    Connection(u32),
    /// The half-open connection with this number.
    Request(u32),
}

/// Bits of a digit.
const DIGIT: u32 = 6;
/// Slots on a level.
const SLOTS: usize = 1 << DIGIT;
/// Levels for all digits of a time.
const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
/// No entry.
const NONE: u32 = u32::MAX;

/// An owner's deadline, in the list of its slot.
#[derive(Clone, Copy, Debug)]
struct Entry {
    owner: Owner,
    at: Instant,
    before: u32,
    after: u32,
    level: u8,
    slot: u8,
}

const _: () = assert!(size_of::<Entry>() == 32);

/// Deadlines that share all digits but the lowest.
#[derive(Clone, Copy, Debug)]
struct Slot {
    first: u32,
    last: u32,
    /// No entry is due before this. The first one is due then, unless it was taken away.
    earliest: Instant,
}

impl Slot {
    const EMPTY: Slot = Slot {
        first: NONE,
        last: NONE,
        earliest: Instant::FAR_FUTURE,
    };
}

/// The slots of one level.
#[derive(Clone, Debug)]
struct Level {
    /// A bit for each slot that is not empty.
    occupied: u64,
    slots: [Slot; SLOTS],
}

/// Deadlines, each owner's earliest.
#[derive(Debug)]
pub(super) struct Schedule {
    entries: Pages<Entry>,
    levels: Box<[Level]>,
    /// A bit for each level that is not empty.
    occupied: u16,
    /// What deadlines are placed by: not after any, and not after the time.
    elapsed: Instant,
}

impl Default for Schedule {
    fn default() -> Self {
        let level = Level {
            occupied: 0,
            slots: [Slot::EMPTY; SLOTS],
        };
        Schedule {
            entries: Pages::default(),
            levels: vec![level; LEVELS].into(),
            occupied: 0,
            elapsed: Instant::ZERO,
        }
    }
}

/// An owner's place in the schedule; kept with the owner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheduled(u32);

impl Default for Scheduled {
    fn default() -> Self {
        Scheduled(NONE)
    }
}

impl Schedule {
    /// Makes sure that `owner` is woken at `deadline` or earlier.
    pub(super) fn arm(
        &mut self,
        owner: Owner,
        scheduled: &mut Scheduled,
        deadline: Option<Instant>,
    ) {
        let Some(at) = deadline else { return };
        if let Some(entry) = self.entries.get_mut(scheduled.0) {
            if entry.at <= at {
                return;
            }
            self.unlink(scheduled.0);
        } else {
            let entry = Entry {
                owner,
                at,
                before: NONE,
                after: NONE,
                level: 0,
                slot: 0,
            };
            scheduled.0 = self.entries.insert(entry);
        }
        self.place(scheduled.0, at);
    }

    /// Forgets what `scheduled` is the place of.
    pub(super) fn disarm(&mut self, scheduled: &mut Scheduled) {
        self.unlink(scheduled.0);
        self.entries.remove(scheduled.0);
        *scheduled = Scheduled::default();
    }

    /// Takes the owner of the first deadline, if that is reached. Its place must be reset with [`Scheduled::default`].
    pub(super) fn pop(&mut self, now: Instant) -> Option<Owner> {
        loop {
            let (level, slot) = self.first()?;
            let Slot {
                first, earliest, ..
            } = *self.slot(level, slot)?;
            if earliest > now {
                return None;
            }
            if level == 0 {
                self.unlink(first);
                return self.entries.remove(first).map(|entry| entry.owner);
            }
            self.open(level, slot, earliest);
        }
    }

    /// The first deadline, or, where what was first in its slot was disarmed, a time before it:
    /// [`pop`](Self::pop) finds nothing then, and afterwards the answer is exact.
    pub(super) fn next(&self) -> Option<Instant> {
        let (level, slot) = self.first()?;
        self.slot(level, slot).map(|slot| slot.earliest)
    }

    /// The slot that holds the first deadline.
    fn first(&self) -> Option<(usize, usize)> {
        let level = self.occupied.trailing_zeros() as usize;
        let slots = self.levels.get(level)?;
        Some((level, slots.occupied.trailing_zeros() as usize))
    }

    /// Time comes to `earliest`, which is not after any deadline of this first slot: its entries move down.
    fn open(&mut self, level: usize, slot: usize, earliest: Instant) {
        self.elapsed = self.elapsed.max(earliest);
        let Some(opened) = self.slot_mut(level, slot) else {
            return;
        };
        let mut next = core::mem::replace(opened, Slot::EMPTY).first;
        self.note_empty(level, slot);
        while let Some(entry) = self.entries.get(next) {
            let (number, at) = (next, entry.at);
            next = entry.after;
            self.place(number, at);
        }
    }

    /// Puts an entry that stands in no slot behind the last of the slot for `at`.
    fn place(&mut self, number: u32, at: Instant) {
        let digits = at.max(self.elapsed).as_nanos();
        let differing = digits ^ self.elapsed.as_nanos();
        let level = differing.checked_ilog2().unwrap_or(0) / DIGIT;
        let slot = (digits >> (level * DIGIT)) as usize % SLOTS;
        let level = level as usize;
        let Some(row) = self.levels.get_mut(level) else {
            return;
        };
        row.occupied |= 1 << slot;
        self.occupied |= 1 << level;
        let list = &mut row.slots[slot];
        let last = core::mem::replace(&mut list.last, number);
        list.earliest = list.earliest.min(at);
        if last == NONE {
            list.first = number;
        }
        if let Some(entry) = self.entries.get_mut(last) {
            entry.after = number;
        }
        if let Some(entry) = self.entries.get_mut(number) {
            entry.at = at;
            (entry.before, entry.after) = (last, NONE);
            (entry.level, entry.slot) = (level as u8, slot as u8);
        }
    }

    /// Takes an entry out of its slot's list.
    fn unlink(&mut self, number: u32) {
        let Some(entry) = self.entries.get(number).copied() else {
            return;
        };
        let (level, slot) = (usize::from(entry.level), usize::from(entry.slot));
        if let Some(before) = self.entries.get_mut(entry.before) {
            before.after = entry.after;
        }
        if let Some(after) = self.entries.get_mut(entry.after) {
            after.before = entry.before;
        }
        let Some(list) = self.slot_mut(level, slot) else {
            return;
        };
        if list.first == number {
            list.first = entry.after;
        }
        if list.last == number {
            list.last = entry.before;
        }
        if list.first == NONE {
            *list = Slot::EMPTY;
            self.note_empty(level, slot);
        }
    }

    /// Notes that nothing stands in a slot any more.
    fn note_empty(&mut self, level: usize, slot: usize) {
        if let Some(row) = self.levels.get_mut(level) {
            row.occupied &= !(1 << slot);
            if row.occupied == 0 {
                self.occupied &= !(1 << level);
            }
        }
    }

    fn slot(&self, level: usize, slot: usize) -> Option<&Slot> {
        self.levels.get(level)?.slots.get(slot)
    }

    fn slot_mut(&mut self, level: usize, slot: usize) -> Option<&mut Slot> {
        self.levels.get_mut(level)?.slots.get_mut(slot)
    }
}

#[cfg(test)]
mod tests;
