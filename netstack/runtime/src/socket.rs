//! One socket of a shard of the stack, owned by the handles that share it, and the one way to wait for it.

mod datagram;
mod gateway;
mod messages;
mod sockets;
mod stream;

pub(crate) use self::gateway::Arrived;
pub(crate) use self::sockets::Sockets;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use netstack_core::{How, Instant, Received, RecvFlags, SocketId, SocketOption, Stack, TcpInfo};
use txbuf::{Completion, IovIter, Ledger};

use crate::Netstack;
use crate::error::IntoIo as _;
use crate::shared::{Shared, State};
use crate::waiters::{Direction, Waiter, WaiterKey};

/// A socket; dropping it closes it.
pub(crate) struct Socket {
    net: Netstack,
    shard: usize,
    id: SocketId,
    /// Room known to be free in the send buffer, so that a send need not ask. Only a hint: another
    /// sender may have taken it.
    room: AtomicUsize,
    /// Dropping the socket resets its connection.
    zero_linger: AtomicBool,
}

impl Socket {
    /// Makes a socket on a shard by `open` and takes ownership of it.
    ///
    /// # Errors
    ///
    /// What `open` returns, `NetworkDown` when the stack was shut down.
    pub(crate) fn open(
        net: &Netstack,
        shard: usize,
        open: impl FnOnce(&mut Stack, Instant) -> io::Result<SocketId>,
    ) -> io::Result<Socket> {
        let id = net.shared(shard).with(|state| {
            let id = open(&mut state.driven.stack, state.clock.now())?;
            state.driven.open.insert(id);
            Ok(id)
        })?;
        Ok(Socket::new(net, shard, id))
    }

    fn new(net: &Netstack, shard: usize, id: SocketId) -> Socket {
        Socket {
            net: net.clone(),
            shard,
            id,
            room: AtomicUsize::new(0),
            zero_linger: AtomicBool::new(false),
        }
    }

    /// The shard that the socket is on.
    fn shared(&self) -> &Shared {
        self.net.shared(self.shard)
    }

    /// Where spans of the application's buffers are listed.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.shared().ledger
    }

    /// Runs `op`; when it would block, leaves the waiter's waker in the same critical section.
    ///
    /// `Pending` without a waiter means that the operation would block.
    pub(crate) fn poll<T>(
        &self,
        direction: Direction,
        waiter: Option<Waiter<'_>>,
        op: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let (result, displaced) = self.shared().with(|state| {
            let result = op(state);
            let displaced = match (result.as_ref().map_err(io::Error::kind), waiter) {
                (Err(io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory), Some(waiter)) => {
                    state.driven.waiters.register(self.id, direction, waiter)
                }
                _ => None,
            };
            Ok((result, displaced))
        })?;
        drop(displaced);
        match result {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory
                ) =>
            {
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }

    /// Waits until something can be done in `direction`, or fails at once.
    #[cfg(feature = "tokio")]
    pub(crate) fn poll_ready(
        &self,
        direction: Direction,
        waiter: Option<Waiter<'_>>,
    ) -> Poll<io::Result<()>> {
        self.poll(direction, waiter, |state| {
            let ready = state.driven.stack.readiness(self.id);
            let ready = ready.map_err(|error| error.into_io())?;
            let able = match direction {
                Direction::Read => ready.readable,
                Direction::Write => ready.writable,
                Direction::Complete => false,
            };
            if able || ready.error || ready.hangup {
                return Ok(());
            }
            if direction == Direction::Write {
                // Who asks for room that is not there hears when it is.
                let _ = state.driven.stack.send_room(self.id);
            }
            Err(io::ErrorKind::WouldBlock.into())
        })
    }

    /// Runs `op` once, without waiting.
    pub(crate) fn attempt<T>(&self, op: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        self.shared().with(op)
    }

    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared().with_quietly(|state| {
            state
                .driven
                .stack
                .local_addr(self.id)
                .map_err(|error| error.into_io())
        })?
    }

    /// # Errors
    ///
    /// `NotConnected` without a peer.
    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.shared().with_quietly(|state| {
            state
                .driven
                .stack
                .peer_addr(self.id)
                .map_err(|error| error.into_io())
        })?
    }

    pub(crate) fn shutdown(&self, how: std::net::Shutdown) -> io::Result<()> {
        let how = match how {
            std::net::Shutdown::Read => How::Read,
            std::net::Shutdown::Write => How::Write,
            std::net::Shutdown::Both => How::Both,
        };
        self.attempt(|state| {
            state
                .driven
                .stack
                .shutdown(self.id, how)
                .map_err(|error| error.into_io())
        })
    }

    pub(crate) fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.attempt(|state| {
            state
                .driven
                .stack
                .set_option(state.clock.now(), self.id, option)
                .map_err(|error| error.into_io())
        })
    }

    /// From now on dropping the socket aborts its connection.
    pub(crate) fn set_zero_linger(&self) {
        self.zero_linger.store(true, Ordering::Relaxed);
    }

    pub(crate) fn tcp_info(&self) -> io::Result<TcpInfo> {
        self.shared().with_quietly(|state| {
            state
                .driven
                .stack
                .tcp_info(self.id)
                .map_err(|error| error.into_io())
        })?
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.attempt(|state| {
            let error = state
                .driven
                .stack
                .take_error(self.id)
                .map_err(|error| error.into_io())?;
            Ok(error.map(|error| error.into_io()))
        })
    }
}

/// What calls of an application wait for: a socket of one shard, or [one of all](Sockets).
pub(crate) trait Waitable {
    /// Takes a waker out that was left and will not be waited for any more.
    fn deregister(&self, direction: Direction, key: WaiterKey);

    /// Receives into `into`: of a stream what there is, or one datagram.
    fn poll_receive(
        &self,
        waiter: Option<Waiter<'_>>,
        into: &mut IovIter<'_>,
        flags: RecvFlags,
    ) -> Poll<io::Result<Received>>;

    /// The next messages that are complete.
    fn poll_completion(&self, waiter: Option<Waiter<'_>>) -> Poll<io::Result<Completion>>;
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A stack that was shut down has closed everything already.
        let _ = self.shared().with(|state| {
            state.driven.open.remove(&self.id);
            let now = state.clock.now();
            if self.zero_linger.load(Ordering::Relaxed) {
                state.driven.stack.abort(now, self.id);
            } else {
                state.driven.stack.close(now, self.id);
            }
            Ok(state.driven.waiters.forget(self.id))
        });
    }
}
