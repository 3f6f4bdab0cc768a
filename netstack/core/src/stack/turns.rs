//! Whose turn it is to send: deficit round robin, by bytes.
//!
//! Whoever has something to send stands in the queue once. Each turn is worth a quantum of bytes; what a packet takes
//! beyond it, as a super-packet does, is worked off in the turns that come next. Who has nothing more to send leaves, and
//! takes nothing along: a pause saves no credit.

use crate::socket::SocketId;
use std::collections::VecDeque;

/// What a turn is worth: a quarter of a super-packet, so that somebody with little to say waits for no more than one.
const QUANTUM: i64 = 16 << 10;

/// Who has something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// A socket; it is asked for its packets one at a time.
    Socket(SocketId),
    /// The half-open connection with this number has a SYN-ACK to send.
    Request(u32),
    /// Forwarded packets wait: all of them are one class.
    Transit,
}

/// A turn: who has it, and how many bytes it is still worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) who: Ready,
    credit: i64,
}

/// Those who have something to send.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queue: VecDeque<Turn>,
}

impl Turn {
    /// Whether the turn pays for so many bytes: who sent more stays in the queue until that is worked off.
    pub(super) fn covers(&self, bytes: usize) -> bool {
        i64::try_from(bytes).is_ok_and(|bytes| bytes <= self.credit)
    }
}

impl Turns {
    /// Puts somebody at the end of the queue who does not stand in it.
    pub(super) fn join(&mut self, who: Ready) {
        self.queue.push_back(Turn { who, credit: 0 });
    }

    /// Takes out who is to send a packet now. If there was one, the turn [goes on](Self::go_on).
    pub(super) fn next(&mut self) -> Option<Turn> {
        loop {
            let mut turn = self.queue.pop_front()?;
            if turn.credit <= 0 {
                turn.credit += QUANTUM;
            }
            if turn.credit > 0 {
                return Some(turn);
            }
            self.queue.push_back(turn);
        }
    }

    /// A turn in which so many bytes were sent, and there may be more to send.
    pub(super) fn go_on(&mut self, turn: Turn, bytes: usize) {
        let credit = turn.credit - i64::try_from(bytes).unwrap_or(i64::MAX / 2);
        let turn = Turn { credit, ..turn };
        if credit > 0 {
            self.queue.push_front(turn);
        } else {
            self.queue.push_back(turn);
        }
    }

    /// Whether nobody has anything to send.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests;
