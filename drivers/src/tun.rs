//! A Linux TUN device: a packet for each read and write, which with offload is a super-packet of up to 64 KiB.

mod batch;
mod border;
mod error;
mod open;
mod vnet;

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use arrayvec::ArrayVec;
use rustix::io::Errno;
use txbuf::{Chain, Checksum, INLINE_MAX, Offloads, Packet, Pool, RawExtent, Span};

use crate::device::cuts;
use crate::headers::{self, Headers};
use crate::netlink::{self, Changes};
use crate::{Capabilities, Device, DeviceCounters, sys};
use batch::{Batches, Sent};

pub use error::TunError;
pub use open::{Backend, TunConfig};

/// Packets for one call: enough that the loop around it costs nothing, few enough that sending gets its turn.
const BURST: usize = 64;

/// Bytes for one call with offload. Sending, the kernel answers in between, and what it answers waits in a queue of some
/// 500 packets; receiving, what is read is still in a core's cache when the same memory is read into again.
const BURST_BYTES: usize = 512 << 10;
/// The longest super-packet.
const LONGEST: usize = 65_535;

/// A TUN device. The interface goes away with it, unless it is persistent or another process has it open too.
///
/// Payload is read straight into the pool given at opening, side by side for packets that follow each other; those that
/// fit a packet's header area are copied there and hold no pool memory. When the pool is at its cap, small packets (acknowledgements above all) are still
/// received, and others are dropped and counted.
///
/// What is sent is written from where it lies, lent memory too, which is not looked at here; a payload of more than 30
/// pieces is copied together before. What lies in the memory of a device is dropped and counted.
///
/// With offload (`TunConfig::offload`) what the kernel would cut and sum it leaves alone, in both directions: neither
/// side touches payload but for the one copy at the device. The pool's segments must then hold 64 KiB.
pub struct Tun {
    fd: OwnedFd,
    name: String,
    mtu: usize,
    persistent: bool,
    /// What the kernel agreed to do, where each packet has a `virtio_net_hdr` in front.
    offloads: Option<Offloads>,
    changes: Option<Changes>,
    arena: Chain,
    /// Bytes of headers that the last packet of some length had, and the next is taken to have.
    headers: usize,
    /// Room for one packet: for reading when the pool is at its cap, for writing what has too many pieces.
    scratch: Box<[u8]>,
    batches: Batches,
    counters: DeviceCounters,
}

impl Tun {
    /// Creates the device that `config` names or attaches to it, resets the offloads that an earlier user of a
    /// persistent device may have left, and sets up the kernel's side if the configuration says so.
    ///
    /// # Errors
    ///
    /// Each [`TunError`] says in one sentence what to do.
    pub fn open(config: &TunConfig, pool: &Pool) -> Result<Tun, TunError> {
        let mut queues = Tun::open_queues(config, std::slice::from_ref(pool))?;
        Ok(queues.swap_remove(0))
    }

    /// As [`open`](Tun::open), with a queue of the device for each of `pools`; without one, nothing is done. Each queue
    /// is a device of its own for whoever drives it, on whatever thread, and shares nothing with the others.
    ///
    /// The kernel gives all packets of a flow to one queue: to that by which a packet of it was sent last, if that is
    /// less than three seconds ago, otherwise to one that follows from addresses and ports alone. A device that was
    /// there before must have been made for several queues (`ip tuntap add ... multi_queue`).
    ///
    /// # Errors
    ///
    /// As for [`open`](Tun::open), and [`TunError::NotMultiQueue`].
    pub fn open_queues(config: &TunConfig, pools: &[Pool]) -> Result<Vec<Tun>, TunError> {
        if pools.is_empty() {
            return Ok(Vec::new());
        }
        let opened = open::open(config, pools.len())?;
        let changes = opened.first().and_then(|first| first.changes.clone());
        let queues = opened.into_iter().zip(pools);
        let queues = queues.map(|(opened, pool)| Tun::with_arena(opened, pool));
        queues
            .collect::<Result<Vec<Tun>, TunError>>()
            .inspect_err(|_| {
                if let Some(changes) = &changes {
                    // The first error says more.
                    let name = &changes.after().name;
                    let _ = netlink::undo(config.netns.as_ref(), name, changes);
                }
            })
    }

    /// Takes over a descriptor that is attached to a TUN device already, and makes it non-blocking.
    ///
    /// The MTU is looked up by the device's name in the calling thread's network namespace; give it as `mtu` if the
    /// device is in another.
    ///
    /// # Errors
    ///
    /// The descriptor is not of a TUN device, or of one with packet information or a virtio header in front of its
    /// packets; [`TunError::NoRing`].
    pub fn adopt(
        fd: OwnedFd,
        mtu: Option<usize>,
        backend: Backend,
        pool: &Pool,
    ) -> Result<Tun, TunError> {
        Tun::with_arena(open::adopt(fd, mtu, backend)?, pool)
    }

    /// As [`adopt`](Tun::adopt), for a descriptor that was inherited and is known only by its number. The number
    /// stays open: this device works on a duplicate.
    ///
    /// # Errors
    ///
    /// As for [`adopt`](Tun::adopt), and [`TunError::NotOpen`].
    pub fn adopt_number(
        number: RawFd,
        mtu: Option<usize>,
        backend: Backend,
        pool: &Pool,
    ) -> Result<Tun, TunError> {
        Tun::with_arena(open::adopt_number(number, mtu, backend)?, pool)
    }

    /// The name of the interface, as the kernel has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the interface outlives this device.
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// What [`open`](Tun::open) has changed on the kernel's side of the device, for [`netlink::undo`] when a device
    /// that was there before is closed again. Of an adopted descriptor, and of a queue that is not the first: nothing.
    pub fn changes(&self) -> Option<&Changes> {
        self.changes.as_ref()
    }

    fn with_arena(opened: open::Opened, pool: &Pool) -> Result<Tun, TunError> {
        let open::Opened {
            fd,
            name,
            mtu,
            persistent,
            offloads,
            changes,
            batches,
        } = opened;
        let longest = if offloads.is_some() { LONGEST } else { mtu };
        // One byte more than the MTU, so that a longer packet shows instead of being cut short by the kernel.
        if pool.segment() <= longest {
            return Err(TunError::ArenaTooSmall {
                name,
                mtu: longest,
                segment: pool.segment(),
            });
        }
        let scratch = vec![0; longest + 1].into_boxed_slice();
        Ok(Tun {
            fd,
            name,
            mtu,
            persistent,
            offloads,
            changes,
            arena: Chain::arena(pool),
            headers: 0,
            scratch,
            batches,
            counters: DeviceCounters::default(),
        })
    }

    /// Reads one packet. `Ok(None)`: one was read and dropped.
    fn read_packet(&mut self) -> Result<Option<Packet>, Errno> {
        let mut header = [0; vnet::LENGTH];
        let prefix = self.prefix();
        let mut front = [0; headers::LONGEST];
        let guess = self.headers;
        let read = |room: &mut [u8], header: &mut [u8], front: &mut [u8]| {
            let mut vectors = [
                IoSliceMut::new(&mut header[..prefix]),
                IoSliceMut::new(front),
                IoSliceMut::new(room),
            ];
            rustix::io::readv(&self.fd, &mut vectors).map(|length| length.saturating_sub(prefix))
        };
        let packet = match self.arena.reserve(self.scratch.len()) {
            Ok(mut room) => {
                let length = read(&mut room, &mut header, &mut front[..guess])?;
                let behind = length.saturating_sub(guess);
                if length <= INLINE_MAX {
                    in_area(&front[..guess.min(length)], &room[..behind])
                } else if length < self.scratch.len() {
                    let byte = |at: usize| match at.checked_sub(guess) {
                        Some(at) => room[at],
                        None => front[at],
                    };
                    let headers = Headers::of(byte).map_or(0, |headers| headers.payload);
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
                let length = read(&mut self.scratch, &mut header, &mut [])?;
                Packet::inline(&self.scratch[..length])
            }
        };
        let Some(mut packet) = packet else {
            self.counters.rx_no_memory += 1;
            return Ok(None);
        };
        if prefix > 0 {
            let Ok(meta) = vnet::decode(&header, &mut packet) else {
                self.counters.rx_bad_offload += 1;
                return Ok(None);
            };
            packet.meta = meta;
        }
        if packet.meta.gso.is_none() && packet.len() > self.mtu {
            self.counters.rx_too_big += 1;
            return Ok(None);
        }
        Ok(Some(packet))
    }

    /// Sends the first packet of `from`.
    fn write_front(&mut self, from: &mut VecDeque<Packet>) -> Sent {
        let result = from.front().map(|packet| self.write_packet(packet));
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

    fn write_packet(&mut self, packet: &Packet) -> Result<Written, Errno> {
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
        let header = vnet::encode(&packet.meta);
        let prefix = self.prefix();
        let written = match raw_payload(packet) {
            Ok(extents) => {
                let front = [&header[..prefix], packet.headers()];
                sys::write_extents(self.fd.as_fd(), front, &extents)
            }
            Err(Obstacle::TooMany) => match packet.copy_to(0, &mut self.scratch[..length]) {
                Ok(_) => {
                    let front = [&header[..prefix], &self.scratch[..length]];
                    sys::write_extents(self.fd.as_fd(), front, &[])
                }
                Err(_) => return Ok(self.unreadable()),
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

    /// Bytes in front of each packet.
    fn prefix(&self) -> usize {
        if self.offloads.is_some() {
            vnet::LENGTH
        } else {
            0
        }
    }

    /// Why this device cannot send `packet`, if it cannot.
    fn refusal(&self, packet: &Packet) -> Option<Refusal> {
        let length = packet.len();
        let wire = packet.meta.gso.map_or(length, |gso| {
            usize::from(gso.headers) + usize::from(gso.size)
        });
        if !self.takes(packet) {
            Some(Refusal::Unsupported)
        } else if wire > self.mtu || length >= self.scratch.len() {
            Some(Refusal::TooBig)
        } else {
            None
        }
    }

    /// Whether the kernel finishes what is left to be done about `packet`.
    fn takes(&self, packet: &Packet) -> bool {
        let offloads = self.offloads.unwrap_or_default();
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
        let name = &self.name;
        match errno {
            Errno::IO => io::Error::new(
                io::ErrorKind::NetworkDown,
                format!("TUN device {name} is down: bring it up by `ip link set {name} up`"),
            ),
            Errno::BADFD | Errno::FAULT | Errno::NODEV => io::Error::new(
                io::ErrorKind::NotConnected,
                format!("TUN device {name} was deleted while in use: open it again"),
            ),
            other => {
                let error = io::Error::from(other);
                io::Error::new(error.kind(), format!("TUN device {name} failed: {error}"))
            }
        }
    }
}

impl Device for Tun {
    fn capabilities(&self) -> Capabilities {
        let plain = Capabilities::plain(self.mtu, BURST);
        match self.offloads {
            Some(offloads) => Capabilities {
                offloads,
                burst_bytes: BURST_BYTES,
                ..plain
            },
            None => plain,
        }
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        let (mut received, mut bytes) = (0, 0);
        // Counted by reads, so that packets which are dropped do not keep the caller here.
        for _ in 0..max {
            if bytes >= BURST_BYTES {
                break;
            }
            match self.read_packet() {
                Ok(Some(packet)) => {
                    self.counters.rx_packets += 1;
                    self.counters.rx_bytes += packet.len() as u64;
                    bytes += packet.len();
                    into.push(packet);
                    received += 1;
                }
                Ok(None) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(self.failed(errno)),
            }
        }
        Ok(received)
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
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

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.fd.as_fd())
    }

    fn counters(&self) -> DeviceCounters {
        self.counters
    }
}

impl fmt::Debug for Tun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tun")
            .field("name", &self.name)
            .field("fd", &self.fd)
            .field("mtu", &self.mtu)
            .field("persistent", &self.persistent)
            .finish_non_exhaustive()
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

enum Refusal {
    /// It leaves something to be done that the kernel was not asked to do.
    Unsupported,
    TooBig,
}

enum Written {
    Sent,
    Dropped,
}

/// Why a payload cannot be written from where it lies.
enum Obstacle {
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
fn raw_payload(packet: &Packet) -> Result<ArrayVec<RawExtent<'_>, { sys::EXTENTS }>, Obstacle> {
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

#[cfg(test)]
mod tests;
