use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use netstack_core::{Config, Event, InterfaceConfig, SocketId, Stack};
use txbuf::Offloads;

use super::{Direction, Waiter, WaiterKey, Waiters};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::<Count>::default();
    (Arc::clone(&count), Waker::from(count))
}

fn sockets() -> [SocketId; 2] {
    let mut stack = Stack::new(Config::new([0; 32]));
    let config = InterfaceConfig {
        name: "test".into(),
        mtu: 1500,
        offloads: Offloads::default(),
    };
    let iface = stack.add_interface(config).unwrap();
    stack
        .add_address(iface, "10.0.0.1/24".parse().unwrap())
        .unwrap();
    let any: SocketAddr = "10.0.0.1:0".parse().unwrap();
    [stack.udp_bind(any).unwrap(), stack.udp_bind(any).unwrap()]
}

fn event(socket: SocketId) -> Event {
    Event {
        socket,
        readable: false,
        writable: false,
        connected: false,
        closed: false,
        completed: false,
        urgent: false,
        stamped: false,
    }
}

/// One that waits with `waker` and is like no other.
fn waiter(waker: &Waker) -> Waiter<'_> {
    let key = WaiterKey::unique();
    Waiter { key, waker }
}

fn wake(waiters: &mut Waiters, event: Event) {
    let mut woken = Vec::new();
    waiters.notify(&event, &mut woken);
    woken.into_iter().for_each(Waker::wake);
}

#[test]
fn an_event_wakes_its_direction_of_its_socket_once() {
    let [one, other] = sockets();
    let mut waiters = Waiters::default();
    let (reads, read) = counting();
    let (writes, write) = counting();
    let (others, another) = counting();
    assert!(
        waiters
            .register(one, Direction::Read, waiter(&read))
            .is_none()
    );
    assert!(
        waiters
            .register(one, Direction::Write, waiter(&write))
            .is_none()
    );
    assert!(
        waiters
            .register(other, Direction::Read, waiter(&another))
            .is_none()
    );
    for _ in 0..2 {
        wake(
            &mut waiters,
            Event {
                readable: true,
                ..event(one)
            },
        );
    }
    assert_eq!(reads.0.load(Ordering::Relaxed), 1);
    assert_eq!(writes.0.load(Ordering::Relaxed), 0);
    wake(
        &mut waiters,
        Event {
            closed: true,
            ..event(one)
        },
    );
    assert_eq!(writes.0.load(Ordering::Relaxed), 1);
    assert_eq!(others.0.load(Ordering::Relaxed), 0);
}

#[test]
fn all_who_wait_are_woken_and_a_key_counts_once() {
    let [socket, _] = sockets();
    let mut waiters = Waiters::default();
    let (first, waker) = counting();
    let (second, replacement) = counting();
    let (third, another) = counting();
    let key = WaiterKey::unique();
    assert!(
        waiters
            .register(socket, Direction::Read, Waiter { key, waker: &waker })
            .is_none()
    );
    assert!(
        waiters
            .register(
                socket,
                Direction::Read,
                Waiter {
                    key,
                    waker: &replacement
                }
            )
            .is_some()
    );
    assert!(
        waiters
            .register(socket, Direction::Read, waiter(&another))
            .is_none()
    );
    wake(
        &mut waiters,
        Event {
            readable: true,
            ..event(socket)
        },
    );
    let counts = [first, second, third].map(|count| count.0.load(Ordering::Relaxed));
    assert_eq!(counts, [0, 1, 1]);
}

#[test]
fn whoever_left_is_not_woken() {
    let [socket, _] = sockets();
    let mut waiters = Waiters::default();
    let (count, waker) = counting();
    let key = WaiterKey::unique();
    assert!(
        waiters
            .register(socket, Direction::Read, Waiter { key, waker: &waker })
            .is_none()
    );
    assert!(waiters.deregister(socket, Direction::Read, key).is_some());
    wake(
        &mut waiters,
        Event {
            readable: true,
            closed: true,
            ..event(socket)
        },
    );
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
}

#[test]
fn at_the_end_everybody_is_told() {
    let [one, other] = sockets();
    let mut waiters = Waiters::default();
    let (count, waker) = counting();
    assert!(
        waiters
            .register(one, Direction::Read, waiter(&waker))
            .is_none()
    );
    assert!(
        waiters
            .register(other, Direction::Write, waiter(&waker))
            .is_none()
    );
    let mut woken = Vec::new();
    waiters.notify_all(&mut woken);
    woken.into_iter().for_each(Waker::wake);
    assert_eq!(count.0.load(Ordering::Relaxed), 2);
}
