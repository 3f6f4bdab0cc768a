//! What packets of a device are, once they were read.

use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;
use txbuf::Packet;

use super::channel::{Channel, FRONT};
use super::kind::ETHERNET;
use super::reader::{Read, Source};
use super::vnet;
use crate::DeviceCounters;

impl Channel {
    /// As [`Device::receive_whole`](crate::Device::receive_whole): what came in one piece leaves as one, which takes the
    /// kernel less than two. With something in front of packets there are several in any case.
    pub(super) fn receive_whole(&mut self) {
        if self.prefix() == 0 {
            self.reader.keep_whole();
        }
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
        let frame = Frame {
            vnet: self.vnet(),
            link: self.kind.front(),
            mtu: self.mtu,
        };
        let source = Source {
            fd: self.fd.as_fd(),
            prefix: self.prefix(),
            longest: self.room(),
        };
        let counters = &mut self.counters;
        let ended = self
            .reader
            .read(source, &mut self.scratch, max, |read| match read {
                Read::Packet(front, packet) => {
                    if let Some((link, packet)) = frame.believed(&front, packet, counters) {
                        counters.rx_packets += 1;
                        counters.rx_bytes += packet.len() as u64;
                        each(&link, packet);
                    }
                }
                Read::Short => counters.rx_short += 1,
                Read::TooBig => counters.rx_too_big += 1,
                Read::NoMemory => counters.rx_no_memory += 1,
            });
        match ended {
            Ok(()) | Err(Errno::AGAIN) => Ok(()),
            Err(errno) => Err(self.failed(errno)),
        }
    }
}

/// What a device's frames are.
#[derive(Clone, Copy)]
struct Frame {
    /// Bytes of the virtio header, and of the link's behind it.
    vnet: usize,
    link: usize,
    mtu: usize,
}

impl Frame {
    /// `packet`, as what stands in front of it says, with its link's header. `None`: what was said is a lie, or the packet
    /// is too long; it is counted.
    fn believed(
        self,
        front: &[u8; FRONT],
        mut packet: Packet,
        counters: &mut DeviceCounters,
    ) -> Option<([u8; ETHERNET], Packet)> {
        let Frame { vnet, link, mtu } = self;
        if vnet > 0 {
            let mut said = [0; vnet::LONGEST];
            said[..vnet].copy_from_slice(&front[..vnet]);
            match vnet::decode(&said, &mut packet, link, mtu) {
                Ok(meta) => packet.meta = meta,
                Err(lie) => {
                    lie.count(counters);
                    return None;
                }
            }
        }
        if packet.meta.gso.is_none() && packet.len() > mtu {
            counters.rx_too_big += 1;
            return None;
        }
        let mut frame = [0; ETHERNET];
        frame[..link].copy_from_slice(&front[vnet..vnet + link]);
        Some((frame, packet))
    }
}
