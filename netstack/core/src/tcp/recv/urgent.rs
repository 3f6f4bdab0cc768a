//! What the peer says is urgent (RFC 9293, 3.8.5). Such data stays in the stream (RFC 6093, 5): the application learns that
//! there is some, and where it ends.

use super::Receiver;
use crate::socket::UrgentByte;
use crate::tcp::seq::{Seq, WINDOW};
use txbuf::Unreadable;

impl Receiver {
    /// The peer says that what is before `mark` is urgent. Returns whether that is news: a mark never moves back, and what
    /// was read is urgent no more.
    // req: MUST-31, MUST-32
    pub(crate) fn hear_urgent(&mut self, mark: Seq) -> bool {
        let news = mark.after(self.up.later(self.read_to()));
        if news {
            self.up = mark;
            self.taken = false;
        }
        news
    }

    /// Bytes of the stream from what is read next to the end of urgent data, if that lies ahead.
    // req: MUST-33
    pub(crate) fn urgent(&self) -> Option<usize> {
        let ahead = self.up.after(self.read_to());
        ahead.then(|| self.up.since(self.read_to()))
    }

    /// The last urgent byte, unless it was taken.
    ///
    /// # Errors
    ///
    /// It lies in memory that the processor may not read.
    pub(crate) fn urgent_byte(&self) -> Result<UrgentByte, Unreadable> {
        let ahead = self.urgent().filter(|_| !self.taken);
        let Some(mut at) = ahead.map(|ahead| ahead - 1) else {
            return Ok(UrgentByte::None);
        };
        for span in &self.queue {
            if let Some(beyond) = at.checked_sub(span.len()) {
                at = beyond;
                continue;
            }
            let mut byte = [0];
            span.copy_to(at, &mut byte)?;
            return Ok(UrgentByte::Here(byte[0]));
        }
        Ok(UrgentByte::Awaited)
    }

    /// Whether there is such a byte.
    pub(crate) fn has_urgent_byte(&self) -> bool {
        let ahead = self.urgent().filter(|_| !self.taken);
        ahead.is_some_and(|ahead| ahead <= self.queued())
    }

    /// The last urgent byte was handed out.
    pub(crate) fn take_urgent(&mut self) {
        self.taken = true;
    }

    /// Lets go of the byte that is read next.
    pub(crate) fn leave_out(&mut self) {
        let Some(front) = self.queue.front_mut() else {
            return;
        };
        if front.len() == 1 {
            self.queue.pop_front();
        } else if front.advance(1).is_err() {
            return;
        }
        self.queued -= 1;
        if self.queue.is_empty() {
            self.discard_read();
        }
        self.carry_urgent();
    }

    /// The application has read: a mark that lies far behind goes along, or half a circle later it would seem to lie ahead.
    pub(super) fn carry_urgent(&mut self) {
        self.up = self.up.later(self.read_to() - WINDOW);
    }

    /// Where what is read next stands.
    pub(crate) fn read_to(&self) -> Seq {
        self.data_end() - self.queued()
    }

    /// Behind the last byte in order. A FIN that was taken is no data.
    pub(crate) fn data_end(&self) -> Seq {
        let end = self.fin.filter(|fin| fin.before(self.nxt));
        end.unwrap_or(self.nxt)
    }
}

#[cfg(test)]
mod tests;
