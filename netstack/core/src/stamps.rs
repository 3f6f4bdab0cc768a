//! What waits to be told of messages that were sent: a bounded queue of times, some of them with their packets.

use std::collections::VecDeque;

use txbuf::{Held, IovIter, Span};

use crate::socket::{ReceivedStamp, RecvError, Stamp};
use crate::storage::Taking;

/// The most stamps that wait to be read, and bytes of packets with them.
pub(crate) const MOST: usize = 256;
pub(crate) const MOST_BYTES: usize = 256 << 10;

/// Stamps that wait to be read, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct StampQueue {
    stamps: VecDeque<(Stamp, Option<Span>)>,
    bytes: usize,
}

impl StampQueue {
    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.stamps.is_empty()
    }

    /// Bytes of storage that it keeps alive.
    pub(crate) fn storage(&self) -> usize {
        Held::of(self.stamps.iter().filter_map(|(_, packet)| packet.as_ref())).footprint
    }

    /// Queues a stamp; says no where there is no room.
    pub(crate) fn push(&mut self, stamp: Stamp, packet: Option<Span>) -> bool {
        let len = packet.as_ref().map_or(0, Span::len);
        if self.stamps.len() >= MOST || self.bytes + len > MOST_BYTES {
            return false;
        }
        self.bytes += len;
        self.stamps.push_back((stamp, packet));
        true
    }

    /// Reads the oldest; its packet goes into `sink`.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none is queued; those of copying, and then it stays queued.
    pub(crate) fn recv(
        &mut self,
        sink: &mut IovIter<'_>,
        taking: &mut Taking<'_>,
    ) -> Result<ReceivedStamp, RecvError> {
        let (stamp, packet) = self.stamps.front().ok_or(RecvError::WouldBlock)?;
        let (stamp, len) = (*stamp, packet.as_ref().map_or(0, Span::len));
        let bytes = match packet {
            Some(packet) => {
                let mut start = packet.clone();
                let _ = start.truncate(len.min(sink.remaining()));
                taking.put(start, sink)?
            }
            None => 0,
        };
        self.bytes -= len;
        self.stamps.pop_front();
        if self.stamps.is_empty() {
            // It may be long before there are others.
            self.stamps = VecDeque::new();
        }
        Ok(ReceivedStamp {
            stamp,
            bytes,
            len,
            truncated: bytes < len,
        })
    }
}

#[cfg(test)]
mod tests;
