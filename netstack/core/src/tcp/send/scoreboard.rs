//! What became of everything that was sent and is not acknowledged: the scoreboard of RFC 2018 and RFC 6675.
//!
//! The board knows ranges, not segments: what left at one time and shares one fate is one range, so that a super-packet
//! is one entry until the network treats its segments differently. How much is in the network is not counted anywhere
//! but read off the ranges.

use crate::Instant;
use crate::tcp::seq::Seq;
use std::collections::VecDeque;

/// The most ranges kept. Beyond it, selective acknowledgements that would split another range are not noted, and what is
/// sent joins the newest range: a peer that acknowledges every second byte gets a slower recovery and no memory.
const MAX_RANGES: usize = 1 << 14;

/// A range of sequence numbers that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) start: Seq,
    pub(crate) end: Seq,
    /// When it was sent last.
    pub(crate) at: Instant,
    /// The peer has it, though not all before it.
    pub(crate) sacked: bool,
    /// It is taken to be lost, and was not sent again since.
    pub(crate) lost: bool,
    /// It was sent more than once.
    pub(crate) resent: bool,
}

impl Sent {
    pub(crate) fn len(&self) -> usize {
        self.end.since(self.start)
    }

    fn in_network(&self) -> bool {
        !self.sacked && !self.lost
    }
}

/// Sums over the board, in sequence numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Selectively acknowledged.
    pub(crate) sacked: usize,
    /// Separate ranges that are.
    pub(crate) sacked_ranges: usize,
    /// Taken to be lost and not sent again.
    pub(crate) lost: usize,
}

/// The ranges from SND.UNA to SND.NXT, in order and without gaps.
#[derive(Debug, Default)]
pub(crate) struct Scoreboard {
    sent: VecDeque<Sent>,
    /// Whether any range is sacked, lost or resent. Without one there is nothing to look for.
    marked: bool,
}

impl Scoreboard {
    /// Notes that `start..end`, never sent before, leaves.
    pub(crate) fn on_send(&mut self, now: Instant, start: Seq, end: Seq) {
        let full = self.sent.len() >= MAX_RANGES;
        if let Some(last) = self.sent.back_mut()
            && (full || last.at == now && last.in_network() && !last.resent)
        {
            last.end = end;
            last.at = now;
            return;
        }
        self.sent.push_back(Sent {
            start,
            end,
            at: now,
            sacked: false,
            lost: false,
            resent: false,
        });
    }

    /// Notes that `start..end` leaves again.
    pub(crate) fn on_resend(&mut self, now: Instant, start: Seq, end: Seq) {
        let (from, until) = self.cut_out(start, end);
        for range in self.sent.range_mut(from..until) {
            range.at = now;
            range.lost = false;
            range.resent = true;
        }
        self.marked |= from < until;
        self.join(from, until);
    }

    /// Takes everything before `una` off the board and shows it to `seen`, in order. Returns how much of it was news:
    /// not selectively acknowledged before.
    pub(crate) fn acknowledge(&mut self, una: Seq, mut seen: impl FnMut(&Sent)) -> usize {
        let mut news = 0;
        while let Some(front) = self.sent.front_mut()
            && front.start.before(una)
        {
            let part = Sent {
                end: front.end.earlier(una),
                ..*front
            };
            if !part.sacked {
                news += part.len();
                seen(&part);
            }
            if front.end.after(una) {
                front.start = una;
                break;
            }
            self.sent.pop_front();
        }
        if self.sent.is_empty() {
            // The connection may be idle from now on.
            self.sent = VecDeque::new();
        }
        if self.marked {
            self.marked = self
                .sent
                .iter()
                .any(|range| !range.in_network() || range.resent);
        }
        news
    }

    /// Notes that the peer has `left..right` and shows what is news to `seen`, in order. Returns how much that was.
    // req: RFC2018-10
    pub(crate) fn sack(&mut self, left: Seq, right: Seq, mut seen: impl FnMut(&Sent)) -> usize {
        let (Some(first), Some(last)) = (self.sent.front(), self.sent.back()) else {
            return 0;
        };
        let (left, right) = (left.later(first.start), right.earlier(last.end));
        if !left.before(right) || self.is_sacked(left, right) {
            return 0;
        }
        if self.sent.len() + 2 > MAX_RANGES {
            return 0;
        }
        let (from, until) = self.cut_out(left, right);
        let mut news = 0;
        for range in self.sent.range_mut(from..until) {
            if !range.sacked {
                news += range.len();
                seen(range);
                range.sacked = true;
                range.lost = false;
            }
        }
        self.marked = true;
        self.join(from, until);
        news
    }

    /// Takes for lost what `judge` says of the ranges that are in the network. Returns whether any was.
    pub(crate) fn mark_lost(&mut self, mut judge: impl FnMut(&Sent) -> bool) -> bool {
        let mut any = false;
        for range in &mut self.sent {
            if range.in_network() && judge(range) {
                range.lost = true;
                any = true;
            }
        }
        self.marked |= any;
        any
    }

    /// Takes the first `len` sequence numbers for lost, unless the peer has them.
    pub(crate) fn mark_first_lost(&mut self, len: usize) {
        let Some(start) = self.sent.front().map(|front| front.start) else {
            return;
        };
        let (from, until) = self.cut_out(start, start + len);
        for range in self.sent.range_mut(from..until) {
            range.lost = !range.sacked;
        }
        self.marked = true;
        self.join(from, until);
    }

    /// Takes back that anything is lost: what was so, and was not sent again, is in the network after all.
    pub(crate) fn clear_lost(&mut self) {
        for range in &mut self.sent {
            range.lost = false;
        }
    }

    /// Takes back all selective acknowledgements: the peer does not keep what it said it had (RFC 2018, 8).
    pub(crate) fn clear_sacked(&mut self) {
        for range in &mut self.sent {
            range.sacked = false;
        }
    }

    /// Whether the peer says that it has the very first number: then it must have thrown it away since, or it would
    /// have acknowledged it.
    pub(crate) fn is_reneged(&self) -> bool {
        self.sent.front().is_some_and(|front| front.sacked)
    }

    /// Whether any range is sacked, lost or resent.
    #[inline]
    pub(crate) fn is_marked(&self) -> bool {
        self.marked
    }

    /// Whether everything from `left` to `right` is sacked already.
    pub(crate) fn is_sacked(&self, left: Seq, right: Seq) -> bool {
        // Adjoining sacked ranges are always joined, so one must hold it all.
        self.sent
            .get(self.index_of(left))
            .is_some_and(|range| range.sacked && range.end.at_or_after(right))
    }

    /// The first range to be sent again, together with what adjoins it: where it starts, and how long it is.
    pub(crate) fn next_lost(&self) -> Option<(Seq, usize)> {
        if !self.marked {
            return None;
        }
        let at = self.sent.iter().position(|range| range.lost)?;
        let start = self.sent.get(at)?.start;
        let len = self
            .sent
            .range(at..)
            .take_while(|range| range.lost)
            .map(Sent::len)
            .sum();
        Some((start, len))
    }

    /// Sums over the ranges.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        if !self.marked {
            return totals;
        }
        for range in &self.sent {
            if range.sacked {
                totals.sacked += range.len();
                totals.sacked_ranges += 1;
            } else if range.lost {
                totals.lost += range.len();
            }
        }
        totals
    }

    /// The index of the range that holds `seq`.
    fn index_of(&self, seq: Seq) -> usize {
        self.sent
            .partition_point(|range| range.end.at_or_before(seq))
    }

    /// Splits ranges so that `start..end` is made of whole ones, and returns the indices of the first and behind the
    /// last of them.
    fn cut_out(&mut self, start: Seq, end: Seq) -> (usize, usize) {
        self.split(start);
        self.split(end);
        let from = self.index_of(start);
        let until = self
            .sent
            .partition_point(|range| range.end.at_or_before(end));
        (from, until.max(from))
    }

    fn split(&mut self, at: Seq) {
        let index = self.index_of(at);
        if let Some(range) = self.sent.get_mut(index)
            && range.start.before(at)
        {
            let rest = Sent {
                start: at,
                ..*range
            };
            range.end = at;
            self.sent.insert(index + 1, rest);
        }
    }

    /// Joins ranges of one fate among `from..until` and their neighbours. When what the peer has was sent does not
    /// matter any more.
    fn join(&mut self, from: usize, until: usize) {
        let mut index = from.saturating_sub(1);
        let mut last = until.min(self.sent.len().saturating_sub(1));
        while index < last {
            let (here, next) = (self.sent[index], self.sent[index + 1]);
            let same_time = here.at == next.at && here.resent == next.resent;
            let one_fate = here.sacked == next.sacked && here.lost == next.lost;
            if one_fate && (here.sacked || same_time) {
                let joined = &mut self.sent[index];
                joined.end = next.end;
                joined.at = here.at.max(next.at);
                joined.resent = here.resent || next.resent;
                self.sent.remove(index + 1);
                last -= 1;
            } else {
                index += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
