//! What is read from and written to a TUN or TAP device: packets, with the header of their link in front or none.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use arrayvec::ArrayVec;
use rustix::io::Errno;
use txbuf::{Chain, Checksum, INLINE_MAX, Offloads, Packet, Pool, RawExtent, Span};

use super::batch::{Batches, Sent};
use super::offload::Agreement;
use super::open::{self, ETHERNET, LinkKind, TunConfig};
use super::{TunError, border, vnet};
use crate::device::cuts;
use crate::headers::{self, Headers};
use crate::netlink::{self, Changes};
use crate::{Capabilities, DeviceCounters, sys};

/// Packets for one call: enough that the loop around it costs nothing, few enough that sending gets its turn.
pub(crate) const BURST: usize = 64;

/// Bytes for one call with offload. Sending, the kernel answers in between, and what it answers waits in a queue of some
/// 500 packets; receiving, what is read is still in a core's cache when the same memory is read into again.
const BURST_BYTES: usize = 512 << 10;
/// The longest super-packet.
const LONGEST: usize = 65_535;
/// What may stand in front of a packet: a virtio header and a link's.
const FRONT: usize = vnet::LONGEST + ETHERNET;

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
    arena: Chain,
    /// Bytes of headers that the last packet of some length had, and the next is taken to have.
    headers: usize,
    /// Headers stay where they were read, in front of the payload.
    whole: bool,
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
            None => (mtu, mtu + 1),
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
            arena: Chain::arena(pool),
            headers: 0,
            whole: false,
            scratch,
            batches,
            counters: DeviceCounters::default(),
        })
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
        let Some(packet) = packet else {
            self.counters.rx_no_memory += 1;
            return Ok(None);
        };
        Ok(self.believed(&header, packet))
    }

    /// `packet`, as what stands in front of it says, with its link's header. `None`: what was said is a lie, or the packet
    /// is too long; it is counted.
    fn believed(
        &mut self,
        front: &[u8; FRONT],
        mut packet: Packet,
    ) -> Option<([u8; ETHERNET], Packet)> {
        let (vnet, link) = (self.vnet(), self.kind.front());
        if vnet > 0 {
            let mut said = [0; vnet::LONGEST];
            said[..vnet].copy_from_slice(&front[..vnet]);
            match vnet::decode(&said, &mut packet, link, self.mtu) {
                Ok(meta) => packet.meta = meta,
                Err(lie) => {
                    lie.count(&mut self.counters);
                    return None;
                }
            }
        }
        if packet.meta.gso.is_none() && packet.len() > self.mtu {
            self.counters.rx_too_big += 1;
            return None;
        }
        let mut frame = [0; ETHERNET];
        frame[..link].copy_from_slice(&front[vnet..vnet + link]);
        Some((frame, packet))
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

    /// As [`Device::receive_whole`](crate::Device::receive_whole): one piece takes the kernel less than two. What is in
    /// front of packets is a piece of its own in any case, and is told from their headers.
    pub(super) fn receive_whole(&mut self) {
        self.whole = self.prefix() == 0;
        self.headers = 0;
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

/// A small packet that was read in two parts, in its header area.
fn in_area(front: &[u8], behind: &[u8]) -> Option<Packet> {
    let mut packet = Packet::inline(front)?;
    packet.put(behind.len()).ok()?.copy_from_slice(behind);
    Some(packet)
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
