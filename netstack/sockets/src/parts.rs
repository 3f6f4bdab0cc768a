//! Messages of a stream that are sent in parts, by a front end that waits for room between them: for the error queue each is
//! one message, as it is for Linux, whose `sendmsg` waits itself.

use netstack_core::{SocketId, StampRequest};
use txbuf::Token;

use crate::Sockets;

/// What is known of a message of which a part is sent.
#[derive(Debug, Default)]
pub struct Parts {
    /// Its number on the error queue, if it is sent without a copy.
    pub(crate) token: Option<Token>,
    /// The times that are to be told, of the last byte of the part that was sent last, and how long that is.
    pub(crate) stamp: Option<(SocketId, StampRequest, usize)>,
}

impl Sockets {
    /// No more is sent of a message: all of it is, or no more could be.
    pub fn end_message(&mut self, parts: Parts) {
        if let Some((id, request, written)) = parts.stamp {
            // Of a connection that is gone nothing is told.
            let _ = self.stack.stamp_written(id, request, written);
        }
    }
}
