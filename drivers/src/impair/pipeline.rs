//! Stages in a row.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use txbuf::Packet;

use super::{Released, Stage};
use crate::edge::cut;

/// The stages of one direction, in the order in which a packet goes through them.
///
/// Call [`push`](Pipeline::push) with each packet, [`poll`](Pipeline::poll) when the time that
/// [`poll_at`](Pipeline::poll_at) says has come. The time never goes backwards.
pub struct Pipeline {
    stages: Vec<Box<dyn Stage>>,
    /// What is between two stages. Empty between calls; kept for their allocations.
    coming: Released,
    going: Released,
    segments: VecDeque<Packet>,
    super_packets_cut: u64,
    malformed: u64,
}

impl Pipeline {
    /// A pipeline of these stages; without any, every packet comes out as it went in.
    pub fn new(stages: Vec<Box<dyn Stage>>) -> Pipeline {
        Pipeline {
            stages,
            coming: Released::new(),
            going: Released::new(),
            segments: VecDeque::new(),
            super_packets_cut: 0,
            malformed: 0,
        }
    }

    /// Takes the packet that comes at `now`. What comes out at once is appended to `out`.
    pub fn push(&mut self, now: Duration, packet: Packet, out: &mut VecDeque<Packet>) {
        self.coming.push_back((now, packet));
        self.pass(now, out);
    }

    /// Appends what comes out until `now`.
    pub fn poll(&mut self, now: Duration, out: &mut VecDeque<Packet>) {
        if self.poll_at().is_some_and(|at| at <= now) {
            self.pass(now, out);
        }
    }

    /// When [`poll`](Pipeline::poll) has something to do next; `None` if nothing is on its way.
    pub fn poll_at(&self) -> Option<Duration> {
        self.stages
            .iter()
            .filter_map(|stage| stage.release_at())
            .min()
    }

    /// Packets on their way: pushed, and neither come out nor dropped.
    pub fn held(&self) -> usize {
        self.stages.iter().map(|stage| stage.held()).sum()
    }

    /// Every counter of every stage, by name.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let mut counters = vec![
            ("super_packets_cut", self.super_packets_cut),
            ("malformed_dropped", self.malformed),
        ];
        for stage in &self.stages {
            stage.counters(&mut |name, value| counters.push((name, value)));
        }
        counters
    }

    /// Lets what comes, and what each stage releases until `now`, through all stages behind.
    fn pass(&mut self, now: Duration, out: &mut VecDeque<Packet>) {
        for index in 0..self.stages.len() {
            self.cut_for(index);
            let stage = &mut self.stages[index];
            for (at, packet) in self.coming.drain(..) {
                stage.push(at, packet, &mut self.going);
            }
            stage.release(now, &mut self.going);
            std::mem::swap(&mut self.coming, &mut self.going);
        }
        out.extend(self.coming.drain(..).map(|(_, packet)| packet));
    }

    /// Cuts the super-packets that come to a stage which takes none.
    fn cut_for(&mut self, index: usize) {
        let is_super = |(_, packet): &(Duration, Packet)| packet.meta.gso.is_some();
        if !self.stages[index].counts_packets() || !self.coming.iter().any(is_super) {
            return;
        }
        for (at, packet) in self.coming.drain(..) {
            if packet.meta.gso.is_none() {
                self.going.push_back((at, packet));
                continue;
            }
            match cut(packet, &mut self.segments) {
                Ok(()) => self.super_packets_cut += 1,
                Err(_) => {
                    self.malformed += 1;
                    self.segments.clear();
                }
            }
            self.going
                .extend(self.segments.drain(..).map(|segment| (at, segment)));
        }
        std::mem::swap(&mut self.coming, &mut self.going);
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("stages", &self.stages.len())
            .field("poll_at", &self.poll_at())
            .finish_non_exhaustive()
    }
}
