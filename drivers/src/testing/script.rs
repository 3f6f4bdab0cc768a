//! A device that does as it is told.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

use txbuf::{Offloads, Packet};

use crate::{Capabilities, Device, DeviceCounters};

/// Takes as many packets in each call as its script says, then all.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) capabilities: Capabilities,
    /// How many packets the next calls take; `None` makes the call fail.
    pub(crate) script: VecDeque<Option<usize>>,
    pub(crate) sent: Vec<Packet>,
    /// What the next call receives.
    pub(crate) arriving: Vec<Packet>,
}

impl Scripted {
    pub(crate) fn new(
        offloads: Offloads,
        script: impl IntoIterator<Item = Option<usize>>,
    ) -> Scripted {
        let capabilities = Capabilities {
            offloads,
            ..Capabilities::plain(1500, 64)
        };
        Scripted {
            capabilities,
            script: script.into_iter().collect(),
            sent: Vec::new(),
            arriving: Vec::new(),
        }
    }
}

impl Device for Scripted {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        let count = max.min(self.arriving.len());
        into.extend(self.arriving.drain(..count));
        Ok(count)
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        let count = match self.script.pop_front() {
            Some(Some(count)) => count.min(from.len()),
            Some(None) => return Err(io::ErrorKind::NetworkDown.into()),
            None => from.len(),
        };
        self.sent.extend(from.drain(..count));
        Ok(count)
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn counters(&self) -> DeviceCounters {
        DeviceCounters::default()
    }
}
