//! A link of two ends in memory, bounded, with or without offload.
//!
//! What one end takes, the other receives, in order and without loss. Payload is not copied: the receiver gets the
//! sender's span. Only lent payload ([`Kind::User`](txbuf::Kind)) is: a receiver could keep it for ever, so it gets a
//! copy, and the message that lent it is reported as copied. Without offload the link carries packets of at most the
//! MTU with complete checksums, as a wire does. Both ends may be driven by one thread in virtual time, or each by its
//! own.

mod signal;

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use txbuf::{Chain, Checksum, CopyError, Ledger, Offloads, Packet, Pool, PoolConfig};

use crate::device::cuts;
use crate::{Capabilities, Device, DeviceCounters, Edge};
use signal::Signal;

/// Packets for one call, under one lock: more than [`BURST_BYTES`] are cut into, so that one call receives what one
/// sent.
const BURST: usize = 256;
/// Bytes for one call: a few super-packets, which are still in the cache when the other end receives them.
const BURST_BYTES: usize = 192 << 10;
/// Where an end puts its copies of lent payload: what the longest packet needs, and what a receiver may keep of them.
const COPIES: PoolConfig = PoolConfig {
    segment: 64 << 10,
    limit: 16 << 20,
    keep: 8,
};

/// How a link is made.
#[derive(Clone, Copy, Debug)]
pub struct MemoryConfig {
    /// The two ends.
    pub ends: [EndConfig; 2],
    /// Packets that are on their way in each direction before the sender meets back-pressure.
    pub queue: usize,
    /// Whether the ends have a descriptor to sleep on. Not needed in virtual time.
    pub wakeup: bool,
}

/// One end of a link.
#[derive(Clone, Copy, Debug)]
pub struct EndConfig {
    /// The largest packet in bytes that this end sends or receives. It drops and counts larger ones that arrive.
    pub mtu: usize,
    /// What this end can do. An offload is used in one direction if the sender can leave it to the link and the
    /// receiver can take the result: `tx_checksum` towards `rx_checksum`, and `tso` and `uso` if both have them.
    pub offloads: Offloads,
}

impl Default for MemoryConfig {
    /// Two ends of MTU 1500 without offload, 256 packets each way, no descriptors.
    fn default() -> MemoryConfig {
        let end = EndConfig {
            mtu: 1500,
            offloads: Offloads::default(),
        };
        MemoryConfig {
            ends: [end; 2],
            queue: 256,
            wakeup: false,
        }
    }
}

impl MemoryConfig {
    /// Both ends alike.
    pub fn symmetric(mtu: usize, offloads: Offloads) -> MemoryConfig {
        MemoryConfig {
            ends: [EndConfig { mtu, offloads }; 2],
            ..MemoryConfig::default()
        }
    }
}

/// Makes a link whose ends take any packet of a stack: an [`Edge`] does what the link does not.
///
/// # Errors
///
/// The wake-up descriptors could not be made; without them it cannot fail.
pub fn pair(config: MemoryConfig) -> io::Result<(Edge<MemoryEnd>, Edge<MemoryEnd>)> {
    let (one, other) = raw_pair(config)?;
    Ok((Edge::new(one), Edge::new(other)))
}

/// Makes a link whose ends take only what their capabilities say, for a layer (a tap, an impairment) that sits
/// between the wire and the edge.
///
/// # Errors
///
/// As [`pair`].
pub fn raw_pair(config: MemoryConfig) -> io::Result<(MemoryEnd, MemoryEnd)> {
    let signal = || config.wakeup.then(Signal::new).transpose();
    let link = Arc::new(Link {
        directions: [Direction::new(config.queue), Direction::new(config.queue)],
        signals: [signal()?, signal()?],
    });
    let end = |side: usize| MemoryEnd {
        link: Arc::clone(&link),
        side,
        mtu: config.ends[side].mtu,
        offloads: usable(config.ends[side].offloads, config.ends[1 - side].offloads),
        copies: Chain::arena(&Pool::new(&Ledger::new(), COPIES)),
        counters: DeviceCounters::default(),
    };
    Ok((end(0), end(1)))
}

/// What an end with the offloads `own` may leave to a link to `peer`.
fn usable(own: Offloads, peer: Offloads) -> Offloads {
    let tx_checksum = own.tx_checksum && peer.rx_checksum;
    Offloads {
        tx_checksum,
        rx_checksum: own.rx_checksum,
        tso: tx_checksum && own.tso && peer.tso,
        uso: tx_checksum && own.uso && peer.uso,
    }
}

/// One end of a link in memory. Dropping it drops what it has not received; what it sent stays for the other end.
///
/// Packets that it refuses are dropped while the link is locked: where their buffers are of somebody else's making, a
/// [`Deferral`](txbuf::Deferral) puts the destructors off.
#[derive(Debug)]
pub struct MemoryEnd {
    link: Arc<Link>,
    side: usize,
    mtu: usize,
    offloads: Offloads,
    /// Copies of lent payload.
    copies: Chain,
    counters: DeviceCounters,
}

#[derive(Debug)]
struct Link {
    /// Packets towards side 0 and towards side 1.
    directions: [Direction; 2],
    /// What side 0 and side 1 sleep on.
    signals: [Option<Signal>; 2],
}

#[derive(Debug)]
struct Direction {
    queue: Mutex<Queue>,
    capacity: usize,
}

#[derive(Debug)]
struct Queue {
    packets: VecDeque<Packet>,
    /// The sender has packets left over and waits for room.
    starved: bool,
    /// The receiver is gone.
    closed: bool,
}

impl Direction {
    fn new(capacity: usize) -> Direction {
        let capacity = capacity.max(1);
        let packets = VecDeque::with_capacity(capacity);
        Direction {
            queue: Mutex::new(Queue {
                packets,
                starved: false,
                closed: false,
            }),
            capacity,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Puts up to `max` packets behind those in `into`. All of them to an empty vector, the common case, is an
    /// exchange of the two buffers.
    fn hand_over(&mut self, into: &mut Vec<Packet>, max: usize) {
        if into.is_empty() && self.packets.len() <= max {
            let spare = mem::take(into);
            *into = mem::replace(&mut self.packets, spare.into()).into();
        } else {
            let arriving = max.min(self.packets.len());
            into.extend(self.packets.drain(..arriving));
        }
    }

    /// Appends all of `from`: to an empty queue, by an exchange of the two buffers.
    fn take_over(&mut self, from: &mut VecDeque<Packet>) {
        if self.packets.is_empty() {
            mem::swap(&mut self.packets, from);
        } else {
            self.packets.append(from);
        }
    }
}

impl MemoryEnd {
    /// The pool that copies of lent payload are made in: 16 MiB, on a ledger of its own. What the other end keeps of them
    /// stays charged to it; at its cap packets with lent payload are dropped and counted (`tx_no_memory`), and others
    /// are not concerned.
    pub fn copies(&self) -> &Pool {
        self.copies.pool()
    }

    fn peer(&self) -> usize {
        1 - self.side
    }

    fn raise(&self, side: usize) {
        if let Some(signal) = &self.link.signals[side] {
            signal.raise();
        }
    }

    /// Counts a packet in or out of the capabilities, puts copies in place of lent payload, and says whether it may pass.
    fn admit(&mut self, packet: &mut Packet) -> bool {
        let partial = matches!(packet.meta.checksum, Checksum::Partial { .. });
        let (wire, offload) = match packet.meta.gso {
            Some(gso) => (
                gso.headers as usize + gso.size as usize,
                cuts(self.offloads, gso.kind),
            ),
            None => (packet.len(), true),
        };
        if !offload || (partial && !self.offloads.tx_checksum) {
            self.counters.tx_unsupported += 1;
            return false;
        }
        if wire > self.mtu {
            self.counters.tx_too_big += 1;
            return false;
        }
        if let Err(error) = packet.orphan(&mut self.copies) {
            match error {
                CopyError::Unreadable => self.counters.tx_unreadable += 1,
                _ => self.counters.tx_no_memory += 1,
            }
            return false;
        }
        self.counters.tx_packets += 1;
        self.counters.tx_bytes += packet.len() as u64;
        true
    }

    /// Counts a packet that arrived, and says whether it is one that this end takes.
    fn accept(&mut self, packet: &Packet) -> bool {
        if wire_length(packet) > self.mtu {
            self.counters.rx_too_big += 1;
            return false;
        }
        self.counters.rx_packets += 1;
        self.counters.rx_bytes += packet.len() as u64;
        true
    }
}

impl Device for MemoryEnd {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            offloads: self.offloads,
            burst_bytes: BURST_BYTES,
            ..Capabilities::plain(self.mtu, BURST)
        }
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        let link = Arc::clone(&self.link);
        let direction = &link.directions[self.side];
        if let Some(signal) = &link.signals[self.side] {
            signal.clear();
        }
        let mut queue = direction.lock();
        let mut received = 0;
        while received < max && !queue.packets.is_empty() {
            let before = into.len();
            queue.hand_over(into, max - received);
            retain_from(into, before, |packet| self.accept(packet));
            received += into.len() - before;
        }
        let left = !queue.packets.is_empty();
        let room = queue.starved && queue.packets.len() <= direction.capacity / 2;
        if room {
            queue.starved = false;
        }
        drop(queue);
        if left {
            self.raise(self.side);
        }
        if room {
            self.raise(self.peer());
        }
        Ok(received)
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        if from.is_empty() {
            return Ok(0);
        }
        let link = Arc::clone(&self.link);
        let direction = &link.directions[self.peer()];
        let mut queue = direction.lock();
        if queue.closed {
            drop(queue);
            let lost = from.len();
            from.clear();
            self.counters.tx_no_peer += lost as u64;
            return Ok(lost);
        }
        let room = direction.capacity.saturating_sub(queue.packets.len());
        let taken = room.min(from.len());
        let mut rest = from.split_off(taken);
        from.retain_mut(|packet| self.admit(packet));
        queue.take_over(from);
        from.append(&mut rest);
        let arrived = !queue.packets.is_empty();
        if !from.is_empty() {
            queue.starved = true;
            self.counters.tx_backpressure += 1;
        }
        drop(queue);
        if arrived {
            self.raise(self.peer());
        }
        Ok(taken)
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        self.link.signals[self.side].as_ref().map(AsFd::as_fd)
    }

    fn counters(&self) -> DeviceCounters {
        self.counters
    }
}

impl Drop for MemoryEnd {
    fn drop(&mut self) {
        let direction = &self.link.directions[self.side];
        let mut queue = direction.lock();
        queue.closed = true;
        queue.packets.clear();
        drop(queue);
        // A sender that waits for room learns that there is nobody left to wait for.
        self.raise(self.peer());
    }
}

/// The length of a packet, or of the segments it stands for.
fn wire_length(packet: &Packet) -> usize {
    packet
        .meta
        .gso
        .map_or(packet.len(), |gso| gso.headers as usize + gso.size as usize)
}

/// Keeps those of `packets[start..]` that pass `keep`, in order.
fn retain_from(packets: &mut Vec<Packet>, start: usize, mut keep: impl FnMut(&Packet) -> bool) {
    let mut kept = start;
    for index in start..packets.len() {
        if keep(&packets[index]) {
            if kept < index {
                packets.swap(kept, index);
            }
            kept += 1;
        }
    }
    packets.truncate(kept);
}

#[cfg(test)]
mod tests;
