//! Round trips, by sequence numbers: what congestion control counts in, and how much of its window was used
//! (RFC 7661).

use crate::Instant;
use crate::tcp::seq::Seq;

/// The round trips of one connection.
#[derive(Debug)]
pub(crate) struct Rounds {
    /// SND.NXT when this round began: it ends when that is acknowledged.
    end: Seq,
    /// When it began.
    since: Instant,
    /// How long the round before took, in microseconds.
    took: u32,
    /// Bytes acknowledged in this round, and in the two before.
    acked: u32,
    before: [u32; 2],
    /// Whether the congestion window was full in this round, and in the one before.
    filled: [bool; 2],
    /// The same of the window as it was before the latest response to a loss.
    filled_before: [bool; 2],
    /// Whether a round-trip time was taken in this round.
    pub(crate) measured: bool,
}

impl Rounds {
    pub(crate) fn new(iss: Seq) -> Self {
        Rounds {
            end: iss,
            since: Instant::ZERO,
            took: 0,
            acked: 0,
            before: [0; 2],
            filled: [false; 2],
            filled_before: [false; 2],
            measured: false,
        }
    }

    /// `acked` bytes up to `una` are acknowledged at `now` while `nxt` is SND.NXT. Returns whether a new round begins.
    #[inline]
    pub(crate) fn on_ack(&mut self, now: Instant, una: Seq, nxt: Seq, acked: usize) -> bool {
        self.acked = self.acked.saturating_add(acked as u32);
        if una.before(self.end) {
            return false;
        }
        let took = now.since(self.since).as_micros();
        self.took = u32::try_from(took).unwrap_or(u32::MAX).max(1);
        self.since = now;
        self.end = nxt;
        self.before = [self.acked, self.before[0]];
        self.acked = 0;
        for filled in [&mut self.filled, &mut self.filled_before] {
            *filled = [false, filled[0]];
        }
        self.measured = false;
        true
    }

    /// What arrived in the latest whole round trip, in bytes a second.
    pub(crate) fn rate(&self) -> u64 {
        match self.took {
            0 => 0,
            took => u64::from(self.before[0]) * 1_000_000 / u64::from(took),
        }
    }

    /// The congestion window is full.
    #[inline]
    pub(crate) fn on_filled(&mut self) {
        self.filled[0] = true;
    }

    /// The congestion window is about to be reduced, for a reason that may turn out to be wrong.
    pub(crate) fn checkpoint(&mut self) {
        self.filled_before = self.filled;
    }

    /// It is again what it was: whether it was full is what counts, not whether the smaller one was.
    pub(crate) fn take_back(&mut self) {
        self.filled = self.filled_before;
    }

    /// Whether the congestion window was full in this round or the one before.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.filled != [false; 2]
    }

    /// Whether a congestion window of `window` bytes is known to be used: it was full lately, or pipeACK, the
    /// most that was acknowledged in a round trip, is at least half of it.
    // req: RFC7661-01
    #[inline]
    pub(crate) fn validates(&self, window: usize) -> bool {
        let pipe_ack = self.acked.max(self.before[0]).max(self.before[1]);
        self.is_full() || pipe_ack as usize >= window / 2
    }
}
