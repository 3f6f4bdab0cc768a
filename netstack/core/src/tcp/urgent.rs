//! Urgent data as applications read it: where a read ends, and what it leaves out.

use super::connection::Connection;
use crate::socket::UrgentData;

impl Connection {
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
