use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use drivers::{Capabilities, Device, DeviceCounters};
use netstack_core::{Config, IfaceId, Instant, InterfaceConfig, Stack};
use txbuf::{Offloads, Packet};

use super::{Came, LONGEST_WAIT, Port};

const BURST: usize = 4;

/// A device that takes as much as it is told to, or fails.
struct Scripted {
    room: usize,
    broken: bool,
}

impl Device for Scripted {
    fn capabilities(&self) -> Capabilities {
        Capabilities::plain(1500, BURST)
    }

    fn receive(&mut self, into: &mut Vec<Packet>, _: usize) -> io::Result<usize> {
        if self.broken {
            return Err(io::ErrorKind::NotConnected.into());
        }
        into.push(Packet::new());
        Ok(1)
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        let taken = self.room.min(from.len());
        from.drain(..taken);
        Ok(taken)
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn counters(&self) -> DeviceCounters {
        DeviceCounters::default()
    }
}

fn iface() -> IfaceId {
    let mut stack = Stack::new(Config::new([0; 32]));
    let config = InterfaceConfig {
        name: "test".into(),
        mtu: 1500,
        offloads: Offloads::default(),
    };
    stack.add_interface(config).unwrap()
}

fn port(room: usize, broken: bool) -> Port {
    Port::new(
        "test".into(),
        iface(),
        0,
        Box::new(Scripted { room, broken }),
    )
}

#[test]
fn nothing_is_pulled_while_the_device_is_full() {
    let mut port = port(1, false);
    let mut supply = 0;
    let mut next = || {
        supply += 1;
        Some(Packet::new())
    };
    assert!(port.pull(&mut next));
    assert!(port.transmit(Instant::from_secs(1)));
    assert!(
        !port.pull(&mut next),
        "the device left packets, so that it is full"
    );
    assert!(port.wake_at(Instant::from_secs(1)).is_some());
    for _ in 0..3 {
        assert!(port.transmit(Instant::from_secs(1)));
    }
    assert!(port.is_drained());
    assert!(
        port.pull(&mut next),
        "everything was taken, so that there is room again"
    );
    assert_eq!(
        supply,
        2 * BURST,
        "a burst at a time, and no packet was lost"
    );
}

#[test]
fn what_waits_for_a_device_that_takes_nothing_is_dropped() {
    let mut port = port(0, false);
    let start = Instant::from_secs(1);
    port.pull(|| Some(Packet::new()));
    assert!(port.takes(start));
    assert!(!port.transmit(start));
    assert!(!port.takes(start));
    let longest = start + LONGEST_WAIT;
    assert!(!port.is_stuck(longest));
    assert_eq!(port.expire(longest), 0);
    let later = longest + Duration::from_nanos(1);
    assert!(port.is_stuck(later));
    assert_eq!(port.expire(later), BURST);
    assert!(port.is_drained() && port.takes(later), "others are offered");
}

#[test]
fn a_device_that_failed_is_left_alone_for_a_while() {
    let mut port = port(0, true);
    let start = Instant::from_secs(1);
    assert_eq!(port.receive(start, 64), Came::Nothing);
    assert_eq!(port.status().receive_errors, 1);
    assert!(port.status().error.is_some());
    assert_eq!(
        port.receive(start + Duration::from_millis(1), 64),
        Came::Nothing
    );
    assert_eq!(
        port.status().receive_errors,
        1,
        "it was not asked again yet"
    );
    let later = port.wake_at(start).expect("it is tried again");
    assert_eq!(port.receive(later, 64), Came::Nothing);
    assert_eq!(port.status().receive_errors, 2);
}
