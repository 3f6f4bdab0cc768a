//! Whether what was sent again had to be: by the timestamp that the first acknowledgement echoes (Eifel, RFC 3522), or
//! because the peer reports every repetition as a duplicate (RFC 2883, RFC 3708). If not, the response is taken back
//! (RFC 4015).

use crate::Instant;
use crate::tcp::seq::{Seq, WINDOW};

/// What was sent again in response to one congestion.
#[derive(Debug, Default)]
pub(crate) struct Undo {
    episode: Option<Box<Episode>>,
}

#[derive(Debug)]
struct Episode {
    /// SND.UNA and SND.NXT when it began.
    una: Seq,
    nxt: Seq,
    /// When something was sent again first.
    first: Option<Instant>,
    /// Bytes sent again, and bytes that the peer says it had already.
    resent: usize,
    duplicates: usize,
    /// Whether an acknowledgement advanced since.
    answered: bool,
}

impl Undo {
    /// A response begins.
    pub(crate) fn begin(&mut self, una: Seq, nxt: Seq) {
        self.episode = Some(Box::new(Episode {
            una,
            nxt,
            first: None,
            resent: 0,
            duplicates: 0,
            answered: false,
        }));
    }

    /// `len` sequence numbers are sent again.
    pub(crate) fn on_resend(&mut self, now: Instant, len: usize) {
        if let Some(episode) = &mut self.episode {
            episode.first.get_or_insert(now);
            episode.resent += len;
        }
    }

    /// The peer reports that it had `left..right` already. Returns whether nothing that was sent again was lost.
    pub(crate) fn on_duplicate_report(&mut self, left: Seq, right: Seq) -> bool {
        let Some(episode) = &mut self.episode else {
            return false;
        };
        if left.before(episode.una) || right.after(episode.nxt) {
            return false;
        }
        episode.duplicates += right.since(left);
        episode.resent > 0 && episode.duplicates >= episode.resent
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

#[cfg(test)]
mod tests;
