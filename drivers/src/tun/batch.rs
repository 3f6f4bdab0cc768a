//! Sending many packets by one system call.

use std::collections::VecDeque;
use std::os::fd::AsFd;

use arrayvec::ArrayVec;
use rustix::io::Errno;

use super::backend::Batches;
use super::channel::Channel;
use super::outgoing::{Outgoing, raw_payload};
use crate::sys::ring::{BATCH, Batch};

/// What became of packets.
#[derive(Default)]
pub(super) struct Sent {
    /// Packets that left the queue.
    pub(super) taken: usize,
    /// Why one stayed.
    pub(super) stopped: Option<Errno>,
}

impl Channel {
    /// Sends packets from the front of `from` by one system call, up to the next that needs a look of its own. `None`
    /// when that would be fewer than two, or cannot be done: then they are to be sent one by one.
    ///
    /// The writes do not depend on each other. One that failed while others behind it passed (the kernel had no memory for
    /// it, say) stays and leaves after them: then packets change their order.
    pub(super) fn write_batch<P: Outgoing>(&mut self, from: &mut VecDeque<P>) -> Option<Sent> {
        if from.len() < 2 {
            return None;
        }
        let mut ring = self.batches.take(self.fd.as_fd())?;
        let fronts: ArrayVec<_, BATCH> = from
            .iter()
            .take(BATCH)
            .map(|outgoing| self.front_of(outgoing))
            .collect();
        let mut batch = Batch::default();
        for (outgoing, (front, length)) in from.iter().zip(&fronts) {
            let packet = outgoing.packet();
            let Some(extents) = self
                .refusal(packet)
                .is_none()
                .then(|| raw_payload(packet).ok())
                .flatten()
            else {
                break;
            };
            batch.push([&front[..*length], packet.headers()], extents);
        }
        if batch.len() < 2 {
            self.batches = Batches::Ring(ring);
            return None;
        }
        // A ring that failed is given up.
        let results = ring.write(&batch).ok()?;
        drop(batch);
        let mut results = results.iter();
        let (mut taken, mut stopped) = (0, None);
        from.retain(|outgoing| match results.next() {
            Some(Ok(())) => {
                self.counters.tx_packets += 1;
                self.counters.tx_bytes += outgoing.packet().len() as u64;
                taken += 1;
                false
            }
            Some(Err(Errno::INVAL)) => {
                self.counters.tx_refused += 1;
                taken += 1;
                false
            }
            Some(Err(Errno::INTR)) | None => true,
            Some(Err(errno)) => {
                stopped = Some(*errno);
                true
            }
        });
        self.batches = Batches::Ring(ring);
        Some(Sent { taken, stopped })
    }
}

#[cfg(test)]
mod tests;
