//! One device of the loop, with the packets on their way to and from it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;
use std::vec;

use drivers::Device;
use netstack_core::{IfaceId, Instant};
use txbuf::Packet;

use crate::shared::InterfaceStatus;

/// How soon to offer packets again to a device that was full, in case its descriptor says nothing.
const FULL_RETRY: Duration = Duration::from_millis(1);

/// How soon to try a device again that failed, for example because somebody set its link down.
const FAILED_RETRY: Duration = Duration::from_millis(100);

/// A device that takes nothing for so long is down: who sent what waits for it will have sent it again.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What a device had when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Came {
    Nothing,
    /// One packet, as it was on the wire.
    Alone,
    Several,
    /// As many as are taken together: there may be more.
    Burst,
}

/// A device with its two bounded queues.
pub(crate) struct Port {
    name: String,
    id: IfaceId,
    shard: usize,
    device: Box<dyn Device>,
    burst: usize,
    burst_bytes: usize,
    inbox: Vec<Packet>,
    outbox: VecDeque<Packet>,
    /// The device took fewer packets than it was given: nothing more is pulled out of the stack for it.
    full: bool,
    /// The device failed, and is left alone until then.
    failed_until: Option<Instant>,
    /// Since when it has taken nothing of what it was given.
    stuck_since: Option<Instant>,
    error: Option<Arc<io::Error>>,
    receive_errors: u64,
    transmit_errors: u64,
}

impl Port {
    pub(crate) fn new(name: String, id: IfaceId, shard: usize, device: Box<dyn Device>) -> Self {
        let capabilities = device.capabilities();
        let burst = capabilities.burst.max(1);
        Port {
            name,
            id,
            shard,
            device,
            burst,
            burst_bytes: capabilities.burst_bytes,
            inbox: Vec::with_capacity(burst),
            outbox: VecDeque::with_capacity(burst),
            full: false,
            failed_until: None,
            stuck_since: None,
            error: None,
            receive_errors: 0,
            transmit_errors: 0,
        }
    }

    pub(crate) fn id(&self) -> IfaceId {
        self.id
    }

    /// Takes a batch of at most `most` packets from the device.
    pub(crate) fn receive(&mut self, now: Instant, most: usize) -> Came {
        if self.rests(now) {
            return Came::Nothing;
        }
        match self.device.receive(&mut self.inbox, self.burst.min(most)) {
            Ok(_) => self.error = None,
            Err(error) => {
                self.receive_errors += 1;
                self.fail(now, error);
            }
        }
        match &self.inbox[..] {
            [] => Came::Nothing,
            packets if packets.len() >= self.burst => Came::Burst,
            [packet] if packet.meta.gso.is_none() => Came::Alone,
            _ => Came::Several,
        }
    }

    /// What was received, for the stack.
    pub(crate) fn received(&mut self) -> vec::Drain<'_, Packet> {
        self.inbox.drain(..)
    }

    /// Pulls packets out of the stack while there is room for them; says whether there were any.
    pub(crate) fn pull(&mut self, mut next: impl FnMut() -> Option<Packet>) -> bool {
        let before = self.outbox.len();
        let mut bytes = self.outbox.iter().map(Packet::len).sum::<usize>();
        while !self.full
            && self.outbox.len() < self.burst
            && (bytes < self.burst_bytes || self.outbox.is_empty())
            && let Some(packet) = next()
        {
            bytes += packet.len();
            self.outbox.push_back(packet);
        }
        self.outbox.len() > before
    }

    /// Gives the device what was pulled; says whether it took something.
    pub(crate) fn transmit(&mut self, now: Instant) -> bool {
        if self.outbox.is_empty() || self.rests(now) {
            return false;
        }
        match self.device.transmit(&mut self.outbox) {
            Ok(taken) => {
                self.full = !self.outbox.is_empty();
                self.stuck_since = self.stuck_since.or(Some(now)).filter(|_| taken == 0);
                taken > 0
            }
            Err(error) => {
                self.transmit_errors += 1;
                self.stuck_since.get_or_insert(now);
                self.fail(now, error);
                false
            }
        }
    }

    /// Whether the device is offered what is pulled now.
    pub(crate) fn takes(&self, now: Instant) -> bool {
        !self.full && self.failed_until.is_none_or(|until| until <= now)
    }

    /// Whether the device has taken nothing for longer than anything is to wait for it.
    pub(crate) fn is_stuck(&self, now: Instant) -> bool {
        self.stuck_since
            .is_some_and(|since| now.since(since) > LONGEST_WAIT)
    }

    /// Drops what a device that is stuck was to send; returns how many packets. It is offered others then.
    pub(crate) fn expire(&mut self, now: Instant) -> usize {
        self.rests(now);
        if !self.is_stuck(now) {
            return 0;
        }
        self.full = false;
        self.outbox.drain(..).count()
    }

    /// Whether everything that was pulled has left.
    pub(crate) fn is_drained(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Packets that were pulled and have not left.
    pub(crate) fn unsent(&self) -> usize {
        self.outbox.len()
    }

    /// When the device needs another look of its own accord.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.failed_until
            .or_else(|| self.full.then(|| now + FULL_RETRY))
    }

    /// What to sleep on; nothing while the device rests.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.device
            .poll_fd()
            .filter(|_| self.failed_until.is_none())
    }

    pub(crate) fn status(&self) -> InterfaceStatus {
        InterfaceStatus {
            name: self.name.clone(),
            id: self.id,
            shard: self.shard,
            device: self.device.counters(),
            error: self.error.clone(),
            receive_errors: self.receive_errors,
            transmit_errors: self.transmit_errors,
        }
    }

    /// Brings `status` up to date.
    pub(crate) fn refresh(&self, status: &mut InterfaceStatus) {
        status.device = self.device.counters();
        status.error.clone_from(&self.error);
        status.receive_errors = self.receive_errors;
        status.transmit_errors = self.transmit_errors;
    }

    pub(crate) fn into_device(self) -> (String, Box<dyn Device>) {
        (self.name, self.device)
    }

    fn rests(&mut self, now: Instant) -> bool {
        self.failed_until = self.failed_until.filter(|until| *until > now);
        self.failed_until.is_some()
    }

    fn fail(&mut self, now: Instant, error: io::Error) {
        // Each failure is counted; a line for the first of a row and then for every hundredth keeps
        // a link that stays down out of the log.
        let errors = self.receive_errors + self.transmit_errors;
        if errors % 100 == 1 {
            tracing::warn!(interface = %self.name, %error, errors, "device failed, will be tried again");
        }
        self.error = Some(Arc::new(error));
        self.failed_until = Some(now + FAILED_RETRY);
    }
}

#[cfg(test)]
mod tests;
