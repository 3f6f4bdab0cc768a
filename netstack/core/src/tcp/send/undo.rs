//! Whether what was sent again had to be: by the timestamp that the first acknowledgement echoes (Eifel, RFC 3522), or
//! because the peer reports every repetition as a duplicate (RFC 2883, RFC 3708). If not, the response is taken back
//! (RFC 4015).

use crate::Instant;
use crate::tcp::seq::{Seq, WINDOW};
use arrayvec::ArrayVec;

/// Ranges of repetitions that are told apart. Who sends more again in one recovery does not take it back for reports.
const RANGES: usize = 16;

/// What was sent again in response to one congestion.
#[derive(Debug, Default)]
pub(crate) struct Undo {
    episode: Option<Box<Episode>>,
}

#[derive(Debug)]
struct Episode {
    /// SND.NXT when it began.
    nxt: Seq,
    /// When something was sent again first.
    first: Option<Instant>,
    /// What was sent again and not reported as a duplicate since, and whether there was more than is remembered.
    open: ArrayVec<(Seq, Seq), RANGES>,
    more: bool,
    /// Whether an acknowledgement advanced since.
    answered: bool,
}

impl Undo {
    /// A response begins.
    pub(crate) fn begin(&mut self, nxt: Seq) {
        self.episode = Some(Box::new(Episode {
            nxt,
            first: None,
            open: ArrayVec::new(),
            more: false,
            answered: false,
        }));
    }

    /// What lies from `left` to `right` is sent again.
    pub(crate) fn on_resend(&mut self, now: Instant, left: Seq, right: Seq) {
        let Some(episode) = &mut self.episode else {
            return;
        };
        episode.first.get_or_insert(now);
        match episode.open.last_mut() {
            Some((_, end)) if *end == left => *end = right,
            _ => episode.keep(left, right),
        }
    }

    /// The peer reports that it had `left..right` already. Returns whether nothing that was sent again was lost. What was
    /// not sent again, or was reported before, is the network's doing, and says nothing.
    pub(crate) fn on_duplicate_report(&mut self, left: Seq, right: Seq) -> bool {
        let Some(episode) = &mut self.episode else {
            return false;
        };
        let mut reported = false;
        for (from, to) in core::mem::take(&mut episode.open) {
            if left.at_or_before(from) && from.before(right) || from.before(left) && left.before(to)
            {
                reported = true;
                episode.keep(from, to.earlier(left));
                episode.keep(from.later(right), to);
            } else {
                episode.keep(from, to);
            }
        }
        reported && episode.open.is_empty() && !episode.more
    }

    /// New data is acknowledged; `echoed` is when the segment that is answered left, in whole milliseconds. Returns
    /// whether that was before anything was sent again: only the first such acknowledgement says so (RFC 3522, 3.2).
    #[inline]
    pub(crate) fn on_advance(&mut self, echoed: Option<Instant>) -> bool {
        let Some(episode) = self.episode.as_mut().filter(|episode| !episode.answered) else {
            return false;
        };
        let (Some(first), Some(echoed)) = (episode.first, echoed) else {
            return false;
        };
        episode.answered = true;
        echoed.as_millis() < first.as_millis()
    }

    /// Everything before `una` is acknowledged: what that is far past is not reported as a duplicate any more.
    #[inline]
    pub(crate) fn carry(&mut self, una: Seq) {
        if let Some(episode) = &self.episode
            && una.since(episode.nxt) > WINDOW
        {
            self.episode = None;
        }
    }

    /// There is nothing more to take back.
    pub(crate) fn forget(&mut self) {
        self.episode = None;
    }
}

impl Episode {
    /// Remembers that `left..right` waits to be reported, where that is anything.
    fn keep(&mut self, left: Seq, right: Seq) {
        if left.before(right) {
            self.more |= self.open.try_push((left, right)).is_err();
        }
    }
}

#[cfg(test)]
mod tests;
