//! What became of everything that was sent and is not acknowledged: the scoreboard of RFC 2018 and RFC 6675.
//!
//! The board knows ranges, not segments: what left at one time and shares one fate is one range, so that a super-packet
//! is one entry until the network treats its segments differently. It is cut where segments were, and nowhere between:
//! what is noted of a part of a segment is nothing, so there are never more ranges than segments were sent. Sums over the
//! ranges follow every change of one; debug builds compare them with the ranges.

use crate::Instant;
use crate::tcp::seq::Seq;
use std::collections::VecDeque;

/// The most ranges kept. Beyond it, selective acknowledgements that would split another range are not noted, and what is
/// sent joins the newest range, or does not leave: a peer that acknowledges every second segment of a very large window
/// gets a slower recovery and no memory.
const MAX_RANGES: usize = 1 << 14;

/// A range of sequence numbers that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) start: Seq,
    pub(crate) end: Seq,
    /// Bytes of its segments, but the last.
    unit: u16,
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

    /// Whether what follows it now is of the same kind.
    fn goes_on(&self) -> bool {
        self.in_network() && !self.resent
    }

    /// How far `seq`, which lies in it, is behind the beginning of a segment.
    fn past_boundary(&self, seq: Seq) -> usize {
        match self.sacked {
            // Nobody asks for parts of it any more.
            true => 0,
            false => seq.since(self.start) % usize::from(self.unit),
        }
    }
}

/// Segments of `mss` bytes, as ranges know them.
fn unit(mss: usize) -> u16 {
    u16::try_from(mss).unwrap_or(u16::MAX).max(1)
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
    /// Sent again, and neither sacked nor taken to be lost since.
    pub(crate) resent: usize,
}

/// The same as they are kept: no window is larger than 1 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    sacked: u32,
    sacked_ranges: u32,
    lost: u32,
    resent: u32,
    /// Ranges that are sacked, lost or resent.
    marked: u32,
}

impl Sums {
    fn add(&mut self, range: &Sent) {
        if range.sacked {
            self.sacked += range.len() as u32;
            self.sacked_ranges += 1;
        } else if range.lost {
            self.lost += range.len() as u32;
        } else if range.resent {
            self.resent += range.len() as u32;
        }
        self.marked += u32::from(!range.goes_on());
    }

    fn remove(&mut self, range: &Sent) {
        if range.sacked {
            self.sacked -= range.len() as u32;
            self.sacked_ranges -= 1;
        } else if range.lost {
            self.lost -= range.len() as u32;
        } else if range.resent {
            self.resent -= range.len() as u32;
        }
        self.marked -= u32::from(!range.goes_on());
    }
}

/// The sums, and where to look for what is lost: made by the first range that is sacked, lost or resent, and gone with the
/// last.
#[derive(Debug, Default)]
struct Marks(Option<Box<(Sums, Seq)>>);

impl Marks {
    fn sums(&self) -> Sums {
        self.0.as_ref().map(|kept| kept.0).unwrap_or_default()
    }

    fn add(&mut self, range: &Sent) {
        if !range.goes_on() {
            self.0.get_or_insert_default().0.add(range);
        }
    }

    fn remove(&mut self, range: &Sent) {
        if let Some(kept) = &mut self.0
            && !range.goes_on()
        {
            kept.0.remove(range);
        }
    }

    /// Nothing before is lost, where anything is.
    fn lost_from(&self) -> Seq {
        self.0.as_ref().map(|kept| kept.1).unwrap_or_default()
    }

    fn set_lost_from(&mut self, seq: Seq) {
        if let Some(kept) = &mut self.0 {
            kept.1 = seq;
        }
    }

    /// Lets go of what is kept for nothing.
    fn tidy(&mut self) {
        self.0.take_if(|kept| kept.0.marked == 0);
    }
}

/// The ranges from SND.UNA to SND.NXT, in order and without gaps.
#[derive(Debug, Default)]
pub(crate) struct Scoreboard {
    sent: VecDeque<Sent>,
    marks: Marks,
    /// Ranges that were looked at.
    #[cfg(test)]
    visited: core::cell::Cell<usize>,
}

impl Scoreboard {
    /// Notes that `start..end`, never sent before, leaves in segments of `mss` bytes.
    pub(crate) fn on_send(&mut self, now: Instant, start: Seq, end: Seq, mss: usize) {
        let (full, unit) = (self.sent.len() >= MAX_RANGES, unit(mss));
        if let Some(last) = self.sent.back_mut()
            && last.goes_on()
            && (full || last.at == now && last.unit == unit && last.past_boundary(start) == 0)
        {
            last.end = end;
            last.at = now;
            return;
        }
        self.sent.push_back(Sent {
            start,
            end,
            unit,
            at: now,
            sacked: false,
            lost: false,
            resent: false,
        });
    }

    /// Whether nothing new may leave, because it could not be told from what left before.
    pub(crate) fn is_full(&self) -> bool {
        self.sent.len() >= MAX_RANGES && !self.sent.back().is_some_and(Sent::goes_on)
    }

    /// Notes that `start..end` leaves again, in segments of `mss` bytes.
    pub(crate) fn on_resend(&mut self, now: Instant, start: Seq, end: Seq, mss: usize) {
        let (from, until) = self.cut_out(start, end);
        for index in from..until {
            self.change(index, |range| {
                if !range.sacked {
                    range.at = now;
                    range.lost = false;
                    range.resent = true;
                    range.unit = unit(mss);
                }
            });
        }
        // It left as one, whatever it was before.
        self.join(from, until, true);
        self.find_lost();
        self.hold_sums();
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
            self.marks.remove(front);
            if front.end.at_or_before(una) {
                self.sent.pop_front();
                continue;
            }
            // The rest of a segment is a range of its own: what follows begins with a segment.
            let over = front.past_boundary(una);
            let whole = *front;
            front.start = una;
            let next = una + (usize::from(whole.unit) - over);
            if over > 0 && next.before(whole.end) {
                front.end = next;
                self.marks.add(front);
                let rest = Sent {
                    start: next,
                    ..whole
                };
                self.marks.add(&rest);
                self.sent.insert(1, rest);
            } else {
                self.marks.add(front);
            }
            break;
        }
        if self.sent.is_empty() {
            // The connection may be idle from now on.
            self.sent = VecDeque::new();
        }
        self.find_lost();
        self.hold_sums();
        news
    }

    /// Notes that the peer has `left..right`, as far as that is whole segments, and shows what is news to `seen`, in
    /// order. Returns how much that was.
    // req: RFC2018-10
    pub(crate) fn sack(&mut self, left: Seq, right: Seq, mut seen: impl FnMut(&Sent)) -> usize {
        let (Some(first), Some(last)) = (self.sent.front(), self.sent.back()) else {
            return 0;
        };
        let (left, right) = (left.later(first.start), right.earlier(last.end));
        if !left.before(right) {
            return 0;
        }
        let (left, right) = (self.segment_from(left), self.segment_until(right));
        if !left.before(right) || self.is_sacked(left, right) {
            return 0;
        }
        if self.sent.len() + 2 > MAX_RANGES {
            return 0;
        }
        let (from, until) = self.cut_out(left, right);
        let mut news = 0;
        for index in from..until {
            self.change(index, |range| {
                if !range.sacked {
                    news += range.len();
                    seen(range);
                    range.sacked = true;
                    range.lost = false;
                }
            });
        }
        self.join(from, until, false);
        self.find_lost();
        self.hold_sums();
        news
    }

    /// Takes for lost what `judge` says of the ranges that are in the network. Returns whether any was.
    pub(crate) fn mark_lost(&mut self, mut judge: impl FnMut(&Sent) -> bool) -> bool {
        let had = self.marks.sums().lost > 0;
        let mut first = None;
        self.visit(self.sent.len());
        for range in &mut self.sent {
            if range.in_network() && judge(range) {
                self.marks.remove(range);
                range.lost = true;
                self.marks.add(range);
                first = first.or(Some(range.start));
            }
        }
        if let Some(first) = first {
            self.note_lost(had, first);
        }
        self.hold_sums();
        first.is_some()
    }

    /// Takes the first `len` sequence numbers for lost, unless the peer has them.
    pub(crate) fn mark_first_lost(&mut self, len: usize) {
        let Some(start) = self.sent.front().map(|front| front.start) else {
            return;
        };
        let had = self.marks.sums().lost > 0;
        let (from, until) = self.cut_out(start, start + len);
        for index in from..until {
            self.change(index, |range| range.lost = !range.sacked);
        }
        self.join(from, until, false);
        self.note_lost(had, start);
        self.find_lost();
        self.hold_sums();
    }

    /// Takes back that anything is lost: what was so, and was not sent again, is in the network after all.
    pub(crate) fn clear_lost(&mut self) {
        for index in 0..self.sent.len() {
            self.change(index, |range| range.lost = false);
        }
    }

    /// Takes back all selective acknowledgements: the peer does not keep what it said it had (RFC 2018, 8).
    pub(crate) fn clear_sacked(&mut self) {
        for index in 0..self.sent.len() {
            self.change(index, |range| range.sacked = false);
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
        self.marks.sums().marked > 0
    }

    /// Whether everything from `left` to `right` is sacked already.
    pub(crate) fn is_sacked(&self, left: Seq, right: Seq) -> bool {
        // Adjoining sacked ranges are always joined, so one must hold it all.
        self.sent
            .get(self.index_of(left))
            .is_some_and(|range| range.sacked && range.end.at_or_after(right))
    }

    /// The first range to be sent again, together with what adjoins it until that is `most` bytes or more: where it
    /// starts, and how long it is.
    pub(crate) fn next_lost(&self, most: usize) -> Option<(Seq, usize)> {
        if self.marks.sums().lost == 0 {
            return None;
        }
        let mut len = 0;
        for range in self.sent.range(self.index_of(self.marks.lost_from())..) {
            self.visit(1);
            if !range.lost || len >= most {
                break;
            }
            len += range.len();
        }
        (len > 0).then_some((self.marks.lost_from(), len))
    }

    /// Sums over the ranges.
    #[inline]
    pub(crate) fn totals(&self) -> Totals {
        Totals {
            sacked: self.marks.sums().sacked as usize,
            sacked_ranges: self.marks.sums().sacked_ranges as usize,
            lost: self.marks.sums().lost as usize,
            resent: self.marks.sums().resent as usize,
        }
    }

    /// The index of the range that holds `seq`.
    fn index_of(&self, seq: Seq) -> usize {
        self.sent
            .partition_point(|range| range.end.at_or_before(seq))
    }

    /// Where the first whole segment from `seq` on begins, or the range if that is sacked.
    fn segment_from(&self, seq: Seq) -> Seq {
        let Some(range) = self.sent.get(self.index_of(seq)) else {
            return seq;
        };
        match range.past_boundary(seq) {
            _ if range.sacked => range.start,
            0 => seq,
            over => (seq + (usize::from(range.unit) - over)).earlier(range.end),
        }
    }

    /// Where the last whole segment before `seq` ends, or the range if that is sacked.
    fn segment_until(&self, seq: Seq) -> Seq {
        let range = self.sent.get(self.index_of(seq));
        match range.filter(|range| range.start.before(seq)) {
            None => seq,
            Some(range) if range.sacked => range.end,
            Some(range) => seq - range.past_boundary(seq),
        }
    }

    /// Changes one range, and the sums with it.
    fn change(&mut self, index: usize, change: impl FnOnce(&mut Sent)) {
        if let Some(range) = self.sent.get_mut(index) {
            self.marks.remove(range);
            change(range);
            self.marks.add(range);
        }
    }

    /// Something from `start` on is lost; `had` when something was before.
    fn note_lost(&mut self, had: bool, start: Seq) {
        self.marks.set_lost_from(match had {
            true => self.marks.lost_from().earlier(start),
            false => start,
        });
    }

    /// Goes on to the first range that is lost.
    fn find_lost(&mut self) {
        if self.marks.sums().lost == 0 {
            return;
        }
        let from = self.index_of(self.marks.lost_from());
        let lost = self.sent.range(from..).position(|range| range.lost);
        let skipped = lost.unwrap_or_default();
        self.visit(skipped + 1);
        if let Some(range) = self.sent.get(from + skipped) {
            self.marks.set_lost_from(range.start);
        }
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

    /// Splits a range, within a segment if need be: then the rest of that is a range of its own.
    fn split(&mut self, at: Seq) {
        let index = self.index_of(at);
        let Some(whole) = self.sent.get(index).copied() else {
            return;
        };
        if !whole.start.before(at) {
            return;
        }
        self.change(index, |range| range.end = at);
        let over = whole.past_boundary(at);
        let next = at + (usize::from(whole.unit) - over);
        let middle = over > 0 && next.before(whole.end);
        let rest = Sent {
            start: if middle { next } else { at },
            ..whole
        };
        self.marks.add(&rest);
        self.sent.insert(index + 1, rest);
        if middle {
            let middle = Sent {
                start: at,
                end: next,
                ..whole
            };
            self.marks.add(&middle);
            self.sent.insert(index + 1, middle);
        }
    }

    /// Joins ranges of one fate among `from..until` and their neighbours; those between if they left as one, others
    /// where segments meet. When what the peer has was sent does not matter any more.
    fn join(&mut self, from: usize, until: usize, as_one: bool) {
        let mut index = from.saturating_sub(1);
        let mut until = until;
        while index < until.min(self.sent.len().saturating_sub(1)) {
            self.visit(1);
            let (here, next) = (self.sent[index], self.sent[index + 1]);
            let same_time = here.at == next.at && here.resent == next.resent;
            let one_fate = here.sacked == next.sacked && here.lost == next.lost;
            let between = as_one && index >= from && index + 1 < until;
            let segments_meet = here.unit == next.unit && here.past_boundary(next.start) == 0;
            if one_fate && (here.sacked || same_time && (between || segments_meet)) {
                self.marks.remove(&here);
                self.marks.remove(&next);
                let joined = Sent {
                    end: next.end,
                    at: here.at.max(next.at),
                    resent: here.resent || next.resent,
                    ..here
                };
                self.marks.add(&joined);
                self.sent[index] = joined;
                self.sent.remove(index + 1);
                until -= 1;
            } else {
                index += 1;
            }
        }
    }

    /// Compares the sums with the ranges, and these with each other, in debug builds; without a marked range there are none.
    fn hold_sums(&mut self) {
        self.marks.tidy();
        if cfg!(debug_assertions) && self.is_marked() {
            let mut sums = Sums::default();
            self.sent.iter().for_each(|range| sums.add(range));
            debug_assert_eq!(sums, self.marks.sums());
            let ranges = self.sent.iter().zip(self.sent.iter().skip(1));
            for (here, next) in ranges {
                debug_assert_eq!(here.end, next.start, "no gap");
            }
        }
    }

    #[cfg(test)]
    fn visit(&self, ranges: usize) {
        self.visited.set(self.visited.get() + ranges);
    }

    #[cfg(not(test))]
    #[inline]
    fn visit(&self, _: usize) {}
}

#[cfg(test)]
mod tests;
