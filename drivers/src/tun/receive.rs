//! Reading packets from a device into an arena.

use std::io::{self, IoSliceMut};

use arrayvec::ArrayVec;
use rustix::io::Errno;
use txbuf::{INLINE_MAX, Packet};

use super::channel::{BURST_BYTES, Channel, FRONT};
use super::kind::ETHERNET;
use super::{border, vnet};
use crate::headers::{self, Headers};

impl Channel {
    /// As [`Device::receive_whole`](crate::Device::receive_whole): one piece takes the kernel less than two. What is in
    /// front of packets is a piece of its own in any case, and is told from their headers.
    pub(super) fn receive_whole(&mut self) {
        self.whole = self.prefix() == 0;
        self.headers = 0;
    }

    /// Reads up to `max` packets, or what is there, and gives each to `each` with its link's header, which is of zeros
    /// for a device without one.
    ///
    /// # Errors
    ///
    /// As for [`Device::receive`](crate::Device::receive).
    pub(crate) fn receive(
        &mut self,
        max: usize,
        mut each: impl FnMut(&[u8; ETHERNET], Packet),
    ) -> io::Result<()> {
        let mut bytes = 0;
        // Counted by reads, so that packets which are dropped do not keep the caller here.
        for _ in 0..max {
            if bytes >= BURST_BYTES {
                break;
            }
            match self.read_packet() {
                Ok(Some((link, packet))) => {
                    self.counters.rx_packets += 1;
                    self.counters.rx_bytes += packet.len() as u64;
                    bytes += packet.len();
                    each(&link, packet);
                }
                Ok(None) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(self.failed(errno)),
            }
        }
        Ok(())
    }

    /// Reads one packet and its link's header. `Ok(None)`: one was read and dropped.
    fn read_packet(&mut self) -> Result<Option<([u8; ETHERNET], Packet)>, Errno> {
        let mut header = [0; FRONT];
        let prefix = self.prefix();
        let mut front = [0; headers::LONGEST];
        let guess = self.headers;
        let read = |room: &mut [u8], header: &mut [u8], front: &mut [u8]| {
            // Empty ones cost the kernel as much as others.
            let mut vectors: ArrayVec<_, 3> = [&mut header[..prefix], front, room]
                .into_iter()
                .filter(|part| !part.is_empty())
                .map(IoSliceMut::new)
                .collect();
            let read = match &mut vectors[..] {
                [only] => rustix::io::read(&self.fd, &mut **only),
                several => rustix::io::readv(&self.fd, several),
            };
            read.map(|length| length.checked_sub(prefix))
        };
        let longest = self.room();
        let packet = match self.arena.reserve(longest) {
            Ok(mut room) => {
                let Some(length) = read(&mut room, &mut header, &mut front[..guess])? else {
                    self.counters.rx_short += 1;
                    return Ok(None);
                };
                let behind = length.saturating_sub(guess);
                if length <= INLINE_MAX {
                    in_area(&front[..guess.min(length)], &room[..behind])
                } else if length < longest {
                    let byte = |at: usize| match at.checked_sub(guess) {
                        Some(at) => room[at],
                        None => front[at],
                    };
                    let headers = match self.whole {
                        true => 0,
                        false => Headers::of(byte).map_or(0, |headers| headers.payload),
                    };
                    border::shift(&mut front, &mut room, guess, headers, behind);
                    self.headers = headers;
                    let packet = Packet::inline(&front[..headers]);
                    packet.map(|mut packet| {
                        packet.set_span(room.commit(length - headers));
                        packet
                    })
                } else {
                    self.counters.rx_too_big += 1;
                    return Ok(None);
                }
            }
            // With the pool at its cap what fits a packet's own area is worth having: it may free memory.
            Err(_) => {
                let Some(length) = read(&mut self.scratch[FRONT..], &mut header, &mut [])? else {
                    self.counters.rx_short += 1;
                    return Ok(None);
                };
                Packet::inline(&self.scratch[FRONT..][..length])
            }
        };
        let Some(mut packet) = packet else {
            self.counters.rx_no_memory += 1;
            return Ok(None);
        };
        let (vnet, link) = (self.vnet(), self.kind.front());
        if vnet > 0 {
            let mut said = [0; vnet::LONGEST];
            said[..vnet].copy_from_slice(&header[..vnet]);
            match vnet::decode(&said, &mut packet, link, self.mtu) {
                Ok(meta) => packet.meta = meta,
                Err(lie) => {
                    lie.count(&mut self.counters);
                    return Ok(None);
                }
            }
        }
        let mut frame = [0; ETHERNET];
        frame[..link].copy_from_slice(&header[vnet..prefix]);
        if packet.meta.gso.is_none() && packet.len() > self.mtu {
            self.counters.rx_too_big += 1;
            return Ok(None);
        }
        Ok(Some((frame, packet)))
    }
}

/// A small packet that was read in two parts, in its header area.
fn in_area(front: &[u8], behind: &[u8]) -> Option<Packet> {
    let mut packet = Packet::inline(front)?;
    packet.put(behind.len()).ok()?.copy_from_slice(behind);
    Some(packet)
}
