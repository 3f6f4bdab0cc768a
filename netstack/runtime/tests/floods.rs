//! Packets that come faster than they are wanted, and that nobody answers.

mod common;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::cidr;
use netstack::drivers::{Capabilities, Device, DeviceCounters};
use netstack::txbuf::Packet;
use netstack::{Interface, Netstack};
use rustix::event::{EventfdFlags, eventfd};

/// A device that always has as many packets as it is asked for.
struct Flood {
    readable: OwnedFd,
    asked: Arc<Asked>,
}

/// What a device was asked for.
#[derive(Default)]
struct Asked {
    times: AtomicU64,
    packets: AtomicU64,
}

impl Device for Flood {
    fn capabilities(&self) -> Capabilities {
        Capabilities::plain(1500, 64)
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        self.asked.times.fetch_add(1, Ordering::Relaxed);
        self.asked.packets.fetch_add(max as u64, Ordering::Relaxed);
        // For an address that the stack has not.
        let packet = || Packet::inline(&[0x45; 28]).expect("short");
        into.extend((0..max).map(|_| packet()));
        Ok(max)
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        let taken = from.len();
        from.clear();
        Ok(taken)
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.readable.as_fd())
    }

    fn counters(&self) -> DeviceCounters {
        DeviceCounters::default()
    }
}

#[test]
fn what_nobody_answers_is_taken_in_batches() {
    for busy_poll in [Duration::ZERO, Duration::from_millis(1)] {
        let asked = Arc::<Asked>::default();
        let flood = Flood {
            readable: eventfd(1, EventfdFlags::CLOEXEC).expect("a descriptor"),
            asked: Arc::clone(&asked),
        };
        let stack = Netstack::builder()
            .interface(Interface::new("flood", flood).address(cidr("10.0.0.1/24")))
            .busy_poll(busy_poll)
            .start()
            .expect("a stack");
        thread::sleep(Duration::from_millis(200));
        stack.shutdown(Duration::ZERO).expect("it runs");
        let [times, packets] = [&asked.times, &asked.packets].map(|n| n.load(Ordering::Relaxed));
        assert!(
            packets > 16 * times,
            "{packets} packets in {times} calls, busy polling for {busy_poll:?}"
        );
    }
}
