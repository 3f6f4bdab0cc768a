//! What a TCP socket does, said once for both front ends.
//!
//! Payload is copied outside the lock of the stack: on the way out into segments that the socket then
//! adopts, on the way in from spans that were taken from its receive queue.

use std::cmp;
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, ready};

use netstack_core::{RecvFlags, SendControl, SendFlags};
use txbuf::{IovIter, Span};

use super::Socket;
use crate::Netstack;
use crate::error::IntoIo as _;
use crate::shared::State;
use crate::waiters::{Direction, Waiter};

/// Segments filled before the lock is taken: what one send can hand over.
const STAGED_SEGMENTS: usize = 4;

impl Socket {
    /// Starts a listener.
    pub(crate) fn listen(net: &Netstack, local: SocketAddr, backlog: usize) -> io::Result<Socket> {
        Socket::open(net, |stack, _| {
            stack
                .tcp_listen(local, backlog)
                .map_err(|error| error.into_io())
        })
    }

    /// Starts to connect; [`poll_connected`](Socket::poll_connected) says how it ended.
    pub(crate) fn connect(net: &Netstack, remote: SocketAddr) -> io::Result<Socket> {
        Socket::open(net, |stack, now| {
            stack
                .tcp_connect(now, remote, None)
                .map_err(|error| error.into_io())
        })
    }

    /// Takes a connection from the listener's queue.
    pub(crate) fn poll_accept(
        &self,
        waiter: Option<Waiter<'_>>,
    ) -> Poll<io::Result<(Socket, SocketAddr)>> {
        let accepted = self.poll(Direction::Read, waiter, |state| {
            let accepted = state
                .stack
                .tcp_accept(self.id)
                .map_err(|error| error.into_io())?;
            state.open.insert(accepted.0);
            Ok(accepted)
        });
        accepted.map_ok(|(id, peer)| {
            (
                Socket {
                    net: self.net.clone(),
                    id,
                    room: AtomicUsize::new(0),
                    zero_linger: AtomicBool::new(false),
                },
                peer,
            )
        })
    }

    /// Whether connecting has succeeded, or why it failed.
    pub(crate) fn poll_connected(&self, waiter: Option<Waiter<'_>>) -> Poll<io::Result<()>> {
        self.poll(Direction::Write, waiter, |state| {
            if let Some(error) = state
                .stack
                .take_error(self.id)
                .map_err(|error| error.into_io())?
            {
                return Err(error.into_io());
            }
            let readiness = state
                .stack
                .readiness(self.id)
                .map_err(|error| error.into_io())?;
            if readiness.connecting {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(())
            }
        })
    }

    /// Sends from the front of `bufs`; says how many bytes the socket took over.
    pub(crate) fn poll_send(
        &self,
        waiter: Option<Waiter<'_>>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let total = bufs.iter().map(|buf| buf.len()).sum::<usize>();
        // A segment of which less than a quarter is used would pin more than four times what it
        // holds: less than that is copied into the socket's own tail, under the lock.
        let small = self.net.shared().send_pool.segment() / 4;
        let mut staged = VecDeque::new();
        if total > small {
            let room = match self.room.load(Ordering::Relaxed) {
                0 => ready!(self.poll_room(waiter))?,
                room => room,
            };
            staged = self.stage(bufs, cmp::min(total, room), small);
        }
        self.poll(Direction::Write, waiter, |state| {
            if staged.is_empty() {
                let mut from = IovIter::source(bufs);
                from.truncate(small);
                self.send(state, &mut from)
            } else {
                self.send(state, &mut IovIter::spans(&mut staged))
            }
        })
    }

    /// Moves at most `max` bytes of the stream to `into`; 0 bytes are the end of the stream.
    pub(crate) fn poll_receive(
        &self,
        waiter: Option<Waiter<'_>>,
        max: usize,
        into: &mut VecDeque<Span>,
    ) -> Poll<io::Result<usize>> {
        self.poll(Direction::Read, waiter, |state| {
            let mut into = IovIter::collect(into, max);
            let received = state
                .stack
                .receive_message(self.id, &mut into, RecvFlags::default())
                .map_err(|error| error.into_io())?;
            Ok(received.bytes)
        })
    }

    /// Copies from the front of the stream and leaves it there.
    pub(crate) fn poll_peek(
        &self,
        waiter: Option<Waiter<'_>>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(Direction::Read, waiter, |state| {
            let mut bufs = [IoSliceMut::new(buf)];
            let mut into = IovIter::sink(&mut bufs);
            let received = state
                .stack
                .receive_message(self.id, &mut into, RecvFlags::PEEK)
                .map_err(|error| error.into_io())?;
            Ok(received.bytes)
        })
    }

    fn poll_room(&self, waiter: Option<Waiter<'_>>) -> Poll<io::Result<usize>> {
        self.poll(Direction::Write, waiter, |state| {
            state
                .stack
                .send_room(self.id)
                .map_err(|error| error.into_io())
        })
    }

    /// Copies from the front of `bufs` into segments of their own, as many as are well used.
    ///
    /// Nothing when the pool has no segment left: then the socket's own tail is tried, and the wait is
    /// for memory.
    fn stage(&self, bufs: &[IoSlice<'_>], mut wanted: usize, small: usize) -> VecDeque<Span> {
        let mut staged = VecDeque::with_capacity(STAGED_SEGMENTS);
        let mut from = IovIter::source(bufs);
        while wanted > small && staged.len() < STAGED_SEGMENTS {
            let Ok(mut segment) = self.net.shared().send_pool.reserve() else {
                break;
            };
            let room = cmp::min(wanted, segment.len());
            let copied = from.copy_from(&mut segment[..room]);
            staged.push_back(segment.commit(copied));
            wanted -= copied;
        }
        staged
    }

    fn send(&self, state: &mut State, from: &mut IovIter<'_>) -> io::Result<usize> {
        let sent =
            state
                .stack
                .send_message(self.id, from, SendFlags::default(), &SendControl::default());
        // After a success there is no error that this question could take away.
        let room = sent.ok().and_then(|_| state.stack.send_room(self.id).ok());
        self.room.store(room.unwrap_or(0), Ordering::Relaxed);
        sent.map_err(|error| error.into_io())
    }
}
