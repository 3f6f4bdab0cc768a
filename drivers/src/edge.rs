//! The edge of a stack towards a device that lacks offloads: cuts super-packets, completes checksums.

mod cutter;
mod error;
mod joiner;
mod template;

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

use txbuf::{Checksum, Offloads, Packet};

use crate::device::cuts;
use crate::{Capabilities, Device, DeviceCounters};
use cutter::Cutter;
use joiner::Joiner;

pub use cutter::cut;
pub use error::CutError;

/// A device that takes whatever a stack sends, around one that does not.
///
/// A super-packet is cut into packets of the segment size in its metadata: headers are copied, payload is shared, one
/// reference for each segment. What the inner device does itself is left to it. Nothing is queued here: a
/// super-packet of which the inner device took only a part stays with the caller, as the super-packet of the rest.
#[derive(Debug)]
pub struct Edge<D> {
    inner: D,
    capabilities: Capabilities,
    /// What goes to the inner device in one call. Empty between calls; kept for its allocation.
    outgoing: VecDeque<Packet>,
    /// `None`: received packets are left as they came.
    joiner: Option<Joiner>,
    counters: DeviceCounters,
}

impl<D: Device> Edge<D> {
    /// Wraps `inner`.
    pub fn new(inner: D) -> Edge<D> {
        let mut capabilities = inner.capabilities();
        capabilities.burst = capabilities.burst.max(1);
        let outgoing = VecDeque::with_capacity(capabilities.burst);
        Edge {
            inner,
            capabilities,
            outgoing,
            joiner: Some(Joiner::default()),
            counters: DeviceCounters::default(),
        }
    }

    /// Wraps `inner` for sending only: what is received is not joined, but left as it came.
    pub fn without_joining(inner: D) -> Edge<D> {
        Edge {
            joiner: None,
            ..Edge::new(inner)
        }
    }

    /// The device inside.
    pub fn inner(&self) -> &D {
        &self.inner
    }

    /// The device inside, for what is not part of [`Device`].
    pub fn inner_mut(&mut self) -> &mut D {
        &mut self.inner
    }

    /// Gives the device inside back.
    pub fn into_inner(self) -> D {
        self.inner
    }

    fn must_cut(&self, packet: &Packet) -> bool {
        packet
            .meta
            .gso
            .is_some_and(|gso| !cuts(self.capabilities.offloads, gso.kind))
    }

    /// Sends packets from the front of `from` up to the next one that must be cut, at most a burst of them.
    fn send_run(&mut self, from: &mut VecDeque<Packet>) -> io::Result<Progress> {
        let mut taken = 0;
        while self.outgoing.len() < self.capabilities.burst
            && from.front().is_some_and(|packet| !self.must_cut(packet))
            && let Some(mut packet) = from.pop_front()
        {
            taken += 1;
            if self.complete(&mut packet) {
                self.outgoing.push_back(packet);
            }
        }
        let result = self.inner.transmit(&mut self.outgoing);
        let stopped = !self.outgoing.is_empty();
        while let Some(packet) = self.outgoing.pop_back() {
            from.push_front(packet);
            taken -= 1;
        }
        result.map(|_| Progress { taken, stopped })
    }

    /// Completes a checksum that the inner device does not complete. False: the packet cannot be sent.
    fn complete(&mut self, packet: &mut Packet) -> bool {
        if self.capabilities.offloads.tx_checksum
            || !matches!(packet.meta.checksum, Checksum::Partial { .. })
        {
            return true;
        }
        match packet.complete_checksum() {
            Ok(()) => true,
            Err(error) => {
                self.count(CutError::from(error));
                false
            }
        }
    }

    /// Cuts the first packet of `from` and sends the segments. If not all were taken, the first packet of `from` is
    /// then the rest of it.
    fn send_super(&mut self, from: &mut VecDeque<Packet>) -> io::Result<Progress> {
        let Some(packet) = from.front_mut() else {
            return Ok(Progress {
                taken: 0,
                stopped: true,
            });
        };
        let complete = !self.capabilities.offloads.tx_checksum;
        let mut cutter = match Cutter::new(packet, complete) {
            Ok(cutter) => cutter,
            Err(error) => return Ok(self.drop_front(from, error)),
        };
        loop {
            if let Err(error) = cutter.fill(&mut self.outgoing, self.capabilities.burst) {
                self.outgoing.clear();
                return Ok(self.drop_front(from, error));
            }
            let made = self.outgoing.len();
            let result = if complete {
                self.inner.transmit_summed(&mut self.outgoing)
            } else {
                self.inner.transmit(&mut self.outgoing)
            };
            let unsent = self.outgoing.len();
            self.counters.segments += (made - unsent) as u64;
            if unsent == 0 && cutter.is_finished() {
                self.counters.super_packets += 1;
                from.pop_front();
                return result.map(|_| Progress {
                    taken: 1,
                    stopped: false,
                });
            }
            if unsent > 0 || result.is_err() {
                self.outgoing.clear();
                return match cutter.put_back(packet, unsent) {
                    Ok(()) => result.map(|_| Progress {
                        taken: 0,
                        stopped: true,
                    }),
                    Err(error) => Ok(self.drop_front(from, error)),
                };
            }
        }
    }

    fn drop_front(&mut self, from: &mut VecDeque<Packet>, error: CutError) -> Progress {
        self.count(error);
        from.pop_front();
        Progress {
            taken: 1,
            stopped: false,
        }
    }

    fn count(&mut self, error: CutError) {
        match error {
            CutError::Malformed => self.counters.tx_malformed += 1,
            CutError::Unreadable => self.counters.tx_unreadable += 1,
        }
    }
}

struct Progress {
    taken: usize,
    /// The inner device has no room for more.
    stopped: bool,
}

impl<D: Device> Device for Edge<D> {
    fn capabilities(&self) -> Capabilities {
        // What is joined here was verified here.
        let offloads = Offloads {
            tx_checksum: true,
            rx_checksum: true,
            tso: true,
            uso: true,
        };
        Capabilities {
            offloads,
            ..self.capabilities
        }
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        let start = into.len();
        let received = self.inner.receive(into, max);
        if into.len() > start + 1
            && !self.capabilities.offloads.tso
            && let Some(joiner) = &mut self.joiner
        {
            let arrived = into.len() - start;
            let left = joiner.join(into, start);
            self.counters.joined += (arrived - left) as u64;
            return received.map(|_| left);
        }
        received
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        let Offloads {
            tx_checksum,
            tso,
            uso,
            ..
        } = self.capabilities.offloads;
        if tx_checksum && tso && uso {
            return self.inner.transmit(from);
        }
        let mut taken = 0;
        while let Some(packet) = from.front() {
            let progress = if self.must_cut(packet) {
                self.send_super(from)
            } else {
                self.send_run(from)
            }?;
            taken += progress.taken;
            if progress.stopped {
                break;
            }
        }
        Ok(taken)
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.poll_fd()
    }

    fn counters(&self) -> DeviceCounters {
        self.inner.counters().plus(&self.counters)
    }
}

#[cfg(test)]
mod tests;
