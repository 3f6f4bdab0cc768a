//! What the peer says is urgent (RFC 9293, 3.8.5). Such data stays in the stream (RFC 6093, 5): the application learns that
//! there is some, and where it ends.

use super::Receiver;
use crate::tcp::seq::Seq;

/// More than what was read and is put back.
const FAR: usize = 1 << 30;

impl Receiver {
    /// The peer says that what is before `mark` is urgent. Returns whether that is news: a mark never moves back, and what
    /// was read is urgent no more.
    // req: MUST-31, MUST-32
    pub(crate) fn hear_urgent(&mut self, mark: Seq) -> bool {
        let news = mark.after(self.up.later(self.read_to()));
        if news {
            self.up = mark;
        }
        news
    }

    /// Bytes of the stream from what is read next to the end of urgent data, if that lies ahead.
    // req: MUST-33
    pub(crate) fn urgent(&self) -> Option<usize> {
        let ahead = self.up.after(self.read_to());
        ahead.then(|| self.up.since(self.read_to()))
    }

    /// The application has read: a mark that lies far behind goes along, or half a circle later it would seem to lie ahead.
    pub(super) fn carry_urgent(&mut self) {
        self.up = self.up.later(self.read_to() - FAR);
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
