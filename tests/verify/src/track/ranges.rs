//! Ranges of sequence numbers, joined where they touch.

use crate::parse::seq::Seq;

/// More islands than this are not told apart.
const LIMIT: usize = 256;

/// Disjoint ranges in the order of the circle, below half of it apart.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    /// Everything before this is covered; `None` before the first byte.
    to: Option<Seq>,
    islands: Vec<(Seq, Seq)>,
    /// Ranges were forgotten: what is not covered may have been.
    pub(crate) forgot: bool,
}

impl Ranges {
    /// Everything before `to` counts as covered.
    pub(crate) fn begin(&mut self, to: Seq) {
        if self.to.is_none() {
            self.to = Some(to);
        }
    }

    /// The first byte that is not covered.
    pub(crate) fn to(&self) -> Option<Seq> {
        self.to
    }

    /// After the last byte that is covered.
    pub(crate) fn end(&self) -> Option<Seq> {
        self.islands.last().map(|&(_, right)| right).or(self.to)
    }

    /// What is covered beyond the first byte that is not.
    pub(crate) fn islands(&self) -> &[(Seq, Seq)] {
        &self.islands
    }

    /// How many bytes the islands have.
    pub(crate) fn held(&self) -> u32 {
        let lengths = self.islands.iter().map(|(left, right)| right.since(*left));
        lengths.fold(0, |sum, length| sum.saturating_add(length.unsigned_abs()))
    }

    pub(crate) fn has_holes(&self) -> bool {
        !self.islands.is_empty()
    }

    pub(crate) fn covers_to(&self, number: Seq) -> bool {
        self.forgot || self.to.is_none_or(|to| !number.after(to))
    }

    /// Whether all of `from..end` is covered.
    pub(crate) fn covers(&self, from: Seq, end: Seq) -> bool {
        if self.to.is_some_and(|to| !end.after(to)) {
            return true;
        }
        let from = self.to.map_or(from, |to| from.max(to));
        self.islands
            .iter()
            .any(|&(left, right)| !from.before(left) && !end.after(right))
    }

    /// Whether any of `from..end` is covered.
    pub(crate) fn touches(&self, from: Seq, end: Seq) -> bool {
        self.to.is_some_and(|to| from.before(to))
            || self
                .islands
                .iter()
                .any(|&(left, right)| from.before(right) && end.after(left))
    }

    /// Covers `from..end` too.
    pub(crate) fn add(&mut self, from: Seq, end: Seq) {
        if !end.after(from) {
            return;
        }
        if let Some(to) = self.to
            && !from.after(to)
        {
            self.to = Some(to.max(end));
            self.swallow();
            return;
        }
        let at = self
            .islands
            .partition_point(|&(_, right)| right.before(from));
        let (mut left, mut right) = (from, end);
        let mut until = at;
        while let Some(&(l, r)) = self.islands.get(until)
            && !l.after(right)
        {
            (left, right) = (left.min(l), right.max(r));
            until += 1;
        }
        self.islands.splice(at..until, [(left, right)]);
        if self.islands.len() > LIMIT {
            self.islands.pop();
            self.forgot = true;
        }
    }

    /// Everything before `number` is covered from now on.
    pub(crate) fn advance(&mut self, number: Seq) {
        self.to = Some(self.to.map_or(number, |to| to.max(number)));
        self.swallow();
    }

    fn swallow(&mut self) {
        let Some(mut to) = self.to else { return };
        let mut gone = 0;
        while let Some(&(left, right)) = self.islands.get(gone)
            && !left.after(to)
        {
            to = to.max(right);
            gone += 1;
        }
        self.islands.drain(..gone);
        self.to = Some(to);
    }
}

#[cfg(test)]
mod tests;
