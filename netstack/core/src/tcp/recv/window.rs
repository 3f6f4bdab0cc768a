//! The receive window (RFC 9293, 3.8.6.2.2; RFC 7323, 2).

use crate::tcp::seq::Seq;

/// What the peer may send: a right edge that never moves left.
#[derive(Debug)]
pub(crate) struct Window {
    /// The furthest right edge that the peer was told.
    edge: Seq,
    /// How far before that is the one that it was told last.
    behind: u16,
    scale: u8,
}

/// The part of the buffer by which rounding may carry the edge beyond it.
const CREEP: usize = 8;

/// The window scale for a buffer of at most `limit` bytes.
// req: RFC7323-09
pub(crate) fn scale_for(limit: usize) -> u8 {
    (0..14)
        .find(|shift| limit >> shift <= usize::from(u16::MAX))
        .unwrap_or(14)
}

impl Window {
    pub(crate) fn new(edge: Seq, scale: u8) -> Self {
        Window {
            edge,
            behind: 0,
            scale,
        }
    }

    /// The largest window that the field can say, in more bits than the field has: without a scale less than what the buffer
    /// has room for.
    // req: REC-1
    fn largest(&self) -> usize {
        usize::from(u16::MAX) << self.scale
    }

    /// The furthest right edge that the peer was told: what lies before it is taken.
    pub(crate) fn edge(&self) -> Seq {
        self.edge
    }

    /// What the peer was told that it may send, seen from `nxt`.
    pub(crate) fn size(&self, nxt: Seq) -> usize {
        self.edge.since(nxt)
    }

    /// That, by what it was told last.
    fn latest(&self, nxt: Seq) -> usize {
        self.size(nxt).saturating_sub(self.behind.into())
    }

    /// The edge to tell when `free` bytes of buffer are left, without silly small steps: it moves by a
    /// segment or half the buffer, or not at all.
    // req: MUST-39, SHLD-14
    fn next_edge(&self, nxt: Seq, free: usize, limit: usize, mss: usize) -> Seq {
        let offered = (nxt + free).later(self.edge);
        let step = offered.since(self.edge);
        if step >= mss.min(limit / 2) {
            offered
        } else {
            self.edge
        }
    }

    /// The window that the peer would be told now, seen from `nxt`.
    pub(crate) fn most(&self, nxt: Seq, free: usize, limit: usize, mss: usize) -> usize {
        self.next_edge(nxt, free, limit, mss).since(nxt)
    }

    /// Moves the edge for a segment that is about to leave and returns its window field.
    // req: SHLD-14, RFC7323-08, MUST-1, MAY-8, RFC7323-14, RFC7323-13
    pub(crate) fn advertise(&mut self, nxt: Seq, free: usize, limit: usize, mss: usize) -> u16 {
        let size = self.most(nxt, free, limit, mss);
        let mut field = size >> self.scale;
        // Rounded up where rounding down would take back what was offered. That carries the edge on a little with every
        // segment that is no multiple of the scale. Where nobody reads what arrives in small segments, it would leave the
        // buffer far behind: then it retreats by what the scale cannot say.
        let promised = self.size(nxt);
        if (field << self.scale) < promised && free > 0 && promised <= free + limit / CREEP {
            field += 1;
        }
        // A buffer that is less than the scale can say would never be said to be open.
        if field == 0 && free > 0 && size > 0 && self.is_below_a_step(limit) {
            field = 1;
        }
        let field = u16::try_from(field).unwrap_or(u16::MAX);
        let told = nxt + (usize::from(field) << self.scale);
        self.edge = told.later(self.edge);
        self.behind = u16::try_from(self.edge.since(told)).unwrap_or(u16::MAX);
        field
    }

    /// Whether the scale cannot say a buffer of `limit` bytes.
    fn is_below_a_step(&self, limit: usize) -> bool {
        limit >> self.scale == 0
    }

    /// Whether the application made so much room that the peer should hear of it: it would otherwise
    /// wait for a probe, or run dry.
    pub(crate) fn update_due(&self, nxt: Seq, free: usize, limit: usize, mss: usize) -> bool {
        let (free, limit) = (free.min(self.largest()), limit.min(self.largest()));
        let gain = self.next_edge(nxt, free, limit, mss).since(self.edge);
        let left = self.latest(nxt);
        if self.is_below_a_step(limit) {
            return left == 0 && free > 0 && self.most(nxt, free, limit, mss) > 0;
        }
        gain > 0 && (gain >= limit / 4 || left < 2 * mss || left <= limit / 8)
    }
}

#[cfg(test)]
mod tests;
