//! Messages of a stream that are sent in parts, by a front end that waits for room between them: for the error queue each is
//! one message, as it is for Linux, whose `sendmsg` waits itself.

use netstack_core::{SocketId, StampRequest};
use txbuf::{IovIter, Token};

use crate::files::Object;
use crate::send::MessageHead;
use crate::{Errno, Sockets};

/// What is known of a message of which a part is sent.
#[derive(Debug, Default)]
pub struct Parts {
    /// Its number on the error queue, if it is sent without a copy.
    pub(crate) token: Option<Token>,
    /// The times that are to be told, of the last byte of the part that was sent last, and how long that is.
    pub(crate) stamp: Option<(SocketId, StampRequest, usize)>,
}

impl Sockets {
    /// As [`sendmsg`](Self::sendmsg), of what is left of a message whose earlier `parts` are sent. Its number on the error
    /// queue and the times that are told of it (`MSG_ZEROCOPY`, `SO_TIMESTAMPING`) are of the whole, once [`end_message`]
    /// says that no more of it comes.
    ///
    /// # Errors
    ///
    /// As Linux has them. Nothing was taken.
    ///
    /// [`end_message`]: Self::end_message
    pub fn sendmsg_part(
        &mut self,
        fd: i32,
        from: &mut IovIter<'_>,
        head: &MessageHead<'_>,
        flags: i32,
        parts: &mut Parts,
    ) -> Result<usize, Errno> {
        match &self.files.get(fd)?.object {
            Object::Stream(_) => self.send_stream(fd, from, head, flags, parts),
            _ => self.sendmsg(fd, from, head, flags),
        }
    }

    /// No more is sent of a message: all of it is, or no more could be.
    pub fn end_message(&mut self, parts: Parts) {
        if let Some((id, request, written)) = parts.stamp {
            // Of a connection that is gone nothing is told.
            let _ = self.stack.stamp_written(id, request, written);
        }
    }
}
