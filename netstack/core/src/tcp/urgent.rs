//! Urgent data: where the peer says it is, where a read ends for it, and what that leaves out.

use super::connection::Connection;
use super::segment::{Flags, Segment};
use super::seq::Seq;
use crate::news::News;
use crate::socket::UrgentData;

impl Connection {
    /// Sixth: the urgent pointer of a segment that began at `seq`, whether or not the window takes any data.
    // req: MUST-66, MUST-32, MUST-62
    pub(super) fn check_urgent(&mut self, seq: Seq, segment: &Segment) {
        let says = segment.flags.has(Flags::URG) && self.state.may_receive();
        let overtaken = self.leaves_out();
        if says && self.rcv.hear_urgent(seq + usize::from(segment.urgent)) {
            if overtaken {
                self.rcv.leave_out();
            }
            self.note(News::URGENT);
        }
    }

    /// Bytes that a read takes at most, beginning at a byte that it leaves out or not.
    pub(crate) fn stretch(&self) -> (bool, usize) {
        match (self.urgent_data, self.rcv.urgent()) {
            (UrgentData::InStream, _) | (_, None) => (false, usize::MAX),
            (UrgentData::Marked, Some(1)) => (false, usize::MAX),
            (UrgentData::OutOfBand, Some(1)) => (true, usize::MAX),
            (_, Some(ahead)) => (false, ahead - 1),
        }
    }

    /// Whether the byte that is next is left out.
    pub(crate) fn leaves_out(&self) -> bool {
        self.stretch().0 && self.rcv.queued() > 0
    }

    /// Bytes that a read can take now.
    #[inline]
    pub(crate) fn readable(&self) -> usize {
        self.rcv.queued() - usize::from(self.leaves_out())
    }

    /// A read begins: the byte that it leaves out is gone.
    pub(crate) fn pass_urgent(&mut self) {
        if self.leaves_out() {
            self.rcv.leave_out();
        }
    }
}
