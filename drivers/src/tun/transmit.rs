//! Writing packets to a device, from where they lie.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;
use txbuf::{INLINE_MAX, Unreadable};

use super::batch::{PLACE, Sent};
use super::channel::{Channel, FRONT};
use super::outgoing::{Obstacle, Outgoing, Refusal, join, raw_payload};
use crate::sys;

impl Channel {
    /// Sends from the front of `from`, and says how many left it.
    ///
    /// # Errors
    ///
    /// As for [`Device::transmit`](crate::Device::transmit).
    pub(crate) fn transmit<P: Outgoing>(&mut self, from: &mut VecDeque<P>) -> io::Result<usize> {
        self.send(from, INLINE_MAX)
    }

    /// As [`transmit`](Channel::transmit), for packets whose payload is in the CPU's cache: copied together, they are
    /// written as one piece.
    ///
    /// # Errors
    ///
    /// As for [`Device::transmit`](crate::Device::transmit).
    pub(super) fn transmit_joined<P: Outgoing>(
        &mut self,
        from: &mut VecDeque<P>,
    ) -> io::Result<usize> {
        self.send(from, PLACE - FRONT)
    }

    /// Sends from the front of `from`, packets of up to `joined` bytes in one piece.
    fn send<P: Outgoing>(&mut self, from: &mut VecDeque<P>, joined: usize) -> io::Result<usize> {
        let mut taken = 0;
        while !from.is_empty() {
            let Sent {
                taken: more,
                stopped,
            } = match self.write_batch(from, joined) {
                Some(sent) => sent,
                None => self.write_front(from, joined),
            };
            taken += more;
            match stopped {
                None | Some(Errno::INTR) => {}
                Some(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => {
                    self.counters.tx_backpressure += 1;
                    break;
                }
                Some(errno) => return Err(self.failed(errno)),
            }
        }
        Ok(taken)
    }

    /// Sends the first packet of `from`.
    fn write_front<P: Outgoing>(&mut self, from: &mut VecDeque<P>, joined: usize) -> Sent {
        let result = from
            .front()
            .map(|outgoing| self.write_packet(outgoing, joined));
        match result {
            None => Sent::default(),
            Some(Ok(Written::Sent | Written::Dropped)) => {
                from.pop_front();
                Sent {
                    taken: 1,
                    stopped: None,
                }
            }
            Some(Err(errno)) => Sent {
                taken: 0,
                stopped: Some(errno),
            },
        }
    }

    fn write_packet(&mut self, outgoing: &impl Outgoing, joined: usize) -> Result<Written, Errno> {
        let packet = outgoing.packet();
        let length = packet.len();
        match self.refusal(packet) {
            Some(Refusal::Unsupported) => {
                self.counters.tx_unsupported += 1;
                return Ok(Written::Dropped);
            }
            Some(Refusal::TooBig) => {
                self.counters.tx_too_big += 1;
                return Ok(Written::Dropped);
            }
            None => {}
        }
        let (header, prefix) = self.front_of(outgoing);
        let front = &header[..prefix];
        let written = match raw_payload(packet, prefix, joined) {
            Ok(extents) => sys::write_extents(self.fd.as_fd(), [front, packet.headers()], &extents),
            Err(Obstacle::Joined) => match join(&mut self.scratch, front, packet) {
                Ok(whole) => rustix::io::write(&self.fd, whole),
                Err(Unreadable) => return Ok(self.unreadable()),
            },
            Err(Obstacle::Unreadable) => return Ok(self.unreadable()),
        };
        match written {
            Ok(_) => {
                self.counters.tx_packets += 1;
                self.counters.tx_bytes += length as u64;
                Ok(Written::Sent)
            }
            // Neither IPv4 nor IPv6 by its first byte, or too short for a header: another try would end the same.
            Err(Errno::INVAL) => {
                self.counters.tx_refused += 1;
                Ok(Written::Dropped)
            }
            Err(errno) => Err(errno),
        }
    }

    fn unreadable(&mut self) -> Written {
        self.counters.tx_unreadable += 1;
        Written::Dropped
    }
}

enum Written {
    Sent,
    Dropped,
}
