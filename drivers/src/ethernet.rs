//! A Linux TAP device: Ethernet frames outside, IP packets inside.
//!
//! The stack knows no link layer. What Ethernet needs is done here, at its edge: the device owns an address, answers for
//! the stack's addresses by ARP (RFC 826) and neighbour discovery (RFC 4861), and finds the neighbours that packets go
//! to. Everything but the system calls is sans-IO (`Link`).

mod alarm;
mod arp;
mod config;
mod frame;
mod link;
mod mac;
mod ndp;
mod neighbours;
mod network;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use txbuf::{Chain, Packet, Pool};

use crate::netlink::{self, Changes};
use crate::tun::{BURST, Channel, LinkKind};
use crate::{Capabilities, Device, DeviceCounters, TunConfig, TunError};
use alarm::Alarm;
use frame::Frame;
use link::Link;

pub use config::Ethernet;
pub use mac::{Mac, MacError};

/// How soon to try again to send what the kernel had no room for.
const RETRY: Duration = Duration::from_millis(1);

/// A TAP device, for IP packets. The interface goes away with it, unless it is persistent or another process has it open
/// too.
///
/// A packet for a neighbour whose Ethernet address is not known waits until it is, for three seconds at most; of what
/// was lent a copy waits. Thirty-two packets wait for one neighbour and 512 for all; a thousand neighbours are
/// remembered. Router and neighbour solicitations with extension headers in front, router advertisements and redirects
/// are left to the stack, which takes no part in them; a neighbour's address is not looked for twice on the link before
/// it is used (RFC 4862), but somebody else who uses it is counted (`address_conflicts`).
///
/// In all else it is like [`Tun`](crate::Tun), with or without offload: payload is read straight into the pool and
/// written from where it lies, the Ethernet header beside it. Its descriptor is readable also when it is time to ask a
/// neighbour again, which [`receive`](Device::receive) does.
pub struct TapDevice {
    channel: Channel,
    link: Link,
    alarm: Alarm,
    /// Where copies of lent payload wait.
    arena: Chain,
    origin: Instant,
    /// What goes to the kernel in one call. Empty between calls; kept for its allocation.
    outgoing: VecDeque<Frame>,
}

impl TapDevice {
    /// Creates the TAP device that `config` names or attaches to it, as [`Tun::open`](crate::Tun::open) does, for a
    /// stack that has what `ethernet` says on this link. The first thing that it sends tells the neighbours of it.
    ///
    /// # Errors
    ///
    /// Each [`TunError`] says in one sentence what to do.
    pub fn open(config: &TunConfig, ethernet: &Ethernet, pool: &Pool) -> Result<Self, TunError> {
        let channels = Channel::open(LinkKind::Tap, config, std::slice::from_ref(pool))?;
        let channel = channels.into_iter().next().ok_or(TunError::NotAttached)?;
        let alarm = Alarm::new(channel.as_fd()).map_err(|source| {
            if let Some(changes) = channel.changes() {
                // The first error says more.
                let _ = netlink::undo(config.netns.as_ref(), channel.name(), changes);
            }
            TunError::Refused {
                what: "make a timer for the device".to_owned(),
                source,
            }
        })?;
        let of_name = || {
            let addresses = &ethernet.addresses;
            Mac::of_name(&(channel.name(), addresses))
        };
        let mac = ethernet.mac.unwrap_or_else(of_name);
        let [a, b, c, d, e, f] = mac.0;
        let seed = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        Ok(TapDevice {
            link: Link::new(ethernet, mac, seed),
            alarm,
            arena: Chain::arena(pool),
            origin: Instant::now(),
            outgoing: VecDeque::with_capacity(BURST),
            channel,
        })
    }

    /// The name of the interface, as the kernel has it.
    pub fn name(&self) -> &str {
        self.channel.name()
    }

    /// The Ethernet address of the stack's side; the kernel's side has another.
    pub fn mac(&self) -> Mac {
        self.link.mac()
    }

    /// Whether the interface outlives this device.
    pub fn is_persistent(&self) -> bool {
        self.channel.is_persistent()
    }

    /// What [`open`](TapDevice::open) has changed on the kernel's side of the device, for [`netlink::undo`] when a
    /// device that was there before is closed again.
    pub fn changes(&self) -> Option<&Changes> {
        self.channel.changes()
    }

    /// The time since this device was opened.
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Does what is due.
    fn tick(&mut self, now: Duration) {
        if self.link.poll_timeout().is_some_and(|due| due <= now) {
            self.link.handle_timeout(now);
        }
    }

    /// Sends what the link wants to be sent; says whether all of it went.
    fn flush(&mut self) -> io::Result<bool> {
        let ready = self.link.ready();
        if ready.is_empty() {
            return Ok(true);
        }
        self.channel.transmit(ready)?;
        Ok(ready.is_empty())
    }

    /// Makes the descriptor readable in time for whatever comes next.
    fn set_alarm(&mut self, now: Duration) -> io::Result<()> {
        let retry = (!self.link.ready().is_empty()).then(|| now + RETRY);
        let due = self.link.poll_timeout().into_iter().chain(retry).min();
        self.alarm.set(now, due)
    }

    /// Sends up to a burst from the front of `from`; says how many left it, and whether the kernel had no room.
    fn send_burst(
        &mut self,
        now: Duration,
        from: &mut VecDeque<Packet>,
    ) -> io::Result<(usize, bool)> {
        let mut taken = 0;
        while self.outgoing.len() < BURST
            && let Some(packet) = from.pop_front()
        {
            taken += 1;
            let frame = self.link.output(now, packet, &mut self.arena);
            self.outgoing.extend(frame);
        }
        let sent = self.channel.transmit(&mut self.outgoing);
        let is_full = !self.outgoing.is_empty();
        while let Some(frame) = self.outgoing.pop_back() {
            from.push_front(frame.packet);
            taken -= 1;
        }
        sent.map(|_| (taken, is_full))
    }
}

impl Device for TapDevice {
    fn capabilities(&self) -> Capabilities {
        self.channel.capabilities()
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        let now = self.now();
        self.tick(now);
        let before = into.len();
        let link = &mut self.link;
        let read = self.channel.receive(max, |header, packet| {
            into.extend(link.input(now, header, packet));
        });
        let sent = self.flush();
        self.set_alarm(now)?;
        read.and(sent)?;
        Ok(into.len() - before)
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        let now = self.now();
        self.tick(now);
        let mut taken = 0;
        let mut flushed = self.flush();
        while let Ok(true) = flushed
            && !from.is_empty()
        {
            match self.send_burst(now, from) {
                Ok((more, is_full)) => {
                    taken += more;
                    if is_full {
                        break;
                    }
                }
                Err(error) => {
                    self.set_alarm(now)?;
                    return Err(error);
                }
            }
            // Who is asked is asked before more is sent.
            flushed = self.flush();
        }
        self.set_alarm(now)?;
        flushed.map(|_| taken)
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.alarm.as_fd())
    }

    fn counters(&self) -> DeviceCounters {
        self.channel.counters.plus(&self.link.counters())
    }
}

impl fmt::Debug for TapDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.channel.describe("TapDevice", f)
    }
}

#[cfg(test)]
mod tests;
