//! Loss detection for a peer without selective acknowledgements: three duplicates (RFC 5681, 3.2), and partial
//! acknowledgements (RFC 6582).
//!
//! The slow-but-steady variant: every partial acknowledgement restarts the retransmission timer, so that a window with
//! many holes is mended hole by hole instead of by a timeout.

use crate::tcp::seq::Seq;

/// Duplicate acknowledgements that mean a loss.
const DUPLICATE_THRESHOLD: u32 = 3;

/// The duplicates of one connection.
#[derive(Debug, Default)]
pub(crate) struct NewReno {
    duplicates: u32,
    /// What duplicate acknowledgements add to the congestion window while in recovery: each says that a segment left
    /// the network.
    inflation: isize,
    /// The highest sequence number sent when the first duplicate came.
    lost_at: Seq,
}

impl NewReno {
    /// The highest sequence number sent when the loss was first hinted at: what limited transmit has sent since does
    /// not count as outstanding (RFC 5681, 3.2, step 2).
    pub(crate) fn lost_at(&self) -> Seq {
        self.lost_at
    }

    /// A duplicate acknowledgement arrived while `nxt` was SND.NXT. Returns whether it is the third.
    pub(crate) fn on_duplicate(&mut self, nxt: Seq) -> bool {
        self.duplicates = self.duplicates.saturating_add(1);
        if self.duplicates == 1 {
            self.lost_at = nxt;
        }
        self.duplicates == DUPLICATE_THRESHOLD
    }

    /// Whether three duplicates came in a row.
    pub(crate) fn threshold_reached(&self) -> bool {
        self.duplicates >= DUPLICATE_THRESHOLD
    }

    /// Another duplicate in recovery, of at most `most` bytes that can have left the network.
    // req: RFC5681-24, RFC5681-25
    pub(crate) fn inflate(&mut self, mss: usize, most: usize) {
        self.inflation = (self.inflation + mss as isize).min(most as isize);
    }

    /// Recovery begins: the duplicates so far have each taken a segment out of the network.
    // req: RFC5681-23
    pub(crate) fn begin(&mut self, mss: usize) {
        self.inflation = (DUPLICATE_THRESHOLD as usize * mss) as isize;
    }

    /// `acked` bytes were acknowledged in recovery, but not everything.
    // req: RFC6582-04
    pub(crate) fn on_partial(&mut self, acked: usize, mss: usize) {
        self.inflation -= acked as isize;
        if acked >= mss {
            self.inflation += mss as isize;
        }
    }

    /// New data was acknowledged.
    pub(crate) fn on_advance(&mut self) {
        self.duplicates = 0;
    }

    /// Recovery is over, or the retransmission timer went off.
    pub(crate) fn end(&mut self) {
        self.duplicates = 0;
        self.inflation = 0;
    }

    /// The bytes that may be in the network in recovery when the congestion window is `window`.
    pub(crate) fn allowance(&self, window: usize, mss: usize) -> usize {
        window.saturating_add_signed(self.inflation).max(mss)
    }

    /// What limited transmit adds to the congestion window: the first two duplicates let a segment out each.
    // req: RFC3042-01, RFC3042-02, RFC5681-19, RFC5681-20
    pub(crate) fn limited_transmit(&self, mss: usize) -> usize {
        mss * self.duplicates.min(DUPLICATE_THRESHOLD - 1) as usize
    }
}

#[cfg(test)]
mod tests;
