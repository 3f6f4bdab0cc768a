//! The readiness table: who waits for which socket.
//!
//! Both front ends wait in the same way: under the stack's lock they try, and when the stack says
//! `WouldBlock` they leave a [`Waker`] here before they unlock. The loop fills in the other side from the
//! stack's events under the same lock, so nothing falls between the try and the wait.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use netstack_core::{Event, SocketId};

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Data, a datagram, the end of the stream, or a connection to accept.
    Read,
    /// Room to send, or the end of connecting.
    Write,
    /// The completion of a message.
    Complete,
}

/// The identity of one waiter: its next registration replaces its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaiterKey(u64);

impl WaiterKey {
    /// A key that no other waiter of this process has.
    pub(crate) fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        WaiterKey(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Somebody who can wait: without one, an operation is tried once and not waited for.
#[derive(Clone, Copy)]
pub(crate) struct Waiter<'a> {
    pub(crate) key: WaiterKey,
    pub(crate) waker: &'a Waker,
}

/// Wakers by socket and direction.
///
/// Bounded by the number of handles and of calls in progress: each has one key, and takes its entry
/// out when it ends.
#[derive(Default)]
pub(crate) struct Waiters {
    sockets: HashMap<SocketId, Sides>,
}

/// Who waits for one socket.
#[derive(Default)]
pub(crate) struct Sides {
    read: Vec<(WaiterKey, Waker)>,
    write: Vec<(WaiterKey, Waker)>,
    complete: Vec<(WaiterKey, Waker)>,
}

impl Sides {
    fn side(&mut self, direction: Direction) -> &mut Vec<(WaiterKey, Waker)> {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
            Direction::Complete => &mut self.complete,
        }
    }
}

impl Waiters {
    /// Leaves a waker for `direction` of `socket`, and returns the one that the same key left before.
    ///
    /// Wakers are never dropped in here: the last one of a task may drop the task, which may own a socket
    /// and want the lock that the caller holds.
    #[must_use = "drop it after the lock is given back"]
    pub(crate) fn register(
        &mut self,
        socket: SocketId,
        direction: Direction,
        waiter: Waiter<'_>,
    ) -> Option<Waker> {
        put(
            self.sockets.entry(socket).or_default().side(direction),
            waiter,
        )
    }

    /// Takes the waker of `key` out.
    #[must_use = "drop it after the lock is given back"]
    pub(crate) fn deregister(
        &mut self,
        socket: SocketId,
        direction: Direction,
        key: WaiterKey,
    ) -> Option<Waker> {
        self.sockets
            .get_mut(&socket)
            .and_then(|sides| take(sides.side(direction), key))
    }

    /// Moves the wakers that `event` concerns to `woken`, to be woken after the lock is given back.
    pub(crate) fn notify(&mut self, event: &Event, woken: &mut Vec<Waker>) {
        let Some(sides) = self.sockets.get_mut(&event.socket) else {
            return;
        };
        if event.readable || event.closed {
            woken.extend(sides.read.drain(..).map(|(_, waker)| waker));
        }
        if event.writable || event.connected || event.closed {
            woken.extend(sides.write.drain(..).map(|(_, waker)| waker));
        }
        if event.completed {
            woken.extend(sides.complete.drain(..).map(|(_, waker)| waker));
        }
    }

    /// Takes out everything about a socket whose handle is gone.
    #[must_use = "drop it after the lock is given back"]
    pub(crate) fn forget(&mut self, socket: SocketId) -> Option<Sides> {
        self.sockets.remove(&socket)
    }

    /// Moves all wakers to `woken`: the stack is gone, and everybody shall see it.
    pub(crate) fn notify_all(&mut self, woken: &mut Vec<Waker>) {
        for (_, sides) in self.sockets.drain() {
            let waiting = [sides.read, sides.write, sides.complete];
            woken.extend(waiting.into_iter().flatten().map(|(_, waker)| waker));
        }
    }
}

fn put(list: &mut Vec<(WaiterKey, Waker)>, waiter: Waiter<'_>) -> Option<Waker> {
    match list.iter_mut().find(|(key, _)| *key == waiter.key) {
        Some((_, waker)) if waker.will_wake(waiter.waker) => None,
        Some((_, waker)) => Some(mem::replace(waker, waiter.waker.clone())),
        None => {
            list.push((waiter.key, waiter.waker.clone()));
            None
        }
    }
}

fn take(list: &mut Vec<(WaiterKey, Waker)>, key: WaiterKey) -> Option<Waker> {
    let index = list.iter().position(|(other, _)| *other == key)?;
    Some(list.swap_remove(index).1)
}

#[cfg(test)]
mod tests;
