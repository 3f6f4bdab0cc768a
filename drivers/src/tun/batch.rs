//! Sending many packets by one system call.

use std::collections::VecDeque;
use std::mem;
use std::os::fd::AsFd;
use std::slice::ChunksExactMut;

use arrayvec::ArrayVec;
use rustix::io::Errno;

use super::backend::Batches;
use super::channel::Channel;
use super::outgoing::{Obstacle, Outgoing, join, raw_payload};
use crate::sys::ring::{BATCH, Batch};

/// Bytes of one packet that is copied together, with what stands in front of it: that of an Ethernet's MTU has room.
pub(super) const PLACE: usize = 2048;

/// The fewest packets that are worth a batch: submitting two or three takes longer than as many calls.
const LEAST: usize = 4;

/// Where the packets of a batch are copied together: 128 KiB, from the first batch on.
#[derive(Default)]
pub(super) struct Places(Vec<u8>);

impl Places {
    fn iter(&mut self) -> ChunksExactMut<'_, u8> {
        self.0.resize(BATCH * PLACE, 0);
        self.0.chunks_exact_mut(PLACE)
    }
}

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
    /// when those are few, or it cannot be done: then they are to be sent one by one.
    ///
    /// The writes do not depend on each other. One that failed while others behind it passed (the kernel had no memory for
    /// it, say) stays and leaves after them: then packets change their order. Packets of up to `joined` bytes are copied
    /// into one piece.
    pub(super) fn write_batch<P: Outgoing>(
        &mut self,
        from: &mut VecDeque<P>,
        joined: usize,
    ) -> Option<Sent> {
        if from.len() < LEAST {
            return None;
        }
        let mut ring = self.batches.take(self.fd.as_fd())?;
        let fronts: ArrayVec<_, BATCH> = from
            .iter()
            .take(BATCH)
            .map(|outgoing| self.front_of(outgoing))
            .collect();
        let mut places = mem::take(&mut self.places);
        let mut room = places.iter();
        let mut batch = Batch::default();
        for (outgoing, (front, length)) in from.iter().zip(&fronts) {
            let (packet, front) = (outgoing.packet(), &front[..*length]);
            if self.refusal(packet).is_some() {
                break;
            }
            match raw_payload(packet, front.len(), joined) {
                Ok(extents) => batch.push([front, packet.headers()], extents),
                Err(Obstacle::Joined) if front.len() + packet.len() <= PLACE => {
                    let whole = room.next().map(|place| join(place, front, packet));
                    let Some(Ok(whole)) = whole else {
                        break;
                    };
                    batch.push([whole, &[]], []);
                }
                Err(_) => break,
            }
        }
        if batch.len() < LEAST {
            drop(batch);
            self.places = places;
            self.batches = Batches::Ring(ring);
            return None;
        }
        // A ring that failed is given up.
        let results = ring.write(&batch).ok()?;
        drop(batch);
        self.places = places;
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
