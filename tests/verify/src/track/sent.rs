//! What a side has sent and the other has not yet acknowledged, segment by segment.

use std::collections::VecDeque;

use crate::parse::seq::Seq;

/// More unacknowledged segments than this are forgotten, the oldest first.
const LIMIT: usize = 8192;
/// Bytes of payload that all connections together may keep for comparison.
const KEPT: usize = 64 << 20;
/// Bytes that one side of one connection may keep.
const KEPT_OF_ONE: usize = 4 << 20;

/// Segments that all connections together may remember, the last few of each aside.
const REMEMBERED: usize = 1 << 18;
/// So many each side of a connection may remember whatever the others do.
const ALWAYS: usize = 16;
/// A sending that repeats more segments than this makes one of them: going through them each time would take longer with
/// each.
const JOINED: usize = 64;

/// How much may still be kept, of all connections.
pub(crate) struct Budget {
    /// Of payload.
    bytes: usize,
    /// Segments. May be overdrawn by those that are always remembered.
    segments: isize,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            bytes: KEPT,
            segments: REMEMBERED as isize,
        }
    }
}

impl Budget {
    /// What `sent` kept may be kept of others; how much that is.
    fn take_back(&mut self, sent: &Sent) -> usize {
        let kept = sent.data.as_ref().map_or(0, |data| data.len());
        self.bytes += kept;
        kept
    }
}

/// Bytes that were sent together once.
pub(crate) struct Sent {
    pub(crate) seq: Seq,
    pub(crate) end: Seq,
    /// When, and in which packet, for the first and for the last time.
    pub(crate) first: u64,
    pub(crate) first_packet: u64,
    pub(crate) last: u64,
    pub(crate) last_packet: u64,
    /// How often.
    pub(crate) times: u32,
    /// The gap between the last two sendings.
    pub(crate) gap: u64,
    pub(crate) tsval: Option<u32>,
    pub(crate) ip_id: Option<u16>,
    data: Option<Box<[u8]>>,
}

impl Sent {
    /// The payload bytes of `seq..end` that were kept.
    pub(crate) fn data(&self, seq: Seq, end: Seq) -> Option<&[u8]> {
        let data = self.data.as_deref()?;
        let from = usize::try_from(seq.since(self.seq)).ok()?;
        let to = usize::try_from(end.since(self.seq)).ok()?;
        data.get(from..to.min(data.len()))
    }
}

/// The unacknowledged segments of one side, in the order of their numbers, without overlap.
#[derive(Default)]
pub(crate) struct SentList {
    list: VecDeque<Sent>,
    kept: usize,
}

impl SentList {
    pub(crate) fn last(&self) -> Option<&Sent> {
        self.list.back()
    }

    /// Those that share bytes with `seq..end`.
    pub(crate) fn overlapping(&self, seq: Seq, end: Seq) -> impl Iterator<Item = &Sent> {
        let from = self.list.partition_point(|sent| !sent.end.after(seq));
        self.list
            .range(from..)
            .take_while(move |sent| sent.seq.before(end))
    }

    /// Notes a sending of `seq..end`: old segments among it are sent once more, the rest is new.
    pub(crate) fn send(&mut self, sending: Sending<'_>, budget: &mut Budget) {
        let Sending { seq, end, .. } = sending;
        let mut at = self.list.partition_point(|sent| !sent.end.after(seq));
        self.join(at, end, budget);
        let mut from = seq;
        while from.before(end) {
            match self.list.get_mut(at) {
                Some(sent) if !sent.seq.after(from) => {
                    sent.gap = sending.now.saturating_sub(sent.last);
                    sent.last = sending.now;
                    sent.last_packet = sending.packet;
                    sent.times += 1;
                    sent.tsval = sending.tsval;
                    sent.ip_id = sending.ip_id;
                    from = sent.end;
                }
                next => {
                    let until = next.map_or(end, |sent| sent.seq.min(end));
                    let new = sending.piece(from, until, &mut self.kept, budget);
                    self.list.insert(at, new);
                    from = until;
                }
            }
            at += 1;
        }
        while self.list.len() > LIMIT || budget.segments < 0 && self.list.len() > ALWAYS {
            self.pop(budget);
        }
    }

    /// Makes one of the segments from place `at` on that end by `end`, if they are many.
    fn join(&mut self, at: usize, end: Seq, budget: &mut Budget) {
        let until = self.list.partition_point(|sent| !sent.end.after(end));
        if until.saturating_sub(at) <= JOINED {
            return;
        }
        let mut joined: Option<Sent> = None;
        for sent in self.list.drain(at..until) {
            budget.segments += 1;
            self.kept -= budget.take_back(&sent);
            joined = Some(match joined {
                None => Sent { data: None, ..sent },
                Some(first) => Sent {
                    end: sent.end,
                    last: first.last.max(sent.last),
                    last_packet: first.last_packet.max(sent.last_packet),
                    times: first.times.max(sent.times),
                    ..first
                },
            });
        }
        if let Some(joined) = joined {
            budget.segments -= 1;
            self.list.insert(at, joined);
        }
    }

    /// Forgets what ends at or before `number`; gives the last such segment's times if it was sent once.
    pub(crate) fn acknowledge(&mut self, number: Seq, budget: &mut Budget) -> Option<(u64, bool)> {
        let mut newest = None;
        while self
            .list
            .front()
            .is_some_and(|sent| !sent.end.after(number))
        {
            if let Some(sent) = self.pop(budget) {
                newest = Some((sent.first, sent.times == 1));
            }
        }
        newest
    }

    /// Gives back what was kept.
    pub(crate) fn clear(&mut self, budget: &mut Budget) {
        while self.pop(budget).is_some() {}
    }

    fn pop(&mut self, budget: &mut Budget) -> Option<Sent> {
        let sent = self.list.pop_front()?;
        budget.segments += 1;
        self.kept -= budget.take_back(&sent);
        Some(sent)
    }
}

/// A segment as it leaves.
#[derive(Clone, Copy)]
pub(crate) struct Sending<'a> {
    pub(crate) seq: Seq,
    pub(crate) end: Seq,
    pub(crate) now: u64,
    pub(crate) packet: u64,
    pub(crate) tsval: Option<u32>,
    pub(crate) ip_id: Option<u16>,
    pub(crate) payload: &'a [u8],
}

impl Sending<'_> {
    fn piece(&self, from: Seq, until: Seq, kept: &mut usize, budget: &mut Budget) -> Sent {
        let place = |number: Seq| usize::try_from(number.since(self.seq)).unwrap_or(0);
        let bytes = self.payload.get(place(from)..).unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(place(until) - place(from))];
        let fits = *kept + bytes.len() <= KEPT_OF_ONE && bytes.len() <= budget.bytes;
        let data = (fits && !bytes.is_empty()).then(|| Box::from(bytes));
        if data.is_some() {
            *kept += bytes.len();
            budget.bytes -= bytes.len();
        }
        budget.segments -= 1;
        Sent {
            seq: from,
            end: until,
            first: self.now,
            first_packet: self.packet,
            last: self.now,
            last_packet: self.packet,
            times: 1,
            gap: 0,
            tsval: self.tsval,
            ip_id: self.ip_id,
            data,
        }
    }
}

#[cfg(test)]
mod tests;
