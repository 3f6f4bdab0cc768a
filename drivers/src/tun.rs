//! A Linux TUN device: a packet for each read and write, which with offload is a super-packet of up to 64 KiB.

mod backend;
mod batch;
mod channel;
mod error;
mod kind;
mod napi;
mod offload;
mod open;
mod outgoing;
mod reader;
mod receive;
mod transmit;
mod vnet;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use txbuf::{Packet, Pool};

use crate::netlink::Changes;
use crate::{Capabilities, Device, DeviceCounters};

pub use backend::Backend;
pub(crate) use channel::{BURST, Channel};
pub use error::TunError;
pub(crate) use kind::ETHERNET;
pub use kind::LinkKind;
pub use offload::VnetHeader;
pub use open::TunConfig;
pub(crate) use outgoing::Outgoing;

/// A TUN device. The interface goes away with it, unless it is persistent or another process has it open too.
///
/// Payload is read straight into the pool given at opening, side by side for packets that follow each other; those that
/// fit a packet's header area are copied there and hold no pool memory. When the pool is at its cap, small packets (acknowledgements above all) are still
/// received, and others are dropped and counted.
///
/// What is sent is written from where it lies, lent memory too, which is not looked at here. Three kinds of packets are
/// copied into one piece before, which takes less than the kernel takes for several: those that fit a packet's header
/// area, those of more than 30 pieces, and segments of up to 2 KiB whose payload was just read to be summed. What lies in the memory of a device is dropped and counted.
///
/// With offload (`TunConfig::offload`) what the kernel would cut and sum it leaves alone, in both directions: neither
/// side touches payload but for the one copy at the device. The pool's segments must then be of 128 KiB at
/// least: room for two of the longest, so that short packets lie densely, and what holds one pins at most as much again.
pub struct Tun {
    channel: Channel,
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
        let channels = Channel::open(LinkKind::Tun, config, pools)?;
        Ok(channels
            .into_iter()
            .map(|channel| Tun { channel })
            .collect())
    }

    /// Takes over a descriptor that is attached to a TUN device already, and makes it non-blocking. With a virtio header
    /// in front of its packets, of ten or twelve bytes, offloads are agreed on anew; without one it is a plain device.
    ///
    /// The MTU is looked up by the device's name in the calling thread's network namespace; give it as `mtu` if the
    /// device is in another.
    ///
    /// # Errors
    ///
    /// The descriptor is not of a TUN device, or of one with packet information in front of its packets, or a virtio
    /// header of an unknown length; [`TunError::NoRing`].
    pub fn adopt(
        fd: OwnedFd,
        mtu: Option<usize>,
        backend: Backend,
        pool: &Pool,
    ) -> Result<Tun, TunError> {
        let channel = Channel::new(open::adopt(fd, mtu, backend)?, pool)?;
        Ok(Tun { channel })
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
        let channel = Channel::new(open::adopt_number(number, mtu, backend)?, pool)?;
        Ok(Tun { channel })
    }

    /// The name of the interface, as the kernel has it.
    pub fn name(&self) -> &str {
        self.channel.name()
    }

    /// Whether the interface outlives this device.
    pub fn is_persistent(&self) -> bool {
        self.channel.is_persistent()
    }

    /// What [`open`](Tun::open) has changed on the kernel's side of the device, for
    /// [`netlink::undo`](crate::netlink::undo) when a device that was there before is closed again. Of an adopted
    /// descriptor, and of a queue that is not the first: nothing.
    pub fn changes(&self) -> Option<&Changes> {
        self.channel.changes()
    }
}

impl Device for Tun {
    fn capabilities(&self) -> Capabilities {
        self.channel.capabilities()
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        let before = into.len();
        let read = self.channel.receive(max, |_, packet| into.push(packet));
        read.map(|()| into.len() - before)
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        self.channel.transmit(from)
    }

    fn transmit_summed(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        self.channel.transmit_joined(from)
    }

    fn receive_whole(&mut self) {
        self.channel.receive_whole();
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.channel.as_fd())
    }

    fn counters(&self) -> DeviceCounters {
        self.channel.counters
    }
}

impl fmt::Debug for Tun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.channel.describe("Tun", f)
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

#[cfg(test)]
mod tests;
