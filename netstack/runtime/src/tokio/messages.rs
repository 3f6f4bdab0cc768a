//! Messages through asynchronous sockets: flags, spans, owned and lent buffers, completions.
//!
//! They are those of the blocking sockets, and as cancel-safe as the rest: a future that is dropped before it is
//! ready has taken nothing, sent nothing and reported nothing.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use netstack_core::{Received, RecvFlags, SendControl, SendFlags};
use txbuf::{Completion, Completions, IovIter, Span, Token};

use super::transfer::{completion, or_would_block, receive, send, send_bytes};
use super::{TcpStream, UdpSocket, wait};
use crate::waiters::Direction;

/// Messages; what they mean in detail is said in [`netstack_core::messages`].
impl TcpStream {
    /// Sends from the front of `from` when there is room for something; says how many bytes were taken over, and
    /// advances `from` by exactly as many. Slices are copied; spans are not, unless they are small. Every part of a
    /// message is sent with its `token`, see [the blocking one](crate::net::TcpStream::send_message).
    ///
    /// # Errors
    ///
    /// As a write; `WouldBlock` with [`SendFlags::DONTWAIT`]. Nothing was taken then.
    pub async fn send_message(
        &self,
        from: &mut IovIter<'_>,
        flags: SendFlags,
        token: Option<&Token>,
    ) -> io::Result<usize> {
        send(&self.stream.socket, from, flags, token).await
    }

    /// Sends from the front of `bytes` without copying, unless little is sent; says how much, and advances `bytes` by
    /// that. The buffer is shared until the peer has acknowledged it.
    ///
    /// # Errors
    ///
    /// As a write; `bytes` is as it was.
    pub async fn send_bytes(&self, bytes: &mut Bytes) -> io::Result<usize> {
        send_bytes(&self.stream.socket, bytes).await
    }

    /// Receives into `into` when there is something, and advances it by exactly what was put into it. With
    /// [`RecvFlags::WAITALL`] it waits until `into` can be filled, or until the stream ends or the buffer of the
    /// socket is full.
    ///
    /// # Errors
    ///
    /// As a read; `WouldBlock` with [`RecvFlags::DONTWAIT`].
    pub async fn recv_message(
        &self,
        into: &mut IovIter<'_>,
        flags: RecvFlags,
    ) -> io::Result<Received> {
        receive(&self.stream.socket, into, flags).await
    }

    /// Moves at most `max` bytes of the stream to the end of `into`, as they lie in memory: they may be kept, looked
    /// at, or sent on another socket. 0 is the end of the stream. Only what would pin much more than it holds is
    /// copied.
    ///
    /// # Errors
    ///
    /// As a read.
    pub async fn recv_spans(&self, into: &mut VecDeque<Span>, max: usize) -> io::Result<usize> {
        let mut into = IovIter::collect(into, max);
        let received = self.recv_message(&mut into, RecvFlags::NONE).await?;
        Ok(received.bytes)
    }

    /// The token of the next message, as [the blocking one](crate::net::TcpStream::message_token).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn message_token(&self) -> io::Result<Token> {
        self.stream.socket.message_token()
    }

    /// The next messages that are complete, in order.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub async fn completion(&self) -> io::Result<Completion> {
        completion(&self.stream.socket).await
    }

    /// Takes the end at which completions come, to be polled after the stream is gone; `None` if no message had a
    /// token.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub fn detach_completions(&self) -> io::Result<Option<Completions>> {
        self.stream.socket.detach_completions()
    }
}

/// Messages; what they mean in detail is said in [`netstack_core::messages`].
impl UdpSocket {
    /// Sends all of `from` as one datagram, to the address in `control` or to the connected peer. Slices are copied,
    /// spans are not. On an error `from` is as it was.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UdpSocket::send_to); `WouldBlock` with [`SendFlags::DONTWAIT`].
    pub async fn send_message(
        &self,
        from: &mut IovIter<'_>,
        flags: SendFlags,
        control: &SendControl<'_>,
    ) -> io::Result<usize> {
        if flags.has(SendFlags::DONTWAIT) {
            return or_would_block(self.socket.poll_send_to(None, from, flags, control));
        }
        wait(&self.socket, Direction::Write, |waiter| {
            self.socket.poll_send_to(waiter, from, flags, control)
        })
        .await
    }

    /// Receives one datagram into `into`; what there is no room for is lost, and [`Received::len`] tells how long the
    /// datagram was.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from); `WouldBlock` with [`RecvFlags::DONTWAIT`].
    pub async fn recv_message(
        &self,
        into: &mut IovIter<'_>,
        flags: RecvFlags,
    ) -> io::Result<Received> {
        receive(&self.socket, into, flags).await
    }

    /// Moves one datagram to the end of `into`, as it lies in memory; it may be kept, looked at, or sent on another
    /// socket. Only what would pin much more than it holds is copied.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    pub async fn recv_spans(&self, into: &mut VecDeque<Span>) -> io::Result<Received> {
        let mut into = IovIter::collect(into, usize::MAX);
        self.recv_message(&mut into, RecvFlags::NONE).await
    }

    /// The token of the next message, as [the blocking one](crate::net::TcpStream::message_token).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn message_token(&self) -> io::Result<Token> {
        self.socket.message_token()
    }

    /// The next messages that are complete, as they come.
    ///
    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub async fn completion(&self) -> io::Result<Completion> {
        completion(&self.socket).await
    }

    /// Takes the end at which completions come, as [`TcpStream::detach_completions`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn detach_completions(&self) -> io::Result<Option<Completions>> {
        self.socket.detach_completions()
    }
}
