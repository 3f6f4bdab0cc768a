//! A few connections that talk, among others that do not.

use super::{Measured, Required, cpu_time};
use crate::stats::Summary;
use core::time::Duration;
use netstack_core::{SocketId, TcpConfig};
use std::time::Instant;
use suite::calls::{read, write};
use suite::crowd::Crowd;

/// Connections of which packets are measured.
const ACTIVE: usize = 10;
/// Echoes in one measurement.
const ECHOES: usize = 20_000;
/// A packet's worth.
const MESSAGE: &[u8] = &[b'm'; 1000];

/// How long one connection's echo of a kilobyte takes, alone and among `idle` others. `None` without a round.
///
/// # Panics
///
/// When a connection is not as it should be.
pub fn latency(idle: usize, rounds: usize) -> Option<Measured> {
    let mut rows = Vec::new();
    for others in [0, idle] {
        let (mut crowd, talkers) = crowd(others + 1, 1);
        let mut times = Vec::new();
        for _ in 0..rounds {
            let mut each: Vec<Duration> = Vec::with_capacity(ECHOES);
            for _ in 0..ECHOES {
                let start = Instant::now();
                echo(&mut crowd, &talkers);
                each.push(start.elapsed());
            }
            each.sort_unstable();
            times.push(each[ECHOES / 2].as_nanos() as f64);
        }
        rows.push((others + 1, Summary::of(&times)?));
    }
    Some(Measured {
        name: "echo of one connection among idle ones",
        unit: "ns, median of 20,000",
        rows,
        required: Required::Growth(2.0),
    })
}

/// What a packet costs, of at most ten connections among as many as each of `crowds` says; both ends together. `None`
/// without a round.
///
/// # Panics
///
/// When a connection is not as it should be.
pub fn packet_cost(crowds: &[usize], rounds: usize) -> Option<Measured> {
    let mut subjects: Vec<_> = crowds
        .iter()
        .map(|count| (crowd(*count, ACTIVE.min(*count)), Vec::new()))
        .collect();
    // In turns, so that what disturbs disturbs all.
    for _ in 0..rounds {
        for ((crowd, talkers), costs) in &mut subjects {
            let before = cpu_time();
            let mut packets = 0;
            for _ in 0..ECHOES / talkers.len() {
                packets += echo(crowd, talkers);
            }
            let used = cpu_time().saturating_sub(before);
            costs.push(used.as_nanos() as f64 / packets as f64);
        }
    }
    let rows = crowds.iter().zip(&subjects);
    let rows = rows.map(|(count, (_, costs))| Some((*count, Summary::of(costs)?)));
    Some(Measured {
        name: "packets of ten connections among idle ones",
        unit: "ns of a core for each that either stack handles",
        rows: rows.collect::<Option<Vec<_>>>()?,
        required: Required::Growth(1.5),
    })
}

/// `count` connections, and `active` of them that lie far apart.
fn crowd(count: usize, active: usize) -> (Crowd, Vec<[SocketId; 2]>) {
    let mut crowd = Crowd::new(&TcpConfig::default());
    let mut talkers = Vec::new();
    let mut number = 0;
    crowd.connect(count, |ends| {
        number += 1;
        if number % (count / active) == 0 && talkers.len() < active {
            talkers.push(ends);
        }
    });
    crowd.rest(Duration::from_secs(10));
    (crowd, talkers)
}

/// A message and its echo on each of `talkers`. Returns how many packets the stacks handled.
fn echo(crowd: &mut Crowd, talkers: &[[SocketId; 2]]) -> usize {
    let mut packets = 0;
    for (from, to) in [(0, 1), (1, 0)] {
        for ends in talkers {
            let sent = write(&mut crowd.ends[from].stack, ends[from], MESSAGE);
            assert_eq!(sent, Ok(MESSAGE.len()));
        }
        packets += crowd.turn() + crowd.turn();
        for ends in talkers {
            let heard = read(&mut crowd.ends[to].stack, ends[to], MESSAGE.len());
            assert_eq!(heard.as_deref(), Ok(MESSAGE));
        }
    }
    packets
}
