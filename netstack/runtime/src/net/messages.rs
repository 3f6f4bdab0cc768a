//! Messages through blocking sockets: flags, spans, owned and lent buffers, completions.

use std::collections::VecDeque;
use std::io;
use std::task::Poll;

use bytes::Bytes;
use netstack_core::{Received, RecvFlags, SendControl, SendFlags};
use txbuf::{Completion, Completions, IovIter, Span, Token};

use super::{TcpStream, UdpSocket};
use crate::socket::Waitable as _;
use crate::waiters::Direction;

/// Messages; what they mean in detail is said in [`netstack_core::messages`].
impl TcpStream {
    /// Sends from the front of `from`, waiting until there is room for something; says how many bytes were taken
    /// over, and advances `from` by exactly as many. Slices are copied; spans are not, unless they are small.
    ///
    /// Every part of a message is sent with its `token`. A message that was lent, in one call:
    ///
    /// ```
    /// # fn send(net: &netstack::Netstack, stream: &netstack::net::TcpStream) -> std::io::Result<()> {
    /// use netstack::{SendFlags, txbuf::{IovIter, Region}};
    ///
    /// let region = Region::new(net.ledger(), vec![7; 100_000]);
    /// let token = stream.message_token()?;
    /// let lent = region.lend(0..100_000, Some(&token)).expect("within the region");
    /// let mut from = IovIter::span(lent);
    /// while from.remaining() > 0 {
    ///     stream.send_message(&mut from, SendFlags::NONE, Some(&token))?;
    /// }
    /// drop((from, token));
    /// // Acknowledged and used by nobody any more: the memory is the application's again.
    /// let done = stream.wait_completion()?;
    /// assert_eq!((done.first, done.last), (0, 0));
    /// let memory = region.unregister().expect("nothing is lent");
    /// # drop(memory);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As a write; `WouldBlock` also with [`SendFlags::DONTWAIT`]. Nothing was taken then.
    pub fn send_message(
        &self,
        from: &mut IovIter<'_>,
        flags: SendFlags,
        token: Option<&Token>,
    ) -> io::Result<usize> {
        let (socket, patience) = &*self.shared;
        let at_once = flags.has(SendFlags::DONTWAIT);
        patience.wait_unless(at_once, socket, Direction::Write, |waiter| {
            socket.poll_send(waiter, from, flags, token)
        })
    }

    /// Sends from the front of `bytes` without copying, unless little is sent; says how much, and advances `bytes` by
    /// that. The buffer is shared until the peer has acknowledged it.
    ///
    /// # Errors
    ///
    /// As a write; `bytes` is as it was.
    pub fn send_bytes(&self, bytes: &mut Bytes) -> io::Result<usize> {
        let span = Span::from_bytes(self.socket().ledger(), bytes.clone());
        let span = span.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let sent = self.send_message(&mut IovIter::span(span), SendFlags::NONE, None)?;
        let _ = bytes.split_to(sent.min(bytes.len()));
        Ok(sent)
    }

    /// Receives into `into`, waiting until there is something; advances it by exactly what was put into it.
    ///
    /// With [`RecvFlags::WAITALL`] it waits until `into` can be filled, or until the stream ends, the buffer of the
    /// socket is full, or patience ends: then it gives what there is.
    ///
    /// # Errors
    ///
    /// As a read; `WouldBlock` also with [`RecvFlags::DONTWAIT`].
    pub fn recv_message(&self, into: &mut IovIter<'_>, flags: RecvFlags) -> io::Result<Received> {
        let (socket, patience) = &*self.shared;
        let at_once = flags.has(RecvFlags::DONTWAIT);
        let received = patience.wait_unless(at_once, socket, Direction::Read, |waiter| {
            socket.poll_receive(waiter, into, flags)
        });
        match received {
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock
                    && !at_once
                    && flags.has(RecvFlags::WAITALL) =>
            {
                self.recv_message(into, flags | RecvFlags::DONTWAIT)
            }
            received => received,
        }
    }

    /// Moves at most `max` bytes of the stream to the end of `into`, as they lie in memory: they may be kept, looked
    /// at, or sent on another socket. 0 is the end of the stream. Only what would pin much more than it holds is
    /// copied.
    ///
    /// # Errors
    ///
    /// As a read.
    pub fn recv_spans(&self, into: &mut VecDeque<Span>, max: usize) -> io::Result<usize> {
        self.recv_message(&mut IovIter::collect(into, max), RecvFlags::NONE)
            .map(|received| received.bytes)
    }

    /// The token of the next message, to lend memory with and to send it with. Messages are numbered from 0. The
    /// message is complete only after its token was dropped too.
    ///
    /// # Errors
    ///
    /// `QuotaExceeded` when thousands of messages wait for their completion to be looked at.
    pub fn message_token(&self) -> io::Result<Token> {
        self.socket().message_token()
    }

    /// The next messages that are complete, in order, if there are any yet.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn poll_completion(&self) -> io::Result<Option<Completion>> {
        if_ready(self.socket().poll_completion(None))
    }

    /// Waits for the next messages to be complete, as long as a read would wait.
    ///
    /// # Errors
    ///
    /// `WouldBlock` in non-blocking mode or after the read timeout; `NetworkDown` when the stack was shut down.
    pub fn wait_completion(&self) -> io::Result<Completion> {
        let (socket, patience) = &*self.shared;
        patience.wait(socket, Direction::Complete, |waiter| {
            socket.poll_completion(waiter)
        })
    }

    /// Takes the end at which completions come, to be polled after the stream is gone; `None` if no message had a
    /// token.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn detach_completions(&self) -> io::Result<Option<Completions>> {
        self.socket().detach_completions()
    }
}

/// Messages; what they mean in detail is said in [`netstack_core::messages`].
impl UdpSocket {
    /// Sends all of `from` as one datagram, to the address in `control` or to the connected peer. Slices are copied,
    /// spans are not; a message of several parts is sent with [`IovIter::parts`]. On an error `from` is as it was.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UdpSocket::send_to); `WouldBlock` also with [`SendFlags::DONTWAIT`].
    pub fn send_message(
        &self,
        from: &mut IovIter<'_>,
        flags: SendFlags,
        control: &SendControl<'_>,
    ) -> io::Result<usize> {
        let (socket, patience) = &*self.shared;
        let at_once = flags.has(SendFlags::DONTWAIT);
        patience.wait_unless(at_once, socket, Direction::Write, |waiter| {
            socket.poll_send_to(waiter, from, flags, control)
        })
    }

    /// Receives one datagram into `into`, waiting for it; what there is no room for is lost, and
    /// [`Received::len`] tells how long the datagram was.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from); `WouldBlock` also with [`RecvFlags::DONTWAIT`].
    pub fn recv_message(&self, into: &mut IovIter<'_>, flags: RecvFlags) -> io::Result<Received> {
        let (socket, patience) = &*self.shared;
        let at_once = flags.has(RecvFlags::DONTWAIT);
        patience.wait_unless(at_once, socket, Direction::Read, |waiter| {
            socket.poll_receive(waiter, into, flags)
        })
    }

    /// Moves one datagram to the end of `into`, as it lies in memory; it may be kept, looked at, or sent on another
    /// socket. Only what would pin much more than it holds is copied.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    pub fn recv_spans(&self, into: &mut VecDeque<Span>) -> io::Result<Received> {
        self.recv_message(&mut IovIter::collect(into, usize::MAX), RecvFlags::NONE)
    }

    /// The token of the next message, as [`TcpStream::message_token`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn message_token(&self) -> io::Result<Token> {
        self.socket().message_token()
    }

    /// The next messages that are complete, as they come, if there are any yet.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn poll_completion(&self) -> io::Result<Option<Completion>> {
        if_ready(self.socket().poll_completion(None))
    }

    /// Waits for the next messages to be complete, as long as a receive would wait.
    ///
    /// # Errors
    ///
    /// `WouldBlock` in non-blocking mode or after the read timeout; `NetworkDown` when the stack was shut down.
    pub fn wait_completion(&self) -> io::Result<Completion> {
        let (socket, patience) = &*self.shared;
        patience.wait(socket, Direction::Complete, |waiter| {
            socket.poll_completion(waiter)
        })
    }

    /// Takes the end at which completions come, as [`TcpStream::detach_completions`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn detach_completions(&self) -> io::Result<Option<Completions>> {
        self.socket().detach_completions()
    }
}

fn if_ready<T>(polled: Poll<io::Result<T>>) -> io::Result<Option<T>> {
    match polled {
        Poll::Ready(result) => result.map(Some),
        Poll::Pending => Ok(None),
    }
}
