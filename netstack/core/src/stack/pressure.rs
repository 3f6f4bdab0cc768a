//! When what devices receive into is near its cap: queues that nobody reads are copied out of it.

use super::Stack;
use super::table::Socket;
use crate::Instant;
use crate::ip::IfaceId;
use crate::stack::ConfigError;
use crate::storage;
use core::time::Duration;
use txbuf::{Account, Chain, Packet};

/// How soon the queues are gone through again, first and at most: each time that there was nothing to copy,
/// because somebody else holds the storage, doubles it.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);
/// Sockets that are looked at in one go, and how soon it goes on: nobody waits for a walk over a million.
const AT_ONCE: u32 = 4096;
const BREATH: Duration = Duration::from_millis(1);

/// The arenas of the devices, and how far their relief is.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    arenas: Vec<Account>,
    /// The slot to begin with, so that every socket has its turn.
    next: u32,
    /// Slots that were looked at since all were, and whether any had something to copy.
    looked: u32,
    helped: bool,
    not_before: Instant,
    pause: Duration,
}

impl Pressure {
    /// Whether an arena is near its cap.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.arenas.iter().any(Account::is_pressed)
    }

    /// When the queues are to be gone through next, whether or not packets come: an arena at its cap lets none
    /// in.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.is_on().then_some(self.not_before)
    }

    /// All sockets were looked at, or it is no use: how long until the next look.
    fn rest(&mut self) -> Duration {
        let longer = (2 * self.pause).clamp(PAUSE, LONGEST);
        self.pause = if self.helped { PAUSE } else { longer };
        (self.looked, self.helped) = (0, false);
        self.pause
    }
}

impl Stack {
    /// Tells the stack what the storage is charged to that the device of `iface` receives into
    /// ([`Pool::charged_to`](txbuf::Pool::charged_to)).
    ///
    /// While the account is under pressure, what arrives is copied out of the arena, and receive queues are until
    /// it is not; spans of it are not given to applications to keep. A reader that does not read, or does not
    /// let go, never keeps others from receiving. When the stack itself is short of storage too, a connection
    /// that has not read 8 KiB receives nothing more. Not needed for a device without an arena of its own.
    ///
    /// # Errors
    ///
    /// No such interface.
    pub fn set_arena(&mut self, iface: IfaceId, account: Account) -> Result<(), ConfigError> {
        self.interface(iface).ok_or(ConfigError::Interface(iface))?;
        self.pressure.arenas.push(account);
        Ok(())
    }

    /// Copies receive queues out of the arenas, one socket after the other, as long as one is pressed and the
    /// stack is not short of storage itself.
    pub(super) fn relieve(&mut self, now: Instant) {
        if !self.pressure.is_on() || now < self.pressure.not_before {
            return;
        }
        let slots = self.table.slots();
        for _ in 0..AT_ONCE.min(slots) {
            if !self.vacates_arenas() {
                break;
            }
            let number = self.pressure.next % slots;
            self.pressure.next = number + 1;
            self.pressure.looked += 1;
            if let Some(socket) = self.table.in_slot(number) {
                let copied = evacuate(socket, &mut self.small) as u64;
                self.counters.ip.evacuated_bytes += copied;
                self.pressure.helped |= copied > 0;
            }
        }
        let whole = self.pressure.looked >= slots;
        let pause = if whole || !self.vacates_arenas() {
            self.pressure.rest()
        } else {
            BREATH
        };
        self.pressure.not_before = now + pause;
    }

    /// Whether what lies in an arena is copied before it is queued: one is near its cap, and the stack has storage.
    pub(super) fn vacates_arenas(&self) -> bool {
        self.pressure.is_on() && !self.pools.account.is_pressed()
    }

    /// Copies the payload of a packet that was received out of the arena, while that is near its cap.
    pub(super) fn take_out_of_arena(&mut self, packet: &mut Packet) {
        if self.vacates_arenas() {
            self.copy_out_of_arena(packet);
        }
    }

    /// Copies the payload of a packet out of whatever arena it lies in, if there is storage for that.
    pub(super) fn copy_out_of_arena(&mut self, packet: &mut Packet) {
        if let Some(mut span) = packet.take_span() {
            let copied = storage::evacuate_one(&mut span, &mut self.small);
            self.counters.ip.evacuated_bytes += copied as u64;
            packet.set_span(span);
        }
    }
}

fn evacuate(socket: &mut Socket, small: &mut Chain) -> usize {
    match socket {
        Socket::Tcp(tcp) => tcp.connection.rcv.evacuate(small),
        Socket::Datagram(entry) => entry.socket.evacuate(small),
        Socket::Bound(_) | Socket::Listener(_) | Socket::Gateway(_) => 0,
    }
}

#[cfg(test)]
mod tests;
