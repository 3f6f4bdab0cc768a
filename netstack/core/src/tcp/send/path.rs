//! Finding out by probes what segments the path takes, where ICMP does not say (RFC 4821; RFC 8899, 4).

use super::{Phase, Sender};
use crate::Instant;
use crate::tcp::seq::Seq;
use core::time::Duration;

/// A range that is smaller is not searched.
const SMALL: usize = 8;
/// After a search that ended, the next one begins so much later (RFC 4821, 7.3).
const AGAIN: Duration = Duration::from_secs(600);
/// Segments that have to follow a probe, so that its loss is found as any other.
const FOLLOWING: usize = 3;
/// Timeouts in a row after which segments that are short already get shorter.
const LAST_RESORT: u8 = 6;
/// After a probe that was lost, the next one waits so long at least.
// req: RFC8899-11
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// The search of one connection. Sizes are bytes of payload.
#[derive(Debug)]
pub(crate) struct Search {
    /// What passes, and what may.
    low: usize,
    high: usize,
    /// What both ends take.
    most: usize,
    /// The whole range is tried first: often it is the answer.
    bold: bool,
    /// The probe that is under way.
    probe: Option<MtuProbe>,
    /// No probe leaves before.
    next_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct MtuProbe {
    start: Seq,
    len: usize,
}

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MtuOutcome {
    /// Segments are longer from now on.
    Passed,
    /// It was too long.
    Lost,
}

/// What a search asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A segment of so many bytes.
    Now(usize),
    /// That nothing new leaves until there is room for a probe.
    Wait,
}

impl Search {
    fn new(low: usize, most: usize) -> Search {
        Search {
            low,
            high: most,
            most,
            bold: true,
            probe: None,
            next_at: Instant::ZERO,
        }
    }

    /// How long the next probe is, if one may leave now.
    // req: RFC4821-06, RFC4821-07, RFC4821-08, RFC8899-14
    fn size(&mut self, now: Instant) -> Option<usize> {
        if self.probe.is_some() || now < self.next_at {
            return None;
        }
        if self.high < self.low + SMALL {
            // The pause after a search was waited for: the path may be another one.
            self.high = self.most;
            self.bold = true;
        }
        let size = match self.bold {
            true => self.high,
            false => (self.low + self.high).div_ceil(2),
        };
        if self.high < self.low + SMALL {
            self.next_at = now + AGAIN;
            return None;
        }
        Some(size)
    }

    /// A probe of `len` bytes arrived.
    fn on_passed(&mut self, now: Instant, len: usize) {
        self.low = len;
        self.high = self.high.max(len);
        self.bold = false;
        self.pause(now, Duration::ZERO);
    }

    /// A probe of `len` bytes did not, and the next one has to wait.
    // req: RFC4821-10, RFC4821-11
    fn on_lost(&mut self, now: Instant, len: usize, pause: Duration) {
        // What ICMP said meanwhile holds.
        self.high = self.high.min(len - 1).max(self.low);
        self.bold = false;
        self.pause(now, pause);
    }

    fn pause(&mut self, now: Instant, pause: Duration) {
        let over = self.high < self.low + SMALL;
        self.next_at = now + if over { AGAIN } else { pause };
    }
}

impl Sender {
    /// Segments of `low` bytes are known to pass, or believed to; whether those that have been sent so far do is to be
    /// found out.
    pub(crate) fn search_path(&mut self, low: usize) {
        let most = self.search().map_or(self.mss, |search| search.most);
        let low = low.min(most);
        self.rare_mut().search = Some(Search::new(low, most));
        if low < self.mss {
            self.mss = low;
            self.congestion.set_mss(low);
        }
    }

    /// Nothing gets through any more, so perhaps what is as long as it was: segments have at most `base` bytes from now
    /// on, and where that is not enough, half of what they had, down to `floor`.
    // req: RFC4821-13, RFC4821-14, RFC4821-12, RFC2923-01
    pub(crate) fn on_black_hole(&mut self, base: usize, floor: usize) -> bool {
        let front = self.nxt.since(self.una).min(self.mss);
        let low = match self.mss > base {
            true => base,
            false if self.timeouts < LAST_RESORT => return false,
            false => (self.mss / 2).max(floor),
        };
        if front <= low {
            return false;
        }
        self.search_path(low);
        self.board.mark_lost(|_| true);
        if let Some(search) = self.search_mut() {
            // Not with what just did not get through.
            search.bold = false;
        }
        true
    }

    /// Segments have `mss` bytes at most from now on.
    pub(crate) fn limit_mss(&mut self, mss: usize) {
        self.limit_search(mss);
        if mss < self.mss {
            self.mss = mss;
            self.congestion.set_mss(mss);
        }
    }

    /// The network says that the path takes segments of `mss` bytes.
    pub(crate) fn reduce_path(&mut self, mss: usize) {
        self.limit_search(mss);
        self.reduce_mss(mss);
    }

    /// Nobody says any more that the path takes less than segments of `mss` bytes: they are tried again, by probes where the
    /// path is searched. Nothing that was sent is repeated for that.
    // req: RFC1191-10, RFC1191-15, RFC8201-10
    pub(crate) fn widen_path(&mut self, mss: usize) {
        if let Some(search) = self.search_mut() {
            search.most = search.most.max(mss);
        } else if mss > self.mss {
            self.mss = mss;
            self.congestion.set_mss(mss);
        }
    }

    /// Segments have `mss` bytes at most. What is outstanding in larger ones is sent again; that is no congestion.
    // req: RFC4821-04
    pub(super) fn reduce_mss(&mut self, mss: usize) {
        if mss < self.mss {
            self.mss = mss;
            self.congestion.set_mss(mss);
            self.board.mark_lost(|_| true);
        }
    }

    /// The path or the peer takes no more than `most` bytes, as somebody says.
    // req: RFC8899-04, RFC8899-05, RFC8899-10
    pub(super) fn limit_search(&mut self, most: usize) {
        if let Some(search) = self.search_mut() {
            search.most = search.most.min(most);
            search.high = search.high.min(most);
            search.low = search.low.min(most);
        }
    }

    /// Whether a probe is to leave now: one segment that is longer than others. There must be so much to send behind it,
    /// and windows so large, that its loss would be found without a timeout.
    // req: RFC4821-09, RFC4821-01, RFC8899-06
    pub(crate) fn path_probe(&mut self, now: Instant) -> Option<Turn> {
        self.search()?;
        let calm = self.sack && self.recovery.phase() == Phase::Open && !self.board.is_marked();
        if !calm || self.ecn.is_reduced() {
            return None;
        }
        let (unsent, usable, behind) = (self.unsent(), self.usable(), FOLLOWING * self.mss);
        let windows = self.congestion.window().min(self.wnd());
        let waits = self.outstanding();
        let size = self.search_mut()?.size(now)?;
        match unsent.min(windows) >= size + behind {
            true if usable >= size => Some(Turn::Now(size)),
            // Acknowledgements will make the room, if nothing else takes it.
            true if waits => Some(Turn::Wait),
            _ => None,
        }
    }

    /// The probe of `len` bytes from `start` on leaves.
    pub(crate) fn on_path_probe(&mut self, start: Seq, len: usize) {
        if let Some(search) = self.search_mut() {
            search.probe = Some(MtuProbe { start, len });
        }
    }

    /// Everything before SND.UNA is acknowledged, a probe perhaps with it.
    // req: RFC4821-03, RFC8899-15
    pub(super) fn judge_path_probe(&mut self, now: Instant) {
        let una = self.una;
        let Some(search) = self.search_mut() else {
            return;
        };
        let passed = |probe: &mut MtuProbe| una.at_or_after(probe.start + probe.len);
        if let Some(probe) = search.probe.take_if(passed) {
            search.on_passed(now, probe.len);
            self.mss = probe.len;
            self.congestion.set_mss(probe.len);
            self.rare_mut().outcome = Some(MtuOutcome::Passed);
        }
    }

    /// Something was found lost. If it is the probe, whole and alone, then it was too long, and that is no congestion.
    // req: RFC4821-01, RFC4821-02, RFC8899-07
    pub(super) fn is_probe_lost(&mut self, now: Instant) -> bool {
        let len = self.search().and_then(|search| search.probe);
        let Some(len) = len.map(|probe| probe.len) else {
            return false;
        };
        let lost = self.board.next_lost(len + 1);
        let all = self.board.totals().lost;
        // What steady congestion would let pass between two losses (RFC 4821, 7.6.2).
        let rounds = (self.congestion.window() / self.mss / 2).max(1);
        let round = self.rtt.smoothed().unwrap_or_default();
        let pause = round.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX));
        let una = self.una;
        let Some(search) = self.search_mut() else {
            return false;
        };
        let alone = |probe: &mut MtuProbe| {
            probe.start == una && lost == Some((una, probe.len)) && all == probe.len
        };
        let Some(probe) = search.probe.take_if(alone) else {
            return false;
        };
        search.on_lost(now, probe.len, pause.max(LEAST_PAUSE));
        self.rare_mut().outcome = Some(MtuOutcome::Lost);
        true
    }

    /// Something from `start` on leaves again: of a probe among it nothing will be known.
    pub(super) fn forget_path_probe(&mut self, start: Seq, end: Seq) {
        if let Some(search) = self.search_mut() {
            let touched = |probe: &mut MtuProbe| {
                start.before(probe.start + probe.len) && end.after(probe.start)
            };
            search.probe.take_if(touched);
        }
    }

    /// What became of the latest probe, once.
    #[inline]
    pub(crate) fn take_path_outcome(&mut self) -> Option<MtuOutcome> {
        self.rare.as_mut()?.outcome.take()
    }

    fn search(&self) -> Option<&Search> {
        self.rare.as_ref()?.search.as_ref()
    }

    fn search_mut(&mut self) -> Option<&mut Search> {
        self.rare.as_mut()?.search.as_mut()
    }
}

#[cfg(test)]
mod tests;
