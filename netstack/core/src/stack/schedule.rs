//! Whose timers go off when.
//!
//! A deadline that moves later is left where it is: when it is reached, the owner says when it really
//! is due. So restarting a timer with every packet costs nothing here.

use crate::Instant;
use std::collections::BTreeSet;

/// Whose timer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// The connection in this slot of the table.
    Connection(u32),
    /// The half-open connection with this number.
    Request(usize),
}

/// Deadlines, each owner's earliest.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    deadlines: BTreeSet<(Instant, Owner)>,
}

/// An owner's place in the schedule; kept with the owner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheduled(Instant);

impl Default for Scheduled {
    fn default() -> Self {
        Scheduled(Instant::FAR_FUTURE)
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
        let Some(deadline) = deadline.filter(|at| *at < scheduled.0) else {
            return;
        };
        self.disarm(owner, scheduled);
        self.deadlines.insert((deadline, owner));
        scheduled.0 = deadline;
    }

    /// Forgets `owner`.
    pub(super) fn disarm(&mut self, owner: Owner, scheduled: &mut Scheduled) {
        if scheduled.0 != Instant::FAR_FUTURE {
            self.deadlines.remove(&(scheduled.0, owner));
            scheduled.0 = Instant::FAR_FUTURE;
        }
    }

    /// Takes an owner whose deadline is reached. Its place must be reset with [`Scheduled::default`].
    pub(super) fn pop(&mut self, now: Instant) -> Option<Owner> {
        let (at, _) = self.deadlines.first()?;
        if *at > now {
            return None;
        }
        self.deadlines.pop_first().map(|(_, owner)| owner)
    }

    /// The first deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}
