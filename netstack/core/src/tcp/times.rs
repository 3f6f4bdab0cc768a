//! When what waits to be read came (`SO_TIMESTAMPNS`), of connections whose application asked for that.

use super::connection::Connection;
use super::seq::Seq;
use crate::Instant;
use std::collections::VecDeque;

/// Arrivals that are told apart; what comes while so many wait to be read came together with the latest.
const MOST: usize = 1024;

/// When the bytes of a stream came, in their order.
#[derive(Debug)]
pub(crate) struct Times {
    /// Nothing is known of what was before.
    from: Seq,
    /// Behind the last byte that came at a time.
    noted: VecDeque<(Seq, Instant)>,
}

impl Times {
    /// Of what comes from `from` on.
    fn new(from: Seq) -> Times {
        Times {
            from,
            noted: VecDeque::new(),
        }
    }

    /// What is before `end` can be read, the last of it from `now` on.
    fn note(&mut self, end: Seq, now: Instant) {
        let full = self.noted.len() == MOST;
        match self.noted.back_mut() {
            Some(latest) if latest.1 == now || full => *latest = (end, now),
            _ => self.noted.push_back((end, now)),
        }
    }

    /// When the byte `at` came.
    fn of(&self, at: Seq) -> Option<Instant> {
        let later = self.noted.iter().find(|(end, _)| at.before(*end));
        later.filter(|_| at.at_or_after(self.from)).map(|it| it.1)
    }

    /// What is before `read_to` was read.
    fn pass(&mut self, read_to: Seq) {
        while self
            .noted
            .front()
            .is_some_and(|(end, _)| end.at_or_before(read_to))
        {
            self.noted.pop_front();
        }
        self.from = self.from.later(read_to);
    }
}

impl Connection {
    /// Begins or ends noting when bytes come.
    pub(crate) fn keep_times(&mut self, keep: bool) {
        let from = self.rcv.data_end();
        let times = &mut self.extras_mut().times;
        *times = keep.then(|| times.take().unwrap_or_else(|| Times::new(from)));
    }

    /// More can be read since `now`.
    #[inline]
    pub(super) fn note_time(&mut self, now: Instant) {
        let end = self.rcv.data_end();
        if let Some(extras) = &mut self.extras
            && let Some(times) = &mut extras.times
        {
            times.note(end, now);
        }
    }

    /// When the last of `bytes` came that were read just now, or only looked at.
    pub(crate) fn time_of(&mut self, bytes: usize, peeked: bool) -> Option<Instant> {
        let read_to = self.rcv.read_to();
        let times = self.extras.as_mut()?.times.as_mut()?;
        let end = if peeked { read_to + bytes } else { read_to };
        let time = (bytes > 0).then(|| times.of(end - 1)).flatten();
        times.pass(read_to);
        time
    }
}

#[cfg(test)]
mod tests;
