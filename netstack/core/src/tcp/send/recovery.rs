//! Loss recovery: what is to be sent again, and when (RFC 5681, 3.2; RFC 6582; RFC 3042).
//!
//! NewReno, the slow-but-steady variant: every partial acknowledgement restarts the retransmission
//! timer, so that a window with many holes is mended hole by hole instead of by a timeout.

use crate::tcp::seq::Seq;

/// Duplicate acknowledgements that mean a loss.
const DUPLICATE_THRESHOLD: u32 = 3;

/// What a duplicate or partial acknowledgement asks of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is known to be lost.
    Nothing,
    /// A loss was found: the congestion window is to be cut, the first segment sent again.
    Lost,
    /// Still in recovery: the first segment is missing too and is to be sent again.
    StillMissing,
    /// Everything that was outstanding at the loss is acknowledged.
    Recovered,
}

/// The recovery state of one connection.
#[derive(Debug)]
pub(crate) struct Recovery {
    duplicates: u32,
    /// The highest sequence number sent when the last recovery began.
    recover: Seq,
    fast: bool,
    /// What duplicate acknowledgements add to the congestion window while in recovery: each says
    /// that a segment left the network.
    inflation: isize,
    /// The highest sequence number sent when the first duplicate came.
    lost_at: Seq,
}

impl Recovery {
    pub(crate) fn new(iss: Seq) -> Self {
        Recovery {
            duplicates: 0,
            recover: iss,
            fast: false,
            inflation: 0,
            lost_at: iss,
        }
    }

    /// The highest sequence number sent when the loss was first hinted at: what limited transmit has sent since does
    /// not count as outstanding (RFC 5681, 3.2, step 2).
    pub(crate) fn lost_at(&self) -> Seq {
        self.lost_at
    }

    /// Whether fast recovery is under way.
    pub(crate) fn is_fast(&self) -> bool {
        self.fast
    }

    /// A duplicate acknowledgement of `una` arrived while `max` was the highest number sent.
    pub(crate) fn on_duplicate(&mut self, una: Seq, max: Seq, mss: usize) -> Verdict {
        self.duplicates += 1;
        if self.duplicates == 1 {
            self.lost_at = max;
        }
        if self.fast {
            self.inflation += mss as isize;
            return Verdict::Nothing;
        }
        // Below `recover` the duplicates come from what a timeout sent again needlessly (RFC 6582, 4).
        if self.duplicates == DUPLICATE_THRESHOLD && una.after(self.recover) {
            self.fast = true;
            self.recover = max;
            self.inflation = (DUPLICATE_THRESHOLD as usize * mss) as isize;
            return Verdict::Lost;
        }
        Verdict::Nothing
    }

    /// `acked` new bytes were acknowledged, up to `una`.
    pub(crate) fn on_advance(&mut self, una: Seq, acked: usize, mss: usize) -> Verdict {
        self.duplicates = 0;
        if !self.fast {
            return Verdict::Nothing;
        }
        if una.at_or_after(self.recover) {
            self.fast = false;
            self.inflation = 0;
            return Verdict::Recovered;
        }
        self.inflation -= acked as isize;
        if acked >= mss {
            self.inflation += mss as isize;
        }
        Verdict::StillMissing
    }

    /// The retransmission timer went off while `max` was the highest number sent.
    pub(crate) fn on_timeout(&mut self, max: Seq) {
        self.fast = false;
        self.duplicates = 0;
        self.inflation = 0;
        self.recover = max;
    }

    /// The bytes that may be in flight when the congestion window is `window`.
    pub(crate) fn allowance(&self, window: usize, mss: usize) -> usize {
        if self.fast {
            return window.saturating_add_signed(self.inflation).max(mss);
        }
        // Limited transmit: the first two duplicates let a new segment out each (RFC 3042).
        window + mss * self.duplicates.min(DUPLICATE_THRESHOLD - 1) as usize
    }
}

#[cfg(test)]
mod tests;
