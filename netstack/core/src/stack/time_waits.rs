//! Connections in TIME-WAIT that no application holds: a list in the order of their ends, bounded.

use super::Stack;
use super::flows::Flow;
use super::pages::Pages;
use crate::Instant;
use crate::ip::IfaceId;
use crate::ip::output::Marks;
use crate::socket::SocketId;
use crate::tcp::TcpState;
use crate::tcp::segment::Segment;
use crate::tcp::time_wait::{Heard, TimeWait};

/// No entry.
const NONE: u32 = u32::MAX;

/// A connection in TIME-WAIT, and its place in the list.
#[derive(Debug)]
struct Entry {
    time_wait: TimeWait,
    iface: IfaceId,
    marks: Marks,
    ends: Instant,
    older: u32,
    newer: u32,
}

/// All of them. Who comes, and whose wait begins anew, goes to the end of the list: nothing is sorted, and only the
/// oldest is looked at.
#[derive(Debug)]
pub(super) struct TimeWaits {
    entries: Pages<Entry>,
    oldest: u32,
    newest: u32,
}

impl Default for TimeWaits {
    fn default() -> Self {
        TimeWaits {
            entries: Pages::default(),
            oldest: NONE,
            newest: NONE,
        }
    }
}

impl TimeWaits {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// When the oldest ends.
    pub(super) fn next(&self) -> Option<Instant> {
        self.get(self.oldest).map(|entry| entry.ends)
    }

    pub(super) fn time_wait(&self, number: u32) -> Option<&TimeWait> {
        self.get(number).map(|entry| &entry.time_wait)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &TimeWait> {
        self.entries.iter().map(|(_, entry)| &entry.time_wait)
    }

    /// Adds one that ends at `ends`, or with the newest if that ends later. Returns its number.
    fn add(&mut self, time_wait: TimeWait, iface: IfaceId, marks: Marks, ends: Instant) -> u32 {
        let number = self.entries.insert(Entry {
            time_wait,
            iface,
            marks,
            ends,
            older: NONE,
            newer: NONE,
        });
        self.append(number);
        number
    }

    /// Has one begin anew, and end at `ends`.
    fn restart(&mut self, number: u32, ends: Instant) {
        self.unlink(number);
        if let Some(entry) = self.get_mut(number) {
            entry.ends = ends;
        }
        self.append(number);
    }

    fn remove(&mut self, number: u32) -> Option<TimeWait> {
        self.unlink(number);
        let entry = self.entries.remove(number)?;
        Some(entry.time_wait)
    }

    fn append(&mut self, number: u32) {
        let last = self.newest;
        let before = self.get(last).map_or(Instant::ZERO, |entry| entry.ends);
        let Some(entry) = self.get_mut(number) else {
            return;
        };
        (entry.older, entry.newer) = (last, NONE);
        entry.ends = entry.ends.max(before);
        self.newest = number;
        match self.get_mut(last) {
            Some(entry) => entry.newer = number,
            None => self.oldest = number,
        }
    }

    fn unlink(&mut self, number: u32) {
        let Some(entry) = self.get(number) else {
            return;
        };
        let (older, newer) = (entry.older, entry.newer);
        match self.get_mut(older) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
        match self.get_mut(newer) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
    }

    fn get(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number)
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut Entry> {
        self.entries.get_mut(number)
    }
}

impl Stack {
    /// Keeps of a connection in TIME-WAIT, if nobody holds it any more, only what TIME-WAIT needs. At the limit the
    /// oldest gives way.
    pub(super) fn retire(&mut self, now: Instant, id: SocketId) {
        let Ok(tcp) = self.table.tcp_mut(id) else {
            return;
        };
        if tcp.connection.state != TcpState::TimeWait || !tcp.connection.is_orphan() {
            return;
        }
        let answers = tcp.connection.rcv.ack.due();
        let ends = tcp.connection.poll_timeout();
        let time_wait = TimeWait::of(&mut tcp.connection);
        let (flow, iface, marks) = (time_wait.flow, tcp.iface, tcp.marks);
        self.finish(id);
        if answers {
            self.send_counted(iface, &flow, marks, &time_wait.acknowledgement(now));
        }
        while self.table.time_waits.len() >= self.tcp_config.time_waits.max(1) {
            self.counters.tcp.time_wait_recycled += 1;
            self.end_time_wait(self.table.time_waits.oldest);
        }
        let ends = ends.unwrap_or(now + self.tcp_config.time_wait);
        let number = self.table.time_waits.add(time_wait, iface, marks, ends);
        self.table.set_flow(&flow, Flow::TimeWait(number));
    }

    /// A segment of a connection in TIME-WAIT.
    pub(super) fn time_wait_input(&mut self, now: Instant, number: u32, segment: &Segment) {
        let Some(entry) = self.table.time_waits.get_mut(number) else {
            return;
        };
        let (iface, marks) = (entry.iface, entry.marks);
        let (counters, challenges) = (&mut self.counters.tcp, &mut self.challenges);
        let heard = entry.time_wait.input(now, segment, counters, challenges);
        let (flow, answer) = (entry.time_wait.flow, entry.time_wait.acknowledgement(now));
        if heard == Heard::Restart {
            let ends = now + self.tcp_config.time_wait;
            self.table.time_waits.restart(number, ends);
        }
        if heard != Heard::Nothing {
            self.send_counted(iface, &flow, marks, &answer);
        }
    }

    /// Forgets a connection in TIME-WAIT; its four-tuple is free.
    pub(super) fn end_time_wait(&mut self, number: u32) {
        if let Some(time_wait) = self.table.time_waits.remove(number) {
            self.table
                .clear_flow(&time_wait.flow, Flow::TimeWait(number));
        }
    }

    /// Forgets those whose time is over.
    pub(super) fn end_time_waits(&mut self, now: Instant) {
        while self.table.time_waits.next().is_some_and(|at| at <= now) {
            self.end_time_wait(self.table.time_waits.oldest);
        }
    }
}

#[cfg(test)]
mod tests;
