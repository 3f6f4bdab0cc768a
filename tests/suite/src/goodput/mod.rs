//! How fast one connection moves data over a simulated path, for this stack and for smoltcp, in virtual time.
//!
//! One host sends for as long as the run lasts, the other reads at once and checks every byte. The path has a rate, a
//! queue of one bandwidth-delay product in front of it, and loses data packets at random; the way back loses none.

mod ends;

use crate::sim::{Arrival, Bottleneck, Direction, Impairment};
use core::fmt;
use core::time::Duration;
use ends::End;
use netstack_core::{Congestion, Instant, TcpInfo};
use std::collections::BTreeMap;
use txbuf::Packet;

/// Which stack runs on both hosts, and what controls its congestion window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// This one.
    Ours(Congestion),
    /// smoltcp.
    Smoltcp(Congestion),
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contender::Ours(algorithm) => write!(f, "ours {algorithm}"),
            Contender::Smoltcp(algorithm) => write!(f, "smoltcp {algorithm}"),
        }
    }
}

/// A path between two hosts, the same both ways but for the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Bits in a second.
    pub rate: u64,
    /// There and back, without a queue.
    pub rtt: Duration,
    /// Data packets lost, in a thousand.
    pub loss: u32,
    /// Whether the queue marks packets, where it may, from half its length on.
    pub marks: bool,
}

/// Bytes of a packet on the path.
pub const MTU: usize = 1500;
/// Bytes of data in a full packet with timestamps.
const SEGMENT: f64 = 1448.0;
/// Packets that every queue holds.
const LEAST_QUEUE: usize = 20 * MTU;

impl Path {
    /// The bandwidth-delay product, in bytes.
    pub fn product(&self) -> usize {
        (self.rate as f64 * self.rtt.as_secs_f64() / 8.0) as usize
    }

    /// What Reno's response function promises on this path, and CUBIC in its Reno-friendly region, in bits of data a
    /// second: a window of `sqrt(3 / 2p)` segments (RFC 5681's AIMD, as in RFC 9438, figure 3).
    pub fn response(&self) -> f64 {
        let p = f64::from(self.loss) / 1000.0;
        let by_loss = (1.5 / p).sqrt() * SEGMENT * 8.0 / self.rtt.as_secs_f64();
        by_loss.min(self.rate as f64 * SEGMENT / MTU as f64)
    }

    /// Bytes that a socket of either stack holds each way.
    fn buffer(&self) -> usize {
        (4 * self.product()).max(256 << 10)
    }

    fn impairments(&self) -> [Impairment; 2] {
        let queue = self.product().max(LEAST_QUEUE);
        let back = Impairment {
            delay: self.rtt / 2,
            bottleneck: Some(Bottleneck {
                rate: self.rate,
                queue,
                mark: self.marks.then_some(queue / 2),
            }),
            ..Impairment::default()
        };
        let there = Impairment {
            loss: self.loss,
            ..back
        };
        [there, back]
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, loss) = (self.rate / 1_000_000, f64::from(self.loss) / 10.0);
        write!(
            f,
            "{rate} Mbit/s, {} ms, {loss} % loss",
            self.rtt.as_millis()
        )
    }
}

/// What a run has shown.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Bits of data that the receiving application read in a second.
    pub goodput: f64,
    /// What the sending connection knows at the end; smoltcp's tells nothing.
    pub info: Option<TcpInfo>,
}

/// Lets `contender` send over `path` for `time`.
///
/// # Panics
///
/// When a byte is wrong, the connection fails, or this stack breaks one of its invariants.
pub fn measure(contender: Contender, path: &Path, time: Duration, seed: u64) -> Outcome {
    share(contender, path, time, seed, 1).remove(0)
}

/// Lets as many connections as `flows` says, each between two hosts of its own, share `path` for `time`. All begin at
/// once.
///
/// # Panics
///
/// As [`measure`].
pub fn share(
    contender: Contender,
    path: &Path,
    time: Duration,
    seed: u64,
    flows: u64,
) -> Vec<Outcome> {
    let mut network = Network::new(contender, path, seed, flows);
    let end = Instant::ZERO + time;
    while network.now < end {
        network.step(end);
    }
    let outcome = |[sender, receiver]: &[End; 2]| Outcome {
        goodput: receiver.received() as f64 * 8.0 / time.as_secs_f64(),
        info: sender.info(),
    };
    network.pairs.iter().map(outcome).collect()
}

/// How fairly goodputs are spread, by Jain's index: from one over their number to 1.
pub fn fairness(outcomes: &[Outcome]) -> f64 {
    let goodputs = outcomes.iter().map(|outcome| outcome.goodput);
    let sum: f64 = goodputs.clone().sum();
    let squares: f64 = goodputs.map(|goodput| goodput * goodput).sum();
    sum * sum / (outcomes.len() as f64 * squares)
}

struct Network {
    now: Instant,
    /// Senders and receivers.
    pairs: Vec<[End; 2]>,
    directions: [Direction; 2],
    /// Packets on their way, by arrival time and a running number that keeps their order, to one end of one pair.
    flying: BTreeMap<(Instant, u64), (usize, usize, Packet)>,
    sent: u64,
}

impl Network {
    fn new(contender: Contender, path: &Path, seed: u64, flows: u64) -> Network {
        let [there, back] = path.impairments();
        let pair = |flow| End::pair(contender, path.buffer(), seed + (flow << 32));
        Network {
            now: Instant::ZERO,
            pairs: (0..flows).map(pair).collect(),
            directions: [
                Direction::new(there, seed),
                Direction::new(back, seed ^ 1 << 56),
            ],
            flying: BTreeMap::new(),
            sent: 0,
        }
    }

    /// Lets all hosts do what they can, then time pass until something happens, but not beyond `limit`.
    fn step(&mut self, limit: Instant) {
        for number in 0..self.pairs.len() {
            for from in 0..2 {
                self.transmit(number, from);
            }
        }
        let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
        let ends = self.pairs.iter_mut().flatten();
        let timers = ends.filter_map(|end| end.next(self.now));
        let next = timers.chain(arrival).min().unwrap_or(limit);
        self.now = self.now.max(next.min(limit));
        while let Some(entry) = self.flying.first_entry()
            && entry.key().0 <= self.now
        {
            let (number, to, packet) = entry.remove();
            self.pairs[number][to].receive(self.now, packet);
        }
    }

    fn transmit(&mut self, number: usize, from: usize) {
        let end = &mut self.pairs[number][from];
        end.work();
        for packet in end.sent(self.now) {
            for Arrival { after, packet, .. } in self.directions[from].carry(self.now, packet) {
                self.sent += 1;
                let arrival = (self.now + after, self.sent);
                self.flying.insert(arrival, (number, 1 - from, packet));
            }
        }
    }
}
