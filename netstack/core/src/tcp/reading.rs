//! What an application reads of a connection, and when no more comes.

use super::connection::Connection;
use crate::storage::Taking;
use txbuf::{CopyError, IovIter};

impl Connection {
    /// Moves received bytes into `into`; what is only peeked at stays.
    ///
    /// # Errors
    ///
    /// [`CopyError`] as [`Receiver::read`].
    pub(crate) fn read(
        &mut self,
        into: &mut IovIter<'_>,
        peek: bool,
        taking: &mut Taking<'_>,
    ) -> Result<usize, CopyError> {
        let (_, most) = self.stretch();
        if peek {
            let skipped = usize::from(self.leaves_out());
            return self.rcv.peek(into, (skipped, most), taking);
        }
        if into.remaining() > 0 {
            self.pass_urgent();
        }
        let taken = self.rcv.read(into, most, taking)?;
        if self.state.may_receive() && self.rcv.update_due() {
            self.rcv.ack.demand();
        }
        Ok(taken)
    }

    /// Whether more may come before the application has to read, so that `wanted` bytes can be read at once.
    pub(crate) fn may_fill(&self, wanted: usize) -> bool {
        let (_, most) = self.stretch();
        self.readable() < wanted.min(most) && self.may_receive_more()
    }

    /// Whether more may come before the application has to read.
    pub(crate) fn may_receive_more(&self) -> bool {
        let over = self.read_shut || !self.state.may_receive();
        !over && !self.rcv.is_full()
    }

    /// Whether the peer has closed its side and everything before was read.
    // req: U-40
    pub(crate) fn at_end(&self) -> bool {
        self.readable() == 0
            && (self.read_shut || !(self.state.may_receive() || self.is_handshaking()))
    }

    /// Whether the application shut both halves.
    pub(crate) fn is_shut(&self) -> bool {
        self.read_shut && self.snd.queue.finished()
    }
}
