//! The points of the graphs, gathered packet by packet.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;

use crate::parse::ip::Ip;
use crate::parse::seq::Seq;
use crate::parse::tcp::Segment;

const FLOWS: usize = 64;
/// Connections beyond those that are told apart when they are counted.
const COUNTED: usize = 65_536 - FLOWS;
/// Points of one line; when there are more, every other one goes.
const POINTS: usize = 4000;
/// Sendings that wait for their acknowledgement.
const WAITING: usize = 4096;

/// A line of at most [`POINTS`] points.
#[derive(Default)]
pub(super) struct Line {
    pub(super) points: Vec<(f64, f64)>,
    skip: u32,
    skipped: u32,
}

impl Line {
    fn push(&mut self, x: f64, y: f64) {
        if self.skipped < self.skip {
            self.skipped += 1;
            return;
        }
        self.skipped = 0;
        self.points.push((x, y));
        if self.points.len() >= POINTS {
            let mut keep = false;
            self.points.retain(|_| {
                keep = !keep;
                keep
            });
            self.skip = 2 * self.skip + 1;
        }
    }
}

/// What one side sent, and what the other said of it.
#[derive(Default)]
pub(super) struct Side {
    /// After the last number it has used, and how far that is from its first: numbers begin again every 4 GiB.
    highest: Option<(Seq, u64)>,
    scale: u32,
    waiting: VecDeque<(Seq, f64)>,
    bytes: u64,
    pub(super) sent: Line,
    pub(super) again: Line,
    pub(super) acked: Line,
    pub(super) edge: Line,
    /// The window that this side offers.
    pub(super) window: Line,
    pub(super) rtt: Line,
    pub(super) received: Line,
}

impl Side {
    /// How far `number` is from the first number; 0 for what is before it.
    fn place(&self, number: Seq) -> u64 {
        self.highest.map_or(0, |(highest, place)| {
            place.saturating_add_signed(number.since(highest).into())
        })
    }
}

pub(super) struct Flow {
    interface: u32,
    pub(super) ends: [SocketAddr; 2],
    pub(super) sides: [Side; 2],
    began: f64,
}

#[derive(Default)]
pub(super) struct Flows {
    pub(super) list: Vec<Flow>,
    /// Those that were too many to be drawn.
    pub(super) others: HashSet<(u32, SocketAddr, SocketAddr)>,
}

impl Flows {
    pub(super) fn see(&mut self, interface: u32, time: f64, ip: &Ip<'_>, tcp: &Segment<'_>) {
        let from = SocketAddr::from((ip.source, tcp.ports.0));
        let to = SocketAddr::from((ip.destination, tcp.ports.1));
        let known = self.list.iter().position(|flow| {
            flow.interface == interface && (flow.ends == [from, to] || flow.ends == [to, from])
        });
        let at = match known {
            Some(at) => at,
            None if self.list.len() < FLOWS => {
                self.list.push(Flow {
                    interface,
                    ends: [from, to],
                    sides: Default::default(),
                    began: time,
                });
                self.list.len() - 1
            }
            None => {
                if self.others.len() < COUNTED {
                    self.others.insert((interface, from.min(to), from.max(to)));
                }
                return;
            }
        };
        let flow = &mut self.list[at];
        let me = usize::from(flow.ends[0] != from);
        flow.see(me, time, tcp);
    }
}

impl Flow {
    fn see(&mut self, me: usize, time: f64, tcp: &Segment<'_>) {
        let at = time - self.began;
        let [a, b] = &mut self.sides;
        let (mine, theirs) = if me == 0 { (a, b) } else { (b, a) };
        if tcp.flags.rst {
            return;
        }
        if tcp.flags.syn {
            mine.scale = tcp
                .options
                .window_scale
                .map_or(0, |scale| u32::from(scale.min(14)));
        }
        let window = u32::from(tcp.window) << if tcp.flags.syn { 0 } else { mine.scale };
        mine.window.push(at, f64::from(window));
        let (highest, _) = *mine.highest.get_or_insert((tcp.seq, 0));
        if tcp.seq_len() > 0 {
            let end = tcp.end();
            let place = mine.place(end);
            if end.after(highest) {
                mine.highest = Some((end, place));
                mine.sent.push(at, place as f64);
                if mine.waiting.len() < WAITING {
                    mine.waiting.push_back((end, at));
                }
            } else {
                mine.again.push(at, place as f64);
                // A repeated segment's acknowledgement tells no time.
                mine.waiting.clear();
            }
        }
        if !tcp.flags.ack {
            return;
        }
        if theirs.highest.is_some() {
            let acked = theirs.place(tcp.ack_number);
            theirs.acked.push(at, acked as f64);
            theirs.edge.push(at, acked as f64 + f64::from(window));
            if acked > theirs.bytes {
                theirs.bytes = acked;
                theirs.received.push(at, acked as f64);
            }
        }
        let mut sent_at = None;
        while let Some(&(end, time)) = theirs.waiting.front()
            && !end.after(tcp.ack_number)
        {
            sent_at = Some(time);
            theirs.waiting.pop_front();
        }
        if let Some(sent_at) = sent_at {
            theirs.rtt.push(at, (at - sent_at) * 1e3);
        }
    }
}

#[cfg(test)]
mod tests;
