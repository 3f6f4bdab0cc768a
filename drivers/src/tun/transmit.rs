//! Writing packets to a device, from where they lie.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;
use txbuf::INLINE_MAX;

use super::batch::Sent;
use super::channel::Channel;
use super::outgoing::{Obstacle, Outgoing, Refusal, raw_payload};
use crate::sys;

impl Channel {
    /// Sends from the front of `from`, and says how many left it.
    ///
    /// # Errors
    ///
    /// As for [`Device::transmit`](crate::Device::transmit).
    pub(crate) fn transmit<P: Outgoing>(&mut self, from: &mut VecDeque<P>) -> io::Result<usize> {
        let mut taken = 0;
        while !from.is_empty() {
            let Sent {
                taken: more,
                stopped,
            } = match self.write_batch(from) {
                Some(sent) => sent,
                None => self.write_front(from),
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
    fn write_front<P: Outgoing>(&mut self, from: &mut VecDeque<P>) -> Sent {
        let result = from.front().map(|outgoing| self.write_packet(outgoing));
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

    fn write_packet(&mut self, outgoing: &impl Outgoing) -> Result<Written, Errno> {
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
        // The kernel takes longer to follow pieces than it takes here to join so few bytes.
        let pieces = match raw_payload(packet) {
            Ok(extents) if length > INLINE_MAX || prefix == 0 && extents.is_empty() => {
                Some(extents)
            }
            Ok(_) | Err(Obstacle::TooMany) => None,
            Err(Obstacle::Unreadable) => return Ok(self.unreadable()),
        };
        let written = match pieces {
            Some(extents) => {
                let front = [&header[..prefix], packet.headers()];
                sys::write_extents(self.fd.as_fd(), front, &extents)
            }
            None => {
                let whole = &mut self.scratch[..prefix + length];
                whole[..prefix].copy_from_slice(&header[..prefix]);
                if packet.copy_to(0, &mut whole[prefix..]).is_err() {
                    return Ok(self.unreadable());
                }
                rustix::io::write(&self.fd, whole)
            }
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
