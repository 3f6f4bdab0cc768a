//! The points of the graphs, gathered packet by packet.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::parse::ip::Ip;
use crate::parse::seq::Seq;
use crate::parse::tcp::Segment;

const FLOWS: usize = 64;
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
    first: Option<Seq>,
    highest: Option<Seq>,
    scale: u32,
    waiting: VecDeque<(Seq, f64)>,
    bytes: f64,
    pub(super) sent: Line,
    pub(super) again: Line,
    pub(super) acked: Line,
    pub(super) edge: Line,
    /// The window that this side offers.
    pub(super) window: Line,
    pub(super) rtt: Line,
    pub(super) received: Line,
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
            None => return,
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
        let first = *mine.first.get_or_insert(tcp.seq);
        if tcp.seq_len() > 0 {
            let end = tcp.end();
            let place = f64::from(end.since(first));
            if mine.highest.is_none_or(|highest| end.after(highest)) {
                mine.highest = Some(end);
                mine.sent.push(at, place);
                if mine.waiting.len() < WAITING {
                    mine.waiting.push_back((end, at));
                }
            } else {
                mine.again.push(at, place);
                // A repeated segment's acknowledgement tells no time.
                mine.waiting.clear();
            }
        }
        if !tcp.flags.ack {
            return;
        }
        if let Some(first) = theirs.first {
            let acked = f64::from(tcp.ack_number.since(first));
            theirs.acked.push(at, acked);
            theirs.edge.push(at, acked + f64::from(window));
            if acked > theirs.bytes {
                theirs.bytes = acked;
                theirs.received.push(at, acked);
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
