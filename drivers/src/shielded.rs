//! A layer that moves payload in memory that the CPU may not read.
//!
//! It stands for a network card that sends from the memory of another device, an accelerator's say, and receives into
//! it: the stack handles headers and places of payload ([`Kind::Device`](txbuf::Kind)), and cannot reach the payload by
//! any address it has. Here that memory is a [file](ShieldedMemory::file) that this driver alone has mapped.
//!
//! * *Out*: payload is fetched by the driver and its checksum made here, which is why the checksum of such a packet may
//!   be left partial whatever the device below can do.
//! * *In*: the headers of TCP and UDP packets are split from their payload, which goes into slots of the memory. The
//!   checksum is verified before, as nobody can do it after; a packet whose checksum is wrong, a fragment, and whatever
//!   else the split is not made for, goes up as it is. Without a free slot a packet is dropped and counted
//!   (`rx_no_memory`).

mod mapping;
mod memory;
mod split;

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

use txbuf::{Chain, Offloads, Packet, Pool, Span};

use crate::{Capabilities, Device, DeviceCounters};
use mapping::Mapping;
pub use memory::{ShieldedMemory, Slot};
use split::Split;

/// A device with a memory of its own.
#[derive(Debug)]
pub struct Shielded<D> {
    inner: D,
    memory: ShieldedMemory,
    /// The driver's mapping.
    own: Mapping,
    /// Where payload that leaves the memory goes on from.
    fetched: Chain,
    split: Split,
    /// What the inner device is being given. Empty between calls; kept for its allocation.
    outgoing: VecDeque<Packet>,
    counters: DeviceCounters,
}

/// Why a packet cannot be sent.
enum Refused {
    /// Part of it lies in the memory of another provider, or outside of this one's.
    Unreadable,
    NoMemory,
    Malformed,
}

impl<D: Device> Shielded<D> {
    /// Gives `inner` the `memory`. What is fetched from it goes into segments of `pool`, which must hold the payload of
    /// the longest packet.
    ///
    /// # Errors
    ///
    /// The memory could not be mapped.
    pub fn new(inner: D, memory: &ShieldedMemory, pool: &Pool) -> io::Result<Shielded<D>> {
        let burst = inner.capabilities().burst.max(1);
        Ok(Shielded {
            inner,
            memory: memory.clone(),
            own: memory.map()?,
            fetched: Chain::arena(pool),
            split: Split::new(memory.slot()),
            outgoing: VecDeque::with_capacity(burst),
            counters: DeviceCounters::default(),
        })
    }

    /// The device inside.
    pub fn inner(&self) -> &D {
        &self.inner
    }

    /// The device inside, for what is not part of [`Device`].
    pub fn inner_mut(&mut self) -> &mut D {
        &mut self.inner
    }

    /// Makes a packet one that the inner device takes. False: it is dropped and counted.
    fn prepare(&mut self, packet: &mut Packet) -> bool {
        let counter = match self.try_prepare(packet) {
            Ok(()) => return true,
            Err(Refused::Unreadable) => &mut self.counters.tx_unreadable,
            Err(Refused::NoMemory) => &mut self.counters.tx_no_memory,
            Err(Refused::Malformed) => &mut self.counters.tx_malformed,
        };
        *counter += 1;
        false
    }

    fn try_prepare(&mut self, packet: &mut Packet) -> Result<(), Refused> {
        if let Some(span) = packet.span().filter(|span| !span.is_readable()) {
            let fetched = self.fetch(span)?;
            packet.set_span(fetched);
        }
        if self.inner.capabilities().offloads.tx_checksum {
            return Ok(());
        }
        packet.complete_checksum().map_err(|_| Refused::Malformed)
    }

    /// A copy of the bytes that the CPU may read.
    fn fetch(&mut self, span: &Span) -> Result<Span, Refused> {
        let room = self.fetched.reserve(span.len());
        let mut room = room.map_err(|_| Refused::NoMemory)?;
        let mut at = 0;
        for extent in span.extents() {
            let into = &mut room[at..at + extent.len()];
            let whole = match extent.device() {
                Some(place) if place.provider == self.memory.provider() => {
                    self.own.copy_out(place.offset, into)
                }
                Some(_) => false,
                None => extent.copy_to(0, into) == Ok(extent.len()),
            };
            if !whole {
                return Err(Refused::Unreadable);
            }
            at += extent.len();
        }
        Ok(room.commit(at))
    }

    /// Hands at most one burst from `from` to the inner device. Returns how many were taken, and whether it has no room
    /// for more.
    fn transmit_burst(&mut self, from: &mut VecDeque<Packet>) -> io::Result<(usize, bool)> {
        let count = from.len().min(self.inner.capabilities().burst.max(1));
        for mut packet in from.drain(..count) {
            if self.prepare(&mut packet) {
                self.outgoing.push_back(packet);
            }
        }
        let result = self.inner.transmit(&mut self.outgoing);
        let unsent = self.outgoing.len();
        while let Some(packet) = self.outgoing.pop_back() {
            from.push_front(packet);
        }
        result.map(|_| (count - unsent, unsent > 0))
    }
}

impl<D: Device> Device for Shielded<D> {
    fn capabilities(&self) -> Capabilities {
        let inner = self.inner.capabilities();
        // Super-packets leave with the checksum partial, so only a device that completes it takes them.
        let cuts = inner.offloads.tx_checksum;
        Capabilities {
            offloads: Offloads {
                tx_checksum: true,
                rx_checksum: true,
                tso: cuts && inner.offloads.tso,
                uso: cuts && inner.offloads.uso,
            },
            device_memory: Some(self.memory.provider()),
            ..inner
        }
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        let start = into.len();
        let result = self.inner.receive(into, max);
        let arrived = into.split_off(start);
        for mut packet in arrived {
            match self.split.apply(&mut packet, &self.memory, &self.own) {
                Ok(()) => into.push(packet),
                Err(split::NoSlot) => self.counters.rx_no_memory += 1,
            }
        }
        result.map(|_| into.len() - start)
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        let mut taken = 0;
        while !from.is_empty() {
            let (sent, stopped) = self.transmit_burst(from)?;
            taken += sent;
            if stopped {
                break;
            }
        }
        Ok(taken)
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.poll_fd()
    }

    fn counters(&self) -> DeviceCounters {
        self.inner.counters().plus(&self.counters)
    }
}

#[cfg(test)]
mod tests;
