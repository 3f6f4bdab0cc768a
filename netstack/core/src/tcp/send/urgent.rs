//! Where urgent data ends in what is sent (RFC 9293, 3.8.5; RFC 6093). Nothing leaves out of its turn for it: the mark
//! only tells the peer how far to read without delay.

use super::Sender;
use crate::tcp::seq::Seq;

impl Sender {
    /// Everything written so far is urgent: SND.UP is behind it.
    // req: MUST-30, MUST-31
    pub(crate) fn mark_urgent(&mut self) {
        let end = self.queue.end();
        self.rare_mut().urgent = Some(end);
    }

    /// SND.UP, until everything before it is acknowledged.
    pub(crate) fn urgent(&self) -> Option<Seq> {
        self.rare.as_ref()?.urgent
    }

    /// The urgent pointer of a segment from `seq` on, if what it points at lies behind that. One that is too far away
    /// points as far as it can: there is urgent data up to there at least, and later segments say more.
    // req: MUST-62
    pub(crate) fn urgent_pointer(&self, seq: Seq) -> Option<u16> {
        let up = self.urgent().filter(|up| up.after(seq))?;
        Some(u16::try_from(up.since(seq)).unwrap_or(u16::MAX))
    }

    /// More is acknowledged.
    pub(super) fn forget_urgent(&mut self) {
        let una = self.una;
        if let Some(rare) = &mut self.rare {
            rare.urgent = rare.urgent.filter(|up| up.after(una));
        }
    }
}
