//! The receive window (RFC 9293, 3.8.6.2.2; RFC 7323, 2).

use crate::tcp::seq::Seq;

/// What the peer may send: a right edge that never moves left.
#[derive(Debug)]
pub(crate) struct Window {
    /// The right edge as the peer knows it.
    edge: Seq,
    scale: u8,
}

/// The window scale for a buffer of at most `limit` bytes.
// req: RFC7323-09
pub(crate) fn scale_for(limit: usize) -> u8 {
    (0..14)
        .find(|shift| limit >> shift <= usize::from(u16::MAX))
        .unwrap_or(14)
}

impl Window {
    pub(crate) fn new(edge: Seq, scale: u8) -> Self {
        Window { edge, scale }
    }

    /// The largest window that the field can say, in more bits than the field has: without a scale less than what the buffer
    /// has room for.
    // req: REC-1
    fn largest(&self) -> usize {
        usize::from(u16::MAX) << self.scale
    }

    /// The right edge that the peer was told last.
    pub(crate) fn edge(&self) -> Seq {
        self.edge
    }

    /// The window that the peer was told, seen from `nxt`.
    pub(crate) fn size(&self, nxt: Seq) -> usize {
        self.edge.since(nxt)
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
        // Rounded up where rounding down would take back what was offered.
        let mut field = size >> self.scale;
        if (field << self.scale) < self.size(nxt) {
            field += 1;
        }
        let field = u16::try_from(field).unwrap_or(u16::MAX);
        self.edge = (nxt + (usize::from(field) << self.scale)).later(self.edge);
        field
    }

    /// Whether the application made so much room that the peer should hear of it: it would otherwise
    /// wait for a probe, or run dry.
    pub(crate) fn update_due(&self, nxt: Seq, free: usize, limit: usize, mss: usize) -> bool {
        let (free, limit) = (free.min(self.largest()), limit.min(self.largest()));
        let gain = self.next_edge(nxt, free, limit, mss).since(self.edge);
        let left = self.size(nxt);
        gain > 0 && (gain >= limit / 4 || left < 2 * mss || left <= limit / 8)
    }
}

#[cfg(test)]
mod tests;
