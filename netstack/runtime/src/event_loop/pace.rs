//! What the loop learns from how packets come, so that it asks the kernel for no more than it has to.

use std::mem;
use std::ops::Range;
use std::time::Duration;

use super::port::Came;

/// Packets that come alone before the next are taken so, and that are taken so before it is asked for more again.
const LONE: u32 = 8;

/// How long a peer has the core that takes a packet, and sends the next. Who came back sooner was not away, and packets
/// that are there all the same come from elsewhere: taking them one by one costs more than sleeping until there are
/// several. A core that comes back later was taken by somebody who had no packet for this loop.
const OFFER: Range<Duration> = Duration::from_micros(1)..Duration::from_micros(100);

/// Sleeps after which the core is offered again, however often that was in vain.
const MOST_SKIPPED: u32 = 1023;

/// When a turn looks at the devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Now,
    /// The loop has looked while it had nothing to do, and that is what came.
    Before(Came),
    /// Not before the loop sleeps, which a packet ends.
    Asleep,
}

impl Look {
    /// The look of the turn after one that looked so. Where packets came, not all that were asked for, and left nothing
    /// to be sent, there is most likely nothing yet. What was found before a turn was taken one by one: there may be
    /// more of it.
    pub(super) fn next(self, came: Came, sent: bool) -> Look {
        match (self, came) {
            (Look::Now, Came::Alone | Came::Several) if !sent => Look::Asleep,
            _ => Look::Now,
        }
    }
}

/// Two habits of peers: to wait for each answer before they ask again, and to share this core.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Packets in a row that came alone and were answered at once.
    lone: u32,
    /// Something was sent since the last sleep, or since the core was offered.
    sent: bool,
    /// Sleeps until the core is offered again.
    skip: u32,
    /// How many there are after the next offer in vain.
    penalty: u32,
}

impl Pace {
    /// How many packets to ask a device for. The one after packets that came alone and were answered at once follows
    /// from the answer, and looking for another would keep it waiting; every now and then that is done all the same,
    /// for more may come by now.
    pub(super) fn worth_asking(&self) -> usize {
        if self.lone < LONE || self.lone.is_multiple_of(LONE) {
            usize::MAX
        } else {
            1
        }
    }

    /// A turn is over: what had come, and whether something was sent then, which a peer may answer.
    pub(super) fn turned(&mut self, came: Came, sent: bool) {
        self.sent |= sent;
        self.lone = match came {
            Came::Nothing => self.lone,
            Came::Alone if sent => self.lone.wrapping_add(1),
            _ => 0,
        };
    }

    /// Whether to offer the core to others before this sleep. Where the peer runs on the same core, its next packet is
    /// often there when the core comes back, for less than what falling asleep and waking up take. It follows from what
    /// was sent: packets that come without are no answers, and come wherever their sender runs.
    pub(super) fn worth_offering(&mut self) -> bool {
        if !mem::take(&mut self.sent) {
            return false;
        }
        let worth = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        worth
    }

    /// The core was offered, and came back after `took`: whether a packet was there then.
    pub(super) fn offered(&mut self, came: bool, took: Duration) {
        self.penalty = if took >= OFFER.end {
            MOST_SKIPPED
        } else if came && took >= OFFER.start {
            0
        } else {
            (2 * self.penalty + 1).min(MOST_SKIPPED)
        };
        self.skip = self.penalty;
    }
}

#[cfg(test)]
mod tests;
