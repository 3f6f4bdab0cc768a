//! What a UDP socket does, said once for both front ends.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::task::Poll;

use netstack_core::{RecvFlags, SendControl, SendFlags};
use txbuf::{IovIter, Span};

use super::Socket;
use crate::Netstack;
use crate::error::IntoIo as _;
use crate::waiters::{Direction, Waiter};

/// A datagram taken from a socket's queue.
pub(crate) struct Datagram {
    /// Bytes of it that were taken.
    pub(crate) bytes: usize,
    /// Who sent it.
    pub(crate) from: SocketAddr,
}

impl Socket {
    /// Binds a UDP socket.
    pub(crate) fn bind_udp(net: &Netstack, local: SocketAddr) -> io::Result<Socket> {
        Socket::open(net, |stack, _| {
            stack.udp_bind(local).map_err(|error| error.into_io())
        })
    }

    /// Sets the peer of a UDP socket: where `send` sends to and whom alone it receives from.
    pub(crate) fn connect_udp(&self, remote: SocketAddr) -> io::Result<()> {
        self.attempt(|state| {
            state
                .stack
                .udp_connect(self.id, remote)
                .map_err(|error| error.into_io())
        })
    }

    /// Sends one datagram, to the connected peer when `to` is `None`.
    pub(crate) fn poll_send_to(
        &self,
        waiter: Option<Waiter<'_>>,
        datagram: &[u8],
        to: Option<SocketAddr>,
    ) -> Poll<io::Result<usize>> {
        let small = self.net.shared().send_pool.segment() / 4;
        let mut staged = VecDeque::new();
        if datagram.len() > small
            && let Ok(mut segment) = self.net.shared().send_pool.reserve()
            && let Some(room) = segment.get_mut(..datagram.len())
        {
            room.copy_from_slice(datagram);
            staged.push_back(segment.commit(datagram.len()));
        }
        self.poll(Direction::Write, waiter, |state| {
            let control = SendControl { to };
            let bufs = [IoSlice::new(datagram)];
            let mut from = if staged.is_empty() {
                IovIter::source(&bufs)
            } else {
                IovIter::spans(&mut staged)
            };
            state
                .stack
                .send_message(self.id, &mut from, SendFlags::default(), &control)
                .map_err(|error| error.into_io())
        })
    }

    /// Moves the next datagram to `into`, at most `max` bytes of it; the rest of it is lost.
    pub(crate) fn poll_receive_from(
        &self,
        waiter: Option<Waiter<'_>>,
        max: usize,
        into: &mut VecDeque<Span>,
    ) -> Poll<io::Result<Datagram>> {
        self.poll_datagram(
            waiter,
            &mut IovIter::collect(into, max),
            RecvFlags::default(),
        )
    }

    /// Copies from the next datagram and leaves it in the queue.
    pub(crate) fn poll_peek_from(
        &self,
        waiter: Option<Waiter<'_>>,
        buf: &mut [u8],
    ) -> Poll<io::Result<Datagram>> {
        self.poll_datagram(
            waiter,
            &mut IovIter::sink(&mut [IoSliceMut::new(buf)]),
            RecvFlags::PEEK,
        )
    }

    fn poll_datagram(
        &self,
        waiter: Option<Waiter<'_>>,
        into: &mut IovIter<'_>,
        flags: RecvFlags,
    ) -> Poll<io::Result<Datagram>> {
        self.poll(Direction::Read, waiter, |state| {
            let received = state
                .stack
                .receive_message(self.id, into, flags)
                .map_err(|error| error.into_io())?;
            // Only a stream has no sender to name.
            let from = received.from.ok_or(io::ErrorKind::InvalidInput)?;
            Ok(Datagram {
                bytes: received.bytes,
                from,
            })
        })
    }
}
