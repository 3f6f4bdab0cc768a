//! Moving data from one connection to another without touching it.

use super::Stack;
use crate::socket::{RecvError, RecvFlags, SendControl, SendError, SendFlags, SocketId};
use std::collections::VecDeque;
use thiserror::Error;
use txbuf::{IovIter, Span};

/// Why nothing was moved between two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SpliceError {
    /// The source has nothing, or failed. After [`RecvError::WouldBlock`] a readable event follows.
    #[error("the source: {0}")]
    From(RecvError),
    /// The destination takes nothing, or failed. After [`SendError::WouldBlock`] a writable event follows.
    #[error("the destination: {0}")]
    To(SendError),
}

impl Stack {
    /// Moves up to `max` bytes that the connection `from` has received into the send queue of
    /// the connection `to`, and returns how many. Zero means that `from` is at its end.
    ///
    /// The payload is not touched: spans change hands, and the storage that they keep alive is counted with
    /// the queue of `to` from then on, at its true size. Copied are only pieces of at most 512 bytes; what would make
    /// the queue keep more than four times its limit, so that a trickle cannot keep a whole arena alive; and, while
    /// an arena is near its cap, what lies there. Lent memory never comes here: it was replaced by copies when it
    /// arrived.
    ///
    /// Both are connections. A datagram socket on either side is refused
    /// ([`SocketError::WrongKind`](crate::SocketError::WrongKind)), because a splice knows no boundaries of messages:
    /// [`receive_message`](Self::receive_message) with [`TRANSIENT`](RecvFlags::TRANSIENT) and
    /// [`send_message`](Self::send_message) of the spans pass a datagram on.
    ///
    /// # Errors
    ///
    /// See [`SpliceError`]. Nothing was moved then, and nothing is lost: what `to` has no room for stays
    /// with `from`.
    pub fn splice(
        &mut self,
        from: SocketId,
        to: SocketId,
        max: usize,
    ) -> Result<usize, SpliceError> {
        self.table
            .tcp(from)
            .map_err(|error| SpliceError::From(error.into()))?;
        self.table
            .tcp(to)
            .map_err(|error| SpliceError::To(error.into()))?;
        let room = self.send_room(to).map_err(SpliceError::To)?;
        let mut spans: VecDeque<Span> = VecDeque::new();
        let mut sink = IovIter::collect(&mut spans, max.min(room));
        let received = self.receive_message(from, &mut sink, RecvFlags::TRANSIENT);
        let bytes = received.map_err(SpliceError::From)?.bytes;
        if bytes == 0 {
            return Ok(0);
        }
        let mut source = IovIter::spans(&mut spans);
        let sent = self.send_message(to, &mut source, SendFlags::NONE, &SendControl::default());
        if !spans.is_empty()
            && let Ok(tcp) = self.table.tcp_mut(from)
        {
            // There was less room than there had been, because storage ran short meanwhile.
            tcp.connection.rcv.put_back(spans);
        }
        sent.map_err(SpliceError::To)
    }
}
