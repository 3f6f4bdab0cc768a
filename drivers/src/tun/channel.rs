//! What is read from and written to a TUN or TAP device: packets, with the header of their link in front or none.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use arrayvec::ArrayVec;
use rustix::io::Errno;
use txbuf::{Checksum, INLINE_MAX, Offloads, Packet, Pool, RawExtent, Span};

use super::batch::{Batches, Sent};
use super::offload::Agreement;
use super::open::{self, ETHERNET, LinkKind, TunConfig};
use super::reader::{Read, Reader, Source};
use super::{TunError, vnet};
use crate::device::cuts;
use crate::netlink::{self, Changes};
use crate::{Capabilities, DeviceCounters, sys};

/// Packets for one call: enough that the loop around it costs nothing, few enough that sending gets its turn.
pub(crate) const BURST: usize = 64;

/// Bytes for one call with offload. Sending, the kernel answers in between, and what it answers waits in a queue of some
/// 500 packets; receiving, what is read is still in a core's cache when the same memory is read into again.
pub(super) const BURST_BYTES: usize = 512 << 10;
/// The longest super-packet.
const LONGEST: usize = 65_535;
/// What may stand in front of a packet: a virtio header and a link's.
pub(super) const FRONT: usize = vnet::LONGEST + ETHERNET;

/// What leaves by a channel.
pub(crate) trait Outgoing {
    /// The IP packet, or what else is behind the link's header.
    fn packet(&self) -> &Packet;
    /// The link's header, as long as the device's frames have it.
    fn link(&self) -> &[u8];
}

impl Outgoing for Packet {
    fn packet(&self) -> &Packet {
        self
    }

    fn link(&self) -> &[u8] {
        &[]
    }
}

/// An open device, with a place to read packets into.
pub(crate) struct Channel {
    pub(super) fd: OwnedFd,
    kind: LinkKind,
    name: String,
    mtu: usize,
    persistent: bool,
    /// What the kernel agreed to do, where each packet has a `virtio_net_hdr` in front.
    agreement: Option<Agreement>,
    changes: Option<Changes>,
    reader: Reader,
    /// Room for one packet and what is in front of it: for reading when the pool is at its cap, for writing what has too
    /// many pieces or few bytes in some.
    scratch: Box<[u8]>,
    pub(super) batches: Batches,
    pub(crate) counters: DeviceCounters,
}

impl Channel {
    /// Opens the device that `config` names, with a queue for each of `pools`; without one, nothing is done.
    ///
    /// # Errors
    ///
    /// Each [`TunError`] says in one sentence what to do. Nothing is left changed.
    pub(crate) fn open(
        kind: LinkKind,
        config: &TunConfig,
        pools: &[Pool],
    ) -> Result<Vec<Channel>, TunError> {
        if pools.is_empty() {
            return Ok(Vec::new());
        }
        let opened = open::open(kind, config, pools.len())?;
        let changes = opened.first().and_then(|first| first.changes.clone());
        let queues = opened.into_iter().zip(pools);
        let queues = queues.map(|(opened, pool)| Channel::new(opened, pool));
        queues
            .collect::<Result<Vec<Channel>, TunError>>()
            .inspect_err(|_| {
                if let Some(changes) = &changes {
                    // The first error says more.
                    let name = &changes.after().name;
                    let _ = netlink::undo(config.netns.as_ref(), name, changes);
                }
            })
    }

    /// An open device that reads into `pool`.
    ///
    /// # Errors
    ///
    /// [`TunError::ArenaTooSmall`].
    pub(super) fn new(opened: open::Opened, pool: &Pool) -> Result<Channel, TunError> {
        let open::Opened {
            fd,
            kind,
            name,
            mtu,
            persistent,
            agreement,
            changes,
            batches,
        } = opened;
        // One byte more than the MTU, so that a longer packet shows instead of being cut short by the kernel. Where packets
        // are of very different lengths, a segment is for two of the longest: each read asks for the room of one, and
        // what no longer has that room would otherwise be all that is behind the first packet, however short it is.
        let (longest, least) = match agreement {
            Some(_) => (LONGEST, 2 * (LONGEST + 1)),
            None => (mtu, kind.front() + mtu + 1),
        };
        if pool.segment() < least {
            return Err(TunError::ArenaTooSmall {
                name,
                least,
                segment: pool.segment(),
            });
        }
        let scratch = vec![0; FRONT + longest + 1].into_boxed_slice();
        Ok(Channel {
            fd,
            kind,
            name,
            mtu,
            persistent,
            agreement,
            changes,
            reader: Reader::new(pool),
            scratch,
            batches,
            counters: DeviceCounters::default(),
        })
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

    /// What is written in front of a packet, and how long it is.
    pub(super) fn front_of(&self, outgoing: &impl Outgoing) -> ([u8; FRONT], usize) {
        let mut front = [0; FRONT];
        let vnet = self.vnet();
        if vnet > 0 {
            let header = vnet::encode(outgoing.packet(), self.kind.front());
            front[..vnet].copy_from_slice(&header[..vnet]);
        }
        let link = outgoing.link();
        let end = vnet + link.len().min(ETHERNET);
        front[vnet..end].copy_from_slice(&link[..end - vnet]);
        (front, end)
    }

    /// Bytes of the virtio header.
    fn vnet(&self) -> usize {
        self.agreement
            .map_or(0, |agreement| agreement.header.length())
    }

    /// One byte more than the longest packet has.
    fn room(&self) -> usize {
        self.scratch.len() - FRONT
    }

    /// Bytes in front of each packet.
    fn prefix(&self) -> usize {
        self.vnet() + self.kind.front()
    }

    fn offloads(&self) -> Option<Offloads> {
        self.agreement.map(|agreement| agreement.offloads)
    }

    /// Why this device cannot send `packet`, if it cannot.
    pub(super) fn refusal(&self, packet: &Packet) -> Option<Refusal> {
        let length = packet.len();
        let wire = packet.meta.gso.map_or(length, |gso| {
            usize::from(gso.headers) + usize::from(gso.size)
        });
        if !self.takes(packet) {
            Some(Refusal::Unsupported)
        } else if wire > self.mtu || length >= self.room() {
            Some(Refusal::TooBig)
        } else {
            None
        }
    }

    /// Whether the kernel finishes what is left to be done about `packet`.
    fn takes(&self, packet: &Packet) -> bool {
        let offloads = self.offloads().unwrap_or_default();
        let partial = matches!(packet.meta.checksum, Checksum::Partial { .. });
        (!partial || offloads.tx_checksum)
            && packet.meta.gso.is_none_or(|gso| cuts(offloads, gso.kind))
    }

    fn unreadable(&mut self) -> Written {
        self.counters.tx_unreadable += 1;
        Written::Dropped
    }

    /// The sentence for an error that ends the use of the device.
    fn failed(&self, errno: Errno) -> io::Error {
        let (kind, name) = (self.kind, &self.name);
        match errno {
            Errno::IO => io::Error::new(
                io::ErrorKind::NetworkDown,
                format!("{kind} device {name} is down: bring it up by `ip link set {name} up`"),
            ),
            Errno::BADFD | Errno::FAULT | Errno::NODEV => io::Error::new(
                io::ErrorKind::NotConnected,
                format!("{kind} device {name} was deleted while in use: open it again"),
            ),
            other => {
                let error = io::Error::from(other);
                io::Error::new(
                    error.kind(),
                    format!("{kind} device {name} failed: {error}"),
                )
            }
        }
    }

    /// What the device can do.
    pub(crate) fn capabilities(&self) -> Capabilities {
        let plain = Capabilities::plain(self.mtu, BURST);
        match self.offloads() {
            Some(offloads) => Capabilities {
                offloads,
                burst_bytes: BURST_BYTES,
                ..plain
            },
            None => plain,
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

    /// As [`Device::receive_whole`](crate::Device::receive_whole): what came in one piece leaves as one, which takes the
    /// kernel less than two. With something in front of packets there are several in any case.
    pub(super) fn receive_whole(&mut self) {
        if self.prefix() == 0 {
            self.reader.keep_whole();
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_persistent(&self) -> bool {
        self.persistent
    }

    pub(crate) fn changes(&self) -> Option<&Changes> {
        self.changes.as_ref()
    }

    /// What `Debug` says of the device whose type is called `name`.
    pub(crate) fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("name", &self.name)
            .field("fd", &self.fd)
            .field("mtu", &self.mtu)
            .field("persistent", &self.persistent)
            .finish_non_exhaustive()
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
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

pub(super) enum Refusal {
    /// It leaves something to be done that the kernel was not asked to do.
    Unsupported,
    TooBig,
}

enum Written {
    Sent,
    Dropped,
}

/// Why a payload cannot be written from where it lies.
pub(super) enum Obstacle {
    /// It has more pieces than one call takes: they are copied together.
    TooMany,
    Unreadable,
}

/// The pieces of the payload by address: what is lent is never looked at here, only handed to the kernel.
pub(super) fn raw_payload(
    packet: &Packet,
) -> Result<ArrayVec<RawExtent<'_>, { sys::EXTENTS }>, Obstacle> {
    let mut raw = ArrayVec::new();
    for extent in packet.span().into_iter().flat_map(Span::extents) {
        let Ok(extent) = extent.raw() else {
            return Err(Obstacle::Unreadable);
        };
        if raw.try_push(extent).is_err() {
            return Err(Obstacle::TooMany);
        }
    }
    Ok(raw)
}
