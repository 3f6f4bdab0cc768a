//! What the shards of a stack pass on to each other: packets that came to the wrong one.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use netstack_core::{Instant, Stack, Stray};

use crate::alarm::Alarm;

/// Packets that may wait for a shard; what does not fit waits in the stack that has it, as far as there is room.
const LIMIT: usize = 1024;

/// Where a shard finds packets that another one passed on.
pub(crate) struct Mailbox {
    strays: ArrayQueue<Stray>,
    alarm: Arc<Alarm>,
}

impl Mailbox {
    /// The mailbox of the loop that `alarm` wakes.
    pub(crate) fn new(alarm: &Arc<Alarm>) -> Arc<Mailbox> {
        Arc::new(Mailbox {
            strays: ArrayQueue::new(LIMIT),
            alarm: Arc::clone(alarm),
        })
    }
}

/// The mailboxes that a shard reads and writes.
pub(crate) struct Mail {
    pub(crate) own: Arc<Mailbox>,
    /// That of the next shard.
    pub(crate) next: Arc<Mailbox>,
}

impl Mail {
    /// Hands the stack what came for it; says whether there was anything.
    pub(crate) fn deliver(&self, stack: &mut Stack, now: Instant) -> bool {
        let mut any = false;
        // No more than there were at the start, so that sending has its turn.
        for _ in 0..self.own.strays.len() {
            let Some(stray) = self.own.strays.pop() else {
                break;
            };
            stack.handle_stray(now, stray);
            any = true;
        }
        any
    }

    /// Passes on what the stack does not want, as far as there is room; says whether there was anything.
    pub(crate) fn collect(&self, stack: &mut Stack) -> bool {
        let mut any = false;
        while !self.next.strays.is_full()
            && let Some(stray) = stack.poll_stray()
        {
            // This is the only shard that puts something there.
            any |= self.next.strays.push(stray).is_ok();
        }
        if any {
            self.next.alarm.ring();
        }
        any
    }
}
